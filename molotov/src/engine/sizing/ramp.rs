//! Finds how many workers a service bears while workers start one after the other.

use std::{collections::VecDeque, time::Duration};

use crate::{
    metrics::Counts,
    options::Args,
    run::{SizingProgress, SizingResult},
};

/// The period whose failures decide.
const MINUTE: Duration = Duration::from_secs(60);
/// The period whose failures show at how many workers they began.
const WINDOW: Duration = Duration::from_secs(5);
/// The fewest results that decide.
const MIN_RESULTS: u64 = 100;

/// Watches the failures of a run that ramps up its workers.
#[derive(Debug)]
pub(in crate::engine) struct Ramp {
    /// The tolerated share of failures, from 0 to 1.
    tolerance: f64,
    /// Samples of the totals in the last minute, and one before it.
    samples: VecDeque<Sample>,
    /// How many workers were running when failures crossed the tolerance, unless they have fallen below it since.
    crossed: Option<usize>,
    result: Option<SizingResult>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    at: Duration,
    ok: u64,
    failed: u64,
}

impl Ramp {
    pub(super) fn new(args: &Args) -> Ramp {
        Ramp {
            tolerance: args.sizing_tolerance / 100.0,
            samples: VecDeque::from([Sample::default()]),
            crossed: None,
            result: None,
        }
    }

    /// Takes a sample of the totals. Returns `true` if it ends the sizing.
    pub(super) fn sample(&mut self, at: Duration, totals: Counts, workers: usize) -> bool {
        if self.result.is_some() {
            return false;
        }
        let now = Sample { at, ok: totals.ok, failed: totals.failed };
        self.samples.push_back(now);
        while self.samples.get(1).is_some_and(|second| second.at + MINUTE <= at) {
            self.samples.pop_front();
        }
        let lately = self.since(at.saturating_sub(WINDOW));
        if ended(&lately) > 0 {
            let crosses = lately.failure_ratio() > self.tolerance;
            self.crossed = if crosses { self.crossed.or(Some(workers)) } else { None };
        }
        let minute = self.since(at.saturating_sub(MINUTE));
        if ended(&minute) < MIN_RESULTS || minute.failure_ratio() <= self.tolerance {
            return false;
        }
        // Failures that have stopped since were temporary. They count if they return.
        let Some(workers) = self.crossed else { return false };
        self.result = Some(SizingResult::Found { workers, ratio: minute.failure_ratio(), minute });
        true
    }

    /// What ended since the last sample at or before `moment`.
    fn since(&self, moment: Duration) -> Counts {
        let mut counts = Counts::default();
        let later = self.samples.partition_point(|sample| sample.at <= moment);
        if let (Some(before), Some(now)) = (self.samples.get(later.saturating_sub(1)), self.samples.back()) {
            counts.ok = now.ok - before.ok;
            counts.failed = now.failed - before.failed;
        }
        counts
    }

    /// The progress of the sizing.
    pub(super) fn progress(&self) -> SizingProgress {
        let at = self.samples.back().map_or(Duration::ZERO, |sample| sample.at);
        let minute = self.since(at.saturating_sub(MINUTE));
        SizingProgress::Failures { ratio: minute.failure_ratio(), tolerance: self.tolerance }
    }

    /// The result. `interrupted` says that the run was stopped from outside.
    pub(super) fn result(&self, interrupted: bool, most_workers: usize) -> SizingResult {
        match &self.result {
            Some(found) => found.clone(),
            None if interrupted => SizingResult::Interrupted,
            None => SizingResult::NotReached { workers: most_workers },
        }
    }
}

fn ended(counts: &Counts) -> u64 {
    counts.ok + counts.failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(ok: u64, failed: u64) -> Counts {
        let mut counts = Counts::default();
        (counts.ok, counts.failed) = (ok, failed);
        counts
    }

    fn sizing(tolerance: f64) -> Ramp {
        Ramp::new(&Args { sizing_tolerance: tolerance, ..Args::default() })
    }

    /// Simulates a service that serves `capacity` requests at a time, each in `service` seconds, and fails all others. `slope`
    /// workers start per second. Returns the number of workers found.
    fn ramp(capacity: f64, slope: f64, service: f64, tolerance: f64) -> Option<usize> {
        let mut sizing = sizing(tolerance);
        let (mut ok, mut failed) = (0.0, 0.0);
        for tick in 1..20_000 {
            let time = f64::from(tick) * 0.1;
            let workers = slope * time;
            // What ends now started one service time ago.
            let started = (slope * (time - service)).max(0.0);
            ok += started.min(capacity) / service * 0.1;
            failed += (started - capacity).max(0.0) / service * 0.1;
            let totals = counts(ok as u64, failed as u64);
            if sizing.sample(Duration::from_secs_f64(time), totals, workers as usize) {
                let SizingResult::Found { workers, .. } = sizing.result(false, 0) else { return None };
                return Some(workers);
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The failures of five seconds cross the tolerance at the number of workers found. With a capacity of N, W workers fail
        /// the share 1 - N/W, and the ramp continues during the five seconds.
        #[test]
        fn finds_the_capacity(capacity in 20.0..400.0_f64, slope in 1.0..5.0_f64, tolerance in 1.0..20.0_f64) {
            let found = ramp(capacity, slope, 0.05, tolerance).expect("it fails in the end") as f64;
            // Between the workers in the first second of the window and those in its last.
            let least = capacity / (1.0 - tolerance / 100.0);
            let most = least + slope * (5.0 + 1.0);
            prop_assert!(found >= least - 1.0 && found <= most, "{found} of {least}..{most}");
        }
    }

    #[test]
    fn failures_only_are_a_ratio_of_one() {
        let mut sizing = sizing(5.0);
        assert!(!sizing.sample(Duration::from_secs(1), counts(0, 99), 3));
        assert!(sizing.sample(Duration::from_secs(2), counts(0, 100), 4));
        let SizingResult::Found { workers, ratio, minute } = sizing.result(false, 9) else { panic!("it was found") };
        assert_eq!((workers, ratio, minute.failed), (3, 1.0, 100), "3 workers ran when the failures began");
    }

    #[test]
    fn temporary_failures_are_not_the_limit() {
        let mut sizing = sizing(5.0);
        let second = Duration::from_secs;
        assert!(!sizing.sample(second(1), counts(46, 4), 3));
        // 8 % of too few results. Later the share is below the tolerance.
        for n in 2..=20 {
            assert!(!sizing.sample(second(n), counts(46 + (n - 1) * 50, 4), n as usize), "at {n} s");
        }
        for n in 21..=60 {
            if sizing.sample(second(n), counts(996 + (n - 20) * 40, 4 + (n - 20) * 10), n as usize) {
                let SizingResult::Found { workers, .. } = sizing.result(false, 0) else { panic!("it was found") };
                assert!((21..=23).contains(&workers), "{workers}");
                return;
            }
        }
        panic!("20 % of failures were not noticed");
    }

    #[test]
    fn reports_that_nothing_was_found() {
        let mut sizing = sizing(5.0);
        assert!(!sizing.sample(Duration::from_secs(70), counts(1000, 3), 40));
        assert_eq!(sizing.result(true, 40), SizingResult::Interrupted);
        assert_eq!(sizing.result(false, 40), SizingResult::NotReached { workers: 40 });
        assert_eq!(sizing.progress(), SizingProgress::Failures { ratio: 3.0 / 1003.0, tolerance: 0.05 });
    }
}
