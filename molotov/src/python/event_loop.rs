//! One event loop for both: asyncio runs as it always does, and where it waits for its sockets the tokio runtime runs.

use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::{BorrowedFd, OwnedFd, RawFd},
    pin::pin,
    rc::Rc,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    time::Duration,
};

use futures_util::future::{FutureExt, LocalBoxFuture};
use pyo3::{ffi, intern, prelude::*};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::{Builder, LocalOptions, LocalRuntime},
    task::JoinHandle,
};

use super::{
    interrupted,
    interrupts::{self, SIGNAL},
    module,
};
use crate::registry::EventLoop;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Loop>>> = const { RefCell::new(None) };
    /// What the thread held before it was parked.
    static PARKED: Cell<*mut ffi::PyThreadState> = const { Cell::new(std::ptr::null_mut()) };
}

/// Whether the event loop's thread waits for something to happen: then there is no code to break into.
static IDLE: AtomicBool = AtomicBool::new(false);
/// Whether the code that the event loop runs is to be broken into.
pub(super) static BREAK_IN: AtomicBool = AtomicBool::new(false);

/// The runtime under asyncio's event loop.
pub(super) struct Loop {
    /// asyncio's own sockets, all behind one descriptor.
    foreign: AsyncFd<OwnedFd>,
    /// Something of asyncio's was ready the last time, and may be still.
    lingering: Cell<bool>,
    runtime: LocalRuntime,
    asyncio: Py<PyAny>,
    call_soon: Py<PyAny>,
    /// The callbacks that asyncio runs next.
    ready: Py<PyAny>,
    /// Its timers.
    scheduled: Py<PyAny>,
    /// How many timers there were when asyncio worked out how long to wait. A cancelled one stays among them.
    timers: Cell<usize>,
    root: RefCell<Option<Waker>>,
    /// The runtime is running, and with it this thread.
    inside: Cell<bool>,
    /// Scripts run the loop inside itself.
    nested: Cell<bool>,
}

/// The asyncio loop of the process: made before the script is loaded, so that scripts may keep it.
static ASYNCIO: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

