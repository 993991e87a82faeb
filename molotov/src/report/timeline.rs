//! The course of a run: what ended in each second, and how long it took.

use std::time::Duration;

use crate::metrics::{Histogram, Snapshot, Stats};

/// Past so many points, neighbours become one: an hour by the second, two hours by two seconds, ...
const MOST: usize = 3_600;

/// The course of a run in points of one second, or of more in a long run.
///
/// What is counted belongs to the second in which it was reported, which is up to `--console-update` after it ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    points: Vec<Point>,
    /// How many seconds make a point; 0 stands for 1.
    seconds: u32,
    /// What was reported since the last point.
    open: Point,
    began: Duration,
}

/// What ended in a period of a run.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Point {
    /// The end of the period, from the start of the run.
    pub at: Duration,
    /// How long the period was.
    pub period: Duration,
    /// Workers that ran at its end.
    pub workers: usize,
    /// Scenarios that ended well.
    pub successes: u64,
    /// Scenarios that failed.
    pub failures: u64,
    /// Scenarios that were cut.
    pub interrupted: u64,
    /// Requests that ended, well or not.
    pub requests: u64,
    /// Requests that failed.
    pub request_failures: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// How long requests took; scenarios, where the run makes no requests.
    pub latency: Histogram,
}

impl Point {
    /// How many ended in a second of the period.
    pub fn per_second(&self, count: u64) -> f64 {
        let seconds = self.period.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    fn merge(&mut self, later: &Point) {
        self.at = later.at;
        self.period += later.period;
        self.workers = later.workers;
        self.successes += later.successes;
        self.failures += later.failures;
        self.interrupted += later.interrupted;
        self.requests += later.requests;
        self.request_failures += later.request_failures;
        self.bytes_in += later.bytes_in;
        self.bytes_out += later.bytes_out;
        self.latency.merge(&later.latency);
    }
}

impl Timeline {
    /// The points so far, in order.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Takes what was measured since the last call.
    pub(crate) fn add(&mut self, measures: &Snapshot) {
        let counts = measures.totals();
        self.open.successes += counts.ok;
        self.open.failures += counts.failed;
        self.open.interrupted += counts.interrupted;
        for stats in measures.requests.values() {
            self.open.requests += stats.counts.ok + stats.counts.failed;
            self.open.request_failures += stats.counts.failed;
            self.open.bytes_in += stats.bytes_in;
            self.open.bytes_out += stats.bytes_out;
        }
        let timed = if measures.requests.is_empty() { &measures.scenarios } else { &measures.requests };
        timed.values().for_each(|stats: &Stats| self.open.latency.merge(&stats.latency));
    }

    /// Closes the point under way when its time is over.
    pub(crate) fn tick(&mut self, elapsed: Duration, workers: usize) {
        if elapsed.saturating_sub(self.began) >= Duration::from_secs(u64::from(self.seconds.max(1))) {
            self.close(elapsed, workers);
        }
    }

    /// Closes the last point, however short it is.
    pub(crate) fn end(&mut self, elapsed: Duration, workers: usize) {
        let empty = Point { workers: self.open.workers, ..Point::default() };
        match self.points.last_mut() {
            // A moment by itself would be a peak that never was.
            Some(last) if elapsed.saturating_sub(self.began) < Duration::from_millis(500) => {
                self.open.at = elapsed.max(last.at);
                self.open.period = elapsed.saturating_sub(self.began);
                self.open.workers = last.workers;
                let rest = std::mem::take(&mut self.open);
                last.merge(&rest);
            }
            None if self.open == empty => {}
            _ => self.close(elapsed, workers),
        }
    }

    fn close(&mut self, elapsed: Duration, workers: usize) {
        let mut point = std::mem::take(&mut self.open);
        (point.at, point.period, point.workers) = (elapsed, elapsed.saturating_sub(self.began), workers);
        self.began = elapsed;
        self.points.push(point);
        if self.points.len() > MOST {
            let merged = self.points.chunks(2).map(|pair| {
                let mut point = pair[0].clone();
                pair[1..].iter().for_each(|later| point.merge(later));
                point
            });
            self.points = merged.collect();
            self.seconds = self.seconds.max(1) * 2;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::{Limits, Outcome, Recorder};

    fn measures(runs: u64) -> Snapshot {
        let recorder = Recorder::new(Limits::default());
        let id = recorder.scenario_id("one");
        (0..runs).for_each(|n| recorder.scenario(id, Outcome::Ok, Duration::from_millis(n)));
        recorder.take()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Whatever comes when: nothing is lost, points follow each other without a gap, and there are not too many.
        #[test]
        fn nothing_is_lost(steps in prop::collection::vec((0_u64..3, 1_u64..4_000), 1..200), times in 1_u64..60) {
            let mut timeline = Timeline::default();
            let (mut elapsed, mut all) = (Duration::ZERO, 0);
            for _ in 0..times {
                for (runs, millis) in &steps {
                    timeline.add(&measures(*runs));
                    all += runs;
                    elapsed += Duration::from_millis(*millis);
                    timeline.tick(elapsed, 1);
                }
            }
            timeline.end(elapsed, 0);
            let points = timeline.points();
            prop_assert_eq!(points.iter().map(|point| point.successes).sum::<u64>(), all);
            prop_assert_eq!(points.iter().map(|point| point.latency.count()).sum::<u64>(), all);
            prop_assert!(points.len() <= MOST);
            let mut before = Duration::ZERO;
            for point in points {
                prop_assert_eq!(point.at, before + point.period);
                before = point.at;
            }
        }
    }

    #[test]
    fn a_long_run_has_longer_points() {
        let mut timeline = Timeline::default();
        for second in 1..=7_300 {
            timeline.add(&measures(1));
            timeline.tick(Duration::from_secs(second), 3);
        }
        timeline.end(Duration::from_secs(7_300), 0);
        let points = timeline.points();
        assert!((1_800..=MOST).contains(&points.len()), "{}", points.len());
        assert_eq!(points.iter().map(|point| point.successes).sum::<u64>(), 7_300);
        assert_eq!(points[0].period, Duration::from_secs(4));
        assert_eq!(points[0].workers, 3);
    }
}
