//! The checks, counters and values of scripts, and numbers that are unique in a run. `_measures` documents them.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    intern,
    prelude::*,
};

use super::{context::WorkerContext, module};

/// Records a check. `message` is what was wrong.
#[pyfunction]
pub(super) fn check(
    context: &Bound<'_, WorkerContext>,
    name: &str,
    passed: bool,
    message: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let py = context.py();
    let result = match message {
        _ if passed => Ok(()),
        None => Err(None),
        Some(message) => Err(Some(message.str()?.to_string_lossy().into_owned())),
    };
    // A copy, because the script may use the context while it is asked for the place.
    let context = context.get().inner.borrow(py).clone();
    let place = || module(py, "_measures").ok()?.call_method0(intern!(py, "_place")).ok()?.extract().ok();
    Ok(context.check_at(name, Given(result), place))
}

/// The result of a check of a script.
struct Given(Result<(), Option<String>>);

impl crate::session::CheckOutcome for Given {
    fn outcome(self) -> Result<(), Option<String>> {
        self.0
    }
}

/// Adds to a counter.
#[pyfunction]
pub(super) fn count(context: &Bound<'_, WorkerContext>, name: &str, n: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = context.py();
    let number = n.extract::<u64>().map_err(|error| match error.is_instance_of::<PyTypeError>(py) {
        true => PyTypeError::new_err(format!("the counter `{name}` takes a whole number, not {}", kind(n))),
        false => PyValueError::new_err(format!("the counter `{name}` cannot add {n}: counters only grow, up to 2**64")),
    })?;
    context.get().inner.borrow(py).count(name, number);
    Ok(())
}

/// Records a value.
#[pyfunction]
pub(super) fn record(context: &Bound<'_, WorkerContext>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let number = finite("value", name, value)?;
    context.get().inner.borrow(context.py()).record(name, number);
    Ok(())
}

/// Sets a gauge.
#[pyfunction]
pub(super) fn gauge(context: &Bound<'_, WorkerContext>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let number = finite("gauge", name, value)?;
    context.get().inner.borrow(context.py()).gauge(name, number);
    Ok(())
}

fn finite(what: &str, name: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    let number: f64 =
        value.extract().map_err(|error: PyErr| match error.is_instance_of::<PyTypeError>(value.py()) {
            true => PyTypeError::new_err(format!("the {what} `{name}` takes a number, not {}", kind(value))),
            false => error,
        })?;
    match number.is_finite() {
        true => Ok(number),
        false => {
            Err(PyValueError::new_err(format!("the {what} `{name}` cannot be {number}: it is not a finite number")))
        }
    }
}

/// The name of the type of an object, for messages.
pub(super) fn kind(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(|_| "such an object".to_owned(), |name| name.to_string())
}

/// The first number outside of workers. Numbers below belong to workers, and JSON keeps all of them exact.
const OUTSIDE: u64 = 1 << 52;

/// Returns a number that no other call in the run returns.
#[pyfunction]
#[pyo3(signature = (context))]
pub(super) fn unique(py: Python<'_>, context: Option<&Bound<'_, WorkerContext>>) -> u64 {
    static GIVEN: AtomicU64 = AtomicU64::new(OUTSIDE);
    match context {
        Some(context) => context.get().inner.borrow(py).unique(),
        None => GIVEN.fetch_add(1, Ordering::Relaxed),
    }
}
