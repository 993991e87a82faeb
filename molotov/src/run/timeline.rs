//! The course of a run: what ended in each second, and how long it took.

use std::time::Duration;

use crate::metrics::{Histogram, Snapshot, Stats};

/// Past so many points, neighbours become one: an hour by the second, two hours by two seconds, ...
const MOST: usize = 3_600;

/// How long after its end a point waits for the last measures before it is shown; what comes later is added.
const LATE: Duration = Duration::from_millis(100);

/// The course of a run in points of one second, or of more in a long run.
///
/// Every measure belongs to the second in which it was taken, however late it arrives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    /// Point `i` begins after `i` periods.
    points: Vec<Point>,
    /// How many of the points are over.
    over: usize,
    /// How many seconds make a point; 0 stands for 1.
    seconds: u32,
    /// Workers seen last.
    workers: usize,
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
    /// Requests that succeeded or failed.
    pub requests: u64,
    /// Requests that failed.
    pub request_failures: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Requests that were sent again because a kept connection closed without an answer.
    pub retried: u64,
    /// Latency of what [`Timeline::timed`] names. Empty if nothing of it ended in the period.
    pub latency: Histogram,
}

impl Point {
    /// How many ended in a second of the period.
    pub fn per_second(&self, count: u64) -> f64 {
        let seconds = self.period.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    fn is_empty(&self) -> bool {
        self.successes + self.failures + self.interrupted + self.requests == 0
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
        self.retried += later.retried;
        self.latency.merge(&later.latency);
    }
}

impl Timeline {
    /// The points that are over, in order.
    pub fn points(&self) -> &[Point] {
        &self.points[..self.over]
    }

    /// What the points' latencies are those of.
    pub fn timed(&self) -> Timed {
        self.timed
    }

    /// Takes measures of the second in which they end.
    pub(crate) fn add(&mut self, measures: &Snapshot) {
        if measures.scenarios.is_empty() && measures.requests.is_empty() {
            return;
        }
        if self.timed == Timed::Scenarios && !measures.requests.is_empty() {
            self.timed = Timed::Requests;
            // Scenarios ended before the first request did.
            self.points.iter_mut().for_each(|point| point.latency = Histogram::default());
        }
        let timed = match self.timed {
            Timed::Scenarios => &measures.scenarios,
            Timed::Requests => &measures.requests,
        };
        let counts = measures.totals();
        let point = self.point_at(measures.until);
        point.successes += counts.ok;
        point.failures += counts.failed;
        point.interrupted += counts.interrupted;
        for stats in measures.requests.values() {
            point.requests += stats.counts.ok + stats.counts.failed;
            point.request_failures += stats.counts.failed;
            point.bytes_in += stats.bytes_in;
            point.bytes_out += stats.bytes_out;
            point.retried += stats.retried;
        }
        timed.values().for_each(|stats: &Stats| point.latency.merge(&stats.latency));
    }

    /// Notes the workers that run now.
    pub(crate) fn tick(&mut self, elapsed: Duration, workers: usize) {
        self.workers = workers;
        self.point_at(elapsed).workers = workers;
        let over = self.points.iter().skip(self.over).take_while(|point| point.at + LATE <= elapsed).count();
        self.over += over;
    }

    /// The run is over: so is its last point, however short it is.
    pub(crate) fn end(&mut self, elapsed: Duration) {
        self.point_at(elapsed);
        let last = self.index_of(elapsed);
        for later in self.points.split_off(last + 1) {
            let workers = self.points[last].workers;
            self.points[last].merge(&Point { workers, ..later });
        }
        let (at, period) = (elapsed, elapsed.saturating_sub(self.period() * last as u32));
        (self.points[last].at, self.points[last].period) = (at, period);
        // A moment by itself would be a peak that never was.
        if period < Duration::from_millis(500) && last > 0 {
            let moment = self.points.pop().unwrap_or_default();
            let last = &mut self.points[last - 1];
            last.merge(&Point { workers: last.workers, ..moment });
        }
        if matches!(&*self.points, [only] if only.is_empty()) {
            self.points.clear();
        }
        self.over = self.points.len();
    }

