//! The future that an [`Awaitable`](super::Awaitable) yields: the engine's work as asyncio sees it.

use std::{
    cell::RefCell,
    future::poll_fn,
    task::{Context, Poll},
};

use futures_util::future::LocalBoxFuture;
use pyo3::{ffi, prelude::*};
use tokio::task::AbortHandle;

use crate::python::{
    asyncio,
    event_loop::{self, AsyncioRuntime},
    gil_cell::GilCell,
};

/// Work of the engine. Its result goes to Python.
pub(in crate::python) type Work = LocalBoxFuture<'static, PyResult<Py<PyAny>>>;

/// Work under way, with the part of a future's interface that `asyncio.Task` uses.
#[pyclass(frozen, module = "molotov._core")]
pub(in crate::python) struct EngineFuture(GilCell<State>);

struct State {
    /// `None` while it is polled.
    work: Option<Work>,
    result: Option<PyResult<Py<PyAny>>>,
    cancelled: bool,
    /// Tells asyncio that the coroutine waits for this object.
    blocking: bool,
    /// The callbacks to call at the end, each with its context.
    callbacks: Vec<(Py<PyAny>, Option<Py<PyAny>>)>,
    /// The task of the runtime that polls the work, if no worker does.
    task: Option<AbortHandle>,
}

impl State {
    fn new(work: Option<Work>) -> State {
        State { work, result: None, cancelled: false, blocking: true, callbacks: Vec::new(), task: None }
    }
}

/// The number of objects that a thread keeps for the next requests.
const SPARE: usize = 64;

thread_local! {
    static SPARES: RefCell<Vec<Py<EngineFuture>>> = const { RefCell::new(Vec::new()) };
}

impl EngineFuture {
    /// Returns a future of `work`.
    pub(super) fn of(py: Python<'_>, work: Work) -> PyResult<Bound<'_, EngineFuture>> {
        match SPARES.with_borrow_mut(Vec::pop) {
            Some(spare) => {
                let spare = spare.into_bound(py);
                spare.get().0.replace(py, State::new(Some(work)));
                Ok(spare)
            }
            None => Bound::new(py, EngineFuture(GilCell::new(State::new(Some(work))))),
        }
    }

    /// Keeps a future whose work has ended for the next request, unless something else refers to it.
    pub(super) fn recycle(future: Bound<'_, EngineFuture>) {
        // SAFETY: the object is alive.
        if unsafe { ffi::Py_REFCNT(future.as_ptr()) } == 1 {
            future.get().0.replace(future.py(), State::new(None));
            SPARES.with_borrow_mut(|spares| {
                if spares.len() < SPARE {
                    spares.push(future.unbind());
                }
            });
        }
    }

    /// Polls the work.
    pub(in crate::python) fn poll(&self, py: Python<'_>, cx: &mut Context<'_>) -> Poll<()> {
        let taken = self.0.borrow_mut(py).work.take();
        let Some(mut work) = taken else { return Poll::Ready(()) };
        let polled = work.as_mut().poll(cx);
        let mut state = self.0.borrow_mut(py);
        if state.cancelled {
            return Poll::Ready(());
        }
        match polled {
            Poll::Ready(result) => {
                state.result = Some(result);
                Poll::Ready(())
            }
            Poll::Pending => {
                state.work = Some(work);
                Poll::Pending
            }
        }
    }

    /// Cancels the work. Returns `false` if it has ended already.
    pub(in crate::python) fn abandon(&self, py: Python<'_>) -> bool {
        let (work, task) = {
            let mut state = self.0.borrow_mut(py);
            if state.result.is_some() || state.cancelled {
                return false;
            }
            state.cancelled = true;
            (state.work.take(), state.task.take())
        };
        if let Some(task) = task {
            task.abort();
        }
        drop(work);
        true
    }

    /// Takes the result of the work, if it is there. A cancelled future has an error.
    pub(super) fn take_result(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        let mut state = self.0.borrow_mut(py);
        match state.result.take() {
            None if state.cancelled => Some(Err(asyncio::cancelled(py, None))),
            result => result,
        }
    }

    /// Has asyncio wait for this object again.
    pub(super) fn block(&self, py: Python<'_>) {
        self.0.borrow_mut(py).blocking = true;
    }

    /// Calls the callbacks in asyncio's next turn.
    fn call_back(slf: &Bound<'_, EngineFuture>) {
        let py = slf.py();
        let callbacks = std::mem::take(&mut slf.get().0.borrow_mut(py).callbacks);
        if let Some(event_loop) = AsyncioRuntime::current() {
            for (callback, context) in callbacks {
                event_loop.call_soon(py, &callback, slf, context.as_ref());
            }
        }
    }
}

#[pymethods]
impl EngineFuture {
    #[getter(_asyncio_future_blocking)]
    fn blocking(&self, py: Python<'_>) -> bool {
        self.0.borrow(py).blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&self, py: Python<'_>, blocking: bool) {
        self.0.borrow_mut(py).blocking = blocking;
    }

    fn get_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        event_loop::of_run(py)
    }

    #[pyo3(signature = (callback, *, context=None))]
    fn add_done_callback(slf: &Bound<'_, Self>, callback: Py<PyAny>, context: Option<Py<PyAny>>) {
        let py = slf.py();
        let Some(event_loop) = AsyncioRuntime::current() else { return };
        let mut state = slf.get().0.borrow_mut(py);
        state.callbacks.push((callback, context));
        if state.result.is_some() || state.cancelled {
            drop(state);
            EngineFuture::call_back(slf);
        } else if state.task.is_none() {
            let this = slf.clone().unbind();
            let task = event_loop.spawn(async move {
                poll_fn(|cx| Python::attach(|py| this.bind(py).get().poll(py, cx))).await;
                Python::attach(|py| EngineFuture::call_back(this.bind(py)));
            });
            state.task = Some(task.abort_handle());
        }
    }

    fn remove_done_callback(&self, py: Python<'_>, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let mut state = self.0.borrow_mut(py);
        let before = state.callbacks.len();
        let mut kept = Vec::new();
        for (known, context) in state.callbacks.drain(..) {
            if !known.bind(py).eq(callback)? {
                kept.push((known, context));
            }
        }
        state.callbacks = kept;
        Ok(before - state.callbacks.len())
    }

    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> bool {
        let _ = msg;
        let cancelled = slf.get().abandon(slf.py());
        if cancelled {
            EngineFuture::call_back(slf);
        }
        cancelled
    }

    fn cancelled(&self, py: Python<'_>) -> bool {
        self.0.borrow(py).cancelled
    }

    fn done(&self, py: Python<'_>) -> bool {
        let state = self.0.borrow(py);
        state.cancelled || state.result.is_some()
    }

    fn result(&self, py: Python<'_>) -> PyResult<()> {
        match self.0.borrow(py).cancelled {
            true => Err(asyncio::cancelled(py, None)),
            false => Ok(()),
        }
    }

    fn exception(&self) -> Option<Py<PyAny>> {
        None
    }
}
