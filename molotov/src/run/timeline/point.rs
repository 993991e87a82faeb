//! A period of a run, and what ended in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::metrics::{Histogram, Snapshot};

/// What ended in a period of a run. See [`Timeline`](super::Timeline) for an example.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Point {
    /// The end of the period, from the start of the run.
    pub at: Duration,
    /// The length of the period.
    pub period: Duration,
    /// Whether the warm-up lasted until after its start. If so, the point includes what belongs to the warm-up.
    ///
    /// What was measured during the warm-up but reported in a later point is in no point. [`Summary::warm_up`] counts it. So the
    /// points of the warm-up can sum to less than `Summary::warm_up`, by at most the scenarios that ran when it ended. The other
    /// points contain results only.
    ///
    /// [`Summary::warm_up`]: crate::run::Summary::warm_up
    #[serde(skip)]
    pub warm_up: bool,
    /// Workers running at its end.
    pub workers: usize,
    /// Scenarios that succeeded.
    pub successes: u64,
    /// Scenarios that failed.
    pub failures: u64,
    /// Scenarios that were cancelled before they ended.
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
    /// The latencies of what [`Timeline::latency_source`](super::Timeline::latency_source) names. Percentiles of a complete
    /// point are at most 1 % too high; minimum, maximum and mean are exact.
    pub latency: Histogram,
    /// The starts of scenarios at a rate; `None` in a closed loop.
    pub starts: Option<Box<PointStarts>>,
}

/// The starts at a rate in a period of a run, and the times of the scenarios that ended in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PointStarts {
    /// How many starts the plan asked for. For Poisson arrivals, it is the expected number.
    pub asked: u64,
    /// Scenarios that were started.
    pub started: u64,
    /// Those that started more than 10 ms after their planned time.
    pub late: u64,
    /// Planned starts that were dropped because no worker was free.
    pub dropped: u64,
    /// The time from each planned start to the real one. All times here are as exact as [`Point::latency`].
    pub lag: Histogram,
    /// The time from the planned start to the end of each scenario.
    pub response: Histogram,
    /// The time from the real start to the end of each scenario.
    pub service: Histogram,
}

impl Point {
    /// The rate of a count per second of the period.
    pub fn per_second(&self, count: u64) -> f64 {
        let seconds = self.period.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        let starts = self.starts.as_deref().is_some_and(|starts| starts.started + starts.dropped > 0);
        self.successes + self.failures + self.interrupted + self.requests == 0 && !starts
    }

    /// The starts at a rate, which it has from now on.
    pub(super) fn starts_mut(&mut self) -> &mut PointStarts {
        self.starts.get_or_insert_default()
    }

    pub(super) fn make_compact(&mut self) {
        self.latency.make_compact();
        if let Some(starts) = &mut self.starts {
            let PointStarts { lag, response, service, .. } = &mut **starts;
            [lag, response, service].into_iter().for_each(Histogram::make_compact);
        }
    }

    /// Adds what ended in the next period.
    pub(crate) fn merge(&mut self, later: &Point) {
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
        if let Some(later) = &later.starts {
            self.starts_mut().merge(later);
        }
    }
}

impl PointStarts {
    /// Adds the starts and the ends of scenarios that start at a rate.
    pub(super) fn add(&mut self, measures: &Snapshot) {
        for starts in measures.starts.values() {
            self.started += starts.started;
            self.late += starts.late;
            self.dropped += starts.dropped;
            self.lag.merge(&starts.lag);
        }
        for stats in measures.scenarios.values().filter(|stats| !stats.service.is_empty()) {
            self.response.merge(&stats.latency);
            self.service.merge(&stats.service);
        }
    }

    fn merge(&mut self, later: &PointStarts) {
        self.asked += later.asked;
        self.started += later.started;
        self.late += later.late;
        self.dropped += later.dropped;
        self.lag.merge(&later.lag);
        self.response.merge(&later.response);
        self.service.merge(&later.service);
    }
}
