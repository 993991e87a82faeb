//! Runs a plan. One coordinator directs members, whose shards run workers.
//!
//! ```text
//! coordinator   decides when to stop, merges measures, feeds the screen
//!   process     a fork with `--processes`, or this process
//!   shard       a thread with its own runtime, recorder and connections
//!     worker    an async fn: sets up, runs scenarios, tears down
//! ```

#[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "there are no other machines"))]
mod agents;
mod alarm;
mod clock;
mod control;
mod cookies;
mod coordinator;
mod envelope;
mod global_fixtures;
mod lag;
pub(crate) mod link;
mod listeners;
mod member;
mod message;
mod observe;
mod pacing;
mod panic;
mod plan;
mod processes;
mod relay;
#[cfg(feature = "cluster")]
pub(crate) mod remote;
mod sequence;
mod shard;
mod shard_plan;
mod sizing;
mod split;
mod stall;
mod status;
mod stop;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
mod threads;
mod transcript;
mod update;
mod worker;

#[cfg(all(test, feature = "cluster"))]
pub(crate) use self::envelope::EnvelopeWriter;
pub(crate) use self::{agents::Agents, coordinator::prepare_with, threads::no_thread};
#[cfg(feature = "cluster")]
pub(crate) use self::{
    agents::{Gathered, Reports},
    envelope::EnvelopeReader,
    member::Member,
    message::Message,
    update::{Command, MemberId, Update},
};
pub use self::{
    control::{Control, Inbox},
    coordinator::{PreparedRun, prepare, run},
    plan::Plan,
};
pub use crate::run::{FixtureFailure, Summary, Verdict};
