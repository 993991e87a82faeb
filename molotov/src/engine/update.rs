//! What members tell the coordinator, and what it tells them: the only two types between them, whatever the distance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cookies::DroppedCookie;
use crate::{
    metrics::Snapshot,
    run::{FixtureFailure, Incomplete, Line},
};

/// The identity of a member, given when it joins the run.
///
/// With a worker's number it identifies a worker of the run: members count their workers themselves, so that scripts of each
/// process see them from 0, and a member may get more of them at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct MemberId(pub(super) u32);

/// From a member to the coordinator.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Update {
    /// Something to show.
    Line(Line),
    /// Measures since the last one.
    Measures(Box<Snapshot>),
    /// How many of the member's workers run now, and how many did at most.
    Workers { running: usize, most: usize },
    /// All measures up to that time of the run were sent before.
    Reported(Duration),
    /// A scenario failed, and the run shall stop on the first failure.
    StopOnFailure,
    /// A session dropped the shard's first cookie, or met the first refusal after it.
    CookieDropped(DroppedCookie),
    /// A fixture failed, and with it the run.
    FixtureFailed(FixtureFailure),
    /// The member does not answer or has panicked: what it measured since its last report is lost.
    Abandoned,
    /// The run cannot go on, for a reason outside of fixtures and scenarios: one sentence that says which.
    SystemFailed(String),
    /// A part of the member has lost what it measured.
    Incomplete(Incomplete),
    /// So many updates were lost on the way.
    Missing { updates: u64 },
    /// The member is gone before its work was done, and this is why.
    Lost(String),
    /// The member's last word: its workers have ended and all its measures are sent. Its work was over at that time of the run,
    /// of which so much were pauses.
    Done { elapsed: Duration, paused: Duration },
    /// The way from the member is closed: nothing more comes.
    Closed,
}

/// From the coordinator to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Begin no scenario any more.
    Stop,
    /// Cancel what runs.
    Force,
    /// Begin no scenario until it is said again; running ones end.
    Pause(bool),
    /// Have that many workers in each process: the first ones. At least one in each thread stays.
    Workers(usize),
}
