//! Runs a plan: one coordinator, shards that are threads, workers that are tasks.
//!
//! ```text
//! coordinator   decides when to stop, merges measures, feeds the screen
//!   process     with `--processes`: a fork with shards of its own; otherwise there is only this one
//!   shard       a thread with its own runtime, recorder and connections
//!     worker    an async fn: set up, run scenarios, tear down
//! ```

mod board;
mod clock;
mod control;
mod coordinator;
mod crew;
mod exchange;
mod lag;
mod listeners;
mod message;
mod observe;
mod order;
mod pacing;
mod panic;
mod plan;
mod processes;
mod shard;
mod sizing;
mod stop;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod update;
mod worker;

pub use self::{
    control::{Control, Inbox},
    coordinator::{Begun, begin, run},
    plan::Plan,
    update::FixtureFailure,
};
use crate::report::Summary;

/// How a run ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// What was measured.
    pub summary: Summary,
    /// What is to be thought of it.
    pub verdict: Verdict,
}

/// The judgement on a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Verdict {
    /// It ended; failures alone do not make a run bad.
    Ended,
    /// As many scenarios failed as `--fail` allows, or more.
    TooManyFailures,
    /// A threshold was not met; the summary tells which.
    ThresholdBroken,
    /// A process ended before its work was done; this tells which, and how.
    ProcessLost(String),
    /// A fixture failed, and the run with it.
    FixtureFailed(FixtureFailure),
    /// `global_teardown` asked the program to exit with this code.
    Exit(u8),
}
