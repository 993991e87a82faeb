//! Autosizing: while workers start one after the other, how many does the service bear?

use std::{collections::VecDeque, time::Duration};

use crate::{
    metrics::Counts,
    options::Args,
    run::{SizingProgress, SizingResult},
};

/// The time whose failures decide.
const MINUTE: Duration = Duration::from_secs(60);
/// The time whose failures tell at how many workers it began.
const WINDOW: Duration = Duration::from_secs(5);
/// With fewer results than this, nothing is decided.
const ENOUGH: u64 = 100;

/// Watches the failures of a run in which the workers are ramped up.
#[derive(Debug)]
pub(super) struct Sizing {
    /// The share of failures that is borne, 0 to 1.
    tolerance: f64,
    /// Totals at moments of the last minute, and one before.
    seen: VecDeque<Seen>,
    /// How many workers there were when failures crossed the tolerance, if they have not gone back since.
    crossed: Option<usize>,
    result: Option<SizingResult>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    at: Duration,
    ok: u64,
    failed: u64,
}

impl Sizing {
    /// For a run that is asked to size; `None` for others.
    pub(super) fn of(args: &Args) -> Option<Sizing> {
        args.sizing.then(|| Sizing {
            tolerance: args.sizing_tolerance / 100.0,
            seen: VecDeque::from([Seen::default()]),
            crossed: None,
            result: None,
        })
    }

    /// Takes the totals of a moment; `true` when the sizing is over with it.
    pub(super) fn look(&mut self, at: Duration, totals: Counts, workers: usize) -> bool {
        if self.result.is_some() {
            return false;
        }
        let now = Seen { at, ok: totals.ok, failed: totals.failed };
        self.seen.push_back(now);
        while self.seen.get(1).is_some_and(|second| second.at + MINUTE <= at) {
            self.seen.pop_front();
        }
        let lately = self.since(at.saturating_sub(WINDOW));
        if ended(&lately) > 0 {
            let crosses = lately.failure_ratio() > self.tolerance;
            self.crossed = if crosses { self.crossed.or(Some(workers)) } else { None };
        }
        let minute = self.since(at.saturating_sub(MINUTE));
        if ended(&minute) < ENOUGH || minute.failure_ratio() <= self.tolerance {
            return false;
        }
        // Where the minute says so and the last seconds do not, it was a bout: it counts when it comes back.
        let Some(workers) = self.crossed else { return false };
        self.result = Some(SizingResult::Found { workers, ratio: minute.failure_ratio(), minute });
        true
    }

    /// What ended since a moment, or since the nearest one before that was looked at.
    fn since(&self, moment: Duration) -> Counts {
        let mut counts = Counts::default();
        let later = self.seen.partition_point(|seen| seen.at <= moment);
        if let (Some(before), Some(now)) = (self.seen.get(later.saturating_sub(1)), self.seen.back()) {
            counts.ok = now.ok - before.ok;
            counts.failed = now.failed - before.failed;
        }
        counts
    }

    /// How near it is.
    pub(super) fn progress(&self) -> SizingProgress {
        let at = self.seen.back().map_or(Duration::ZERO, |seen| seen.at);
        let minute = self.since(at.saturating_sub(MINUTE));
        SizingProgress { ratio: minute.failure_ratio(), tolerance: self.tolerance }
    }

    /// What was found; `interrupted` when the run was stopped from outside.
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

    fn sizing(tolerance: f64) -> Sizing {
        let args = Args { sizing: true, sizing_tolerance: tolerance, ..Args::default() };
        Sizing::of(&args).unwrap_or_else(|| unreachable!("it is asked for"))
    }

    /// A service that serves `capacity` requests at a time within `service`, and fails what is beyond, as late; workers start
    /// at `slope` a second. Gives the workers found.
    fn ramp(capacity: f64, slope: f64, service: f64, tolerance: f64) -> Option<usize> {
        let mut sizing = sizing(tolerance);
        let (mut ok, mut failed) = (0.0, 0.0);
        for tick in 1..20_000 {
            let time = f64::from(tick) * 0.1;
            let workers = slope * time;
            // What ends now was begun a service time ago.
            let begun = (slope * (time - service)).max(0.0);
            ok += begun.min(capacity) / service * 0.1;
            failed += (begun - capacity).max(0.0) / service * 0.1;
            let totals = counts(ok as u64, failed as u64);
            if sizing.look(Duration::from_secs_f64(time), totals, workers as usize) {
                let SizingResult::Found { workers, .. } = sizing.result(false, 0) else { return None };
                return Some(workers);
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The workers found are those at which the failures of five seconds cross the tolerance: with capacity N and a ramp
        /// of s workers a second, W workers fail the share 1 - N/W, and the window looks back at five seconds of the ramp.
        #[test]
        fn the_capacity_is_found(capacity in 20.0..400.0_f64, slope in 1.0..5.0_f64, tolerance in 1.0..20.0_f64) {
            let found = ramp(capacity, slope, 0.05, tolerance).expect("it fails in the end") as f64;
            // Between the number where all fail so from the window's first second, and that of its last.
            let least = capacity / (1.0 - tolerance / 100.0);
            let most = least + slope * (5.0 + 1.0);
            prop_assert!(found >= least - 1.0 && found <= most, "{found} of {least}..{most}");
        }
    }

    #[test]
    fn everything_failing_is_a_hundred_percent() {
        let mut sizing = sizing(5.0);
        assert!(!sizing.look(Duration::from_secs(1), counts(0, 99), 3));
        assert!(sizing.look(Duration::from_secs(2), counts(0, 100), 4));
        let SizingResult::Found { workers, ratio, minute } = sizing.result(false, 9) else { panic!("it was found") };
        assert_eq!((workers, ratio, minute.failed), (3, 1.0, 100), "3 were there when it began");
    }

    #[test]
    fn a_bout_of_failures_is_not_the_limit() {
        let mut sizing = sizing(5.0);
        let second = Duration::from_secs;
        assert!(!sizing.look(second(1), counts(46, 4), 3));
        // 8 % of too few results; with more it is less than what is tolerated.
        for n in 2..=20 {
            assert!(!sizing.look(second(n), counts(46 + (n - 1) * 50, 4), n as usize), "at {n} s");
        }
        for n in 21..=60 {
            if sizing.look(second(n), counts(996 + (n - 20) * 40, 4 + (n - 20) * 10), n as usize) {
                let SizingResult::Found { workers, .. } = sizing.result(false, 0) else { panic!("it was found") };
                assert!((21..=23).contains(&workers), "{workers}");
                return;
            }
        }
        panic!("20 % of failures were not noticed");
    }

    #[test]
    fn nothing_found_is_said() {
        let mut sizing = sizing(5.0);
        assert!(!sizing.look(Duration::from_secs(70), counts(1000, 3), 40));
        assert_eq!(sizing.result(true, 40), SizingResult::Interrupted);
        assert_eq!(sizing.result(false, 40), SizingResult::NotReached { workers: 40 });
        assert!((sizing.progress().ratio - 3.0 / 1003.0).abs() < 1e-9);
    }
}
