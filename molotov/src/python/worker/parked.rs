//! The coroutine of a worker's task: parked while the engine steps the worker's coroutines.

use std::task::Waker;

use pyo3::prelude::*;

use crate::python::{
    asyncio,
    coroutine::{Step, coroutine_methods},
    event_loop,
    gil_cell::GilCell,
};

/// A coroutine that only waits: for itself, or for what the engine hands it. It is also the future that its task waits for.
#[pyclass(frozen, module = "molotov._core")]
pub(in crate::python) struct ParkedCoroutine(pub(super) GilCell<State>);

#[derive(Default)]
pub(super) struct State {
    /// Wakes the task while it waits for this object.
    pub(super) wake: Option<Py<PyAny>>,
    /// The context variables of the task.
    pub(super) variables: Option<Py<PyAny>>,
    blocking: bool,
    /// What the task has to wait for next.
    pub(super) handed: Option<Py<PyAny>>,
    /// What the task waited for is done.
    pub(super) resumed: bool,
    /// The coroutine that waited is gone: the outcome of what the task waits for does not matter.
    abandoned: bool,
    /// To be thrown into the worker's coroutine: the exception that ended the wait.
    pub(super) thrown: Option<PyErr>,
    /// To be thrown into the worker's coroutine: its task was cancelled.
    pub(super) cancelled: Option<PyErr>,
    /// Wakes the worker.
    pub(super) waker: Option<Waker>,
    pub(super) ended: bool,
}

impl ParkedCoroutine {
    /// A step of the task: it starts, or what it waited for is done.
    fn step<'py>(slf: &Bound<'py, ParkedCoroutine>, mut thrown: Option<PyErr>) -> Step<'py> {
        let py = slf.py();
        let mut state = slf.get().0.borrow_mut(py);
        if state.ended {
            return match thrown {
                Some(error) => Step::Raised(error),
                None => Step::Returned(py.None().into_bound(py)),
            };
        }
        let abandoned = std::mem::take(&mut state.abandoned);
        if abandoned {
            thrown = None;
        }
        if let (Some(handed), None) = (state.handed.take(), &thrown) {
            return Step::Yielded(handed.into_bound(py));
        }
        state.resumed = !abandoned;
        if thrown.is_some() {
            state.thrown = thrown;
        }
        state.blocking = true;
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Step::Yielded(slf.clone().into_any())
    }

    /// Ignores the outcome of what the task waits for, since the coroutine that awaits it is gone.
    pub(super) fn abandon(&self, py: Python<'_>) {
        let mut state = self.0.borrow_mut(py);
        state.abandoned = state.wake.is_none();
        state.handed = None;
        state.thrown = None;
    }
}

coroutine_methods! {
    impl ParkedCoroutine {
        fn close(&self) {}

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
        fn add_done_callback(&self, py: Python<'_>, callback: Py<PyAny>, context: Option<Py<PyAny>>) {
            let mut state = self.0.borrow_mut(py);
            state.wake = Some(callback);
            state.variables = context;
        }

        fn remove_done_callback(&self, py: Python<'_>, callback: &Bound<'_, PyAny>) -> usize {
            let _ = callback;
            usize::from(self.0.borrow_mut(py).wake.take().is_some())
        }

        /// Called by `task.cancel()`: throws the cancellation into the worker's coroutine.
        #[pyo3(signature = (msg=None))]
        fn cancel(&self, py: Python<'_>, msg: Option<Bound<'_, PyAny>>) -> bool {
            let mut state = self.0.borrow_mut(py);
            state.cancelled = Some(asyncio::cancelled(py, msg));
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
            true
        }

        fn cancelled(&self) -> bool {
            false
        }

        fn done(&self, py: Python<'_>) -> bool {
            self.0.borrow(py).ended
        }

        fn result(&self) {}

        fn exception(&self) -> Option<Py<PyAny>> {
            None
        }
    }
}
