//! What scripts await: our own work as Python sees it.
//!
//! An [`Awaitable`] is what a call such as `session.get(url)` gives back. Awaited, it yields a [`Token`]: a worker's
//! coroutine gives it to the worker, which polls the work itself; a task of the script's own takes it for a future, and
//! then the work runs as a task of the runtime that wakes it.

use std::{
    ffi::CString,
    future::poll_fn,
    task::{Context, Poll},
};

use futures_util::future::LocalBoxFuture;
use pyo3::{
    exceptions::{PyAttributeError, PyRuntimeWarning, PyStopIteration, PyTypeError},
    ffi, intern,
    prelude::*,
};
use tokio::task::AbortHandle;

use super::{event_loop::Loop, local::Held, names};

/// Work of ours, and what Python gets of it.
pub(super) type Work = LocalBoxFuture<'static, PyResult<Py<PyAny>>>;

/// A piece of work on its way: as much of a future as `asyncio.Task` asks for.
#[pyclass(frozen, module = "molotov._core")]
pub(super) struct Token(Held<Progress>);

struct Progress {
    /// Not there while it is being polled.
    work: Option<Work>,
    result: Option<PyResult<Py<PyAny>>>,
    cancelled: bool,
    /// asyncio's sign that the coroutine wants to wait for this object.
    blocking: bool,
    waiting: Vec<(Py<PyAny>, Option<Py<PyAny>>)>,
    task: Option<AbortHandle>,
}

impl Token {
    fn new(work: Work) -> Token {
        Token(Held::new(Progress {
            work: Some(work),
            result: None,
            cancelled: false,
            blocking: true,
            waiting: Vec::new(),
            task: None,
        }))
    }

    /// Goes on with the work.
    pub(super) fn poll(&self, py: Python<'_>, cx: &mut Context<'_>) -> Poll<()> {
        let taken = self.0.borrow_mut(py).work.take();
        let Some(mut work) = taken else { return Poll::Ready(()) };
        let polled = work.as_mut().poll(cx);
        let mut progress = self.0.borrow_mut(py);
        if progress.cancelled {
            return Poll::Ready(());
        }
        match polled {
            Poll::Ready(result) => {
                progress.result = Some(result);
                Poll::Ready(())
            }
            Poll::Pending => {
                progress.work = Some(work);
                Poll::Pending
            }
        }
    }

    /// Gives the work up.
    pub(super) fn abandon(&self, py: Python<'_>) -> bool {
        let (work, task) = {
            let mut progress = self.0.borrow_mut(py);
            if progress.result.is_some() || progress.cancelled {
                return false;
            }
            progress.cancelled = true;
            (progress.work.take(), progress.task.take())
        };
        if let Some(task) = task {
            task.abort();
        }
        drop(work);
        true
    }

    fn wake_all(slf: &Bound<'_, Token>) {
        let py = slf.py();
        let waiting = std::mem::take(&mut slf.get().0.borrow_mut(py).waiting);
        if let Some(event_loop) = Loop::current() {
            for (callback, context) in waiting {
                event_loop.call_soon(py, &callback, slf, context.as_ref());
            }
        }
    }
}

#[pymethods]
impl Token {
    #[getter(_asyncio_future_blocking)]
    fn blocking(&self, py: Python<'_>) -> bool {
        self.0.borrow(py).blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&self, py: Python<'_>, blocking: bool) {
        self.0.borrow_mut(py).blocking = blocking;
    }

