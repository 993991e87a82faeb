//! Starts at a rate: how they compare with the plan.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Histogram,
    counter::{Counter, Pool},
};

/// A start is late if it happens later than this after its planned time.
pub(crate) const LATE_AFTER: Duration = Duration::from_millis(10);

/// The starts of the scenarios that share a rate, compared with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Starts {
    /// The number of scenarios that were started.
    pub started: u64,
    /// The number of scenarios that started more than 10 ms after their planned time.
    pub late: u64,
    /// The number of planned starts that were dropped because no worker was free.
    pub dropped: u64,
    /// The number of planned starts that were still waiting for a worker when the run ended.
    pub unstarted: u64,
    /// The number of planned starts at which all workers were busy and no more were allowed.
    pub exhausted: u64,
    /// The number of planned starts that waited for a worker that was setting up its sessions.
    pub setting_up: u64,
    /// The time from each planned start to the real one.
    pub lag: Histogram,
}

impl Starts {
    /// Returns the number of planned starts.
    pub fn planned(&self) -> u64 {
        self.started + self.dropped + self.unstarted
    }

    /// Returns whether there were none.
    pub fn is_empty(&self) -> bool {
        self.planned() == 0
    }

    /// Adds the starts of `other`.
    pub fn merge(&mut self, other: &Starts) {
        self.started += other.started;
        self.late += other.late;
        self.dropped += other.dropped;
        self.unstarted += other.unstarted;
        self.exhausted += other.exhausted;
        self.setting_up += other.setting_up;
        self.lag.merge(&other.lag);
    }
}

/// What happened at a planned start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartSample {
    /// A scenario started this long after its planned time. `waited_for` is why no worker was free at that time, if none was.
    Started { lag: Duration, waited_for: Option<WaitedFor> },
    /// No worker was free, and the plan says to drop the start.
    Dropped(WaitedFor),
    /// The run ended before a worker was free.
    Unstarted(Option<WaitedFor>),
}

/// Why no worker was free at a planned start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitedFor {
    /// All workers were busy, and no more were allowed.
    BusyWorkers,
    /// A worker was setting up its sessions.
    Setup,
}

impl StartSample {
    fn waited_for(self) -> Option<WaitedFor> {
        match self {
            StartSample::Started { waited_for, .. } | StartSample::Unstarted(waited_for) => waited_for,
            StartSample::Dropped(waited_for) => Some(waited_for),
        }
    }
}

/// Counts starts until they are packed into [`Starts`].
#[derive(Debug, Default)]
pub(super) struct StartCounter {
    starts: Starts,
    lag: Counter,
}

impl StartCounter {
    pub(super) fn record(&mut self, pool: &mut Pool, sample: StartSample) {
        match sample {
            StartSample::Started { lag, .. } => {
                self.starts.started += 1;
                self.starts.late += u64::from(lag > LATE_AFTER);
                self.lag.record(pool, lag);
            }
            StartSample::Dropped(_) => self.starts.dropped += 1,
            StartSample::Unstarted(_) => self.starts.unstarted += 1,
        }
        match sample.waited_for() {
            Some(WaitedFor::BusyWorkers) => self.starts.exhausted += 1,
            Some(WaitedFor::Setup) => self.starts.setting_up += 1,
            None => {}
        }
    }

    pub(super) fn pack(&mut self, pool: &mut Pool) -> Starts {
        Starts { lag: self.lag.pack(pool), ..std::mem::take(&mut self.starts) }
    }
}
