//! The timeline of a run: what ended in each second, and its latencies.

mod courses;
mod packed;
mod point;

use std::{collections::VecDeque, time::Duration};

use self::packed::PackedPoints;
pub use self::{
    courses::{CourseBin, Courses, ErrorKey},
    point::{Point, PointStarts},
};
use crate::metrics::{Histogram, Snapshot};

/// The most points. A longer run merges neighbours: its points are seconds up to one hour, then two seconds up to two hours, and
/// so on.
const MAX_POINTS: usize = 3_600;

/// How long after its end a point waits for late measures before it is complete. Later ones are still added.
pub(crate) const COMPLETE_AFTER: Duration = Duration::from_millis(100);

/// The timeline of a run, in points of one second, or of more in a long run.
///
/// A measure belongs to the second in which it was taken, however late it arrives.
///
/// ```no_run
/// # use molotov::LoadTest;
/// let report = LoadTest::new().workers(20).max_runs(10).run()?;
/// for point in report.summary().timeline.points() {
///     println!("{:?}: {} requests, p95 {:?}", point.at, point.requests, point.latency.percentile(95.0));
/// }
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    /// The complete points. Point `i` starts after `i` periods.
    completed: PackedPoints,
    /// The other points, in order.
    current: VecDeque<Point>,
    /// The length of a point in seconds; 0 means 1.
    seconds: u32,
    /// The last number of workers.
    workers: usize,
    /// When the warm-up ends.
    warm_up_until: Duration,
    latency_source: LatencySource,
    /// When [`planned`](Self::planned) was last called, and the number of planned starts until then.
    planned: (Duration, u64),
    courses: Courses,
}

/// What the latencies of a [`Timeline`] measure.
///
/// Scenarios include think time and requests do not, so a timeline never mixes the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LatencySource {
    /// Scenarios, in a run without requests.
    #[default]
    Scenarios,
    /// Requests.
    Requests,
}

impl LatencySource {
    /// `scenarios` or `requests`.
    pub fn name(self) -> &'static str {
        match self {
            LatencySource::Scenarios => "scenarios",
            LatencySource::Requests => "requests",
        }
    }
}