    fn get_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        Loop::current().map(|event_loop| event_loop.asyncio(py).clone().unbind())
    }

    #[pyo3(signature = (callback, *, context=None))]
    fn add_done_callback(slf: &Bound<'_, Self>, callback: Py<PyAny>, context: Option<Py<PyAny>>) {
        let py = slf.py();
        let Some(event_loop) = Loop::current() else { return };
        let mut progress = slf.get().0.borrow_mut(py);
        progress.waiting.push((callback, context));
        if progress.result.is_some() || progress.cancelled {
            drop(progress);
            Token::wake_all(slf);
        } else if progress.task.is_none() {
            let token = slf.clone().unbind();
            let task = event_loop.spawn(async move {
                poll_fn(|cx| Python::attach(|py| token.bind(py).get().poll(py, cx))).await;
                Python::attach(|py| Token::wake_all(token.bind(py)));
            });
            progress.task = Some(task.abort_handle());
        }
    }

    fn remove_done_callback(&self, py: Python<'_>, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut progress = self.0.borrow_mut(py);
        let before = progress.waiting.len();
        let mut kept = Vec::new();
        for (known, context) in progress.waiting.drain(..) {
            if !known.bind(py).eq(callback)? {
                kept.push((known, context));
            }
        }
        progress.waiting = kept;
        Ok(before - progress.waiting.len())
    }

    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> bool {
        let _ = msg;
        let cancelled = slf.get().abandon(slf.py());
        if cancelled {
            Token::wake_all(slf);
        }
        cancelled
    }

    fn cancelled(&self, py: Python<'_>) -> bool {
        self.0.borrow(py).cancelled
    }

    fn done(&self, py: Python<'_>) -> bool {
        let progress = self.0.borrow(py);
        progress.cancelled || progress.result.is_some()
    }

    fn result(&self, py: Python<'_>) -> PyResult<()> {
        match self.0.borrow(py).cancelled {
            true => Err(names::cancelled(py, None)),
            false => Ok(()),
        }
    }

    fn exception(&self) -> Option<Py<PyAny>> {
        None
    }
}

enum State {
    New(Work),
    Ready(PyResult<Py<PyAny>>),
    /// A coroutine of our Python part, and whether it has begun.
    Coroutine(Py<PyAny>, bool),
    Waiting(Py<Token>),
    Spent,
}

