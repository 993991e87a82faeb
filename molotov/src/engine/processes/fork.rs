//! The system calls under processes: forking, signals of a child, and its end.
#![allow(unsafe_code, reason = "the system's own calls; each block says why it holds")]

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    unistd::{ForkResult, Pid, fork},
};

use crate::registry::EventLoop;

/// Whether this child was asked to end by SIGTERM.
static TERMINATED: AtomicBool = AtomicBool::new(false);

extern "C" fn terminated(_: i32) {
    TERMINATED.store(true, Ordering::Relaxed);
}

extern "C" fn ignored(_: i32) {}

/// Forks; gives the child's pid to the parent, and `None` to the child.
///
/// The child takes Ctrl-C and the end of the terminal as matters of its parent's, and SIGTERM as its own.
pub(super) fn fork_one(event_loop: Option<&dyn EventLoop>) -> io::Result<Option<Pid>> {
    // What is held back is written once, by the parent.
    io::stdout().flush()?;
    io::stderr().flush()?;
    // SAFETY: flushes all of C's streams.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    // Until the child has its own handlers, a signal to it would be told to the parent's.
    let mut ours = SigSet::empty();
    ours.add(Signal::SIGINT);
    ours.add(Signal::SIGTERM);
    ours.add(Signal::SIGHUP);
    let before = ours.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
    let forked = match event_loop {
        Some(event_loop) => event_loop.fork().map(|child| child.map(|pid| Pid::from_raw(pid.cast_signed()))),
        // SAFETY: no other thread lives in this process: it was looked at before. So the child may go on as the parent would.
        None => match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => Ok(Some(child)),
            Ok(ForkResult::Child) => Ok(None),
            Err(error) => Err(error.into()),
        },
    };
    if let Ok(None) = forked {
        // Handlers, not "ignore": programs that scripts start would inherit that.
        let ignored = ignored as extern "C" fn(i32);
        for (signal, handler) in [(Signal::SIGINT, ignored), (Signal::SIGHUP, ignored), (Signal::SIGTERM, terminated)] {
            let action = SigAction::new(SigHandler::Handler(handler), SaFlags::SA_RESTART, SigSet::empty());
            // SAFETY: both handlers do nothing but store to an atomic.
            unsafe { sigaction(signal, &action)? };
        }
    }
    before.thread_set_mask()?;
    forked
}

/// Whether this child was asked to end.
pub(super) fn was_terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}

/// Ends a child, without what the parent has left to its own end.
pub(super) fn leave(code: i32) -> ! {
    let _ = io::stdout().flush();
    let _ = io::stderr().flush();
    // SAFETY: the first flushes all of C's streams; the second ends the process and cannot fail.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(code)
    }
}
