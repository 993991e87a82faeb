//! The options of a run as scripts see them in `args`, and what `global_setup` changes in them.

use std::{path::Path, time::Duration};

use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};

use crate::{
    cli::{change_option, note},
    options::Args,
};

/// The options of the run as scripts see them: a namespace with every option as an attribute.
pub(super) fn namespace(py: Python<'_>, args: &Args, extensions: &[String]) -> PyResult<Py<PyAny>> {
    let options = PyDict::new(py);
    let seconds = |time: Duration| -> PyResult<Py<PyAny>> {
        let seconds = time.as_secs_f64();
        // Whole seconds are whole numbers, as on the original's command line.
        Ok(if seconds.fract() == 0.0 {
            (seconds as u64).into_pyobject(py)?.into_any().unbind()
        } else {
            seconds.into_pyobject(py)?.into_any().unbind()
        })
    };
    options.set_item("scenario", args.scenario.as_deref().unwrap_or("loadtest.py"))?;
    options.set_item("single_run", args.single_run)?;
    options.set_item("single_mode", &args.single_mode)?;
    options.set_item("config", args.config.as_deref().map(Path::to_string_lossy))?;
    options.set_item("version", false)?;
    options.set_item("debug", args.debug)?;
    options.set_item("verbose", args.verbose)?;
    options.set_item("workers", args.workers)?;
    options.set_item("ramp_up", args.ramp_up.as_secs_f64())?;
    options.set_item("sizing", args.sizing)?;
    options.set_item("sizing_tolerance", args.sizing_tolerance)?;
    options.set_item("delay", args.delay.as_secs_f64())?;
    options.set_item("console_update", args.console_update.as_secs_f64())?;
    options.set_item("processes", args.processes)?;
    options.set_item("duration", seconds(args.duration)?)?;
    options.set_item("max_runs", args.max_runs)?;
    options.set_item("quiet", args.quiet)?;
    options.set_item("exception", args.exception)?;
    options.set_item("fail", args.fail)?;
    options.set_item("console", args.console)?;
    options.set_item("statsd", args.statsd)?;
    options.set_item("statsd_address", &args.statsd_address)?;
    options.set_item("uvloop", args.uvloop)?;
    let extensions: Vec<_> = args.use_extension.iter().chain(extensions).collect();
    let extensions = (!extensions.is_empty()).then_some(extensions);
    options.set_item("use_extension", extensions)?;
    options.set_item("force_shutdown", args.force_shutdown)?;
    options.set_item("threads", args.threads)?;
    options.set_item("seed", args.seed)?;
    options.set_item("list", args.list)?;
    options.set_item("timeout", args.timeout.as_secs_f64())?;
    options.set_item("show_secrets", args.show_secrets)?;
    for (name, value) in &args.extra {
        let value = super::json::loads(py, value.to_string().as_bytes())?;
        options.set_item(name, value)?;
    }
    Ok(py.import("argparse")?.getattr("Namespace")?.call((), Some(&options))?.unbind())
}

/// The options that count from `global_setup` on.
const CHANGEABLE: [&str; 15] = [
    "single_run",
    "verbose",
    "workers",
    "ramp_up",
    "sizing_tolerance",
    "delay",
    "console_update",
    "processes",
    "duration",
    "max_runs",
    "exception",
    "fail",
    "force_shutdown",
    "seed",
    "timeout",
];

/// Those that have had their effect before.
const SETTLED: [&str; 12] = [
    "scenario",
    "single_mode",
    "config",
    "debug",
    "sizing",
    "quiet",
    "console",
    "statsd",
    "statsd_address",
    "uvloop",
    "use_extension",
    "threads",
];

/// The options as `global_setup` finds them.
pub(super) struct Seen(Vec<(&'static str, Py<PyAny>)>);

impl Seen {
    pub(super) fn new(namespace: &Bound<'_, PyAny>) -> PyResult<Seen> {
        let names = CHANGEABLE.into_iter().chain(SETTLED);
        let seen = names.filter_map(|name| namespace.getattr(name).ok().map(|value| (name, value.unbind())));
        Ok(Seen(seen.collect()))
    }

    /// Takes over what `global_setup` has changed since.
    ///
    /// # Errors
    ///
    /// When a value cannot be used: a `ValueError` with the option and the reason.
    pub(super) fn apply_changes(&self, namespace: &Bound<'_, PyAny>, args: &mut Args) -> PyResult<()> {
        let py = namespace.py();
        for (name, before) in &self.0 {
            // An attribute that is deleted leaves the option as it is.
            let Ok(now) = namespace.getattr(*name) else { continue };
            if now.eq(before)? {
                continue;
            }
            if SETTLED.contains(name) {
                note(&format!("`global_setup` changed `args.{name}`, which has no effect: set it on the command line"));
                continue;
            }
            let json = py.import("json")?.call_method1("dumps", (&now,));
            let json = json.and_then(|json| Ok(json.cast_into::<PyString>()?.to_string()));
            let changed = match json {
                Ok(json) => change_option(args, name, json),
                Err(_) => Err(format!("a value of the type `{}` is not an option's", now.get_type().name()?)),
            };
            changed.map_err(|why| {
                let shown = now.repr().map_or_else(|_| "?".to_owned(), |shown| shown.to_string());
                let message = format!("`global_setup` set `args.{name}` to {shown}: {why}");
                pyo3::exceptions::PyValueError::new_err(message)
            })?;
        }
        Ok(())
    }
}
