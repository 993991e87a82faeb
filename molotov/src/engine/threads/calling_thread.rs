//! Runs a shard on the calling thread, in the event loop of another language.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{Commands, INTERRUPT_AFTER};
use crate::{engine::update::Command, registry::EventLoop};

/// Runs `work`, a shard in an event loop, on this thread, and `beside` on another. When `beside` has returned and `is_forced`
/// holds, interrupts code of the shard that still keeps this thread busy.
///
/// # Errors
///
/// If the other thread cannot be started. In that case nothing has run.
pub(in crate::engine) fn run_here<T: Send>(
    event_loop: &dyn EventLoop,
    commands: &Commands,
    work: impl FnOnce(),
    watched: T,
    beside: impl FnOnce(&mut T) + Send,
    mut is_forced: impl FnMut(&mut T) -> bool + Send,
) -> io::Result<()> {
    let returned = AtomicBool::new(false);
    let is_back = || returned.load(Ordering::Acquire);
    thread::scope(|threads| {
        let watcher = thread::Builder::new().name("molotov-run".to_owned()).spawn_scoped(threads, move || {
            let mut watched = watched;
            let done = catch_unwind(AssertUnwindSafe(|| beside(&mut watched)));
            if let Err(panic) = done {
                // Nothing else would end the shard.
                commands.send(Command::Force);
                resume_unwind(panic);
            }
            let mut forced = None;
            while !is_back() {
                if is_forced(&mut watched) && forced.get_or_insert_with(Instant::now).elapsed() >= INTERRUPT_AFTER {
                    event_loop.interrupt();
                }
                thread::park_timeout(Duration::from_millis(100));
            }
        })?;
        work();
        returned.store(true, Ordering::Release);
        watcher.thread().unpark();
        Ok(())
    })
}
