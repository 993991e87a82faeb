//! Runs one coroutine of a worker to its end.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context as Polling, Poll},
};

use pyo3::{intern, prelude::*};

use super::{
    Worker,
    scheduled::{NextStep, ScheduledStep},
};
use crate::{
    python::{
        asyncio,
        awaitable::EngineFuture,
        coroutine::{Step, step},
    },
    session::Context,
};

/// What a coroutine waits for.
enum Waiting {
    /// Nothing: the coroutine can be stepped.
    Nothing,
    /// A step that asyncio takes.
    Step(Py<ScheduledStep>),
    /// Work of the engine.
    Work(Py<EngineFuture>),
    /// What the worker's task waits for.
    Task(Py<PyAny>),
}

/// A coroutine that a worker runs. Its output is what the coroutine returns or raises.
pub(in crate::python) struct CoroutineRun<'a> {
    worker: &'a Rc<Worker>,
    context: &'a Context,
    coroutine: Option<Py<PyAny>>,
    waiting: Waiting,
}

impl<'a> CoroutineRun<'a> {
    pub(super) fn new(worker: &'a Rc<Worker>, context: &'a Context, coroutine: Py<PyAny>) -> CoroutineRun<'a> {
        CoroutineRun { worker, context, coroutine: Some(coroutine), waiting: Waiting::Nothing }
    }

    fn advance(&mut self, py: Python<'_>, cx: &mut Polling<'_>) -> Poll<PyResult<Py<PyAny>>> {
        let parked = self.worker.parked.bind(py);
        loop {
            let mut thrown = None;
            match &self.waiting {
                Waiting::Nothing => {}
                Waiting::Step(scheduled) => {
                    let Some(stepped) = scheduled.bind(py).get().outcome(py) else {
                        self.watch(py, cx);
                        return Poll::Pending;
                    };
                    self.waiting = Waiting::Nothing;
                    if let Some(ended) = self.stepped(py, stepped) {
                        return Poll::Ready(ended);
                    }
                    continue;
                }
                Waiting::Work(future) => {
                    let cancelled = parked.get().0.borrow_mut(py).cancelled.take();
                    if cancelled.is_some() {
                        future.bind(py).get().abandon(py);
                        thrown = cancelled;
                    } else if future.bind(py).get().poll(py, cx).is_pending() {
                        self.watch(py, cx);
                        return Poll::Pending;
                    }
                }
                Waiting::Task(_) => {
                    let mut state = parked.get().0.borrow_mut(py);
                    if !state.resumed && state.cancelled.is_none() {
                        drop(state);
                        self.watch(py, cx);
                        return Poll::Pending;
                    }
                    state.resumed = false;
                    thrown = state.cancelled.take().or(state.thrown.take());
                }
            }
            self.waiting = Waiting::Nothing;
            let Some(coroutine) = &self.coroutine else { return Poll::Pending };
            if self.worker.event_loop.is_nested() {
                match self.schedule(py, coroutine, thrown) {
                    Ok(scheduled) => self.waiting = Waiting::Step(scheduled),
                    Err(error) => return Poll::Ready(Err(error)),
                }
                continue;
            }
            let stepped = match self.worker.inside(self.context, py, || step(coroutine.bind(py), thrown)) {
                Ok(stepped) => stepped,
                Err(error) => Step::Raised(error),
            };
            if let Some(ended) = self.stepped(py, stepped) {
                return Poll::Ready(ended);
            }
        }
    }

    /// Handles the outcome of a step. Returns the result of the coroutine if it has ended.
    fn stepped(&mut self, py: Python<'_>, stepped: Step<'_>) -> Option<PyResult<Py<PyAny>>> {
        let ended = match stepped {
            Step::Yielded(value) => {
                match value.cast_into::<EngineFuture>() {
                    Ok(future) => self.waiting = Waiting::Work(future.unbind()),
                    Err(other) => {
                        let other = other.into_inner();
                        self.waiting = Waiting::Task(other.clone().unbind());
                        if self.worker.parked.bind(py).get().0.borrow(py).cancelled.is_some() {
                            // The coroutine has cancelled its own task. Cancel what it waits for: the exception is thrown
                            // into it next.
                            let _ = other.call_method0(intern!(py, "cancel"));
                        } else {
                            self.hand_over(py, other);
                        }
                    }
                }
                None
            }
            Step::Returned(value) => Some(Ok(value.unbind())),
            Step::Raised(error) => Some(Err(error)),
        };
        if ended.is_some() {
            self.coroutine = None;
        }
        self.worker.event_loop.nudge(py);
        ended
    }

    /// Has asyncio step the coroutine in its next turn, outside the runtime.
    fn schedule(&self, py: Python<'_>, coroutine: &Py<PyAny>, thrown: Option<PyErr>) -> PyResult<Py<ScheduledStep>> {
        let step = NextStep {
            worker: self.worker.clone(),
            context: self.context.clone(),
            coroutine: coroutine.clone_ref(py),
            thrown,
        };
        let scheduled = Bound::new(py, ScheduledStep::new(step))?;
        self.worker.event_loop.asyncio(py).call_method1(intern!(py, "call_soon"), (&scheduled,))?;
        self.worker.event_loop.nudge(py);
        Ok(scheduled.unbind())
    }

    /// Has the worker's task wait for what the coroutine has yielded.
    fn hand_over(&self, py: Python<'_>, awaited: Bound<'_, PyAny>) {
        let parked = self.worker.parked.bind(py);
        let wake = {
            let mut state = parked.get().0.borrow_mut(py);
            state.handed = Some(awaited.unbind());
            state.resumed = false;
            state.wake.take()
        };
        if self.worker.event_loop.is_nested() {
            // The task of another worker may be the current one, so asyncio wakes this one in its next turn.
            let variables = parked.get().0.borrow(py).variables.as_ref().map(|known| known.clone_ref(py));
            if let Some(wake) = wake {
                self.worker.event_loop.call_soon(py, &wake, parked, variables.as_ref());
            }
            return;
        }
        // Wake the task as asyncio would: its step yields what was handed over.
        self.worker.event_loop.let_asyncio_step(py);
        if let Some(wake) = wake
            && let Err(error) = wake.bind(py).call1((parked,))
        {
            error.write_unraisable(py, Some(parked));
        }
    }

    /// Has this coroutine polled again when the state of the worker's task changes.
    fn watch(&self, py: Python<'_>, cx: &mut Polling<'_>) {
        let mut state = self.worker.parked.bind(py).get().0.borrow_mut(py);
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
    }
}