/// What a coroutine did with a step.
pub(super) enum Stepped<'py> {
    Yielded(Bound<'py, PyAny>),
    Returned(Bound<'py, PyAny>),
    Raised(PyErr),
}

/// What a call gives back to be awaited, bare or with `async with`.
#[pyclass(frozen, weakref, module = "molotov._core")]
pub(super) struct Awaitable {
    /// The function that returned it, if it has to be awaited.
    function: Option<&'static str>,
    state: Held<State>,
    /// What it has given, to be released at the end of `async with`.
    given: Held<Option<Py<PyAny>>>,
}

impl Awaitable {
    pub(super) fn work(work: Work) -> Awaitable {
        Awaitable::new(State::New(work))
    }

    pub(super) fn ready(result: PyResult<Py<PyAny>>) -> Awaitable {
        Awaitable::new(State::Ready(result))
    }

    pub(super) fn coroutine(coroutine: Py<PyAny>) -> Awaitable {
        Awaitable::new(State::Coroutine(coroutine, false))
    }

    /// Names the function that returned it, for messages about a missing `await`.
    pub(super) fn of(mut self, function: &'static str) -> Awaitable {
        self.function = Some(function);
        self
    }

    fn is_awaited(&self, py: Python<'_>) -> bool {
        !matches!(*self.state.borrow(py), State::New(_) | State::Ready(_) | State::Coroutine(_, false))
    }

    /// The message about a use that an object without `await` does not allow.
    fn misused(&self, what: &str) -> String {
        match self.function {
            Some(function) => format!("{what}: `{function}()` returns a coroutine; write `await` before the call"),
            None => what.to_owned(),
        }
    }

    fn new(state: State) -> Awaitable {
        Awaitable { function: None, state: Held::new(state), given: Held::new(None) }
    }

    fn step<'py>(slf: &Bound<'py, Awaitable>, thrown: Option<PyErr>) -> Stepped<'py> {
        let (py, this) = (slf.py(), slf.get());
        match (this.state.replace(py, State::Spent), thrown) {
            (State::New(work), None) => match Bound::new(py, Token::new(work)) {
                Ok(token) => {
                    this.state.replace(py, State::Waiting(token.clone().unbind()));
                    Stepped::Yielded(token.into_any())
                }
                Err(error) => Stepped::Raised(error),
            },
            (State::Ready(result), None) => this.end(py, result),
            (State::Waiting(token), None) => {
                let (result, cancelled) = {
                    let mut progress = token.bind(py).get().0.borrow_mut(py);
                    (progress.result.take(), progress.cancelled)
                };
                match result {
                    Some(result) => this.end(py, result),
                    None if cancelled => Stepped::Raised(names::cancelled(py, None)),
                    // Woken too early: wait on.
                    None => {
                        token.bind(py).get().0.borrow_mut(py).blocking = true;
                        this.state.replace(py, State::Waiting(token.clone_ref(py)));
                        Stepped::Yielded(token.into_bound(py).into_any())
                    }
                }
            }
            (State::Coroutine(coroutine, _), thrown) => {
                let stepped = step(coroutine.bind(py), thrown);
                match stepped {
                    Stepped::Yielded(value) => {
                        this.state.replace(py, State::Coroutine(coroutine, true));
                        Stepped::Yielded(value)
                    }
                    Stepped::Returned(value) => this.end(py, Ok(value.unbind())),
                    Stepped::Raised(error) => Stepped::Raised(error),
                }
            }
            (State::Waiting(token), Some(error)) => {
                token.bind(py).get().abandon(py);
                Stepped::Raised(error)
            }
            (State::Spent, None) => Stepped::Raised(pyo3::exceptions::PyRuntimeError::new_err(
                "this request has been awaited already; make another one",
            )),
            (_, Some(error)) => Stepped::Raised(error),
        }
    }

    fn end<'py>(&self, py: Python<'py>, result: PyResult<Py<PyAny>>) -> Stepped<'py> {
        match result {
            Ok(value) => {
                self.given.replace(py, Some(value.clone_ref(py)));
                Stepped::Returned(value.into_bound(py))
            }
            Err(error) => Stepped::Raised(error),
        }
    }
}

/// Lets a coroutine go on, or throws into it.
pub(super) fn step<'py>(coroutine: &Bound<'py, PyAny>, thrown: Option<PyErr>) -> Stepped<'py> {
    let py = coroutine.py();
    if let Some(error) = thrown {
        return match coroutine.call_method1(intern!(py, "throw"), (error.into_value(py),)) {
            Ok(value) => Stepped::Yielded(value),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                match error.value(py).getattr(intern!(py, "value")) {
                    Ok(value) => Stepped::Returned(value),
                    Err(error) => Stepped::Raised(error),
                }
            }
            Err(error) => Stepped::Raised(error),
        };
    }
    let mut result = std::ptr::null_mut();
    // SAFETY: the coroutine and `None` are alive, and `result` is written by the call: a new reference, or none on error.
    unsafe {
        match ffi::PyIter_Send(coroutine.as_ptr(), ffi::Py_None(), &mut result) {
            ffi::PySendResult::PYGEN_NEXT => Stepped::Yielded(Bound::from_owned_ptr(py, result)),
            ffi::PySendResult::PYGEN_RETURN => Stepped::Returned(Bound::from_owned_ptr(py, result)),
            ffi::PySendResult::PYGEN_ERROR => Stepped::Raised(PyErr::fetch(py)),
        }
    }
}

/// A step as Python's own protocol tells it.
fn told(stepped: Stepped<'_>) -> PyResult<Py<PyAny>> {
    match stepped {
        Stepped::Yielded(value) => Ok(value.unbind()),
        Stepped::Returned(value) => Err(PyStopIteration::new_err((value.unbind(),))),
        Stepped::Raised(error) => Err(error),
    }
}

