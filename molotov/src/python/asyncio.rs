//! Functions and classes of asyncio that the engine uses often.

use pyo3::{ffi, prelude::*, sync::PyOnceLock};

static CANCELLED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static ENTER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static LEAVE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// asyncio's `CancelledError`.
pub(super) fn cancelled(py: Python<'_>, message: Option<Bound<'_, PyAny>>) -> PyErr {
    let made = cancelled_error(py).and_then(|class| match message.filter(|message| !message.is_none()) {
        Some(message) => class.call1((message,)),
        None => class.call0(),
    });
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// The class `CancelledError` of asyncio.
pub(super) fn cancelled_error(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let class = CANCELLED.get_or_try_init(py, || py.import("asyncio")?.getattr("CancelledError").map(Bound::unbind))?;
    Ok(class.bind(py).clone())
}

/// Makes a task the current task.
pub(super) fn enter_task(py: Python<'_>, event_loop: &Bound<'_, PyAny>, task: &Py<PyAny>) -> PyResult<()> {
    call(py, &ENTER, "_enter_task", event_loop, task)
}

/// Ends what [`enter_task`] began.
pub(super) fn leave_task(py: Python<'_>, event_loop: &Bound<'_, PyAny>, task: &Py<PyAny>) -> PyResult<()> {
    call(py, &LEAVE, "_leave_task", event_loop, task)
}

fn call(
    py: Python<'_>,
    slot: &'static PyOnceLock<Py<PyAny>>,
    name: &'static str,
    event_loop: &Bound<'_, PyAny>,
    task: &Py<PyAny>,
) -> PyResult<()> {
    let function = slot.get_or_try_init(py, || py.import("asyncio.tasks")?.getattr(name).map(Bound::unbind))?;
    let arguments = [std::ptr::null_mut(), event_loop.as_ptr(), task.as_ptr()];
    // SAFETY: all pointers are valid during the call. The callee may overwrite the first element.
    let result = unsafe {
        ffi::PyObject_Vectorcall(
            function.as_ptr(),
            arguments.as_ptr().add(1),
            2 | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET,
            std::ptr::null_mut(),
        )
    };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, result) }.map(drop)
}
