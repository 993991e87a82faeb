//! Interrupts a script's code: a signal ends its system calls, and Python's handler of that signal raises an exception.

use std::{
    ffi::c_int,
    io,
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering},
};

use pyo3::{
    create_exception,
    exceptions::{PyBaseException, PyKeyboardInterrupt},
    prelude::*,
    types::PyType,
};
use signal_hook::SigId;

create_exception!(molotov._core, Interrupted, PyBaseException, "The run was forced to end while this code was busy.");

/// The class of the exception that interrupts busy code.
pub(super) fn interrupted(py: Python<'_>) -> Bound<'_, PyType> {
    py.get_type::<Interrupted>()
}

/// Whether the event loop's thread is parked: there is no code to interrupt.
pub(super) static IDLE: AtomicBool = AtomicBool::new(false);
/// Whether the code that the event loop runs has to be interrupted.
pub(super) static BREAK_IN: AtomicBool = AtomicBool::new(false);

/// The signal that interrupts system calls, such as those of `time.sleep`. Without a handler, the system ignores it.
pub(super) const SIGNAL: c_int = libc::SIGURG;

/// The system's identifier of the thread that runs `global_setup` or `global_teardown`. 0 if no thread does.
static FIXTURE: AtomicUsize = AtomicUsize::new(0);
/// The signal that has to interrupt the fixture. 0 if there is none.
static PENDING: AtomicI32 = AtomicI32::new(0);
/// The signal that interrupted the fixture. 0 if none did.
static RAISED: AtomicI32 = AtomicI32::new(0);

/// Python's handler of [`SIGNAL`]: raises an exception in the code that runs.
#[pyfunction]
#[pyo3(name = "break_in", signature = (_signal, _frame, /))]
pub(super) fn break_in(_signal: i32, _frame: Option<Py<PyAny>>) -> PyResult<()> {
    let signal = PENDING.swap(0, Ordering::Relaxed);
    if signal != 0 {
        RAISED.store(signal, Ordering::Relaxed);
        return Err(PyKeyboardInterrupt::new_err(()));
    }
    match BREAK_IN.swap(false, Ordering::Relaxed) {
        true => Err(Interrupted::new_err("the run has ended, and this code kept its thread busy")),
        false => Ok(()),
    }
}

/// Installs Python's handler of [`SIGNAL`], and returns the previous one. `None` if a script uses the signal, or if this is not
/// the thread that Python handles signals on.
pub(super) fn listen(py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
    let signal = py.import("_signal")?;
    let before = signal.call_method1("getsignal", (SIGNAL,))?;
    if !before.eq(signal.getattr("SIG_DFL")?)? {
        return Ok(None);
    }
    let handler = py.import("molotov._core")?.getattr("break_in")?;
    Ok(signal.call_method1("signal", (SIGNAL, handler)).ok().map(Bound::unbind))
}

/// Has a signal raise `KeyboardInterrupt` in a running `global_setup`, from now on.
///
/// # Errors
///
/// When the system does not allow a handler of the signal.
pub(crate) fn interrupt_on(signal: c_int) -> io::Result<SigId> {
    // SAFETY: `interrupt` is async-signal-safe: it uses atomics and `pthread_kill` only.
    unsafe { signal_hook::low_level::register(signal, move || interrupt(signal)) }
}

/// Raises `KeyboardInterrupt` in the `global_setup` or `global_teardown` that runs, if there is one.
pub(crate) fn interrupt(signal: c_int) {
    let thread = FIXTURE.load(Ordering::Acquire);
    if thread != 0 {
        PENDING.store(signal, Ordering::Relaxed);
        // SAFETY: the thread runs as long as its fixture. It is the main thread, so it also exists after that.
        unsafe { libc::pthread_kill(thread as libc::pthread_t, SIGNAL) };
    }
}

/// Runs a fixture so that [`interrupt`] reaches it. Returns the fixture's result, and the signal that interrupted it, if any.
pub(super) fn fixture<T>(
    py: Python<'_>,
    fixture: impl FnOnce() -> PyResult<T>,
) -> PyResult<(PyResult<T>, Option<c_int>)> {
    let Some(before) = listen(py)? else { return Ok((fixture(), None)) };
    let calls = Interruptible::begin();
    PENDING.store(0, Ordering::Relaxed);
    RAISED.store(0, Ordering::Relaxed);
    // SAFETY: the call only identifies the calling thread.
    FIXTURE.store(unsafe { libc::pthread_self() } as usize, Ordering::Release);
    let mut ended = fixture();
    FIXTURE.store(0, Ordering::Release);
    // Handle a signal that arrived last.
    if let Err(late) = py.check_signals() {
        ended = Err(late);
    }
    drop(calls);
    py.import("_signal")?.call_method1("signal", (SIGNAL, before))?;
    let signal = RAISED.swap(0, Ordering::Relaxed);
    let interrupted = matches!(&ended, Err(error) if error.is_instance_of::<PyKeyboardInterrupt>(py)) && signal != 0;
    Ok((ended, interrupted.then_some(signal)))
}

/// Until dropped, the signals that end a run interrupt system calls. The system would otherwise resume them.
struct Interruptible(Vec<(c_int, libc::sigaction)>);

impl Interruptible {
    fn begin() -> Interruptible {
        let resuming = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP].into_iter().filter_map(|signal| {
            let action = action(signal)?;
            let interrupting = libc::sigaction { sa_flags: action.sa_flags & !libc::SA_RESTART, ..action };
            set_action(signal, &interrupting);
            Some((signal, action))
        });
        Interruptible(resuming.collect())
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        for (signal, before) in &self.0 {
            // Keep a handler that the fixture has installed.
            if action(*signal).is_some_and(|now| now.sa_sigaction == before.sa_sigaction) {
                set_action(*signal, before);
            }
        }
    }
}

/// The system's action for a signal.
pub(super) fn action(signal: c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: there is room for the action, which is read only after the call has written it.
    unsafe { (libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0).then(|| action.assume_init()) }
}

/// Sets the system's action for a signal to one that [`action`] returned.
pub(super) fn set_action(signal: c_int, action: &libc::sigaction) {
    // SAFETY: an action that the system returned for this signal, possibly without the flag that resumes system calls. Its handler
    // stays loaded.
    unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
}
