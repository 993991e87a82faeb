//! The progress of a run.

use std::time::Duration;

use super::{SizingProgress, Totals};

/// The progress of a run, as screens show it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Time and counts so far.
    pub totals: Totals,
    /// Workers running now, in all processes.
    pub workers: usize,
    /// Processes running now.
    pub processes: usize,
    /// Agents that have not ended; 0 in a run of one machine.
    pub agents: usize,
    /// Whether measures of an agent, a process or a thread were lost, so that the counts are incomplete.
    pub measures_lost: bool,
    /// Scenarios that ended in the last second, including those of the warm-up.
    pub rate: f64,
    /// When the warm-up ends or ended, as time since the start; zero without a warm-up. A pause moves it.
    pub warm_up_until: Duration,
    /// The plan of a run whose scenarios start at a rate.
    pub plan: Option<PlanProgress>,
    /// The progress of a sizing.
    pub sizing: Option<SizingProgress>,
}

/// The plan of a run whose scenarios start at a rate, and how much of it has happened since the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanProgress {
    /// The planned rate now, in starts per second; 0 while the run is paused.
    pub rate: f64,
    /// Starts per second, over the last second.
    pub achieved: f64,
    /// Starts that were planned so far.
    pub planned: u64,
    /// The same, with those of the warm-up.
    pub planned_in_all: u64,
    /// Starts that happened so far.
    pub started: u64,
    /// Those that happened late.
    pub late: u64,
    /// Planned starts that were dropped.
    pub dropped: u64,
}
