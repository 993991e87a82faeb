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
    timed: Timed,
}

/// What the latencies of a [`Timeline`] are those of.
///
/// Think time is part of a scenario but not of a request, so one timeline never mixes the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Timed {
    /// Scenarios: the run made no requests.
    #[default]
    Scenarios,
    /// Requests.
    Requests,
}

impl Timed {
    /// `scenarios` or `requests`.
    pub fn name(self) -> &'static str {
        match self {
            Timed::Scenarios => "scenarios",
            Timed::Requests => "requests",
        }
    }
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
    /// Latency of what [`Timeline::timed`] names. Empty if nothing of it ended in the period.
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

    /// What the points' latencies are those of.
    pub fn timed(&self) -> Timed {
        self.timed
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
        if self.timed == Timed::Scenarios && !measures.requests.is_empty() {
            self.timed = Timed::Requests;
            // Scenarios ended before the first request did.
            self.points.iter_mut().chain([&mut self.open]).for_each(|point| point.latency = Histogram::default());
        }
        let timed = match self.timed {
            Timed::Scenarios => &measures.scenarios,
            Timed::Requests => &measures.requests,
        };
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
    use crate::metrics::{Limits, Outcome, Recorder, RequestSample};

    fn measures_of(record: impl FnOnce(&Recorder)) -> Snapshot {
        let recorder = Recorder::new(Limits::default());
        record(&recorder);
        recorder.take()
    }

    fn measures(runs: u64) -> Snapshot {
        measures_of(|recorder| {
            let id = recorder.scenario_id("one");
            (0..runs).for_each(|n| recorder.scenario(id, Outcome::Ok, ms(n)));
        })
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
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

    /// A `GET` of 0.4 ms, then 600 ms of think time: the second in which only the scenario ends has no latency.
    #[test]
    fn think_time_is_not_request_latency() {
        let scenario = || measures_of(|recorder| recorder.scenario(recorder.scenario_id("one"), Outcome::Ok, ms(601)));
        let request = || {
            measures_of(|recorder| {
                let total = Duration::from_micros(400);
                let (outcome, status) = (Outcome::Ok, Some(200));
                let sample = RequestSample { outcome, status, first_byte: None, total, bytes_in: 1, bytes_out: 1 };
                recorder.request("GET /", &sample);
            })
        };
        let mut timeline = Timeline::default();
        for second in [scenario(), request(), scenario(), request()].iter().zip(1..) {
            timeline.add(second.0);
            timeline.tick(Duration::from_secs(second.1), 1);
        }
        assert_eq!(timeline.timed(), Timed::Requests);
        let longest: Vec<_> = timeline.points().iter().map(|point| point.latency.max()).collect();
        let (none, short) = (Duration::ZERO, Duration::from_micros(400));
        assert_eq!(longest, [none, short, none, short]);
        assert_eq!(timeline.points().iter().map(|point| point.latency.count()).collect::<Vec<_>>(), [0, 1, 0, 1]);
    }

    #[test]
    fn a_run_without_requests_times_its_scenarios() {
        let mut timeline = Timeline::default();
        timeline.add(&measures_of(|recorder| {
            recorder.scenario(recorder.scenario_id("one"), Outcome::Ok, ms(601));
            recorder.step("pay", Outcome::Ok, ms(5));
        }));
        timeline.tick(Duration::from_secs(1), 1);
        assert_eq!((timeline.timed(), timeline.points()[0].latency.max()), (Timed::Scenarios, ms(601)));
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
