//! The system calls for processes: forking, the signals of a child, and exiting.
#![allow(unsafe_code, reason = "system calls; each block says why it is sound")]

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    unistd::{ForkResult, Pid, fork},
};

use crate::registry::EventLoop;

/// Whether this child received SIGTERM.
static TERMINATED: AtomicBool = AtomicBool::new(false);

extern "C" fn terminated(_: i32) {
    TERMINATED.store(true, Ordering::Relaxed);
}

extern "C" fn ignored(_: i32) {}

/// Forks. Returns the child's pid in the parent and `None` in the child.
///
/// The child ignores Ctrl-C and the end of the terminal, which its parent handles, and handles SIGTERM itself.
pub(super) fn fork_one(event_loop: Option<&dyn EventLoop>) -> io::Result<Option<Pid>> {
    // Buffered output is written once, by the parent.
    io::stdout().flush()?;
    io::stderr().flush()?;
    // SAFETY: flushes all of C's streams.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    // Until the child has its own handlers, a signal would run the parent's.
    let mut ours = SigSet::empty();
    ours.add(Signal::SIGINT);
    ours.add(Signal::SIGTERM);
    ours.add(Signal::SIGHUP);
    let before = ours.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
    let forked = match event_loop {
        Some(event_loop) => event_loop.fork().map(|child| child.map(|pid| Pid::from_raw(pid.cast_signed()))),
        // SAFETY: the caller has checked that this process has no other thread, so the child can do whatever the parent can.
        None => match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => Ok(Some(child)),
            Ok(ForkResult::Child) => Ok(None),
            Err(error) => Err(error.into()),
        },
    };
    if let Ok(None) = forked {
        // Handlers instead of `SIG_IGN`, which programs started by scripts would inherit.
        let ignored = ignored as extern "C" fn(i32);
        for (signal, handler) in [(Signal::SIGINT, ignored), (Signal::SIGHUP, ignored), (Signal::SIGTERM, terminated)] {
            let action = SigAction::new(SigHandler::Handler(handler), SaFlags::SA_RESTART, SigSet::empty());
            // SAFETY: one handler stores to an atomic, the other does nothing.
            unsafe { sigaction(signal, &action)? };
        }
    }
    before.thread_set_mask()?;
    forked
}

/// Whether this child received SIGTERM.
pub(super) fn was_terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}

/// Exits a child without running the exit handlers of the parent.
pub(in crate::engine) fn leave(code: i32) -> ! {
    let _ = io::stdout().flush();
    let _ = io::stderr().flush();
    // SAFETY: the first flushes all of C's streams; the second ends the process and cannot fail.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(code)
    }
}
