//! The measures of many members, second by second.

use std::{collections::BTreeMap, mem, time::Duration};

use super::{Counts, Snapshot, Starts, Sum};

/// Sums what members measured by the second in which it ended.
///
/// Totals and timelines become long, and adding to them costs as much as they are long. So they get the sum of each second instead of
/// the measures of each member.
#[derive(Debug, Default)]
pub(crate) struct Seconds {
    /// By the number of the second, and whether it belongs to the warm-up.
    sums: BTreeMap<(u64, bool), Sum>,
    /// The number of the second that is not complete.
    current: u64,
}

impl Seconds {
    /// Adds measures.
    pub(crate) fn add(&mut self, measures: Snapshot) {
        self.sums.entry((measures.second(), measures.warm_up)).or_default().add(measures);
    }

    /// Returns the seconds that ended by `complete_until`, in order, and removes them. In a second, the measures of the warm-up come
    /// last. Measures that arrive too late for their second are returned with the next one.
    pub(crate) fn take_complete(&mut self, complete_until: Duration) -> Vec<Snapshot> {
        let current = complete_until.as_secs();
        if current <= self.current {
            return Vec::new();
        }
        self.current = current;
        let later = self.sums.split_off(&(current, false));
        take(mem::replace(&mut self.sums, later))
    }

    /// Returns all seconds in order, and removes them.
    pub(crate) fn take(&mut self) -> Vec<Snapshot> {
        take(mem::take(&mut self.sums))
    }

    /// Returns the counts of scenarios of the warm-up, or of those after it.
    pub(crate) fn totals(&self, warm_up: bool) -> Counts {
        let mut totals = Counts::default();
        self.of(warm_up).for_each(|sum| totals.merge(&sum.totals()));
        totals
    }

    /// Returns the starts at all rates in the warm-up, or those after it.
    pub(crate) fn all_starts(&self, warm_up: bool) -> Starts {
        let mut starts = Starts::default();
        self.of(warm_up).for_each(|sum| starts.merge(&sum.all_starts()));
        starts
    }

    fn of(&self, warm_up: bool) -> impl Iterator<Item = &Sum> {
        self.sums.iter().filter(move |((_, is_warm_up), _)| *is_warm_up == warm_up).map(|(_, sum)| sum)
    }
}

fn take(sums: BTreeMap<(u64, bool), Sum>) -> Vec<Snapshot> {
    sums.into_iter().map(|((_, warm_up), mut sum)| Snapshot { warm_up, ..sum.take() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measures(millis: u64, ok: u64, warm_up: bool) -> Snapshot {
        let mut measures = Snapshot { until: Duration::from_millis(millis), warm_up, ..Snapshot::default() };
        measures.scenarios.entry("browse".into()).or_default().counts.ok = ok;
        measures.starts.entry("".into()).or_default().started = ok;
        measures
    }

    #[test]
    fn seconds_are_summed_and_handed_out_once() {
        let mut seconds = Seconds::default();
        // The end of a second belongs to it.
        for (millis, ok, warm_up) in
            [(900, 1, true), (1_000, 2, true), (1_001, 4, false), (900, 8, false), (2_000, 16, false)]
        {
            seconds.add(measures(millis, ok, warm_up));
        }
        assert_eq!((seconds.totals(true).ok, seconds.totals(false).ok), (3, 28));
        assert_eq!((seconds.all_starts(true).started, seconds.all_starts(false).started), (3, 28));
        assert!(seconds.take_complete(Duration::from_millis(999)).is_empty());
        assert_eq!(
            seconds.take_complete(Duration::from_millis(1_000)),
            [measures(900, 8, false), measures(1_000, 3, true)]
        );
        // Late.
        seconds.add(measures(800, 32, false));
        assert!(seconds.take_complete(Duration::from_millis(1_900)).is_empty());
        assert_eq!(
            seconds.take_complete(Duration::from_millis(2_050)),
            [measures(800, 32, false), measures(2_000, 20, false)]
        );
        seconds.add(measures(2_500, 64, false));
        assert_eq!(seconds.totals(false).ok, 64);
        assert_eq!((seconds.take(), seconds.take()), (vec![measures(2_500, 64, false)], vec![]));
    }
}
