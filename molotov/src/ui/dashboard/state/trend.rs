//! What charts show of the last points of the timeline.

use std::{collections::VecDeque, time::Duration};

use crate::{
    metrics::Histogram,
    run::{Point, Timeline},
};

/// The number of points that charts show.
const POINTS: usize = 120;
/// Late measures change at most this many of the last points.
const CHANGING: usize = 3;

/// The last points of the timeline. A point of the timeline is unpacked once, not for each frame.
#[derive(Debug, Default)]
pub(in super::super) struct Trend {
    points: VecDeque<TrendPoint>,
    /// How many points the timeline had.
    seen: usize,
    period: Duration,
}

/// A point of the timeline, as charts show it. Counts are per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct TrendPoint {
    /// Its end, in seconds since the start of the run.
    pub(in super::super) at: f64,
    /// Its start.
    pub(in super::super) from: f64,
    pub(in super::super) requests_ok: f64,
    pub(in super::super) requests_failed: f64,
    pub(in super::super) scenarios_ok: f64,
    pub(in super::super) scenarios_failed: f64,
    pub(in super::super) workers: usize,
    /// The latencies of requests, or of scenarios in a run without requests.
    pub(in super::super) latency: Percentiles,
    /// Starts at a rate.
    pub(in super::super) starts: Option<StartRates>,
}

/// Percentiles in seconds; `None` if too few latencies were measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct Percentiles {
    pub(in super::super) p50: Option<f64>,
    pub(in super::super) p95: Option<f64>,
    pub(in super::super) p99: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct StartRates {
    pub(in super::super) asked: f64,
    pub(in super::super) started: f64,
    pub(in super::super) response_p95: Option<f64>,
    pub(in super::super) service_p95: Option<f64>,
}

impl Trend {
    /// Takes the points that the timeline has completed or changed.
    pub(super) fn update(&mut self, timeline: &Timeline) {
        let mut points = timeline.points();
        let count = points.len();
        if count == self.seen {
            return;
        }
        let Some(last) = points.next_back() else { return };
        if last.period != self.period || count < self.seen {
            // Points were merged in pairs.
            (self.points, self.seen, self.period) = (VecDeque::new(), 0, last.period);
        }
        let unchanged = self.seen.saturating_sub(CHANGING);
        self.points.truncate(self.points.len().saturating_sub(self.seen - unchanged));
        // From the end, since the iterator unpacks what it skips.
        let newer: Vec<_> = timeline.points().rev().take(POINTS.min(count - unchanged)).collect();
        self.points.extend(newer.iter().rev().map(TrendPoint::of));
        self.seen = count;
        while self.points.len() > POINTS {
            self.points.pop_front();
        }
    }

    pub(in super::super) fn points(&self) -> impl DoubleEndedIterator<Item = &TrendPoint> + ExactSizeIterator {
        self.points.iter()
    }
}

impl TrendPoint {
    fn of(point: &Point) -> TrendPoint {
        let percentile =
            |times: &Histogram, percent| times.percentile_if_enough(percent).map(|time| time.as_secs_f64());
        let latency = &point.latency;
        TrendPoint {
            at: point.at.as_secs_f64(),
            from: point.at.saturating_sub(point.period).as_secs_f64(),
            requests_ok: point.per_second(point.requests - point.request_failures),
            requests_failed: point.per_second(point.request_failures),
            scenarios_ok: point.per_second(point.successes),
            scenarios_failed: point.per_second(point.failures),
            workers: point.workers,
            latency: Percentiles {
                p50: percentile(latency, 50.0),
                p95: percentile(latency, 95.0),
                p99: percentile(latency, 99.0),
            },
            starts: point.starts.as_deref().map(|starts| StartRates {
                asked: point.per_second(starts.asked),
                started: point.per_second(starts.started),
                response_p95: percentile(&starts.response, 95.0),
                service_p95: percentile(&starts.service, 95.0),
            }),
        }
    }
}
