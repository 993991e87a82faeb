//! Screens: what a person sees of a run while it goes on. They read data and never reach into the engine.

mod background;
mod console;
#[cfg(feature = "dashboard")]
mod dashboard;
mod exit;
mod feed;
mod quiet;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use background::Background;
pub use console::{Console, Medium, Output};
#[cfg(feature = "dashboard")]
pub use dashboard::{ControlAction, Dashboard};
pub use quiet::Quiet;

pub(crate) use console::take_output_error;
#[cfg(feature = "dashboard")]
pub(crate) use dashboard::exit;
pub(crate) use exit::yield_to_exit;

use std::{sync::Arc, time::Duration};

use crate::{
    metrics::Snapshot,
    run::{Line, Progress, Summary},
};

/// Ends the process. There is no screen to restore.
#[cfg(not(feature = "dashboard"))]
pub(crate) fn exit(code: i32) -> ! {
    exit::exit_after(|| (), code)
}

/// Where a run is shown.
///
/// A screen never fails a run: what cannot be written (a closed pipe) is dropped.
pub trait Screen: Send {
    /// Something to tell, in order.
    fn line(&mut self, line: &Line);

    /// Several things to tell, in order.
    fn lines(&mut self, lines: &[Line]) {
        lines.iter().for_each(|line| self.line(line));
    }

    /// How far the run is, every `--console-update` seconds.
    fn progress(&mut self, progress: &Progress);

    /// What was measured since the last call: by a member of the run, under its label in tables, or in this process.
    fn measures(&mut self, member: Option<&Arc<str>>, measures: &Snapshot) {
        let _ = (member, measures);
    }

    /// The program is about to fork: there may be no thread before that is done.
    fn before_fork(&mut self) {}

    /// The workers are about to start.
    fn begin(&mut self, about: &About) {
        let _ = about;
    }

    /// The run is over; nothing comes after.
    fn finish(&mut self, summary: &Summary);

    /// Waits until everything is written. While `hurry` returns `true`, a reader that does not read is not waited for.
    fn settle(&mut self, hurry: &mut dyn FnMut() -> bool) {
        let _ = hurry;
    }
}

/// How far a run is to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// How long it takes in all, where that was said.
    pub duration: Option<Duration>,
    /// How many scenarios are run in all, where that was said.
    pub runs: Option<u64>,
}
