//! The tokio runtime that runs inside asyncio's `select()`.

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::{BorrowedFd, OwnedFd, RawFd},
    pin::pin,
    rc::Rc,
    sync::atomic::Ordering,
    task::{Poll, Waker},
    time::Duration,
};

use pyo3::{
    exceptions::PyRuntimeError,
    ffi, intern,
    prelude::*,
    types::{PyDict, PyList},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::{Builder, EnterGuard, LocalOptions, LocalRuntime},
    task::JoinHandle,
};

use super::current_task::CurrentTask;
use crate::python::interrupts::{BREAK_IN, IDLE};

thread_local! {
    static CURRENT: RefCell<Option<Rc<AsyncioRuntime>>> = const { RefCell::new(None) };
    /// The thread's state in the interpreter while the thread is parked.
    static PARKED: Cell<*mut ffi::PyThreadState> = const { Cell::new(std::ptr::null_mut()) };
}

/// The runtime under asyncio's event loop.
pub(in crate::python) struct AsyncioRuntime {
    /// The descriptor of asyncio's selector, which covers all of asyncio's sockets.
    foreign: AsyncFd<OwnedFd>,
    /// A socket of asyncio was ready the last time, and may still be.
    lingering: Cell<bool>,
    runtime: LocalRuntime,
    asyncio: Py<PyAny>,
    call_soon: Py<PyAny>,
    /// The callbacks that asyncio calls next.
    ready: Py<PyAny>,
    /// The timers of asyncio.
    scheduled: Py<PyList>,
    /// The number of timers when asyncio computed its timeout. Cancelled timers count.
    timers: Cell<usize>,
    root: RefCell<Option<Waker>>,
    current_task: CurrentTask,
    /// The runtime is running on this thread.
    inside: Cell<bool>,
    /// A script runs the loop inside itself.
    nested: Cell<bool>,
}

/// The asyncio loop of the run. `None` outside a run.
pub(in crate::python) fn of_run(py: Python<'_>) -> Option<Py<PyAny>> {
    AsyncioRuntime::current().map(|event_loop| event_loop.asyncio(py).clone().unbind())
}

