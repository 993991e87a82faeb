//! A worker as Python sees it: a task of asyncio's that stays parked while the engine steps the worker's coroutines.
//!
//! `asyncio.current_task()`, context variables, cancellation and timeouts are the task's, so they work. While a coroutine
//! waits for one of our own requests, asyncio is not asked; where it waits for anything else, its task does the waiting.

use std::{
    cell::{OnceCell, RefCell},
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context as Polling, Poll, Waker},
};

use pyo3::{exceptions::PyStopIteration, ffi, intern, prelude::*};

use super::{
    awaitable::{Stepped, Token, step, thrown},
    event_loop::Loop,
    local::Held,
    names,
};
use crate::session::Context;

/// What the worker's task runs: a coroutine that only ever waits, for itself or for what it is handed.
#[pyclass(frozen, module = "molotov._core")]
pub(super) struct Parked(Held<Parking>);

#[derive(Default)]
struct Parking {
    /// Wakes the task, where it waits for this object.
    wake: Option<Py<PyAny>>,
    /// The context variables of the task.
    variables: Option<Py<PyAny>>,
    blocking: bool,
    /// What the task shall wait for next.
    handed: Option<Py<PyAny>>,
    /// What it was handed is done.
    resumed: bool,
    /// To be thrown into the coroutine: the outcome of what the task waited for.
    thrown: Option<PyErr>,
    /// To be thrown into the coroutine: it was cancelled while the task was parked.
    cancelled: Option<PyErr>,
    /// The engine's side.
    waker: Option<Waker>,
    ended: bool,
}

impl Parked {
    /// The task's own step: something it waited for is done, or it is here for the first time.
    fn advance<'py>(slf: &Bound<'py, Parked>, error: Option<PyErr>) -> Stepped<'py> {
        let py = slf.py();
        let mut parking = slf.get().0.borrow_mut(py);
        if parking.ended {
            return match error {
                Some(error) => Stepped::Raised(error),
                None => Stepped::Returned(py.None().into_bound(py)),
            };
        }
        if let (Some(handed), None) = (parking.handed.take(), &error) {
            return Stepped::Yielded(handed.into_bound(py));
        }
        parking.resumed = true;
        if error.is_some() {
            parking.thrown = error;
        }
        parking.blocking = true;
        if let Some(waker) = parking.waker.take() {
            waker.wake();
        }
        Stepped::Yielded(slf.clone().into_any())
    }
}

fn told(stepped: Stepped<'_>) -> PyResult<Py<PyAny>> {
    match stepped {
        Stepped::Yielded(value) => Ok(value.unbind()),
        Stepped::Returned(value) => Err(PyStopIteration::new_err((value.unbind(),))),
        Stepped::Raised(error) => Err(error),
    }
}

