//! How a run ended.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Verdict {
    /// The run ended. Failed scenarios alone do not change the verdict.
    #[default]
    Ended,
    /// At least as many scenarios failed as `--fail` says.
    TooManyFailures,
    /// A threshold was broken, which the summary lists, or a search for the capacity found no load that meets the thresholds.
    ThresholdBroken,
    /// A process or an agent ended before its work was done, as this sentence describes.
    ProcessLost(String),
    /// A fixture failed, which ended the run.
    FixtureFailed(FixtureFailure),
    /// The run could not continue for a reason outside of fixtures and scenarios, such as a limit of the system, given in one
    /// sentence.
    SystemFailed(String),
    /// `global_teardown` requested this exit code.
    Exit(u8),
}

/// The failure of a fixture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FixtureFailure {
    /// The fixture: `setup`, `setup_session`, ...
    pub fixture: Cow<'static, str>,
    /// The message, with its causes.
    pub message: String,
    /// The exit code requested by the fixture, like `sys.exit()` in a script.
    pub exit: Option<u8>,
}
