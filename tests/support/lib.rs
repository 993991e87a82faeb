//! What the end-to-end tests share: a server that counts, and programs that run against it.

mod inside;
mod lines;
mod operations;
mod options;
mod program;
mod quota;
mod server;
mod sizing;
mod statsd;
mod terminal;
mod threads;
mod tmux;

pub use inside::{asked, note, target};
pub use lines::{Commands, LineServer};
pub use operations::operations_are_measured;
pub use options::{LoadTestProgram, every_option, redirect_loops_fail};
pub use program::{Output, Program, Running};
pub use quota::Quota;
pub use server::{Arrival, SERVICE, Server};
pub use sizing::{Ramp, found};
pub use statsd::{StatsdDaemon, counters};
pub use terminal::Terminal;
pub use threads::{Refused, few_threads_are_a_clear_error};
pub use tmux::Tmux;

use std::time::{Duration, Instant};

/// Longer than anything here takes, even on a busy machine; only a test that hangs meets it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
///
/// # Panics
///
/// When it does not within [`PATIENCE`]; `what` says what was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
