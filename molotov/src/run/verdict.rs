//! How a run ended.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Verdict {
    /// It ended; failures alone do not make a run bad.
    #[default]
    Ended,
    /// As many scenarios failed as `--fail` allows, or more.
    TooManyFailures,
    /// A threshold was not met; the summary tells which.
    ThresholdBroken,
    /// A process ended before its work was done; this tells which, and how.
    ProcessLost(String),
    /// A fixture failed, and the run with it.
    FixtureFailed(FixtureFailure),
    /// The run could not go on, for a reason outside of fixtures and scenarios, such as a limit of the system: one sentence that
    /// says which.
    SystemFailed(String),
    /// `global_teardown` asked the program to exit with this code.
    Exit(u8),
}

/// The fixture that failed, and the run with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FixtureFailure {
    /// Which fixture: `setup`, `setup_session`, ...
    pub fixture: Cow<'static, str>,
    /// The message, with its causes.
    pub message: String,
    /// The exit code that the fixture asked for, as `sys.exit()` in a script does.
    pub exit: Option<u8>,
}
