//! What shards tell the coordinator, and what it tells them: the only two types between them, whatever the distance.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{metrics::Snapshot, report::Line};

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
    /// A fixture failed, and with it the run.
    FixtureFailed(FixtureFailure),
    /// The shard does not answer or has panicked: what it measured since its last report is lost.
    Abandoned,
    /// The shard's last word: its workers have ended and all its measures are sent.
    Done,
}

/// Why a run could not go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FixtureFailure {
    /// Which fixture: `setup`, `setup_session`, ...
    pub fixture: Cow<'static, str>,
    /// The message, with its causes.
    pub message: String,
    /// The exit code that the fixture asked for, as `sys.exit()` in a script does.
    pub exit: Option<u8>,
}

impl FixtureFailure {
    pub(crate) fn new(fixture: impl Into<Cow<'static, str>>, message: String) -> FixtureFailure {
        FixtureFailure { fixture: fixture.into(), message, exit: None }
    }
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
