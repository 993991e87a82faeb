//! The result of a run, as plain data.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::{MemberSummary, RunInfo, SizingResult, Stalls, Timeline, Totals, Verdict};
use crate::{format, load::Load, metrics::Snapshot};

/// The result of a run. Every report is a function of it.
///
/// ```no_run
/// # use molotov::LoadTest;
/// let report = LoadTest::new().workers(20).max_runs(10).run()?;
/// let summary = report.summary();
/// println!("{} of {} scenarios failed", summary.totals.failures, summary.snapshot.totals().total());
/// println!("at most {} workers in {:?}", summary.workers, summary.totals.active());
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Summary {
    /// The version of Molotov.
    pub version: String,
    /// What was run.
    pub info: Arc<RunInfo>,
    /// How the run ended.
    pub verdict: Verdict,
    /// Whether the user ended the run, by a signal or a key.
    pub interrupted: bool,
    /// Time and counts of the whole run.
    pub totals: Totals,
    /// The most workers that ran at once, in all processes.
    pub workers: usize,
    /// Number of processes.
    pub processes: usize,
    /// The plan of the load, with the changes that the user made.
    pub(crate) load: Arc<Load>,
    /// All measures of the run, without those of the warm-up.
    pub snapshot: Snapshot,
    /// What was measured in the warm-up; `None` without one.
    pub warm_up: Option<Box<Snapshot>>,
    /// How long scenarios were planned to start at a rate, without pauses and the warm-up; zero in a closed loop.
    pub planned_time: Duration,
    /// The result of a sizing.
    pub sizing: Option<SizingResult>,
    /// When the workers started.
    pub started: Option<SystemTime>,
    /// The course of the run.
    pub timeline: Timeline,
    /// What each agent measured, or each process if there are several, in the order of their labels. Empty in a run of one process.
    pub members: Vec<MemberSummary>,
    /// The agents, processes and threads whose counts are incomplete.
    pub incomplete: Vec<Incomplete>,
    /// The stalls that a closed loop hides; `None` if there were none, or if scenarios started at a rate.
    pub stalls: Option<Stalls>,
    /// Other facts about the run, in sentences.
    pub notes: Vec<String>,
    /// The results of the thresholds.
    pub thresholds: Vec<ThresholdResult>,
    /// The verbosity of the run (`-v`). From 1 on, reports show the details of errors.
    pub verbose: u8,
}

/// A value within this share of its limit is close to it.
const CLOSE: f64 = 0.1;

/// How far a measured value is from breaking a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Light {
    /// The condition holds.
    Met,
    /// The condition holds, but the value is within 10 % of the limit.
    Close,
    /// The condition does not hold.
    Broken,
    /// Nothing was measured yet.
    Unknown,
}

/// A threshold, and whether the run met it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct ThresholdResult {
    /// The condition, as given.
    pub expression: String,
    /// The measured value; `None` if nothing was measured.
    pub actual: Option<String>,
    /// The measured value as a number: seconds, a rate per second, a count, or a share from 0 to 1. `None` if nothing was measured.
    pub measured: Option<f64>,
    /// The limit in the condition, in the same unit.
    pub limit: f64,
    /// Why nothing was measured; `None` if something was.
    pub reason: Option<String>,
    /// Whether the condition holds.
    pub passed: bool,
    /// Whether the limit is a bound, which values can come close to. Others are to be met exactly.
    #[serde(skip)]
    pub(crate) is_bound: bool,
}

impl ThresholdResult {
    /// The measured value, or why nothing was measured.
    pub fn outcome(&self) -> &str {
        self.actual.as_deref().or(self.reason.as_deref()).unwrap_or("nothing was measured")
    }

    /// How far the measured value is from breaking the condition.
    pub fn light(&self) -> Light {
        match self.measured {
            None => Light::Unknown,
            Some(_) if !self.passed => Light::Broken,
            Some(measured)
                if self.is_bound && self.limit != 0.0 && ((measured - self.limit) / self.limit).abs() < CLOSE =>
            {
                Light::Close
            }
            Some(_) => Light::Met,
        }
    }
}

/// An agent, process or thread whose last measures are missing from the totals, because it was killed or cut off, panicked or did not end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Incomplete {
    /// The agent; `None` on the machine of the coordinator.
    pub agent: Option<Arc<str>>,
    /// The number of the process, from 0; 0 if a whole agent was lost.
    pub process: usize,
    /// Its process ID; `None` if the machine has one process, or a whole agent was lost.
    pub pid: Option<u32>,
    /// The number of the thread in the process, from 0; `None` if a whole process or agent was lost.
    pub thread: Option<usize>,
    /// The time of the run up to which the counts are complete.
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
        let agent = self.agent.as_ref().map(|agent| format!("agent {agent}"));
        let who = thread.into_iter().chain(process).chain(agent).collect::<Vec<_>>().join(" of ");
        let since = format::elapsed(self.since);
        write!(f, "Counts of {who} are incomplete since {since}: what it measured later is lost.")
    }
}