/// The asyncio loop, which is made when it is first asked for.
pub(super) fn asyncio(py: Python<'_>, debug: bool) -> PyResult<Bound<'_, PyAny>> {
    if let Some(known) = &*ASYNCIO.lock().unwrap_or_else(PoisonError::into_inner) {
        return Ok(known.bind(py).clone());
    }
    let made = module(py, "_loop")?.call_method1("make", (debug,))?;
    ASYNCIO.lock().unwrap_or_else(PoisonError::into_inner).replace(made.clone().unbind());
    Ok(made)
}

/// The asyncio loop for a run: another one where the script has closed the first, or runs it in a thread of its own.
fn asyncio_to_run(py: Python<'_>, debug: bool) -> PyResult<Bound<'_, PyAny>> {
    let known = asyncio(py, debug)?;
    if module(py, "_loop")?.call_method1("is_usable", (&known,))?.is_truthy()? {
        return Ok(known);
    }
    forget();
    asyncio(py, debug)
}

/// Takes the asyncio loop out of its place.
fn forget() -> Option<Py<PyAny>> {
    ASYNCIO.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Has asyncio end what belongs to the time before `global_teardown`, such as listeners that were called last.
pub(super) fn catch_up(py: Python<'_>) -> PyResult<()> {
    let helper = module(py, "_loop")?;
    let asyncio = asyncio(py, false)?;
    if helper.call_method1("is_usable", (&asyncio,))?.is_truthy()? {
        helper.call_method1("catch_up", (&asyncio,))?;
    }
    Ok(())
}

/// Closes the asyncio loop, if there is one.
pub(super) fn close(py: Python<'_>) -> PyResult<()> {
    match forget() {
        Some(known) => module(py, "_loop")?.call_method1("close", (known,)).map(drop),
        None => Ok(()),
    }
}

impl Loop {
    /// That of the calling thread, during a run.
    pub(super) fn current() -> Option<Rc<Loop>> {
        CURRENT.with_borrow(Clone::clone)
    }

    pub(super) fn asyncio<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.asyncio.bind(py)
    }

    /// Has asyncio call something in its next turn.
    pub(super) fn call_soon(
        &self,
        py: Python<'_>,
        callback: &Py<PyAny>,
        argument: &Bound<'_, PyAny>,
        context: Option<&Py<PyAny>>,
    ) {
        let called = match context {
            None => self.call_soon.bind(py).call1((callback, argument)),
            Some(context) => {
                let keywords = pyo3::types::PyDict::new(py);
                let set = keywords.set_item(intern!(py, "context"), context);
                set.and_then(|()| self.call_soon.bind(py).call((callback, argument), Some(&keywords)))
            }
        };
        if let Err(error) = called {
            error.write_unraisable(py, Some(argument));
        }
        self.nudge(py);
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
        self.runtime.spawn_local(work)
    }

    /// To be called when Python code has run inside the runtime: asyncio may have something to do since.
    pub(super) fn nudge(&self, py: Python<'_>) {
        if self.has_work(py)
            && let Some(root) = &*self.root.borrow()
        {
            root.wake_by_ref();
        }
    }

    fn has_work(&self, py: Python<'_>) -> bool {
        self.ready.bind(py).len().is_ok_and(|ready| ready > 0)
            || self.scheduled.bind(py).len().is_ok_and(|timers| timers != self.timers.get())
    }

    /// Whether scripts run the loop inside itself, as `nest_asyncio` lets them.
    pub(super) fn is_nested(&self) -> bool {
        self.nested.get()
    }

    /// Looks whether a script has patched the loop so that it can run inside itself.
    pub(super) fn look_for_nesting(&self, py: Python<'_>) {
        if self.asyncio.bind(py).hasattr(intern!(py, "_nest_patched")).unwrap_or(false) {
            self.nested.set(true);
        }
    }

    /// Runs the runtime until asyncio has something to do: `true` when one of its own sockets is ready.
    ///
    /// # Errors
    ///
    /// When the runtime is running: a script runs the loop inside itself, in code that the runtime has called.
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        if self.inside.replace(true) {
            // From now on the coroutines of workers are stepped where that is possible.
            self.look_for_nesting(py);
            return Err(pyo3::exceptions::PyRuntimeError::new_err(
                "this code cannot run the event loop inside itself: await the coroutine; or call `nest_asyncio.apply()` at \
                 the top of the script, and run the loop in a scenario or in an `async` fixture",
            ));
        }
        let found = self.run_runtime(py, timeout);
        self.inside.set(false);
        Ok(found)
    }

    fn run_runtime(&self, py: Python<'_>, timeout: Option<f64>) -> bool {
        BREAK_IN.store(false, Ordering::Relaxed);
        // A timeout of 0 is one turn of the runtime: asyncio has callbacks to run.
        let mut turns = if timeout == Some(0.0) { Some(0) } else { None };
        let still = self.lingering.get() && self.is_readable();
        self.lingering.set(still);
        if still {
            turns = Some(0);
        }
        self.timers.set(self.scheduled.bind(py).len().unwrap_or(0));
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

/// What the selector calls; `None` outside a run, when there is no runtime.
#[pyfunction]
#[pyo3(name = "wait", signature = (timeout, /))]
pub(super) fn wait(py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<bool>> {
    Loop::current().map(|this| this.wait(py, timeout)).transpose()
}

fn release() {
    IDLE.store(true, Ordering::Relaxed);
    // SAFETY: the runtime runs inside `wait`, which holds the interpreter; nothing of Python is touched until `acquire`.
    PARKED.set(unsafe { ffi::PyEval_SaveThread() });
}

fn acquire() {
    let parked = PARKED.replace(std::ptr::null_mut());
    if !parked.is_null() {
        // SAFETY: it is what `release` got on this very thread.
        unsafe { ffi::PyEval_RestoreThread(parked) };
    }
    BREAK_IN.store(false, Ordering::Relaxed);
    IDLE.store(false, Ordering::Relaxed);
}

/// Runs the workers of a process under asyncio.
pub(super) struct Asyncio {
    debug: bool,
    thread: Mutex<Option<Thread>>,
    /// This process is a child: it ends with the run.
    forked: AtomicBool,
}

/// The thread that an event loop runs on.
struct Thread {
    /// As Python numbers them.
    ident: u64,
    /// As the system does, where [`SIGNAL`] is ours.
    signalled: Option<libc::pthread_t>,
}

impl Asyncio {
    pub(super) fn new(debug: bool) -> Asyncio {
        Asyncio { debug, thread: Mutex::new(None), forked: AtomicBool::new(false) }
    }

    fn run_under(&self, py: Python<'_>, mut builder: Builder, work: LocalBoxFuture<'static, ()>) -> PyResult<()> {
        let asyncio = asyncio_to_run(py, self.debug)?;
        let ident = py.import("threading")?.call_method0("get_ident")?.extract()?;
        let before = interrupts::listen(py)?;
        // SAFETY: it only names the calling thread.
        let signalled = before.is_some().then(|| unsafe { libc::pthread_self() });
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(Thread { ident, signalled });
        let runtime = builder.on_thread_park(release).on_thread_unpark(acquire).build_local(LocalOptions::default())?;
        let descriptor: RawFd = asyncio.getattr("_selector")?.call_method0("fileno")?.extract()?;
        // SAFETY: it is the selector's, which is open as long as its loop.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()?;
        let foreign = runtime.block_on(async {
            // SAFETY: the descriptor is a copy of our own, which lives as long as its registration.
            unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }
        });
        let foreign = foreign.map_err(io::Error::from)?;
        let this = Rc::new(Loop {
            foreign,
            lingering: Cell::new(true),
            runtime,
            asyncio: asyncio.clone().unbind(),
            call_soon: asyncio.getattr("call_soon")?.unbind(),
            ready: asyncio.getattr("_ready")?.unbind(),
            scheduled: asyncio.getattr("_scheduled")?.unbind(),
            timers: Cell::new(0),
            root: RefCell::default(),
            inside: Cell::new(false),
            nested: Cell::new(false),
        });
        CURRENT.set(Some(this.clone()));
        let done = asyncio.call_method0("create_future")?;
        let told = done.clone().unbind();
        this.spawn(work.then(|()| async move {
            Python::attach(|py| {
                let told = told.bind(py);
                // A callback of asyncio's; it is run by the turn that follows.
                if let Err(error) = told.call_method1("set_result", (py.None(),)) {
                    error.write_unraisable(py, Some(told));
                }
                if let Some(this) = Loop::current() {
                    this.nudge(py);
                }
            });
        }));
        // `sys.exit()` in a task of the script's own leaves the loop; the workers go on.
        while !done.call_method0("done")?.is_truthy()? {
            if let Err(error) = asyncio.call_method1("run_until_complete", (&done,)) {
                error.write_unraisable(py, Some(&done));
            }
        }
        // In the parent the loop stays open: `global_teardown` may use it.
        let ended = match self.forked.load(Ordering::Relaxed) {
            true => close(py),
            false => module(py, "_loop")?.call_method1("settle", (&asyncio,)).map(drop),
        };
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(before) = before {
            py.import("signal")?.call_method1("signal", (SIGNAL, before))?;
        }
        CURRENT.set(None);
        ended
    }
}

impl EventLoop for Asyncio {
    fn run(&self, runtime: Builder, work: LocalBoxFuture<'static, ()>) -> io::Result<()> {
        Python::attach(|py| self.run_under(py, runtime, work)).map_err(|error| io::Error::other(error.to_string()))
    }

    fn fork(&self) -> io::Result<Option<u32>> {
        let forked = Python::attach(|py| -> PyResult<Option<u32>> {
            let helper = module(py, "_processes")?;
            helper.call_method0("flush")?;
            let pid: u32 = py.import("os")?.call_method0("fork")?.extract()?;
            if pid > 0 {
                return Ok(Some(pid));
            }
            self.forked.store(true, Ordering::Relaxed);
            let parents = asyncio(py, self.debug)?;
            if !module(py, "_loop")?.call_method1("adopt", (parents,))?.is_truthy()? {
                forget();
                asyncio(py, self.debug)?;
            }
            Ok(None)
        });
        forked.map_err(|error| {
            match Python::attach(|py| error.value(py).getattr("errno").and_then(|code| code.extract())) {
                Ok(code) => io::Error::from_raw_os_error(code),
                Err(_) => io::Error::other(error.to_string()),
            }
        })
    }

    fn leave(&self) {
        Python::attach(|py| {
            let left = super::modules::finish_stdout(py)
                .and(module(py, "_processes").and_then(|helper| helper.call_method0("leave")));
            if let Err(error) = left {
                error.write_unraisable(py, None);
            }
        });
    }

    fn stopping(&self) {
        super::modules::STOPPING.store(true, Ordering::Relaxed);
    }

    fn interrupt(&self) {
        if IDLE.load(Ordering::Relaxed) {
            return;
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match &*thread {
            None => {}
            Some(Thread { signalled: Some(thread), .. }) => {
                BREAK_IN.store(true, Ordering::Relaxed);
                // SAFETY: the thread is there as long as it stands here, and it has a handler for the signal.
                unsafe { libc::pthread_kill(*thread, SIGNAL) };
            }
            Some(Thread { ident, .. }) => {
                let ident = *ident;
                // Whoever holds the interpreter may wait for the other lock.
                drop(thread);
                Python::attach(|py| {
                    // SAFETY: a number and a class, under the interpreter's lock; a thread that is gone is ignored.
                    unsafe { ffi::PyThreadState_SetAsyncExc(ident as _, interrupted(py).as_ptr()) };
                });
            }
        }
    }
}
