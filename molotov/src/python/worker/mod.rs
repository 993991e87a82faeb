//! A worker as Python sees it: a task of asyncio that stays parked while the engine steps the worker's coroutines.
//!
//! `asyncio.current_task()`, context variables, cancellation and timeouts belong to the task, so they work. asyncio takes no part
//! while a coroutine waits for a request of the engine. If the coroutine waits for anything else, its task does the waiting.

mod parked;
mod run;
mod scheduled;

use std::{
    cell::{OnceCell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::Poll,
};

use pyo3::{exceptions::PyRuntimeError, ffi, prelude::*, types::PyDict};

pub(super) use self::parked::ParkedCoroutine;
use self::{parked::State, run::CoroutineRun};
use super::{context::WorkerContext, event_loop::AsyncioRuntime, gil_cell::GilCell, module};
use crate::session::Context;

/// A worker's task, and what scripts attach to the worker.
pub(super) struct Worker {
    event_loop: Rc<AsyncioRuntime>,
    task: Py<PyAny>,
    parked: Py<ParkedCoroutine>,
    /// The open sessions, each with its kind.
    pub(super) sessions: RefCell<Vec<(String, Py<PyAny>)>>,
    /// The options of the HTTP session that `setup` returned.
    pub(super) options: RefCell<Option<Py<PyDict>>>,
    /// The options of other kinds of sessions that `setup` returned, by kind.
    pub(super) kind_options: RefCell<Option<Py<PyDict>>>,
    pub(super) context: OnceCell<Py<WorkerContext>>,
}

thread_local! {
    /// The context of the worker whose coroutine runs.
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// The context of the worker whose code runs on this thread.
pub(super) fn current_context() -> Option<Context> {
    CURRENT.with_borrow(Clone::clone)
}

impl Worker {
    /// The worker that a context belongs to. The first call makes its task.
    pub(super) async fn of(context: &Context) -> PyResult<Rc<Worker>> {
        if let Some(worker) = context.attached::<Rc<Worker>>() {
            return Ok((*worker).clone());
        }
        let made = Python::attach(|py| -> PyResult<Worker> {
            let event_loop = AsyncioRuntime::current()
                .ok_or_else(|| PyRuntimeError::new_err("Python scenarios need the event loop, which is not running"))?;
            event_loop.look_for_nesting(py);
            let parked = Bound::new(py, ParkedCoroutine(GilCell::new(State::default())))?;
            let known = Bound::new(py, WorkerContext::new(context.clone()))?;
            let create = event_loop.asyncio(py).getattr("create_task")?;
            // Tasks that the worker creates find the context, too.
            let task = module(py, "session")?.call_method1("_create_task_of_worker", (create, &parked, &known))?;
            Ok(Worker {
                task: task.unbind(),
                parked: parked.unbind(),
                event_loop,
                sessions: RefCell::default(),
                options: RefCell::default(),
                kind_options: RefCell::default(),
                context: OnceCell::from(known.unbind()),
            })
        })?;
        let worker = Rc::new(made);
        context.attach(worker.clone());
        // The task takes its first step in asyncio's next turn. From then on it is parked.
        poll_fn(|cx| {
            Python::attach(|py| {
                worker.event_loop.nudge(py);
                let mut state = worker.parked.bind(py).get().0.borrow_mut(py);
                if state.wake.is_some() {
                    state.resumed = false;
                    return Poll::Ready(());
                }
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            })
        })
        .await;
        Ok(worker)
    }

    /// Runs a coroutine to its end as this worker.
    pub(super) fn run<'a>(self: &'a Rc<Worker>, context: &'a Context, coroutine: Py<PyAny>) -> CoroutineRun<'a> {
        CoroutineRun::new(self, context, coroutine)
    }

    /// Ends the worker's task.
    pub(super) fn end(&self, py: Python<'_>) {
        let parked = self.parked.bind(py);
        let wake = {
            let mut state = parked.get().0.borrow_mut(py);
            state.ended = true;
            state.wake.take()
        };
        if let Some(wake) = wake {
            self.event_loop.call_soon(py, &wake, parked, None);
        }
    }

    /// Calls `work` as asyncio would: with the worker's task as the current task, and in its context.
    fn inside<T>(&self, context: &Context, py: Python<'_>, work: impl FnOnce() -> T) -> PyResult<T> {
        let _current = CurrentContext::set(context);
        let _entered = EnteredTask::enter(self, py)?;
        Ok(work())
    }
}

/// Calls a function of a script that is no coroutine as the worker with this context.
pub(super) fn as_worker<T>(context: &Context, call: impl FnOnce() -> T) -> T {
    let _current = CurrentContext::set(context);
    call()
}

/// Sets the current context, and restores the previous one when dropped.
struct CurrentContext(Option<Context>);

impl CurrentContext {
    fn set(context: &Context) -> CurrentContext {
        CurrentContext(CURRENT.replace(Some(context.clone())))
    }
}

impl Drop for CurrentContext {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Makes a worker's task the current task, in its context, until dropped.
struct EnteredTask<'a, 'py> {
    worker: &'a Worker,
    py: Python<'py>,
    /// The context variables, if `enter` has entered them.
    variables: Option<Py<PyAny>>,
}

impl<'a, 'py> EnteredTask<'a, 'py> {
    fn enter(worker: &'a Worker, py: Python<'py>) -> PyResult<EnteredTask<'a, 'py>> {
        worker.event_loop.enter_task(py, &worker.task)?;
        let variables = worker.parked.bind(py).get().0.borrow(py).variables.as_ref().map(|known| known.clone_ref(py));
        let variables = variables.filter(|variables| {
            // SAFETY: a context that asyncio passed. `drop` leaves it.
            let is_entered = unsafe { ffi::PyContext_Enter(variables.as_ptr()) == 0 };
            if !is_entered {
                // The coroutine runs inside itself and has entered the context before.
                drop(PyErr::take(py));
            }
            is_entered
        });
        Ok(EnteredTask { worker, py, variables })
    }
}

impl Drop for EnteredTask<'_, '_> {
    fn drop(&mut self) {
        let py = self.py;
        if let Some(variables) = &self.variables {
            // SAFETY: `enter` has entered it.
            if unsafe { ffi::PyContext_Exit(variables.as_ptr()) } != 0 {
                drop(PyErr::take(py));
            }
        }
        // This fails if the script has left the task, which does not change the coroutine's outcome.
        if let Err(error) = self.worker.event_loop.leave_task(py, &self.worker.task) {
            error.write_unraisable(py, Some(self.worker.task.bind(py)));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        Python::attach(|py| self.end(py));
    }
}
