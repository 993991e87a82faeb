//! The time that a worker thinks, which no latency includes.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// How long a worker has thought. Thoughts that overlap count once.
#[derive(Debug, Default)]
pub(super) struct Thinking {
    /// How many thoughts run.
    running: Cell<u32>,
    /// When the first of them began.
    since: Cell<Option<Instant>>,
    /// The time of those that have ended.
    ended: Cell<Duration>,
}

impl Thinking {
    pub(super) fn start(&self) {
        if self.running.replace(self.running.get() + 1) == 0 {
            self.since.set(Some(Instant::now()));
        }
    }

    pub(super) fn end(&self) {
        self.running.set(self.running.get() - 1);
        if self.running.get() == 0 {
            self.ended.set(self.total());
            self.since.set(None);
        }
    }

    /// Returns the time so far.
    #[inline]
    pub(super) fn total(&self) -> Duration {
        self.ended.get() + self.since.get().map(|since| since.elapsed()).unwrap_or_default()
    }
}
