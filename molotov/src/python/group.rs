//! Groups of a script: `async with molotov.group("checkout")`.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use pyo3::{
    exceptions::{PyGeneratorExit, PyRuntimeError},
    ffi,
    prelude::*,
    sync::PyOnceLock,
};

use super::{asyncio, awaitable::Awaitable, gil_cell::GilCell, interrupts::interrupted};
use crate::{
    metrics::{Outcome, SEPARATOR},
    session::Context,
};

/// The context variable with the [`Path`] of the current group. Made by the first group, so that scripts without groups never
/// look it up.
static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The path of a group, such as `checkout / payment`.
#[pyclass(frozen, module = "molotov._core")]
struct Path(GilCell<Rc<str>>);

/// Returns the path of the group of the code that runs. `None` outside of groups: the path is then that of the worker's context.
pub(super) fn path(py: Python<'_>) -> Option<Rc<str>> {
    let path = value(py, CURRENT.get(py)?)?;
    path.cast::<Path>().ok().map(|path| path.get().0.borrow(py).clone())
}

/// Returns the path of the group of the code that runs, or that of the worker's context.
pub(super) fn path_within(py: Python<'_>, context: &Context) -> Option<Rc<str>> {
    path(py).or_else(|| context.group_path())
}

fn variable(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    CURRENT.get_or_try_init(py, || {
        // SAFETY: the name is a valid C string, and there is no default.
        unsafe {
            let made = ffi::PyContextVar_New(c"molotov_group".as_ptr(), std::ptr::null_mut());
            Bound::from_owned_ptr_or_err(py, made).map(Bound::unbind)
        }
    })
}

fn value<'py>(py: Python<'py>, variable: &Py<PyAny>) -> Option<Bound<'py, PyAny>> {
    let mut value = std::ptr::null_mut();
    // SAFETY: `variable` is a context variable, and `value` has room for a new reference, which is null without a value.
    let found = unsafe { ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut value) };
    if found < 0 {
        drop(PyErr::take(py));
        return None;
    }
    // SAFETY: a new reference, or null.
    unsafe { Bound::from_owned_ptr_or_opt(py, value) }
}

fn set(py: Python<'_>, variable: &Py<PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    // SAFETY: `variable` is a context variable. The result is a new reference, or null with an exception set.
    unsafe {
        let token = ffi::PyContextVar_Set(variable.as_ptr(), value.as_ptr());
        Bound::from_owned_ptr_or_err(py, token).map(drop)
    }
}

/// A group of a worker: the block of a `with` or `async with`.
#[pyclass(frozen, module = "molotov._measures")]
pub(super) struct Group {
    name: String,
    context: GilCell<Context>,
    running: GilCell<Option<Running>>,
}

struct Running {
    path: Rc<str>,
    started: Instant,
    /// The time that the worker had thought before.
    thought: Duration,
    /// The value of the context variable outside of the group.
    before: Py<PyAny>,
}

impl Group {
    pub(super) fn new(context: Context, name: String) -> Group {
        Group { name, context: GilCell::new(context), running: GilCell::new(None) }
    }

    fn enter(&self, py: Python<'_>) -> PyResult<()> {
        if self.running.borrow(py).is_some() {
            return Err(PyRuntimeError::new_err(format!(
                "the group `{}` is running already; call `molotov.group` for each block",
                self.name
            )));
        }
        let (within, thought) = {
            let context = self.context.borrow(py);
            (path_within(py, &context), context.thought())
        };
        let path: Rc<str> = match within {
            Some(within) => format!("{within}{SEPARATOR}{}", self.name).into(),
            None => self.name.as_str().into(),
        };
        let variable = variable(py)?;
        let before = value(py, variable).map_or_else(|| py.None(), Bound::unbind);
        set(py, variable, Bound::new(py, Path(GilCell::new(path.clone())))?.as_any())?;
        self.running.replace(py, Some(Running { path, started: Instant::now(), thought, before }));
        Ok(())
    }

    fn exit(&self, exception: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = exception.py();
        let Some(running) = self.running.replace(py, None) else { return Ok(()) };
        let context = self.context.borrow(py);
        let thought = context.thought().saturating_sub(running.thought);
        let took = running.started.elapsed().saturating_sub(thought);
        set(py, variable(py)?, running.before.bind(py))?;
        let outcome = if exception.is_none() {
            Outcome::Ok
        } else if is_cut(exception)? {
            Outcome::Interrupted
        } else {
            Outcome::Failed
        };
        if let Some(observer) = context.observer() {
            observer.step(&running.path, outcome, took);
        }
        Ok(())
    }
}

/// Returns whether an exception cancels the code that it leaves.
pub(super) fn is_cut(exception: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = exception.py();
    Ok(exception.is_instance_of::<PyGeneratorExit>()
        || exception.is_instance(&interrupted(py))?
        || exception.is_instance(&asyncio::cancelled_error(py)?)?)
}

#[pymethods]
impl Group {
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    fn __enter__(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<Self>> {
        slf.get().enter(py)?;
        Ok(slf)
    }

    fn __exit__(
        &self,
        kind: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (kind, traceback);
        self.exit(exception)
    }

    fn __aenter__(slf: Py<Self>, py: Python<'_>) -> PyResult<Awaitable> {
        slf.get().enter(py)?;
        Ok(Awaitable::ready(Ok(slf.into_any())))
    }

    fn __aexit__(
        &self,
        kind: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<Awaitable> {
        let _ = (kind, traceback);
        self.exit(exception)?;
        Ok(Awaitable::ready(Ok(exception.py().None())))
    }

    fn __repr__(&self) -> String {
        format!("<Group {}>", self.name)
    }
}
