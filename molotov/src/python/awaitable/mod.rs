//! What scripts await: the engine's work as Python sees it.
//!
//! A call such as `session.get(url)` returns an [`Awaitable`]. Awaited, it yields an [`EngineFuture`]. A worker's coroutine
//! passes the future to the worker, which polls the work directly. A task of the script treats it as any future: the work
//! then runs as a task of the runtime that wakes asyncio.

mod future;

use std::ffi::CString;

use pyo3::{
    exceptions::{PyAttributeError, PyRuntimeError, PyRuntimeWarning, PyTypeError},
    ffi, intern,
    prelude::*,
    sync::PyOnceLock,
};

pub(super) use self::future::{EngineFuture, Work};
use super::{
    coroutine::{Step, coroutine_methods, step},
    gil_cell::GilCell,
};

enum State {
    New(Work),
    Ready(PyResult<Py<PyAny>>),
    /// A coroutine of the Python package, and whether it has started.
    Coroutine(Py<PyAny>, bool),
    Waiting(Py<EngineFuture>),
    Spent,
    /// Returns `None` each time that it is awaited.
    Nothing,
}

/// Releases the result of an `async with` at once. Returns `false` if the result's own `__aexit__` has to be awaited.
pub(super) type Release = fn(&Bound<'_, PyAny>) -> bool;

/// What a call returns to be awaited, alone or with `async with`.
#[pyclass(frozen, weakref, module = "molotov._core")]
pub(super) struct Awaitable {
    /// The function that returned this object. Set if a missing `await` is a mistake.
    function: Option<&'static str>,
    state: GilCell<State>,
    /// The result, which the end of `async with` releases.
    result: GilCell<Option<Py<PyAny>>>,
    release: Option<Release>,
}

impl Awaitable {
    pub(super) fn work(work: Work) -> Awaitable {
        Awaitable::new(State::New(work))
    }

    pub(super) fn ready(result: PyResult<Py<PyAny>>) -> Awaitable {
        Awaitable::new(State::Ready(result))
    }

    /// The awaitable that returns `None` at once. All calls share it.
    pub(super) fn nothing(py: Python<'_>) -> PyResult<Py<Awaitable>> {
        static NOTHING: PyOnceLock<Py<Awaitable>> = PyOnceLock::new();
        let shared = NOTHING.get_or_try_init(py, || Py::new(py, Awaitable::new(State::Nothing)));
        shared.map(|shared| shared.clone_ref(py))
    }

    pub(super) fn coroutine(coroutine: Py<PyAny>) -> Awaitable {
        Awaitable::new(State::Coroutine(coroutine, false))
    }

    /// Names the function that returned this object, for messages about a missing `await`.
    pub(super) fn of(mut self, function: &'static str) -> Awaitable {
        self.function = Some(function);
        self
    }

    /// Sets how the end of `async with` releases the result.
    pub(super) fn released_by(mut self, release: Release) -> Awaitable {
        self.release = Some(release);
        self
    }

    fn is_awaited(&self, py: Python<'_>) -> bool {
        !matches!(*self.state.borrow(py), State::New(_) | State::Ready(_) | State::Coroutine(_, false))
    }

    /// The message about a use that needs an `await` first.
    fn misused(&self, what: &str) -> String {
        match self.function {
            Some(function) => format!("{what}: `{function}()` returns a coroutine; write `await` before the call"),
            None => what.to_owned(),
        }
    }

    fn new(state: State) -> Awaitable {
        Awaitable { function: None, state: GilCell::new(state), result: GilCell::new(None), release: None }
    }

    fn step<'py>(slf: &Bound<'py, Awaitable>, thrown: Option<PyErr>) -> Step<'py> {
        let (py, this) = (slf.py(), slf.get());
        match (this.state.replace(py, State::Spent), thrown) {
            (State::New(work), None) => match EngineFuture::of(py, work) {
                Ok(future) => {
                    this.state.replace(py, State::Waiting(future.clone().unbind()));
                    Step::Yielded(future.into_any())
                }
                Err(error) => Step::Raised(error),
            },
            (State::Ready(result), None) => this.end(py, result),
            (State::Waiting(future), None) => match future.bind(py).get().take_result(py) {
                Some(result) => {
                    EngineFuture::recycle(future.into_bound(py));
                    this.end(py, result)
                }
                // Woken too early.
                None => {
                    future.bind(py).get().block(py);
                    this.state.replace(py, State::Waiting(future.clone_ref(py)));
                    Step::Yielded(future.into_bound(py).into_any())
                }
            },
            (State::Coroutine(coroutine, _), thrown) => match step(coroutine.bind(py), thrown) {
                Step::Yielded(value) => {
                    this.state.replace(py, State::Coroutine(coroutine, true));
                    Step::Yielded(value)
                }
                Step::Returned(value) => this.end(py, Ok(value.unbind())),
                Step::Raised(error) => Step::Raised(error),
            },
            (State::Waiting(future), Some(error)) => {
                future.bind(py).get().abandon(py);
                Step::Raised(error)
            }
            (State::Nothing, thrown) => {
                this.state.replace(py, State::Nothing);
                match thrown {
                    Some(error) => Step::Raised(error),
                    None => Step::Returned(py.None().into_bound(py)),
                }
            }
            (State::Spent, None) => {
                Step::Raised(PyRuntimeError::new_err("this request has already been awaited; make another one"))
            }
            (_, Some(error)) => Step::Raised(error),
        }
    }

    fn end<'py>(&self, py: Python<'py>, result: PyResult<Py<PyAny>>) -> Step<'py> {
        match result {
            Ok(value) => {
                self.result.replace(py, Some(value.clone_ref(py)));
                Step::Returned(value.into_bound(py))
            }
            Err(error) => Step::Raised(error),
        }
    }
}

