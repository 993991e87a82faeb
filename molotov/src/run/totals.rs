//! The totals of a run.

use std::time::Duration;

/// The time of a run and how many scenarios ended in it: so far in [`Progress`](super::Progress), in all in
/// [`Summary`](super::Summary).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Time since the first worker started, pauses included; at the end, until the last worker ended.
    pub elapsed: Duration,
    /// How much of that time the run was paused.
    pub paused: Duration,
    /// How much of that time was the warm-up, without pauses. Its scenarios are not counted.
    pub warm_up: Duration,
    /// Scenarios that succeeded.
    pub successes: u64,
    /// Scenarios that failed.
    pub failures: u64,
    /// Scenarios that were cancelled before they ended.
    pub interrupted: u64,
}

impl Totals {
    /// The time without pauses and the warm-up: rates are averages over it.
    pub fn active(&self) -> Duration {
        self.without_pauses().saturating_sub(self.warm_up)
    }

    /// The time without pauses, which durations count.
    pub fn without_pauses(&self) -> Duration {
        self.elapsed.saturating_sub(self.paused)
    }
}
