//! Functions and classes of asyncio that the engine uses often.

use pyo3::{ffi, prelude::*, sync::PyOnceLock, types::PyDict};

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
    if let Some(current) = current_tasks(py)? {
        let before = current.len();
        // SAFETY: all objects are alive. The result is a borrowed reference, or null with an exception set.
        let entered = unsafe { ffi::PyDict_SetDefault(current.as_ptr(), event_loop.as_ptr(), task.as_ptr()) };
        if entered.is_null() {
            return Err(PyErr::fetch(py));
        }
        if current.len() > before {
            return Ok(());
        }
        // Another task is the current one, so the function raises an exception.
    }
    call(py, &ENTER, "_enter_task", event_loop, task)
}

/// Ends what [`enter_task`] began.
pub(super) fn leave_task(py: Python<'_>, event_loop: &Bound<'_, PyAny>, task: &Py<PyAny>) -> PyResult<()> {
    if let Some(current) = current_tasks(py)?
        && current.get_item(event_loop)?.is_some_and(|current| current.is(task))
    {
        return current.del_item(event_loop);
    }
    // Another task is the current one, so the function raises an exception.
    call(py, &LEAVE, "_leave_task", event_loop, task)
}

/// The current tasks by event loop. Newer versions of Python keep them elsewhere.
fn current_tasks(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyDict>>> {
    static CURRENT: PyOnceLock<Option<Py<PyDict>>> = PyOnceLock::new();
    let known = CURRENT.get_or_try_init(py, || {
        let tasks = py.import("asyncio.tasks")?;
        let known = tasks.getattr("_current_tasks").and_then(|known| Ok(known.cast_into::<PyDict>()?.unbind()));
        // The functions of later versions do not use it.
        PyResult::Ok(known.ok().filter(|_| py.version_info() < (3, 14)))
    })?;
    Ok(known.as_ref().map(|known| known.bind(py)))
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