coroutine_methods! {
    impl Awaitable {
        fn close(&self, py: Python<'_>) -> PyResult<()> {
            match self.state.replace(py, State::Spent) {
                State::Coroutine(coroutine, _) => coroutine.bind(py).call_method0(intern!(py, "close")).map(|_| ()),
                State::Waiting(future) => {
                    future.bind(py).get().abandon(py);
                    Ok(())
                }
                State::Nothing => {
                    self.state.replace(py, State::Nothing);
                    Ok(())
                }
                State::New(_) | State::Ready(_) | State::Spent => Ok(()),
            }
        }

        fn __repr__(&self) -> String {
            format!("<coroutine {}>", self.function.unwrap_or("molotov"))
        }

        /// Names the missing `await`: an attribute that this object lacks belongs to its result.
        fn __getattr__(&self, name: &str) -> PyResult<Py<PyAny>> {
            let what = format!("'coroutine' object has no attribute '{name}'");
            // A special method is looked up to find out what the object can do.
            let message = if name.starts_with("__") { what } else { self.misused(&what) };
            Err(PyAttributeError::new_err(message))
        }

        fn __getitem__(&self, _key: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
            Err(PyTypeError::new_err(self.misused("'coroutine' object is not subscriptable")))
        }

        fn __aenter__(slf: Py<Self>) -> Py<Self> {
            slf
        }

        fn __aexit__(
            &self,
            py: Python<'_>,
            kind: &Bound<'_, PyAny>,
            exception: &Bound<'_, PyAny>,
            traceback: &Bound<'_, PyAny>,
        ) -> PyResult<Py<Awaitable>> {
            let Some(result) = self.result.replace(py, None) else { return Awaitable::nothing(py) };
            let result = result.bind(py);
            if self.release.is_some_and(|release| release(result)) {
                return Awaitable::nothing(py);
            }
            // An object of aiohttp.
            let exiting = result.call_method1(intern!(py, "__aexit__"), (kind, exception, traceback))?;
            let exiting = exiting.call_method0(intern!(py, "__await__"))?.unbind();
            Py::new(py, Awaitable::coroutine(exiting))
        }
    }
}

/// Warns of a missing `await`, as Python does for coroutines.
impl Drop for Awaitable {
    fn drop(&mut self) {
        let Some(function) = self.function else { return };
        Python::attach(|py| {
            if self.is_awaited(py) {
                return;
            }
            // Keep the exception that is being raised, if there is one.
            let raised = PyErr::take(py);
            if let State::Coroutine(coroutine, _) = self.state.replace(py, State::Spent) {
                let _ = coroutine.call_method0(py, intern!(py, "close"));
            }
            let message = format!("coroutine '{function}' was never awaited");
            let warned = CString::new(message).map_err(PyErr::from);
            let category = py.get_type::<PyRuntimeWarning>();
            if let Err(error) = warned.and_then(|message| PyErr::warn(py, &category, &message, 1)) {
                error.write_unraisable(py, None);
            }
            if let Some(raised) = raised {
                raised.restore(py);
            }
        });
    }
}

/// Called by `SEND` and `asyncio.Task` instead of `__next__`: returns a result without an exception.
unsafe extern "C" fn send(
    this: *mut ffi::PyObject,
    _value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> ffi::PySendResult {
    // SAFETY: called by the interpreter through the slot of `Awaitable`'s type, with an object of that type and room for a
    // result.
    unsafe {
        let py = Python::assume_attached();
        let this = Bound::from_borrowed_ptr(py, this).cast_into_unchecked::<Awaitable>();
        match Awaitable::step(&this, None) {
            Step::Yielded(value) => {
                *result = value.into_ptr();
                ffi::PySendResult::PYGEN_NEXT
            }
            Step::Returned(value) => {
                *result = value.into_ptr();
                ffi::PySendResult::PYGEN_RETURN
            }
            Step::Raised(error) => {
                error.restore(py);
                *result = std::ptr::null_mut();
                ffi::PySendResult::PYGEN_ERROR
            }
        }
    }
}

/// Called by `await`: an awaitable is its own iterator.
unsafe extern "C" fn itself(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter through the slot of `Awaitable`'s type, with an object that is alive.
    unsafe { ffi::Py_NewRef(this) }
}

/// Fills the slots of `Awaitable`'s type that PyO3 does not support (`am_send`), or would wrap (`am_await`).
pub(super) fn add_slots(py: Python<'_>) {
    let kind = py.get_type::<Awaitable>();
    // SAFETY: PyO3's classes are heap types, so the type object is a `PyHeapTypeObject`. It is new and not in use yet.
    unsafe {
        let slots = &mut (*kind.as_ptr().cast::<ffi::PyHeapTypeObject>()).as_async;
        slots.am_send = Some(send);
        slots.am_await = Some(itself);
    }
}
