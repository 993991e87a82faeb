//! The interface between a run and the screen that shows it.

use std::{sync::Arc, time::Duration};

use crate::{
    load::Load,
    metrics::Snapshot,
    options::Threshold,
    run::{Line, MemberLabel, Progress, RunInfo, Summary},
};

/// Shows a run.
///
/// A screen never fails a run: output that cannot be written, such as to a closed pipe, is dropped.
pub trait Screen: Send {
    /// Shows a line. Lines arrive in order.
    fn line(&mut self, line: &Line);

    /// Shows several lines, in order.
    fn lines(&mut self, lines: &[Line]) {
        lines.iter().for_each(|line| self.line(line));
    }

    /// Shows the progress of the run, every `--console-update` seconds.
    fn progress(&mut self, progress: &Progress);

    /// Takes what was measured since the previous call: by the member of the run with this label, or by this process.
    fn measures(&mut self, member: Option<&MemberLabel>, measures: &Snapshot) {
        let _ = (member, measures);
    }

    /// Takes the number of workers that the member with this label runs now.
    fn workers(&mut self, member: &MemberLabel, running: usize) {
        let _ = (member, running);
    }

    /// Prepares for a fork. The screen must not start threads before [`begin`](Self::begin).
    fn before_fork(&mut self) {}

    /// Closes what only the parent uses. Called in each child after the fork.
    fn in_child(&mut self) {}

    /// Starts showing the run: the workers are about to start.
    fn begin(&mut self, limits: &RunLimits) {
        let _ = limits;
    }

    /// Shows the end of the run. No other call follows, except [`flush`](Self::flush).
    fn finish(&mut self, summary: &Summary);

    /// Waits until everything is written. While `hurry` returns `true`, it does not wait for a reader that reads nothing.
    fn flush(&mut self, hurry: &mut dyn FnMut() -> bool) {
        let _ = hurry;
    }
}

/// When a run ends.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RunLimits {
    /// The duration of the run, if it is limited.
    pub duration: Option<Duration>,
    /// The number of scenarios over all workers, if it is limited.
    pub runs: Option<u64>,
    /// What is run.
    pub info: Arc<RunInfo>,
    /// The conditions that the run has to meet.
    pub thresholds: Arc<[Threshold]>,
    /// The plan of the load.
    pub(crate) load: Arc<Load>,
    /// The most workers in all processes; `None` if it is unknown.
    pub(crate) workers: Option<usize>,
    /// Whether `-v` is given.
    pub(crate) verbose: bool,
    /// The time between two lines of progress in a log.
    pub(crate) log_interval: Duration,
}