impl Timeline {
    /// The complete points, in order.
    ///
    /// The iterator unpacks one point at a time. Collect the points to use them more than once.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = Point> + ExactSizeIterator {
        self.completed.iter().map(|point| Point { warm_up: self.is_of_the_warm_up(&point), ..point })
    }

    /// The courses of names, statuses and errors.
    pub fn courses(&self) -> &Courses {
        &self.courses
    }

    /// When the warm-up ended, as time since the start; zero without a warm-up.
    pub fn warm_up_until(&self) -> Duration {
        self.warm_up_until
    }

    fn is_of_the_warm_up(&self, point: &Point) -> bool {
        point.at.saturating_sub(point.period) < self.warm_up_until
    }

    /// Notes when the warm-up ends. A pause moves its end.
    pub(crate) fn warm_up(&mut self, until: Duration) {
        self.warm_up_until = until;
    }

    /// What the latencies of the points measure.
    pub fn latency_source(&self) -> LatencySource {
        self.latency_source
    }

    /// Adds measures to the second in which they end. What belongs to the warm-up and ends after its last
    /// point is left out, because it would appear among the results. [`Summary::warm_up`](super::Summary::warm_up) counts it.
    pub(crate) fn add(&mut self, measures: &Snapshot) {
        if measures.is_empty() {
            return;
        }
        let start = self.period() * u32::try_from(self.index_of(measures.until)).unwrap_or(u32::MAX);
        if measures.warm_up && start >= self.warm_up_until {
            return;
        }
        self.courses.add(measures);
        if measures.scenarios.is_empty() && measures.requests.is_empty() && measures.starts.is_empty() {
            return;
        }
        if self.latency_source == LatencySource::Scenarios && !measures.requests.is_empty() {
            self.latency_source = LatencySource::Requests;
            // The latencies so far are those of scenarios.
            self.completed =
                self.completed.iter().map(|point| Point { latency: Histogram::default(), ..point }).collect();
            self.current.iter_mut().for_each(|point| point.latency = Histogram::default());
        }
        let timed = match self.latency_source {
            LatencySource::Scenarios => &measures.scenarios,
            LatencySource::Requests => &measures.requests,
        };
        let counts = measures.totals();
        self.change(measures.until, |point| {
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
            point.latency.merge_all(timed.values().map(|stats| &stats.latency));
            if !measures.starts.is_empty() || measures.scenarios.values().any(|stats| !stats.service.is_empty()) {
                point.starts_mut().add(measures);
            }
        });
    }

    /// Notes how many starts were planned until now, in a run with a rate. Those since the last call were planned evenly.
    pub(crate) fn planned(&mut self, elapsed: Duration, planned: u64) {
        let (since, before) = std::mem::replace(&mut self.planned, (elapsed, planned));
        let (mut from, mut counted) = (since, before);
        while from < elapsed {
            let next = self.index_of(from + Duration::from_nanos(1)) as u32 + 1;
            let until = elapsed.min(self.period() * next);
            let share = (until - since).as_secs_f64() / (elapsed - since).as_secs_f64();
            // The number of planned starts was rounded up.
            let so_far = before + (planned.saturating_sub(before) as f64 * share + 1e-6) as u64;
            self.change(until, |point| point.starts_mut().asked += so_far - counted);
            (from, counted) = (until, so_far);
        }
    }

    /// Notes the number of workers, and completes points.
    pub(crate) fn tick(&mut self, elapsed: Duration, workers: usize) {
        self.workers = workers;
        self.change(elapsed, |point| point.workers = workers);
        while let Some(point) = self.current.pop_front_if(|point| point.at + COMPLETE_AFTER <= elapsed) {
            self.completed.push(point);
        }
    }

    /// Ends the run, which completes the last point, however short it is.
    pub(crate) fn end(&mut self, elapsed: Duration) {
        self.change(elapsed, |_| ());
        let number = self.index_of(elapsed);
        let later = self.current.split_off((number + 1).saturating_sub(self.completed.len()));
        let mut last = self.current.pop_back().unwrap_or_default();
        for later in later {
            last.merge(&Point { workers: last.workers, ..later });
        }
        (last.at, last.period) = (elapsed, elapsed.saturating_sub(self.period() * number as u32));
        let mut points = std::mem::take(&mut self.current);
        // The rate of a very short point would be a false peak.
        if last.period < Duration::from_millis(500)
            && let Some(before) = points.pop_back().or_else(|| self.completed.pop())
        {
            let moment = std::mem::replace(&mut last, before);
            last.merge(&Point { workers: last.workers, ..moment });
        }
        points.push_back(last);
        if self.completed.is_empty() && points.len() == 1 && points[0].is_empty() {
            points.clear();
        }
        points.into_iter().for_each(|point| self.completed.push(point));
    }

    fn period(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds.max(1)))
    }

    /// The index of the point that contains `moment`. The end of a period belongs to it.
    fn index_of(&self, moment: Duration) -> usize {
        let index = moment.saturating_sub(Duration::from_nanos(1)).as_nanos() / self.period().as_nanos();
        usize::try_from(index).unwrap_or(usize::MAX)
    }

    /// Changes the point that contains `moment`.
    fn change(&mut self, moment: Duration, change: impl FnOnce(&mut Point)) {
        while self.index_of(moment) >= MAX_POINTS {
            self.coarsen();
        }
        let (index, period) = (self.index_of(moment), self.period());
        let Some(index) = index.checked_sub(self.completed.len()) else { return self.completed.change(index, change) };
        while self.current.len() <= index {
            let at = period * ((self.completed.len() + self.current.len()) as u32 + 1);
            self.current.push_back(Point { at, period, workers: self.workers, ..Point::default() });
        }
        change(&mut self.current[index]);
    }

    /// Merges points in pairs.
    fn coarsen(&mut self) {
        self.seconds = self.seconds.max(1) * 2;
        let period = self.period();
        // A pair of which one point is complete is not complete.
        let over = self.completed.len() / 2;
        let (completed, current) = (std::mem::take(&mut self.completed), std::mem::take(&mut self.current));
        let mut points = completed.iter().chain(current);
        for number in 0.. {
            let Some(mut point) = points.next() else { break };
            if let Some(later) = points.next() {
                point.merge(&later);
            }
            let point = Point { at: period * (number + 1), period, ..point };
            if (number as usize) < over { self.completed.push(point) } else { self.current.push_back(point) }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::{HTTP, Limits, OperationSample, Outcome, Recorder, StartSample, Status, WaitedFor};

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

        /// Nothing is lost, points have no gaps, and there are at most `MAX_POINTS`, whatever arrives when.
        #[test]
        fn loses_nothing(
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
            let points: Vec<_> = timeline.points().collect();
            prop_assert_eq!(points.iter().map(|point| point.successes).sum::<u64>(), all);
            prop_assert_eq!(points.iter().map(|point| point.latency.count()).sum::<u64>(), all);
            prop_assert!(points.len() <= MAX_POINTS);
            let mut before = Duration::ZERO;
            for point in points {
                prop_assert_eq!(point.at, before + point.period);
                before = point.at;
            }
            prop_assert!(all == 0 || before == elapsed);
        }

        /// The timeline does not depend on when measures arrive, nor on how often it ticks.
        #[test]
        fn adds_measures_to_the_second_in_which_they_were_taken(
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
                elapsed = elapsed.min(100_000);
                timeline.planned(ms(elapsed), elapsed);
                timeline.tick(ms(elapsed), 1);
            }
            timeline.planned(ms(100_000), 100_000);
            timeline.end(Duration::from_secs(100));
            let course: Vec<_> = timeline.points().map(|point| point.successes).collect();
            prop_assert_eq!(course, counts);
            prop_assert!(timeline.points().all(|point| point.starts.unwrap().asked == 1_000));
        }
    }

    #[test]
    fn adds_late_measures_to_their_second() {
        let mut timeline = Timeline::default();
        timeline.add(&Snapshot { until: ms(900), ..measures(2) });
        timeline.tick(ms(1000), 3);
        assert_eq!(timeline.points().len(), 0, "late measures of this second may still arrive");
        timeline.tick(ms(2200), 4);
        timeline.add(&Snapshot { until: ms(1000), ..measures(1) });
        timeline.add(&Snapshot { until: ms(1001), ..measures(5) });
        let seen: Vec<_> = timeline.points().map(|point| (point.successes, point.workers)).collect();
        assert_eq!(seen, [(3, 3), (5, 4)]);
        timeline.add(&Snapshot { until: ms(2200), ..measures(1) });
        timeline.end(ms(2300));
        let last = timeline.points().next_back().unwrap();
        assert_eq!((last.at, last.period, last.successes), (ms(2300), ms(1300), 6), "a very short point is merged");
        assert_eq!(timeline.points().len(), 2);
    }

    /// A `GET` of 0.4 ms, then 600 ms of think time. A second in which only the scenario ends has no latency.
    #[test]
    fn excludes_think_time_from_request_latency() {
        let scenario = || measures_of(|recorder| recorder.scenario(recorder.scenario_id("one"), Outcome::Ok, ms(601)));
        let request = || {
            measures_of(|recorder| {
                let total = Duration::from_micros(400);
                let (outcome, status) = (Outcome::Ok, Some(Status::Code(200)));
                let sample = OperationSample {
                    outcome,
                    status,
                    connect: None,
                    first_byte: None,
                    total,
                    bytes_in: 1,
                    bytes_out: 1,
                    retried: 0,
                };
                recorder.operation(HTTP, "GET /", &sample);
            })
        };
        let mut timeline = Timeline::default();
        for second in [scenario(), request(), scenario(), request()].iter().zip(1..) {
            timeline.add(&Snapshot { until: Duration::from_secs(second.1), ..second.0.clone() });
        }
        timeline.end(Duration::from_secs(4));
        assert_eq!(timeline.latency_source(), LatencySource::Requests);
        let longest: Vec<_> = timeline.points().map(|point| point.latency.max()).collect();
        let (none, short) = (Duration::ZERO, Duration::from_micros(400));
        assert_eq!(longest, [none, short, none, short]);
        assert_eq!(timeline.points().map(|point| point.latency.count()).collect::<Vec<_>>(), [0, 1, 0, 1]);
    }

    #[test]
    fn measures_scenarios_in_runs_without_requests() {
        let mut timeline = Timeline::default();
        timeline.add(&measures_of(|recorder| {
            recorder.scenario(recorder.scenario_id("one"), Outcome::Ok, ms(601));
            recorder.step("pay", Outcome::Ok, ms(5));
        }));
        timeline.end(Duration::from_secs(1));
        assert_eq!(
            (timeline.latency_source(), timeline.points().next().unwrap().latency.max()),
            (LatencySource::Scenarios, ms(601))
        );
    }

    /// The number of planned starts at a time, rounded up as the plan does.
    fn starts_at_200_per_second(time: Duration) -> u64 {
        (time.as_secs_f64() * 200.0).ceil() as u64
    }

    #[test]
    fn planned_starts_belong_to_the_second_for_which_they_are_planned() {
        let mut timeline = Timeline::default();
        let mut elapsed = ms(0);
        while elapsed < ms(3_500) {
            elapsed += ms(73);
            timeline.planned(elapsed, starts_at_200_per_second(elapsed.min(ms(3_200))));
            timeline.tick(elapsed, 1);
        }
        timeline.end(elapsed);
        let asked: Vec<_> = timeline.points().map(|point| point.starts.unwrap().asked).collect();
        assert_eq!(asked, [200, 200, 200, 40]);
    }

    #[test]
    fn points_have_starts_only_in_runs_with_a_rate() {
        let started = |count: u64| {
            measures_of(|recorder| {
                let (stream, scenario) = (recorder.stream_id(""), recorder.scenario_id("one"));
                for n in 0..count {
                    recorder.start(stream, StartSample::Started { lag: ms(n), waited_for: None });
                    recorder.planned_scenario(scenario, Outcome::Ok, ms(n), ms(20));
                }
                recorder.start(stream, StartSample::Dropped(WaitedFor::BusyWorkers));
            })
        };
        let mut timeline = Timeline::default();
        timeline.add(&Snapshot { until: ms(900), ..started(30) });
        timeline.add(&Snapshot { until: ms(1_900), ..started(12) });
        timeline.planned(ms(1_000), 31);
        timeline.tick(ms(3_000), 1);
        timeline.add(&Snapshot { until: ms(1_000), ..started(1) });
        timeline.end(ms(3_000));
        let points: Vec<_> = timeline.points().map(|point| point.starts).collect();
        let first = points[0].as_deref().unwrap();
        assert_eq!((first.asked, first.started, first.late, first.dropped), (31, 31, 19, 2));
        assert_eq!((first.lag.max(), first.response.max(), first.service.max()), (ms(29), ms(49), ms(20)));
        assert_eq!((points[1].as_deref().unwrap().started, points[2].as_deref()), (12, None));

        let mut closed = Timeline::default();
        closed.add(&Snapshot { until: ms(900), ..measures(30) });
        closed.end(ms(1_000));
        assert_eq!(closed.points().next().unwrap().starts, None);
    }

    #[test]
    fn long_runs_have_longer_points() {
        let mut timeline = Timeline::default();
        for second in 1..=7_300 {
            timeline.add(&Snapshot { until: Duration::from_secs(second), ..measures(1) });
            timeline.planned(Duration::from_secs(second), 5 * second);
            timeline.tick(Duration::from_secs(second), 3);
        }
        timeline.end(Duration::from_secs(7_300));
        let points: Vec<_> = timeline.points().collect();
        assert!((1_800..=MAX_POINTS).contains(&points.len()), "{}", points.len());
        assert_eq!(points.iter().map(|point| point.successes).sum::<u64>(), 7_300);
        assert_eq!(points[0].period, Duration::from_secs(4));
        assert_eq!(points[0].workers, 3);
        let asked: Vec<_> = points.iter().map(|point| point.starts.as_deref().unwrap().asked).collect();
        assert_eq!((asked[0], asked.iter().sum::<u64>()), (20, 36_500));
    }
}
