//! The sum of many snapshots.

use super::{Counts, Snapshot, Starts};

/// How many snapshots are merged with each other before the total is changed: two to the power of this.
const MOST: u32 = 7;

/// The sum of snapshots that arrive one after the other.
///
/// To merge a small snapshot into a large one costs as much as the large one is long. So neighbours of the same size are merged
/// first, and few of them are merged into the total.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    total: Snapshot,
    /// Later ones, of falling size: each is the sum of two to the power of its number.
    waiting: Vec<(u32, Snapshot)>,
}

impl Sum {
    /// Adds a snapshot.
    pub(crate) fn add(&mut self, snapshot: Snapshot) {
        let mut newest = (0, snapshot);
        while let Some((size, mut before)) = self.waiting.pop_if(|(size, _)| *size == newest.0) {
            before.merge(&newest.1);
            newest = (size + 1, before);
        }
        match newest {
            (MOST.., snapshot) => self.total.merge(&snapshot),
            newest => self.waiting.push(newest),
        }
    }

    /// Returns the sum, and starts a new one.
    pub(crate) fn take(&mut self) -> Snapshot {
        let later = self.waiting.drain(..).rev().map(|(_, snapshot)| snapshot);
        if let Some(later) = later.reduce(|later, mut before| {
            before.merge(&later);
            before
        }) {
            self.total.merge(&later);
        }
        std::mem::take(&mut self.total)
    }

    /// Returns the counts of scenarios.
    pub(crate) fn totals(&self) -> Counts {
        let mut totals = Counts::default();
        self.all().for_each(|snapshot| totals.merge(&snapshot.totals()));
        totals
    }

    /// Returns the starts at all rates.
    pub(crate) fn all_starts(&self) -> Starts {
        let mut starts = Starts::default();
        self.all().for_each(|snapshot| starts.merge(&snapshot.all_starts()));
        starts
    }

    fn all(&self) -> impl Iterator<Item = &Snapshot> {
        std::iter::once(&self.total).chain(self.waiting.iter().map(|(_, snapshot)| snapshot))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::Histogram, *};

    fn snapshot(number: u64) -> Snapshot {
        let mut snapshot = Snapshot { until: Duration::from_secs(number), ..Snapshot::default() };
        let row = snapshot.scenarios.entry(format!("scenario {}", number % 3).into()).or_default();
        row.counts.ok = number;
        row.latency = Histogram::from_iter([Duration::from_millis(number)]);
        snapshot.starts.entry("".into()).or_default().started = number;
        snapshot
    }

    #[test]
    fn sum_is_the_same_as_one_merge_after_the_other() {
        let (mut sum, mut expected) = (Sum::default(), Snapshot::default());
        for number in 0..300 {
            assert_eq!(sum.totals(), expected.totals(), "after {number}");
            assert_eq!(sum.all_starts().started, expected.all_starts().started, "after {number}");
            sum.add(snapshot(number));
            expected.merge(&snapshot(number));
        }
        assert_eq!(sum.take(), expected);
        assert_eq!(sum.take(), Snapshot::default());
    }
}
