//! Runs a plan: one coordinator, shards that are threads, workers that are tasks.
//!
//! ```text
//! coordinator   decides when to stop, merges measures, feeds the screen
//!   process     with `--processes`: a fork with shards of its own; otherwise there is only this one
//!   shard       a thread with its own runtime, recorder and connections
//!     worker    an async fn: set up, run scenarios, tear down
//! ```

mod clock;
mod control;
mod cookies;
mod coordinator;
mod envelope;
mod lag;
mod listeners;
mod member;
mod message;
mod observe;
mod pacing;
mod panic;
mod plan;
mod processes;
mod sequence;
mod shard;
mod sizing;
mod status;
mod stop;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod threads;
mod transcript;
mod update;
mod worker;

pub(crate) use self::threads::no_thread;
pub use self::{
    control::{Control, Inbox},
    coordinator::{PreparedRun, prepare, run},
    plan::Plan,
};
pub use crate::run::{FixtureFailure, Summary, Verdict};
