//! What shards tell the coordinator, and what it tells them: the only two types between them, whatever the distance.

use serde::{Deserialize, Serialize};

use super::cookies::DroppedCookie;
use crate::{
    metrics::Snapshot,
    run::{FixtureFailure, Line},
};

/// From a shard to the coordinator.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Update {
    /// Something to show.
    Line(Line),
    /// Measures since the last one.
    Measures(Box<Snapshot>),
    /// How many of the shard's workers run now, and how many did at most.
    Workers { running: usize, most: usize },
    /// A scenario failed, and the run shall stop on the first failure.
    StopOnFailure,
    /// A session dropped the shard's first cookie, or met the first refusal after it.
    CookieDropped(DroppedCookie),
    /// A fixture failed, and with it the run.
    FixtureFailed(FixtureFailure),
    /// The shard does not answer or has panicked: what it measured since its last report is lost.
    Abandoned,
    /// The run cannot go on, for a reason outside of fixtures and scenarios: one sentence that says which.
    SystemFailed(String),
    /// The shard's last word: its workers have ended and all its measures are sent.
    Done,
}

/// From the coordinator to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Begin no scenario any more.
    Stop,
    /// Cancel what runs.
    Force,
    /// Begin no scenario until it is said again; running ones end.
    Pause(bool),
    /// Have that many workers in each process: the first ones. At least one in each shard stays.
    Workers(usize),
}
