//! What ended in each fifth of a second, and how many operations waited for their end.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// The length of a bin. Shards report once for each.
pub(in crate::engine) const BIN: Duration = Duration::from_millis(200);

/// Bins by number. Bin `i` starts after `i` lengths from the start of the run.
///
/// The bins of several shards, and of several reports, merge exactly.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Bins(BTreeMap<u32, Bin>);

/// A fifth of a second of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Bin {
    /// The workers that ran scenarios at its end. There are none if the run was paused meanwhile, or if the shard was blocked.
    pub(super) workers: u32,
    pub(super) requests: Ended,
    pub(super) scenarios: Ended,
}

/// What ended in a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Ended {
    /// The number of successes and failures.
    pub(super) count: u32,
    /// The number of those that took unusually long.
    pub(super) long: u32,
    /// The times of their ends, from the start of the bin, together, in microseconds.
    pub(super) long_micros: u64,
    /// The number that wait unusually long during the whole bin, less the same number of the bin before.
    pub(super) waiting_change: i64,
}

/// What a bin counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Kind {
    /// Requests and other operations.
    Requests,
    /// Scenarios.
    Scenarios,
}

impl Bin {
    pub(super) fn of(&self, kind: Kind) -> &Ended {
        match kind {
            Kind::Requests => &self.requests,
            Kind::Scenarios => &self.scenarios,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Ended {
        match kind {
            Kind::Requests => &mut self.requests,
            Kind::Scenarios => &mut self.scenarios,
        }
    }

    pub(super) fn merge(&mut self, other: &Bin) {
        self.workers += other.workers;
        for kind in [Kind::Requests, Kind::Scenarios] {
            let (ended, other) = (self.of_mut(kind), other.of(kind));
            ended.count += other.count;
            ended.long += other.long;
            ended.long_micros += other.long_micros;
            ended.waiting_change += other.waiting_change;
        }
    }
}

impl Bins {
    pub(in crate::engine) fn merge(&mut self, other: &Bins) {
        for (number, bin) in &other.0 {
            self.0.entry(*number).or_default().merge(bin);
        }
    }

    #[cfg(test)]
    pub(super) fn put(&mut self, number: u32, bin: &Bin) {
        self.0.insert(number, *bin);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Bin)> {
        self.0.iter().map(|(number, bin)| (*number, bin))
    }

    /// Adds the bin that ends at `until`.
    pub(super) fn add(&mut self, until: Duration, workers: usize, requests: u64, scenarios: u64) {
        let bin = self.0.entry(number(until.saturating_sub(Duration::from_nanos(1)))).or_default();
        bin.workers += saturating(workers as u64);
        bin.requests.count += saturating(requests);
        bin.scenarios.count += saturating(scenarios);
    }

    /// Adds an operation that took unusually long.
    pub(super) fn waited(&mut self, kind: Kind, started: Duration, ended: Duration) {
        let (first, last) = (number(started) + 1, number(ended));
        let end = self.0.entry(last).or_default().of_mut(kind);
        end.long += 1;
        end.long_micros += ended.saturating_sub(BIN * last).as_micros() as u64;
        if first < last {
            end.waiting_change -= 1;
            self.0.entry(first).or_default().of_mut(kind).waiting_change += 1;
        }
    }
}

/// The number of the bin that contains a time.
fn number(time: Duration) -> u32 {
    u32::try_from(time.as_millis() / BIN.as_millis()).unwrap_or(u32::MAX - 1)
}

fn saturating(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
