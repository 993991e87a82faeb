//! The options of a run as scripts see them in `args`, and what `global_setup` changes in them.

use std::cell::RefCell;

use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyString},
};
use serde_json::Value as Json;

use super::json;
use crate::{
    load::check_options,
    notice::note,
    options::{Args, OPTIONS, OptionSpec, Source},
};

/// The options of the run as scripts see them: a namespace with every option as an attribute.
pub(super) fn namespace(py: Python<'_>, args: &Args, extensions: &[String]) -> PyResult<Py<PyAny>> {
    let options = PyDict::new(py);
    let set = |name: &str, value: &Json| options.set_item(name, json::loads(py, value.to_string().as_bytes())?);
    for entry in OPTIONS {
        set(entry.name, &(entry.json)(args))?;
    }
    // Where the original's command line has another value.
    options.set_item("version", false)?;
    options.set_item("scenario", args.scenario.as_deref().unwrap_or("loadtest.py"))?;
    if args.duration.subsec_nanos() == 0 {
        options.set_item("duration", args.duration.as_secs())?;
    }
    let extensions: Vec<_> = args.use_extension.iter().chain(extensions).collect();
    let extensions = (!extensions.is_empty()).then_some(extensions);
    options.set_item("use_extension", extensions)?;
    for (name, value) in &args.extra {
        set(name, value)?;
    }
    let arguments = super::module(py, "_arguments")?;
    let namespace = arguments.getattr("Args")?.call((), Some(&options))?;
    arguments.call_method1("complete", (&namespace,))?;
    Ok(namespace.unbind())
}

/// The options before `global_setup` runs.
pub(super) struct ArgsSnapshot(Vec<(&'static OptionSpec, Py<PyAny>)>);

impl ArgsSnapshot {
    pub(super) fn new(namespace: &Bound<'_, PyAny>) -> PyResult<ArgsSnapshot> {
        let copy = namespace.py().import("copy")?.getattr("deepcopy")?;
        let snapshot = |entry: &'static OptionSpec| {
            let value = namespace.getattr(entry.name).ok()?;
            // Scripts can also change the contents of a list.
            Some(copy.call1((value,)).map(|value| (entry, value.unbind())))
        };
        Ok(ArgsSnapshot(OPTIONS.iter().filter_map(snapshot).collect::<PyResult<_>>()?))
    }

    /// Applies the changes that `global_setup` has made since.
    ///
    /// # Errors
    ///
    /// When a value cannot be used, or contradicts another option: a `ValueError` with the option and the reason.
    pub(super) fn apply_changes(&self, namespace: &Bound<'_, PyAny>, args: &mut Args) -> PyResult<()> {
        let py = namespace.py();
        for (entry, before) in &self.0 {
            let name = entry.name;
            // Deleting an attribute does not change the option.
            let Ok(now) = namespace.getattr(name) else { continue };
            if now.eq(before)? {
                continue;
            }
            if !entry.changeable {
                note(&format!("`global_setup` changed `args.{name}`, which has no effect: set it on the command line"));
                continue;
            }
            let json = py.import("json")?.call_method1("dumps", (&now,));
            let json = json.and_then(|json| Ok(json.cast_into::<PyString>()?.to_string()));
            let changed = match json {
                Ok(json) => args.change_to_json(entry, &json),
                Err(_) => Err(format!("a value of the type `{}` is not an option's", now.get_type().name()?)),
            };
            changed.map_err(|why| {
                let shown = now.repr().map_or_else(|_| "?".to_owned(), |shown| shown.to_string());
                let message = format!("`global_setup` set `args.{name}` to {shown}: {why}");
                PyValueError::new_err(message)
            })?;
            args.sources.set(name, Source::Script);
        }
        check_options(args).map_err(|why| PyValueError::new_err(format!("`global_setup` changed the options: {why}")))
    }
}

thread_local! {
    static ARGS: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Sets the options of the run as scripts see them.
pub(super) fn set_args(args: Py<PyAny>) {
    ARGS.set(Some(args));
}

/// Drops the options at the end of the run.
pub(super) fn forget_args() {
    ARGS.set(None);
}

/// The options of the run as scripts see them. `None` outside a run.
pub(super) fn args(py: Python<'_>) -> Py<PyAny> {
    ARGS.with_borrow(|args| args.as_ref().map_or_else(|| py.None(), |args| args.clone_ref(py)))
}
