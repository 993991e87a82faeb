//! The whole of a run, as plain data.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{Timeline, Totals, Verdict};
use crate::{
    format,
    metrics::{Counts, Snapshot},
};

/// What a run came to; every report is a function of it.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Version of the tool.
    pub version: String,
    /// How the run ended.
    pub verdict: Verdict,
    /// Time and counts of the whole run.
    pub totals: Totals,
    /// The most workers that ran at once, in all processes.
    pub workers: usize,
    /// Number of processes.
    pub processes: usize,
    /// All measures of the run.
    pub snapshot: Snapshot,
    /// What a sizing has found.
    pub sizing: Option<SizingResult>,
    /// When the workers started.
    pub started: Option<SystemTime>,
    /// The course of the run.
    pub timeline: Timeline,
    /// Whose counts are incomplete.
    pub incomplete: Vec<Incomplete>,
    /// What else to know about the run, in sentences.
    pub notes: Vec<String>,
    /// What has become of the thresholds.
    pub thresholds: Vec<ThresholdResult>,
    /// The run's `-v`: from 1, errors are told with their details.
    pub verbose: u8,
}

/// What a sizing has found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SizingResult {
    /// More failed than is tolerated.
    Found {
        /// How many workers there were when failures crossed the tolerance.
        workers: usize,
        /// Share of failures in the last minute, 0 to 1.
        ratio: f64,
        /// What ended in the last minute.
        minute: Counts,
    },
    /// The run was over before too much failed.
    NotReached {
        /// How many workers there were at most.
        workers: usize,
    },
    /// The run was stopped before.
    Interrupted,
}

/// A threshold, and whether the run met it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ThresholdResult {
    /// The condition as it was written.
    pub expression: String,
    /// What was measured; `None` if there was nothing to measure.
    pub actual: Option<String>,
    /// Why there was nothing to measure; `None` if there was.
    pub reason: Option<String>,
    /// Whether the condition holds.
    pub passed: bool,
}

impl ThresholdResult {
    /// What was measured, or why there was nothing to measure.
    pub fn outcome(&self) -> &str {
        self.actual.as_deref().or(self.reason.as_deref()).unwrap_or("nothing was measured")
    }
}

/// A process or thread whose last measures are missing from the totals: it was killed, has panicked, or did not end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Incomplete {
    /// The number of the process, from 0.
    pub process: usize,
    /// Its process id; `None` when there is only one process.
    pub pid: Option<u32>,
    /// The number of the thread in the process, from 0; `None` when the whole process is gone.
    pub thread: Option<usize>,
    /// Time since the start of the run up to which its counts are complete.
    pub since: Duration,
}

/// One sentence.
///
/// ```text
/// Counts of process 1 (pid 4711) are incomplete since 12.4 s: what it measured later is lost.
/// ```
impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = self.pid.map(|pid| format!("process {} (pid {pid})", self.process));
        let thread = self.thread.map(|thread| format!("thread {thread}"));
        let who = thread.into_iter().chain(process).collect::<Vec<_>>().join(" of ");
        let since = format::elapsed(self.since);
        write!(f, "Counts of {who} are incomplete since {since}: what it measured later is lost.")
    }
}
