//! Shared by the end-to-end tests: a server that counts requests, and programs that run against it.

mod broker;
mod crowd;
mod event_server;
mod freezing;
mod inside;
mod lines;
mod load_test;
mod operations;
mod options;
mod program;
mod quota;
mod rates;
mod report;
mod server;
mod sizing;
mod starts;
mod statsd;
mod terminal;
mod threads;
mod tmux;
mod warm_up;

pub use broker::NatsServer;
pub use crowd::a_shared_cpu_is_named_as_the_bottleneck;
pub use event_server::EventServer;
pub use inside::{asked, note, target};
pub use lines::{Commands, LineServer};
pub use load_test::{LoadTestProgram, redirect_loops_fail};
pub use operations::operations_are_measured;
pub use options::every_option;
pub use program::{Output, Program, Running};
pub use quota::Quota;
pub use rates::{
    few_workers_are_the_limit, freezes_are_in_the_response_times, rates_are_kept, slow_setups_are_the_limit,
};
pub use report::{REPORT_SCHEMA, report, report_errors};
pub use server::{Arrival, SERVICE, Server};
pub use sizing::{Ramp, found, interval};
pub use starts::reports_agree_about_starts;
pub use statsd::{StatsdDaemon, counters};
pub use terminal::Terminal;
pub use threads::{Refused, few_threads_are_a_clear_error};
pub use tmux::Tmux;
pub use warm_up::the_warm_up_is_measured_apart;

use std::time::{Duration, Instant};

/// The timeout for every condition. It is longer than any test takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` is true.
///
/// # Panics
///
/// Panics after [`PATIENCE`], with `what` as the description of the condition.
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    assert!(reached(condition), "timed out waiting until {what}");
}

/// Waits until a condition is true, or until it has taken too long. Returns whether it is true.
#[must_use]
pub fn reached(mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() >= PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}
