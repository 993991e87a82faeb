//! Converts the engine's errors to the exceptions that scripts catch, and exceptions of scripts to failures of the run.

use std::fmt;

use pyo3::{
    create_exception,
    exceptions::{PyException, PySystemExit},
    intern,
    prelude::*,
    types::PyBytes,
};

use super::{interrupts::interrupted, module};
use crate::{
    Failure,
    http::{Error, tls},
};

create_exception!(
    molotov,
    DataExhausted,
    PyException,
    "The rows of a data file have run out. In a scenario, it ends the worker, and is no failure."
);

/// The exception that aiohttp would raise.
pub(super) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let made = || -> PyResult<PyErr> {
        if let Some(wrong) = tls::verify::WrongFingerprint::among(error) {
            let url = error.url();
            let host = url.and_then(|url| url.host_str()).unwrap_or_default();
            let port = url.and_then(|url| url.port_or_known_default()).unwrap_or_default();
            let (expected, got) = (PyBytes::new(py, &wrong.expected), PyBytes::new(py, &wrong.got));
            let exceptions = module(py, "_exceptions")?;
            return Ok(PyErr::from_value(exceptions.call_method1("wrong_fingerprint", (expected, got, host, port))?));
        }
        let mut errno = None;
        let mut source = std::error::Error::source(error);
        let mut causes = Vec::new();
        while let Some(cause) = source {
            if let Some(raised) = cause.downcast_ref::<ScriptException>() {
                return Ok(raised.0.clone_ref(py));
            }
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                errno = errno.or(io.raw_os_error());
            }
            causes.push(cause.to_string());
            source = cause.source();
        }
        let exception = module(py, "_exceptions")?.call_method1(
            intern!(py, "exception"),
            (
                error.kind().as_str(),
                error.to_string(),
                error.url().map(|url| url.as_str()),
                error.is_connect(),
                error.is_read_timeout(),
                errno,
                causes,
            ),
        )?;
        Ok(PyErr::from_value(exception))
    };
    made().unwrap_or_else(|error| error)
}

/// An exception of a script as a failure. Its traceback shows the script's lines only.
pub(super) fn failure(error: PyErr) -> Failure {
    Python::attach(|py| {
        let failure = match crate::backtrace::aside(|| describe(py, &error)) {
            Ok((kind, message, place, traceback)) => Failure::from_parts(kind, message, place, Some(traceback)),
            // An exception that cannot be described.
            Err(_) => Failure::from_parts("exception", error.to_string(), None, None),
        };
        let failure = match error.is_instance(py, interrupted(py).as_any()) {
            true => failure.by_interruption(),
            false => failure,
        };
        let failure = match is_end_of_rows(py, &error) {
            true => failure.by_end_of_rows(),
            false => failure,
        };
        let exit = exit(py, &error).map(|(code, _)| code);
        failure.with_exit(exit).with_cause(error.into_value(py))
    })
}

/// Whether rows have run out. Task groups raise a group of the exceptions of their tasks.
fn is_end_of_rows(py: Python<'_>, error: &PyErr) -> bool {
    if error.is_instance_of::<DataExhausted>(py) {
        return true;
    }
    let only_others = || -> PyResult<bool> {
        // Before Python 3.11, there are no groups.
        let group = py.import(intern!(py, "builtins"))?.getattr(intern!(py, "BaseExceptionGroup"))?;
        if !error.value(py).is_instance(&group)? {
            return Ok(true);
        }
        let split = error.value(py).call_method1(intern!(py, "split"), (py.get_type::<DataExhausted>(),))?;
        Ok(!split.get_item(1)?.is_none())
    };
    !only_others().unwrap_or(true)
}

/// The exit code of a `sys.exit()`, and its message if there is one. `None` for other exceptions.
pub(super) fn exit(py: Python<'_>, error: &PyErr) -> Option<(u8, Option<String>)> {
    if !error.is_instance_of::<PySystemExit>(py) {
        return None;
    }
    match error.value(py).getattr(intern!(py, "code")) {
        Ok(code) if !code.is_none() => Some(match code.extract::<i32>() {
            Ok(code) => (code as u8, None),
            Err(_) => (1, Some(code.to_string())),
        }),
        _ => Some((0, None)),
    }
}

/// The type of an exception, its message, the line of the script that raised it, and its traceback.
pub(super) fn describe(py: Python<'_>, error: &PyErr) -> PyResult<(String, String, Option<String>, String)> {
    // Before Python 3.12, PyO3 keeps the traceback apart from the exception.
    if let Some(traceback) = error.traceback(py) {
        error.value(py).setattr(intern!(py, "__traceback__"), traceback)?;
    }
    module(py, "_exception")?.call_method1(intern!(py, "describe"), (error.value(py),))?.extract()
}

/// A Python exception as the cause of an error of the engine.
#[derive(Debug)]
pub(super) struct ScriptException(pub(super) PyErr);

impl fmt::Display for ScriptException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ScriptException {}