impl AsyncioRuntime {
    /// Builds the runtime under an asyncio loop, and makes it the loop of the calling thread until [`AsyncioRuntime::leave`].
    pub(super) fn enter(asyncio: &Bound<'_, PyAny>, mut builder: Builder) -> PyResult<Rc<AsyncioRuntime>> {
        let runtime = builder.on_thread_park(release).on_thread_unpark(acquire).build_local(LocalOptions::default())?;
        let descriptor: RawFd = asyncio.getattr("_selector")?.call_method0("fileno")?.extract()?;
        // SAFETY: the descriptor of the selector, which is open as long as its loop.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
        let foreign = runtime.block_on(async {
            // SAFETY: the descriptor is our copy, which lives as long as its registration.
            unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }
        });
        let this = Rc::new(AsyncioRuntime {
            foreign: foreign.map_err(io::Error::from)?,
            lingering: Cell::new(true),
            runtime,
            asyncio: asyncio.clone().unbind(),
            call_soon: asyncio.getattr("call_soon")?.unbind(),
            ready: asyncio.getattr("_ready")?.unbind(),
            scheduled: asyncio.getattr("_scheduled")?.cast_into::<PyList>()?.unbind(),
            timers: Cell::new(0),
            root: RefCell::default(),
            current_task: CurrentTask::new(asyncio)?,
            inside: Cell::new(false),
            nested: Cell::new(false),
        });
        CURRENT.set(Some(this.clone()));
        Ok(this)
    }

    /// Ends what [`AsyncioRuntime::enter`] began.
    pub(super) fn leave() {
        CURRENT.set(None);
    }

    /// The loop of the calling thread. `None` outside a run.
    pub(in crate::python) fn current() -> Option<Rc<AsyncioRuntime>> {
        CURRENT.with_borrow(Clone::clone)
    }

    pub(in crate::python) fn asyncio<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.asyncio.bind(py)
    }

    /// Makes a worker's task the current task, until [`AsyncioRuntime::leave_task`].
    pub(in crate::python) fn enter_task(&self, py: Python<'_>, task: &Py<PyAny>) -> PyResult<()> {
        self.current_task.enter(py, task, self.inside.get())
    }

    pub(in crate::python) fn leave_task(&self, py: Python<'_>, task: &Py<PyAny>) -> PyResult<()> {
        self.current_task.leave(py, task)
    }

    /// Prepares a call that makes asyncio step a task at once.
    pub(in crate::python) fn let_asyncio_step(&self, py: Python<'_>) {
        self.current_task.clear(py);
    }

    /// Has asyncio call `callback(argument)` in its next turn.
    pub(in crate::python) fn call_soon(
        &self,
        py: Python<'_>,
        callback: &Py<PyAny>,
        argument: &Bound<'_, PyAny>,
        context: Option<&Py<PyAny>>,
    ) {
        let called = match context {
            None => self.call_soon.bind(py).call1((callback, argument)),
            Some(context) => {
                let keywords = PyDict::new(py);
                let set = keywords.set_item(intern!(py, "context"), context);
                set.and_then(|()| self.call_soon.bind(py).call((callback, argument), Some(&keywords)))
            }
        };
        if let Err(error) = called {
            error.write_unraisable(py, Some(argument));
        }
        self.nudge(py);
    }

    /// Enters the context of the runtime, which timers require. Tasks of scripts run between the turns of the runtime.
    pub(in crate::python) fn context(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    pub(in crate::python) fn spawn(&self, work: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
        self.runtime.spawn_local(work)
    }

    /// Ends the runtime's turn if asyncio has work to do. Call it after Python code has run inside the runtime.
    pub(in crate::python) fn nudge(&self, py: Python<'_>) {
        if self.has_work(py)
            && let Some(root) = &*self.root.borrow()
        {
            root.wake_by_ref();
        }
    }

    fn has_work(&self, py: Python<'_>) -> bool {
        self.ready.bind(py).len().is_ok_and(|ready| ready > 0) || self.scheduled.bind(py).len() != self.timers.get()
    }

    /// Whether a script runs the loop inside itself, as `nest_asyncio` allows.
    pub(in crate::python) fn is_nested(&self) -> bool {
        self.nested.get()
    }

    /// Checks whether a script has patched the loop so that it can run inside itself.
    pub(in crate::python) fn look_for_nesting(&self, py: Python<'_>) {
        if self.asyncio.bind(py).hasattr(intern!(py, "_nest_patched")).unwrap_or(false) {
            self.nested.set(true);
        }
    }

    /// Runs the runtime until asyncio has work to do. Returns `true` if a socket of asyncio is ready.
    ///
    /// # Errors
    ///
    /// When the runtime is already running: code that the runtime has called runs the loop inside itself.
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        if self.inside.replace(true) {
            // If the loop is patched, asyncio steps the workers' coroutines from now on.
            self.look_for_nesting(py);
            return Err(PyRuntimeError::new_err(
                "this code cannot run the event loop inside itself: await the coroutine; or call `nest_asyncio.apply()` at \
                 the top of the script, and run the loop in a scenario or in an `async` fixture",
            ));
        }
        let found = self.run_runtime(py, timeout);
        self.current_task.clear(py);
        self.inside.set(false);
        Ok(found)
    }

    fn run_runtime(&self, py: Python<'_>, timeout: Option<f64>) -> bool {
        BREAK_IN.store(false, Ordering::Relaxed);
        // With a timeout of 0, asyncio has callbacks to call: run one turn of the runtime.
        let mut turns = if timeout == Some(0.0) { Some(0) } else { None };
        let still = self.lingering.get() && self.is_readable();
        self.lingering.set(still);
        if still {
            turns = Some(0);
        }
        self.timers.set(self.scheduled.bind(py).len());
        let found = self.runtime.block_on(async {
            let sleep = timeout
                .filter(|_| turns.is_none())
                .map(|time| Duration::try_from_secs_f64(time).unwrap_or(Duration::MAX));
            let mut sleep = pin!(sleep.map(tokio::time::sleep));
            std::future::poll_fn(|cx| {
                let mut root = self.root.borrow_mut();
                if !root.as_ref().is_some_and(|root| root.will_wake(cx.waker())) {
                    *root = Some(cx.waker().clone());
                }
                drop(root);
                let mut ready = still;
                if let Poll::Ready(Ok(mut guard)) = self.foreign.poll_read_ready(cx) {
                    guard.clear_ready();
                    ready = true;
                }
                if let Some(turns) = &mut turns {
                    *turns += 1;
                    if *turns > 1 {
                        return Poll::Ready(ready);
                    }
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if ready {
                    return Poll::Ready(true);
                }
                if self.has_work(py) {
                    return Poll::Ready(false);
                }
                match sleep.as_mut().as_pin_mut() {
                    Some(sleep) => sleep.poll(cx).map(|()| false),
                    None => Poll::Pending,
                }
            })
            .await
        });
        if found {
            self.lingering.set(true);
        }
        found
    }

    fn is_readable(&self) -> bool {
        let mut polled = [rustix::event::PollFd::new(self.foreign.get_ref(), rustix::event::PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

/// Called by the selector. Returns `None` outside a run, when there is no runtime.
#[pyfunction]
#[pyo3(name = "wait", signature = (timeout, /))]
pub(in crate::python) fn wait(py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<bool>> {
    AsyncioRuntime::current().map(|this| this.wait(py, timeout)).transpose()
}

fn release() {
    IDLE.store(true, Ordering::Relaxed);
    // SAFETY: the runtime runs inside `wait`, which holds the interpreter's lock. Nothing touches Python until `acquire`.
    PARKED.set(unsafe { ffi::PyEval_SaveThread() });
}

fn acquire() {
    let parked = PARKED.replace(std::ptr::null_mut());
    if !parked.is_null() {
        // SAFETY: `release` has got it on this thread.
        unsafe { ffi::PyEval_RestoreThread(parked) };
    }
    BREAK_IN.store(false, Ordering::Relaxed);
    IDLE.store(false, Ordering::Relaxed);
}
