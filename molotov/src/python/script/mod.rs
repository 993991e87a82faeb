//! Loads a script. Its functions implement the traits of the registry.

mod fixtures;
mod function;
mod listeners;
mod registration;
mod scenario;
mod sessions;

use std::{cell::RefCell, ffi::OsString, io::Write, result::Result};

use pyo3::prelude::*;

use super::{errors, event_loop, interpreter, module, options, package, run_state, stdout};
use crate::{options::Args, registry::Registry};

/// The reason why a script cannot be loaded.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// There is no such script, or no interpreter.
    Missing(String),
    /// The script raised an exception with this traceback.
    Raised(String),
    /// The script exits with this code.
    Exit(u8),
}

thread_local! {
    /// The changes to an interpreter that outlives the run. The end of the run reverts them.
    static RUN: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Starts the interpreter, without its signal handlers.
pub(crate) fn start(line: &[OsString]) -> Result<(), LoadError> {
    interpreter::start(line).map_err(LoadError::Missing)?;
    Python::attach(|py| {
        let installed = (|| {
            package::install(py)?;
            run_state::begin();
            if !interpreter::is_ours() {
                RUN.set(Some(module(py, "_runs")?.call_method0("Run")?.unbind()));
            }
            interpreter::remove_python_handlers(py)
        })();
        installed.map_err(|error| load_error(py, &error))
    })
}

/// Loads the extensions and the script that the command line names. Returns what they registered.
pub(crate) fn load(args: &Args, script: Option<&str>, extensions: &[String]) -> Result<Registry, LoadError> {
    Python::attach(|py| {
        let loaded = (|| {
            let sys = py.import("sys")?;
            let stream = if crate::notice::shows_on_stderr(args) { "stderr" } else { "stdout" };
            let replacement = stdout::Stdout::new(sys.getattr(stream)?.unbind(), args.quiet);
            sys.setattr("stdout", Bound::new(py, replacement)?)?;
            if args.uvloop {
                module(py, "_loading")?.call_method0("check_uvloop")?;
                if !args.quiet {
                    crate::notice::note("uvloop is not used: scripts run on Molotov's own event loop, which is faster");
                }
            }
            event_loop::asyncio(py, args.debug)?;
            module(py, "_tls")?.call_method0("record_contexts")?;
            options::set_args(options::namespace(py, args, extensions)?);
            for extension in extensions {
                if !args.quiet {
                    crate::notice::announce_extension(args, extension);
                }
                module(py, "_loading")?.call_method1("load_extension", (extension,))?;
            }
            if let Some(script) = script {
                module(py, "_loading")?.call_method1("load", (script,))?;
            }
            registration::registry(py, args)
        })();
        loaded.map_err(|error: PyErr| load_error(py, &error))
    })
}

/// Ends what [`load`] began: shows incomplete lines, and runs what scripts have registered for the end.
pub(crate) fn finish() {
    if !interpreter::is_started() {
        return;
    }
    Python::attach(|py| {
        options::forget_args();
        if let Err(error) = event_loop::close(py) {
            error.write_unraisable(py, None);
        }
        let restored = (|| match stdout::finish(py)? {
            Some(original) => py.import("sys")?.setattr("stdout", original),
            None => Ok(()),
        })();
        if let Err(error) = restored {
            error.write_unraisable(py, None);
        }
        if let Some(run) = RUN.take()
            && let Err(error) = run.call_method0(py, "end")
        {
            error.write_unraisable(py, None);
        }
    });
    interpreter::end();
}

fn load_error(py: Python<'_>, error: &PyErr) -> LoadError {
    if let Some((code, message)) = errors::exit(py, error) {
        if let Some(message) = message {
            let _ = writeln!(std::io::stderr().lock(), "{message}");
        }
        return LoadError::Exit(code);
    }
    let missing = module(py, "_loading").and_then(|module| module.getattr("ScriptNotFound"));
    if missing.is_ok_and(|missing| error.is_instance(py, &missing)) {
        return LoadError::Missing(error.value(py).to_string());
    }
    match errors::describe(py, error) {
        Ok((.., traceback)) => LoadError::Raised(traceback),
        Err(_) => LoadError::Raised(error.to_string()),
    }
}