impl Future for CoroutineRun<'_> {
    type Output = PyResult<Py<PyAny>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        Python::attach(|py| this.advance(py, cx))
    }
}

/// Cancels a coroutine that has not ended, so that its `finally` blocks run.
impl Drop for CoroutineRun<'_> {
    fn drop(&mut self) {
        let Some(coroutine) = self.coroutine.take() else { return };
        Python::attach(|py| {
            match &self.waiting {
                Waiting::Work(future) => {
                    future.bind(py).get().abandon(py);
                }
                Waiting::Step(scheduled) => scheduled.bind(py).get().cancel(py),
                Waiting::Nothing => {}
                Waiting::Task(awaited) => {
                    // Otherwise, the task would wait for it before it waits for anything that the worker's next coroutine awaits.
                    self.worker.parked.bind(py).get().abandon(py);
                    let _ = awaited.bind(py).call_method0(intern!(py, "cancel"));
                }
            }
            let coroutine = coroutine.bind(py);
            let cut = self.worker.inside(self.context, py, || {
                if let Step::Yielded(_) = step(coroutine, Some(asyncio::cancelled(py, None))) {
                    // It waits again, and there is no time left.
                    let _ = coroutine.call_method0(intern!(py, "close"));
                }
            });
            drop(cut);
            self.worker.event_loop.nudge(py);
        });
    }
}
