//! How far a run is.

use std::time::Duration;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Time since the start of the run, pauses included.
    pub elapsed: Duration,
    /// How long the run has been paused so far.
    pub paused: Duration,
    /// Scenarios that ended as they should.
    pub successes: u64,
    /// Scenarios that failed.
    pub failures: u64,
    /// Scenarios that were cut short.
    pub interrupted: u64,
    /// Workers running now, in all processes.
    pub workers: usize,
    /// Processes running now.
    pub processes: usize,
    /// Scenarios ended a second, lately.
    pub rate: f64,
    /// How near a sizing is to its end.
    pub sizing: Option<SizingProgress>,
}

impl Progress {
    /// Time since the start of the run without pauses: what durations are measured by.
    pub fn active(&self) -> Duration {
        self.elapsed.saturating_sub(self.paused)
    }
}

/// How near a sizing is to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizingProgress {
    /// Share of failures in the last minute, 0 to 1.
    pub ratio: f64,
    /// The share at which it ends.
    pub tolerance: f64,
}
