//! The asyncio loop of the process: made before a script is loaded, so that scripts may keep it.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use crate::python::module;

static ASYNCIO: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// The asyncio loop. The first call makes it.
pub(in crate::python) fn asyncio(py: Python<'_>, debug: bool) -> PyResult<Bound<'_, PyAny>> {
    if let Some(known) = &*ASYNCIO.lock().unwrap_or_else(PoisonError::into_inner) {
        return Ok(known.bind(py).clone());
    }
    let made = module(py, "_loop")?.call_method1("make", (debug,))?;
    ASYNCIO.lock().unwrap_or_else(PoisonError::into_inner).replace(made.clone().unbind());
    Ok(made)
}

/// The asyncio loop for a run: a new one if the script has closed the first, or runs it on another thread.
pub(super) fn asyncio_to_run(py: Python<'_>, debug: bool) -> PyResult<Bound<'_, PyAny>> {
    let known = asyncio(py, debug)?;
    if module(py, "_loop")?.call_method1("is_usable", (&known,))?.is_truthy()? {
        return Ok(known);
    }
    forget();
    asyncio(py, debug)
}

/// Removes the asyncio loop, so that the next use makes another.
pub(super) fn forget() -> Option<Py<PyAny>> {
    ASYNCIO.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Has asyncio finish what belongs before `global_teardown`, such as the last calls of listeners.
pub(in crate::python) fn catch_up(py: Python<'_>) -> PyResult<()> {
    let helper = module(py, "_loop")?;
    let asyncio = asyncio(py, false)?;
    if helper.call_method1("is_usable", (&asyncio,))?.is_truthy()? {
        helper.call_method1("catch_up", (&asyncio,))?;
    }
    Ok(())
}

/// Closes the asyncio loop, if there is one.
pub(in crate::python) fn close(py: Python<'_>) -> PyResult<()> {
    match forget() {
        Some(known) => module(py, "_loop")?.call_method1("close", (known,)).map(drop),
        None => Ok(()),
    }
}
