//! Ends the process in the middle of a run.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Set when [`exit_after`] is called.
static EXITING: AtomicBool = AtomicBool::new(false);

/// Calls `restore` and ends the process.
pub(crate) fn exit_after(restore: impl FnOnce(), code: i32) -> ! {
    EXITING.store(true, Ordering::Release);
    restore();
    signal_hook::low_level::exit(code)
}

/// Blocks forever if the process is exiting, so that a run that ends in the meantime does not exit with another code.
pub(crate) fn yield_to_exit() {
    while EXITING.load(Ordering::Acquire) {
        thread::park();
    }
}