#[pymethods]
impl Parked {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        told(Parked::advance(slf, None))
    }

    fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = value;
        told(Parked::advance(slf, None))
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
        told(Parked::advance(slf, Some(error)))
    }

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
        Loop::current().map(|event_loop| event_loop.asyncio(py).clone().unbind())
    }

    #[pyo3(signature = (callback, *, context=None))]
    fn add_done_callback(&self, py: Python<'_>, callback: Py<PyAny>, context: Option<Py<PyAny>>) {
        let mut parking = self.0.borrow_mut(py);
        parking.wake = Some(callback);
        parking.variables = context;
    }

    fn remove_done_callback(&self, py: Python<'_>, callback: &Bound<'_, PyAny>) -> usize {
        let _ = callback;
        usize::from(self.0.borrow_mut(py).wake.take().is_some())
    }

    /// `task.cancel()` comes here: the coroutine gets the cancellation where it waits.
    #[pyo3(signature = (msg=None))]
    fn cancel(&self, py: Python<'_>, msg: Option<Bound<'_, PyAny>>) -> bool {
        let mut parking = self.0.borrow_mut(py);
        parking.cancelled = Some(names::cancelled(py, msg));
        if let Some(waker) = parking.waker.take() {
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

/// A worker's task, and what scripts keep for the worker.
pub(super) struct Worker {
    event_loop: Rc<Loop>,
    task: Py<PyAny>,
    parked: Py<Parked>,
    /// The sessions by kind, with what closes them.
    pub(super) sessions: RefCell<Vec<(String, Py<PyAny>)>>,
    /// The options that `setup` gave.
    pub(super) options: RefCell<Option<Py<pyo3::types::PyDict>>>,
    pub(super) context: OnceCell<Py<super::session::WorkerContext>>,
}

thread_local! {
    /// The context of the worker whose coroutine is running.
    static RUNNING: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// The context of the worker whose code is running on this thread.
pub(super) fn running() -> Option<Context> {
    RUNNING.with_borrow(Clone::clone)
}

impl Worker {
    /// The worker that a context belongs to; its task is made when it is first asked for.
    pub(super) async fn of(context: &Context) -> PyResult<Rc<Worker>> {
        if let Some(worker) = context.attached::<Rc<Worker>>() {
            return Ok((*worker).clone());
        }
        let made = Python::attach(|py| -> PyResult<Worker> {
            let event_loop = Loop::current()
                .ok_or_else(|| pyo3::exceptions::PyRuntimeError::new_err("Python scenarios need their event loop"))?;
            event_loop.look_for_nesting(py);
            let parked = Bound::new(py, Parked(Held::new(Parking::default())))?;
            let task = event_loop.asyncio(py).call_method1("create_task", (&parked,))?;
            Ok(Worker {
                task: task.unbind(),
                parked: parked.unbind(),
                event_loop,
                sessions: RefCell::default(),
                options: RefCell::default(),
                context: OnceCell::new(),
            })
        })?;
        let worker = Rc::new(made);
        context.attach(worker.clone());
        // The task takes its first step in asyncio's next turn; from then on it is parked.
        poll_fn(|cx| {
            Python::attach(|py| {
                worker.event_loop.nudge(py);
                let mut parking = worker.parked.bind(py).get().0.borrow_mut(py);
                if parking.wake.is_some() {
                    parking.resumed = false;
                    return Poll::Ready(());
                }
                parking.waker = Some(cx.waker().clone());
                Poll::Pending
            })
        })
        .await;
        Ok(worker)
    }

    /// Runs a coroutine as this worker, to its end.
    pub(super) fn run<'a>(self: &'a Rc<Worker>, context: &'a Context, coroutine: Py<PyAny>) -> Running<'a> {
        Running { worker: self, context, coroutine: Some(coroutine), waiting: Waiting::Nothing }
    }

    /// Ends the worker's task.
    pub(super) fn end(&self, py: Python<'_>) {
        let parked = self.parked.bind(py);
        let wake = {
            let mut parking = parked.get().0.borrow_mut(py);
            parking.ended = true;
            parking.wake.take()
        };
        if let Some(wake) = wake {
            self.event_loop.call_soon(py, &wake, parked, None);
        }
    }

    /// Calls `work` as asyncio would: with the worker's task as the current one, in its context.
    fn inside<T>(&self, context: &Context, py: Python<'_>, work: impl FnOnce() -> T) -> PyResult<T> {
        let _running = RunningAs::set(context);
        let _entered = Entered::enter(self, py)?;
        Ok(work())
    }
}

/// Sets the context of the running worker, and the one before when it goes.
struct RunningAs(Option<Context>);

impl RunningAs {
    fn set(context: &Context) -> RunningAs {
        RunningAs(RUNNING.replace(Some(context.clone())))
    }
}

impl Drop for RunningAs {
    fn drop(&mut self) {
        RUNNING.set(self.0.take());
    }
}

/// Makes a worker's task the current one, in its context, until it goes.
struct Entered<'a, 'py> {
    worker: &'a Worker,
    py: Python<'py>,
    /// The context variables, if they were entered.
    variables: Option<Py<PyAny>>,
}

impl<'a, 'py> Entered<'a, 'py> {
    fn enter(worker: &'a Worker, py: Python<'py>) -> PyResult<Entered<'a, 'py>> {
        names::enter_task(py, worker.event_loop.asyncio(py), &worker.task)?;
        let variables = worker.parked.bind(py).get().0.borrow(py).variables.as_ref().map(|known| known.clone_ref(py));
        // SAFETY: a context that asyncio gave; it is left when this goes.
        let variables = variables.filter(|variables| unsafe { ffi::PyContext_Enter(variables.as_ptr()) == 0 });
        if variables.is_none() {
            // It is entered already: the coroutine runs inside itself. Nothing to do but to go on without.
            drop(PyErr::take(py));
        }
        Ok(Entered { worker, py, variables })
    }
}

impl Drop for Entered<'_, '_> {
    fn drop(&mut self) {
        let py = self.py;
        // An error that is on its way stays so.
        let error = PyErr::take(py);
        if let Some(variables) = &self.variables {
            // SAFETY: it was entered by `enter`.
            unsafe { ffi::PyContext_Exit(variables.as_ptr()) };
            drop(PyErr::take(py));
        }
        let event_loop = self.worker.event_loop.asyncio(py);
        // A script that has left the task by itself has no part in what its coroutine came to.
        if let Err(error) = names::leave_task(py, event_loop, &self.worker.task) {
            error.write_unraisable(py, Some(self.worker.task.bind(py)));
        }
        if let Some(error) = error {
            error.restore(py);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        Python::attach(|py| self.end(py));
    }
}

enum Waiting {
    /// The coroutine is to be stepped.
    Nothing,
    /// For asyncio to step it.
    Turn(Py<Turn>),
    /// For a request of ours.
    Request(Py<Token>),
    /// For something that the worker's task waits for.
    Task,
}

/// A step of a worker's coroutine that asyncio takes: where scripts run the loop inside itself, the runtime must not be
/// running meanwhile.
#[pyclass(frozen)]
struct Turn(Held<Progress>);

enum Progress {
    Planned(NextStep),
    /// The coroutine is running, or its worker has given it up.
    Taken,
    Yielded(Py<PyAny>),
    Returned(Py<PyAny>),
    Raised(PyErr),
}

struct NextStep {
    worker: Rc<Worker>,
    context: Context,
    coroutine: Py<PyAny>,
    thrown: Option<PyErr>,
}

#[pymethods]
impl Turn {
    fn __call__(&self, py: Python<'_>) {
        let Progress::Planned(next) = self.0.replace(py, Progress::Taken) else { return };
        let NextStep { worker, context, coroutine, thrown } = next;
        let stepped = worker.inside(&context, py, || step(coroutine.bind(py), thrown));
        let outcome = match stepped.unwrap_or_else(Stepped::Raised) {
            Stepped::Yielded(value) => Progress::Yielded(value.unbind()),
            Stepped::Returned(value) => Progress::Returned(value.unbind()),
            Stepped::Raised(error) => Progress::Raised(error),
        };
        self.0.replace(py, outcome);
        let waker = worker.parked.bind(py).get().0.borrow_mut(py).waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Turn {
    /// What the step came to, once it is taken.
    fn outcome<'py>(&self, py: Python<'py>) -> Option<Stepped<'py>> {
        if matches!(*self.0.borrow(py), Progress::Planned(_) | Progress::Taken) {
            return None;
        }
        match self.0.replace(py, Progress::Taken) {
            Progress::Planned(_) | Progress::Taken => None,
            Progress::Yielded(value) => Some(Stepped::Yielded(value.into_bound(py))),
            Progress::Returned(value) => Some(Stepped::Returned(value.into_bound(py))),
            Progress::Raised(error) => Some(Stepped::Raised(error)),
        }
    }
}

/// A coroutine run by a worker.
pub(super) struct Running<'a> {
    worker: &'a Rc<Worker>,
    context: &'a Context,
    coroutine: Option<Py<PyAny>>,
    waiting: Waiting,
}

impl Running<'_> {
    fn advance(&mut self, py: Python<'_>, cx: &mut Polling<'_>) -> Poll<PyResult<Py<PyAny>>> {
        let parked = self.worker.parked.bind(py);
        loop {
            let mut thrown = None;
            match &self.waiting {
                Waiting::Nothing => {}
                Waiting::Turn(turn) => {
                    let Some(stepped) = turn.bind(py).get().outcome(py) else {
                        self.watch(py, cx);
                        return Poll::Pending;
                    };
                    self.waiting = Waiting::Nothing;
                    if let Some(ended) = self.stepped(py, stepped) {
                        return Poll::Ready(ended);
                    }
                    continue;
                }
                Waiting::Request(token) => {
                    let cancelled = parked.get().0.borrow_mut(py).cancelled.take();
                    if cancelled.is_some() {
                        token.bind(py).get().abandon(py);
                        thrown = cancelled;
                    } else if token.bind(py).get().poll(py, cx).is_pending() {
                        self.watch(py, cx);
                        return Poll::Pending;
                    }
                }
                Waiting::Task => {
                    let mut parking = parked.get().0.borrow_mut(py);
                    if !parking.resumed && parking.cancelled.is_none() {
                        drop(parking);
                        self.watch(py, cx);
                        return Poll::Pending;
                    }
                    parking.resumed = false;
                    thrown = parking.cancelled.take().or(parking.thrown.take());
                }
            }
            self.waiting = Waiting::Nothing;
            let Some(coroutine) = &self.coroutine else { return Poll::Pending };
            if self.worker.event_loop.is_nested() {
                match self.hand_to_asyncio(py, coroutine, thrown) {
                    Ok(turn) => self.waiting = Waiting::Turn(turn),
                    Err(error) => return Poll::Ready(Err(error)),
                }
                continue;
            }
            let stepped = match self.worker.inside(self.context, py, || step(coroutine.bind(py), thrown)) {
                Ok(stepped) => stepped,
                Err(error) => Stepped::Raised(error),
            };
            if let Some(ended) = self.stepped(py, stepped) {
                return Poll::Ready(ended);
            }
        }
    }

    /// Follows what the coroutine did with a step; gives what it ended with.
    fn stepped(&mut self, py: Python<'_>, stepped: Stepped<'_>) -> Option<PyResult<Py<PyAny>>> {
        let ended = match stepped {
            Stepped::Yielded(value) => {
                match value.cast_into::<Token>() {
                    Ok(token) => self.waiting = Waiting::Request(token.unbind()),
                    Err(other) => {
                        let other = other.into_inner();
                        if self.worker.parked.bind(py).get().0.borrow(py).cancelled.is_some() {
                            // The coroutine has cancelled its own task: it gets that here, and what it waits for goes.
                            let _ = other.call_method0(intern!(py, "cancel"));
                        } else {
                            self.hand_over(py, other);
                        }
                        self.waiting = Waiting::Task;
                    }
                }
                None
            }
            Stepped::Returned(value) => Some(Ok(value.unbind())),
            Stepped::Raised(error) => Some(Err(error)),
        };
        if ended.is_some() {
            self.coroutine = None;
        }
        self.worker.event_loop.nudge(py);
        ended
    }

    /// Has asyncio step the coroutine in its next turn, outside of the runtime.
    fn hand_to_asyncio(&self, py: Python<'_>, coroutine: &Py<PyAny>, thrown: Option<PyErr>) -> PyResult<Py<Turn>> {
        let step = NextStep {
            worker: self.worker.clone(),
            context: self.context.clone(),
            coroutine: coroutine.clone_ref(py),
            thrown,
        };
        let turn = Bound::new(py, Turn(Held::new(Progress::Planned(step))))?;
        self.worker.event_loop.asyncio(py).call_method1(intern!(py, "call_soon"), (&turn,))?;
        self.worker.event_loop.nudge(py);
        Ok(turn.unbind())
    }

    /// Has the worker's task wait for what the coroutine has yielded.
    fn hand_over(&self, py: Python<'_>, awaited: Bound<'_, PyAny>) {
        let parked = self.worker.parked.bind(py);
        let wake = {
            let mut parking = parked.get().0.borrow_mut(py);
            parking.handed = Some(awaited.unbind());
            parking.resumed = false;
            parking.wake.take()
        };
        if self.worker.event_loop.is_nested() {
            // Another worker's task may be the current one: asyncio runs this in its next turn.
            let variables = parked.get().0.borrow(py).variables.as_ref().map(|known| known.clone_ref(py));
            if let Some(wake) = wake {
                self.worker.event_loop.call_soon(py, &wake, parked, variables.as_ref());
            }
            return;
        }
        // The task's own step, as asyncio would call it; it yields what was handed over.
        if let Some(wake) = wake
            && let Err(error) = wake.bind(py).call1((parked,))
        {
            error.write_unraisable(py, Some(parked));
        }
    }

    fn watch(&self, py: Python<'_>, cx: &mut Polling<'_>) {
        let mut parking = self.worker.parked.bind(py).get().0.borrow_mut(py);
        if !parking.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            parking.waker = Some(cx.waker().clone());
        }
    }
}

impl Future for Running<'_> {
    type Output = PyResult<Py<PyAny>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        Python::attach(|py| this.advance(py, cx))
    }
}

/// Cut in the middle: the coroutine is told by a cancellation, so that its `finally` blocks run.
impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Some(coroutine) = self.coroutine.take() else { return };
        Python::attach(|py| {
            match &self.waiting {
                Waiting::Request(token) => {
                    token.bind(py).get().abandon(py);
                }
                Waiting::Turn(turn) => drop(turn.bind(py).get().0.replace(py, Progress::Taken)),
                Waiting::Nothing | Waiting::Task => {}
            }
            let coroutine = coroutine.bind(py);
            let cut = self.worker.inside(self.context, py, || {
                if let Stepped::Yielded(_) = step(coroutine, Some(names::cancelled(py, None))) {
                    // It wants to wait for something: there is no time left for that.
                    let _ = coroutine.call_method0(intern!(py, "close"));
                }
            });
            drop(cut);
            self.worker.event_loop.nudge(py);
        });
    }
}