    fn period(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds.max(1)))
    }

    /// The number of the point that a moment belongs to: the end of a period is part of it.
    fn index_of(&self, moment: Duration) -> usize {
        let index = moment.saturating_sub(Duration::from_nanos(1)).as_nanos() / self.period().as_nanos();
        usize::try_from(index).unwrap_or(usize::MAX)
    }

    /// The point that a moment belongs to.
    fn point_at(&mut self, moment: Duration) -> &mut Point {
        while self.index_of(moment) >= MOST {
            self.coarsen();
        }
        let (index, period) = (self.index_of(moment), self.period());
        while self.points.len() <= index {
            let at = period * (self.points.len() as u32 + 1);
            self.points.push(Point { at, period, workers: self.workers, ..Point::default() });
        }
        &mut self.points[index]
    }

    /// Makes one point of each two.
    fn coarsen(&mut self) {
        self.seconds = self.seconds.max(1) * 2;
        let period = self.period();
        let merged = self.points.chunks(2).zip(1..).map(|(pair, number)| {
            let mut point = pair[0].clone();
            pair[1..].iter().for_each(|later| point.merge(later));
            Point { at: period * number, period, ..point }
        });
        self.points = merged.collect();
        // A pair that is half over goes on.
        self.over /= 2;
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
        fn nothing_is_lost(
            steps in prop::collection::vec((0_u64..3, 1_u64..4_000, 0_u64..3_000), 1..200),
            times in 1_u64..60,
        ) {
            let mut timeline = Timeline::default();
            let (mut elapsed, mut all) = (Duration::ZERO, 0);
            for _ in 0..times {
                for (runs, millis, late) in &steps {
                    timeline.add(&Snapshot { until: elapsed.saturating_sub(ms(*late)), ..measures(*runs) });
                    all += runs;
                    elapsed += ms(*millis);
                    timeline.tick(elapsed, 1);
                }
            }
            timeline.end(elapsed);
            let points = timeline.points();
            prop_assert_eq!(points.iter().map(|point| point.successes).sum::<u64>(), all);
            prop_assert_eq!(points.iter().map(|point| point.latency.count()).sum::<u64>(), all);
            prop_assert!(points.len() <= MOST);
            let mut before = Duration::ZERO;
            for point in points {
                prop_assert_eq!(point.at, before + point.period);
                before = point.at;
            }
            prop_assert!(all == 0 || before == elapsed);
        }

        /// The course does not depend on when measures arrive, nor on how often somebody looks.
        #[test]
        fn measures_belong_to_the_second_in_which_they_were_taken(
            parts in prop::collection::vec((1_u64..100_000, 0_u64..40), 1..60),
            looks in prop::collection::vec(1_u64..20_000, 0..40),
        ) {
            let mut timeline = Timeline::default();
            let mut counts = [0; 100];
            for (until, runs) in &parts {
                timeline.add(&Snapshot { until: ms(*until), ..measures(*runs) });
                counts[(*until as usize - 1) / 1000] += runs;
            }
            let mut elapsed = 0;
            for look in looks {
                elapsed += look;
                timeline.tick(ms(elapsed.min(100_000)), 1);
            }
            timeline.end(Duration::from_secs(100));
            let course: Vec<_> = timeline.points().iter().map(|point| point.successes).collect();
            prop_assert!(course == counts || course.is_empty() && counts == [0; 100], "{:?}", course);
        }
    }

    #[test]
    fn what_arrives_late_is_added_to_its_second() {
        let mut timeline = Timeline::default();
        timeline.add(&Snapshot { until: ms(900), ..measures(2) });
        timeline.tick(ms(1000), 3);
        assert_eq!(timeline.points(), [], "more of this second may still come");
        timeline.tick(ms(2200), 4);
        timeline.add(&Snapshot { until: ms(1000), ..measures(1) });
        timeline.add(&Snapshot { until: ms(1001), ..measures(5) });
        let seen: Vec<_> = timeline.points().iter().map(|point| (point.successes, point.workers)).collect();
        assert_eq!(seen, [(3, 3), (5, 4)]);
        timeline.add(&Snapshot { until: ms(2200), ..measures(1) });
        timeline.end(ms(2300));
        let last = timeline.points().last().unwrap();
        assert_eq!((last.at, last.period, last.successes), (ms(2300), ms(1300), 6), "a moment is no point of its own");
        assert_eq!(timeline.points().len(), 2);
    }

    /// A `GET` of 0.4 ms, then 600 ms of think time: the second in which only the scenario ends has no latency.
    #[test]
    fn think_time_is_not_request_latency() {
        let scenario = || measures_of(|recorder| recorder.scenario(recorder.scenario_id("one"), Outcome::Ok, ms(601)));
        let request = || {
            measures_of(|recorder| {
                let total = Duration::from_micros(400);
                let (outcome, status) = (Outcome::Ok, Some(200));
                let sample =
                    RequestSample { outcome, status, first_byte: None, total, bytes_in: 1, bytes_out: 1, retried: 0 };
                recorder.request("GET /", &sample);
            })
        };
        let mut timeline = Timeline::default();
        for second in [scenario(), request(), scenario(), request()].iter().zip(1..) {
            timeline.add(&Snapshot { until: Duration::from_secs(second.1), ..second.0.clone() });
        }
        timeline.end(Duration::from_secs(4));
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
        timeline.end(Duration::from_secs(1));
        assert_eq!((timeline.timed(), timeline.points()[0].latency.max()), (Timed::Scenarios, ms(601)));
    }

    #[test]
    fn a_long_run_has_longer_points() {
        let mut timeline = Timeline::default();
        for second in 1..=7_300 {
            timeline.add(&Snapshot { until: Duration::from_secs(second), ..measures(1) });
            timeline.tick(Duration::from_secs(second), 3);
        }
        timeline.end(Duration::from_secs(7_300));
        let points = timeline.points();
        assert!((1_800..=MOST).contains(&points.len()), "{}", points.len());
        assert_eq!(points.iter().map(|point| point.successes).sum::<u64>(), 7_300);
        assert_eq!(points[0].period, Duration::from_secs(4));
        assert_eq!(points[0].workers, 3);
    }
}
