//! The recorder of a shard: fills the bins.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use super::{
    bins::{Bins, Kind},
    usual::UsualLatencies,
};
use crate::metrics::Snapshot;

/// Records the bins of a shard.
#[derive(Debug, Default)]
pub(in crate::engine) struct BinRecorder {
    bins: RefCell<Bins>,
    /// The usual latencies of requests and of scenarios.
    usual: RefCell<[UsualLatencies; 2]>,
    /// How long the run had been paused at the last report.
    paused: Cell<Duration>,
}

/// The state of a shard at the end of a bin.
pub(in crate::engine) struct BinEnd {
    /// The end of the bin, from the start of the run.
    pub(in crate::engine) until: Duration,
    /// The workers that run scenarios.
    pub(in crate::engine) workers: usize,
    /// Whether the run is paused, and for how long it has been.
    pub(in crate::engine) is_paused: bool,
    pub(in crate::engine) paused: Duration,
}

impl BinRecorder {
    /// Records an operation that took longer than a bin.
    pub(in crate::engine) fn waited(&self, kind: Kind, name: &str, started: Duration, ended: Duration) {
        if self.usual.borrow_mut()[kind as usize].is_unusual(name, ended.saturating_sub(started)) {
            self.bins.borrow_mut().waited(kind, started, ended);
        }
    }

    /// Returns the bins that have changed since the last call. `measures` are those of the bin that ends.
    pub(in crate::engine) fn take(&self, end: &BinEnd, measures: &[Snapshot]) -> Bins {
        let was_paused = end.is_paused || self.paused.replace(end.paused) != end.paused;
        let [usual_requests, usual_scenarios] = &mut *self.usual.borrow_mut();
        let (mut requests, mut scenarios) = (0, 0);
        for measures in measures {
            requests += usual_requests.add(&measures.requests);
            scenarios += usual_scenarios.add(&measures.scenarios);
        }
        let mut bins = self.bins.take();
        bins.add(end.until, if was_paused { 0 } else { end.workers }, requests, scenarios);
        bins
    }
}