/// The exception that Python's `throw` was given.
pub(super) fn thrown(kind: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> PyResult<PyErr> {
    if !kind.is_instance_of::<pyo3::types::PyType>() {
        return Ok(PyErr::from_value(kind.clone()));
    }
    match value {
        Some(value) if value.is_instance_of::<pyo3::exceptions::PyBaseException>() => {
            Ok(PyErr::from_value(value.clone()))
        }
        Some(value) if !value.is_none() => Ok(PyErr::from_value(kind.call1((value,))?)),
        _ => Ok(PyErr::from_value(kind.call0()?)),
    }
}

#[pymethods]
impl Awaitable {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        told(Awaitable::step(slf, None))
    }

    fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = value;
        told(Awaitable::step(slf, None))
    }

    #[pyo3(signature = (kind, value=None, traceback=None))]
    fn throw(
        slf: &Bound<'_, Self>,
        kind: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let _ = traceback;
        let error = thrown(kind, value)?;
        told(Awaitable::step(slf, Some(error)))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.state.replace(py, State::Spent) {
            State::Coroutine(coroutine, _) => coroutine.bind(py).call_method0(intern!(py, "close")).map(|_| ()),
            State::Waiting(token) => {
                token.bind(py).get().abandon(py);
                Ok(())
            }
            State::New(_) | State::Ready(_) | State::Spent => Ok(()),
        }
    }

    fn __repr__(&self) -> String {
        format!("<coroutine {}>", self.function.unwrap_or("molotov"))
    }

    /// What the object does not have belongs to what it gives.
    fn __getattr__(&self, name: &str) -> PyResult<Py<PyAny>> {
        let what = format!("'coroutine' object has no attribute '{name}'");
        // Whoever looks for a special method asks what the object can do.
        let message = if name.starts_with("__") { what } else { self.misused(&what) };
        Err(PyAttributeError::new_err(message))
    }

    fn __getitem__(&self, _key: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(self.misused("'coroutine' object is not subscriptable")))
    }

    fn __aenter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*exception))]
    fn __aexit__(&self, py: Python<'_>, exception: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<Awaitable> {
        let given = self.given.replace(py, None);
        let Some(given) = given else { return Ok(Awaitable::ready(Ok(py.None()))) };
        let given = given.bind(py);
        if let Ok(response) = given.cast::<super::response::Response>() {
            super::response::Response::release(response);
            return Ok(Awaitable::ready(Ok(py.None())));
        }
        // Something of aiohttp's own.
        let closing = given.call_method1(intern!(py, "__aexit__"), exception)?;
        Ok(Awaitable::coroutine(closing.call_method0(intern!(py, "__await__"))?.unbind()))
    }
}

/// Warns of a missing `await`, as Python does for its own coroutines.
impl Drop for Awaitable {
    fn drop(&mut self) {
        let Some(function) = self.function else { return };
        Python::attach(|py| {
            if self.is_awaited(py) {
                return;
            }
            // An exception on its way is not to be lost.
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

/// What `SEND` and `asyncio.Task` call instead of `__next__`: a result needs no exception to be told.
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
            Stepped::Yielded(value) => {
                *result = value.into_ptr();
                ffi::PySendResult::PYGEN_NEXT
            }
            Stepped::Returned(value) => {
                *result = value.into_ptr();
                ffi::PySendResult::PYGEN_RETURN
            }
            Stepped::Raised(error) => {
                error.restore(py);
                *result = std::ptr::null_mut();
                ffi::PySendResult::PYGEN_ERROR
            }
        }
    }
}

/// Fills the slot that PyO3 has no name for.
pub(super) fn add_send_slot(py: Python<'_>) {
    let kind = py.get_type::<Awaitable>();
    // SAFETY: PyO3's classes are heap types, so the type object is a `PyHeapTypeObject`; it is new and not in use yet.
    unsafe {
        (*kind.as_ptr().cast::<ffi::PyHeapTypeObject>()).as_async.am_send = Some(send);
    }
}
