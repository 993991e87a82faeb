//! Screens: what a person sees of a run while it goes on. They read data and never reach into the engine.

mod console;
mod quiet;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use console::{Console, Medium};
pub use quiet::Quiet;

use crate::report::{Line, Progress, Summary};

/// Where a run is shown.
///
/// A screen never fails a run: what cannot be written (a closed pipe) is dropped.
pub trait Screen: Send {
    /// Something to tell, in order.
    fn line(&mut self, line: &Line);

    /// How far the run is, every `--console-update` seconds.
    fn progress(&mut self, progress: &Progress);

    /// The run is over; nothing comes after.
    fn finish(&mut self, summary: &Summary);
}
