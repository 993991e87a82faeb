//! Updates from members to the coordinator, and commands to members. No other types pass between them.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{cookies::DroppedCookie, stall::Bins};
use crate::{
    load::Load,
    metrics::Snapshot,
    run::{FixtureFailure, Incomplete, Line},
};

/// Identifies a member of a run.
///
/// A worker of a run is identified by its member and its number. Members number their own workers, because scripts expect
/// numbers from 0 in each process, and because a member may get more workers at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct MemberId(pub(crate) u32);

/// An update from a member to the coordinator.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Update {
    /// A line to show.
    Line(Line),
    /// The measures since the last report.
    Measures(Box<Snapshot>),
    /// What has ended in each bin, in a closed loop.
    Bins(Bins),
    /// How many workers of the member are running, and the most that ran at once.
    Workers { running: usize, most: usize },
    /// All measures up to this time of the run have been sent.
    Reported(Duration),
    /// Whether the member waits without workers: for more load, or for [`Command::Finish`].
    Idle(bool),
    /// A scenario failed in a run that stops on the first failure.
    StopOnFailure,
    /// A data file had no row left for a worker of the stream with this index.
    RowsRanOut { stream: usize },
    /// A session dropped the first cookie of the shard, or received the first 401 or 403 after that.
    CookieDropped(DroppedCookie),
    /// A fixture that the run needs failed.
    FixtureFailed(FixtureFailure),
    /// The member is stuck or has panicked. What it measured since its last report is lost.
    Abandoned,
    /// How late the shards of the member began to start workers, measured from the start of the run.
    Began { first: Duration, last: Duration },
    /// A note for the summary.
    Note(String),
    /// `global_teardown` of the member requested this exit code.
    Exit(u8),
    /// The run cannot continue, for a reason outside of fixtures and scenarios, given in one sentence.
    SystemFailed(String),
    /// A part of the member has lost measures.
    Incomplete(Incomplete),
    /// A process of the member disappeared before its work was done, for this reason. Its counts are incomplete, unless it had
    /// sent all of them.
    LostPart { how: String, incomplete: Option<Incomplete> },
    /// Updates were lost on the way.
    Missing { updates: u64 },
    /// The member disappeared before its work was done, for this reason.
    Lost(String),
    /// The member was asked to leave before its work was done, and has sent all of its measures.
    Left(String),
    /// The workers of the member have ended and all measures have been sent. `elapsed` is the time of the run at which its work
    /// was done, and `paused` how long the run was paused until then.
    Done { elapsed: Duration, paused: Duration },
    /// The member has closed its link: no more updates arrive.
    Closed,
}

/// A command from the coordinator to a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Start no more scenarios.
    Stop,
    /// Cancel running scenarios.
    Force,
    /// Pause: start no scenarios, and let running ones end. `false` resumes.
    Pause(bool),
    /// Follow this plan from now on. It has the same streams as the one before.
    Load(Arc<Load>),
    /// Start no more workers of the stream with this index, and no more scenarios if it has a rate.
    EndStream(usize),
    /// End when no worker is left: the load is not raised any more.
    Finish,
}
