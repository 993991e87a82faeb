//! Interrupts a script's code: a signal ends its system calls, and Python's handler of that signal raises an exception.

use std::{
    ffi::c_int,
    io,
    mem::MaybeUninit,
    sync::atomic::{AtomicI32, AtomicUsize, Ordering},
};

use pyo3::{exceptions::PyKeyboardInterrupt, prelude::*};
use signal_hook::SigId;

use super::event_loop::BREAK_IN;

/// The signal that interrupts system calls, such as those of `time.sleep`. It is ignored where nobody asks for it.
pub(super) const SIGNAL: c_int = libc::SIGURG;

/// The thread that runs `global_setup` or `global_teardown`, as the system names it; 0 when none does.
static FIXTURE: AtomicUsize = AtomicUsize::new(0);
/// The signal for which the fixture is to be interrupted, until it is; 0 when there is none.
static PENDING: AtomicI32 = AtomicI32::new(0);
/// The signal for which the fixture was interrupted; 0 when it was not.
static RAISED: AtomicI32 = AtomicI32::new(0);

/// Python's handler of [`SIGNAL`]: what runs ends with an exception.
#[pyfunction]
#[pyo3(name = "break_in", signature = (_signal, _frame, /))]
pub(super) fn break_in(_signal: i32, _frame: Option<Py<PyAny>>) -> PyResult<()> {
    let signal = PENDING.swap(0, Ordering::Relaxed);
    if signal != 0 {
        RAISED.store(signal, Ordering::Relaxed);
        return Err(PyKeyboardInterrupt::new_err(()));
    }
    match BREAK_IN.swap(false, Ordering::Relaxed) {
        true => Err(super::Interrupted::new_err("the run has ended, and this code kept its thread busy")),
        false => Ok(()),
    }
}

/// Has Python answer [`SIGNAL`] by an exception, and returns what it did before. `None` where a script has use for the signal, or
/// where this is not the thread that Python answers signals on.
pub(super) fn listen(py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
    let signal = py.import("signal")?;
    let before = signal.call_method1("getsignal", (SIGNAL,))?;
    if !before.eq(signal.getattr("SIG_DFL")?)? {
        return Ok(None);
    }
    let handler = py.import("molotov._core")?.getattr("break_in")?;
    Ok(signal.call_method1("signal", (SIGNAL, handler)).ok().map(Bound::unbind))
}

/// From now on, the signal raises `KeyboardInterrupt` in a `global_setup` that runs.
///
/// # Errors
///
/// When the system does not allow a handler of the signal.
pub(crate) fn interrupt_on(signal: c_int) -> io::Result<SigId> {
    // SAFETY: all that it does is async-signal-safe: atomics and `pthread_kill`.
    unsafe { signal_hook::low_level::register(signal, move || interrupt(signal)) }
}

/// Raises `KeyboardInterrupt` in the `global_setup` or `global_teardown` that runs, if one does.
pub(crate) fn interrupt(signal: c_int) {
    let thread = FIXTURE.load(Ordering::Acquire);
    if thread != 0 {
        PENDING.store(signal, Ordering::Relaxed);
        // SAFETY: the thread is there as long as its fixture runs; after it, the main thread lives on.
        unsafe { libc::pthread_kill(thread as libc::pthread_t, SIGNAL) };
    }
}

/// Runs a fixture so that [`interrupt`] reaches it. Returns its result, and the signal that interrupted it, if one did.
pub(super) fn fixture<T>(
    py: Python<'_>,
    fixture: impl FnOnce() -> PyResult<T>,
) -> PyResult<(PyResult<T>, Option<c_int>)> {
    let Some(before) = listen(py)? else { return Ok((fixture(), None)) };
    let calls = Interruptible::begin();
    PENDING.store(0, Ordering::Relaxed);
    RAISED.store(0, Ordering::Relaxed);
    // SAFETY: it only names the calling thread.
    FIXTURE.store(unsafe { libc::pthread_self() } as usize, Ordering::Release);
    let mut ended = fixture();
    FIXTURE.store(0, Ordering::Release);
    // A signal that came last is still to be answered.
    if let Err(late) = py.check_signals() {
        ended = Err(late);
    }
    drop(calls);
    py.import("signal")?.call_method1("signal", (SIGNAL, before))?;
    let signal = RAISED.swap(0, Ordering::Relaxed);
    let interrupted = matches!(&ended, Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py)) && signal != 0;
    Ok((ended, interrupted.then_some(signal)))
}

/// While it lives, the signals that end a run interrupt system calls, which the system would resume otherwise.
struct Interruptible(Vec<(c_int, libc::sigaction)>);

impl Interruptible {
    fn begin() -> Interruptible {
        let resuming = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].into_iter().filter_map(|signal| {
            let action = action(signal)?;
            let interrupting = libc::sigaction { sa_flags: action.sa_flags & !libc::SA_RESTART, ..action };
            set(signal, &interrupting);
            Some((signal, action))
        });
        Interruptible(resuming.collect())
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        for (signal, before) in &self.0 {
            // The fixture may have set a handler of its own.
            if action(*signal).is_some_and(|now| now.sa_sigaction == before.sa_sigaction) {
                set(*signal, before);
            }
        }
    }
}

/// What the system does on a signal.
fn action(signal: c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: there is room for the action, which is read only when it was written.
    unsafe { (libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0).then(|| action.assume_init()) }
}

fn set(signal: c_int, action: &libc::sigaction) {
    // SAFETY: an action that the system gave for this signal, but for the flag that resumes system calls.
    unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
}
