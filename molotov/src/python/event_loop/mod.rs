//! One event loop for asyncio and tokio: the tokio runtime runs inside asyncio's `select()`.

mod current_task;
mod runtime;
mod shared;

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::{FutureExt, LocalBoxFuture};
use pyo3::{ffi, prelude::*};
use tokio::runtime::Builder;

pub(super) use self::{
    runtime::{AsyncioRuntime, of_run, wait},
    shared::{asyncio, catch_up, close},
};
use super::{
    interrupts::{self, BREAK_IN, IDLE, SIGNAL, interrupted},
    module, run_state, stdout,
};
use crate::registry::EventLoop;

/// Runs the workers of a process under asyncio.
pub(super) struct Asyncio {
    debug: bool,
    thread: Mutex<Option<Thread>>,
    /// This process is a forked child, which ends with the run.
    forked: AtomicBool,
}

/// The thread that an event loop runs on.
struct Thread {
    /// The identifier that Python uses.
    ident: u64,
    /// The identifier that the system uses. `None` if [`SIGNAL`] has another handler.
    signalled: Option<libc::pthread_t>,
}

impl Asyncio {
    pub(super) fn new(debug: bool) -> Asyncio {
        Asyncio { debug, thread: Mutex::new(None), forked: AtomicBool::new(false) }
    }

    fn run_under(&self, py: Python<'_>, builder: Builder, work: LocalBoxFuture<'static, ()>) -> PyResult<()> {
        let asyncio = shared::asyncio_to_run(py, self.debug)?;
        let ident = py.import("threading")?.call_method0("get_ident")?.extract()?;
        let before = interrupts::listen(py)?;
        // SAFETY: the call only identifies the calling thread.
        let signalled = before.is_some().then(|| unsafe { libc::pthread_self() });
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(Thread { ident, signalled });
        let this = AsyncioRuntime::enter(&asyncio, builder)?;
        let done = asyncio.call_method0("create_future")?;
        let finished = done.clone().unbind();
        this.spawn(work.then(|()| async move {
            Python::attach(|py| {
                let finished = finished.bind(py);
                // asyncio calls the callback in its next turn.
                if let Err(error) = finished.call_method1("set_result", (py.None(),)) {
                    error.write_unraisable(py, Some(finished));
                }
                if let Some(this) = AsyncioRuntime::current() {
                    this.nudge(py);
                }
            });
        }));
        // `sys.exit()` in a task of the script ends the loop, but not the workers.
        while !done.call_method0("done")?.is_truthy()? {
            if let Err(error) = asyncio.call_method1("run_until_complete", (&done,)) {
                error.write_unraisable(py, Some(&done));
            }
        }
        // In the parent, `global_teardown` may still use the loop.
        let ended = match self.forked.load(Ordering::Relaxed) {
            true => close(py),
            false => module(py, "_loop")?.call_method1("settle", (&asyncio,)).map(drop),
        };
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(before) = before {
            py.import("_signal")?.call_method1("signal", (SIGNAL, before))?;
        }
        AsyncioRuntime::leave();
        ended
    }
}

impl EventLoop for Asyncio {
    fn run(&self, runtime: Builder, work: LocalBoxFuture<'static, ()>) -> io::Result<()> {
        Python::attach(|py| self.run_under(py, runtime, work)).map_err(|error| io::Error::other(error.to_string()))
    }

    fn notes(&self, start: std::time::Instant) -> Vec<String> {
        run_state::notes(start)
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
                shared::forget();
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
            let left = stdout::finish(py).and(module(py, "_processes").and_then(|helper| helper.call_method0("leave")));
            if let Err(error) = left {
                error.write_unraisable(py, None);
            }
        });
    }

    fn stopping(&self) {
        run_state::begin_stop();
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
                // SAFETY: the thread runs as long as it is recorded here, and it has a handler for the signal.
                unsafe { libc::pthread_kill(*thread, SIGNAL) };
            }
            Some(Thread { ident, .. }) => {
                let ident = *ident;
                // The thread that holds the interpreter's lock may wait for this one.
                drop(thread);
                Python::attach(|py| {
                    // SAFETY: a number and a class, with the interpreter's lock held. A thread that has ended is ignored.
                    unsafe { ffi::PyThreadState_SetAsyncExc(ident as _, interrupted(py).as_ptr()) };
                });
            }
        }
    }
}
