//! Delays of scripts: numbers of seconds, pairs of them, and texts such as `exp(2s)`.

use std::time::Duration;

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyList, PyString, PyTuple},
};

use super::{awaitable::Awaitable, context::WorkerContext, measures::kind};
use crate::options::Delay;

/// Reads a delay.
pub(super) fn delay(given: &Bound<'_, PyAny>) -> PyResult<Delay> {
    if let Ok(text) = given.cast::<PyString>() {
        let text = text.to_str()?;
        return text.parse().map_err(|error| PyValueError::new_err(format!("`{text}` is not a delay: {error}")));
    }
    if given.is_instance_of::<PyTuple>() || given.is_instance_of::<PyList>() {
        let (shortest, longest): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
            given.extract().map_err(|_| PyTypeError::new_err("a pair of times, such as `(1, 3)`, has two numbers"))?;
        let (shortest, longest) = (seconds(&shortest)?, seconds(&longest)?);
        if shortest > longest {
            return Err(PyValueError::new_err("the shortest time comes first, as in `(1, 3)`"));
        }
        return Ok(Delay::between(shortest, longest));
    }
    seconds(given).map(Delay::from)
}

/// Reads a fixed time: a number of seconds, or a text such as `10s`.
pub(super) fn fixed(given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let Ok(text) = given.cast::<PyString>() else { return seconds(given) };
    let text = text.to_str()?;
    match text.parse::<Delay>() {
        Ok(delay) if Delay::from(delay.mean()) == delay => Ok(delay.mean()),
        Ok(_) => Err(PyValueError::new_err(format!("`{text}` is not a fixed time; give one, such as `10s`"))),
        Err(error) => Err(PyValueError::new_err(format!("`{text}` is not a time: {error}"))),
    }
}

fn seconds(given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let number: f64 = given.extract().map_err(|_| {
        let kind = kind(given);
        PyTypeError::new_err(format!(
            "a time is a number of seconds, `(1, 3)`, or a text such as \"exp(2s)\", not {kind}"
        ))
    })?;
    Duration::try_from_secs_f64(number).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Waits without the time counting towards the latency of the scenario.
#[pyfunction]
pub(super) fn think(context: &Bound<'_, WorkerContext>, time: &Bound<'_, PyAny>) -> PyResult<Awaitable> {
    let time = delay(time)?;
    let context = context.get().inner.borrow(context.py()).clone();
    let thinking = Box::pin(async move {
        context.think(time).await;
        Ok(Python::attach(|py| py.None()))
    });
    Ok(Awaitable::work(thinking).of("molotov.think"))
}
