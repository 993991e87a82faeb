//! A period of a run, and what ended in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::metrics::Histogram;

/// What ended in a period of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Point {
    /// The end of the period, from the start of the run.
    pub at: Duration,
    /// The length of the period.
    pub period: Duration,
    /// Whether the warm-up lasted until after its start. If so, the point includes what belongs to the warm-up.
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
}

impl Point {
    /// The rate of a count per second of the period.
    pub fn per_second(&self, count: u64) -> f64 {
        let seconds = self.period.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.successes + self.failures + self.interrupted + self.requests == 0
    }

    pub(super) fn merge(&mut self, later: &Point) {
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
