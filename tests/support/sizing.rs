//! The expected result of a sizing.

use crate::SERVICE;

/// Workers that start one after the other, against a service with a limited capacity.
#[derive(Debug, Clone, Copy)]
pub struct Ramp {
    /// The number of concurrent requests that the service handles. Each request takes [`SERVICE`], also if it fails.
    pub capacity: f64,
    /// Workers that start per second, in all processes.
    pub slope: f64,
    /// The tolerated ratio of failures.
    pub tolerance: f64,
}

impl Ramp {
    /// The number of workers at which the failures of the last 5 s exceed the tolerance.
    ///
    /// At time t, there are `slope * t` workers, each with a request in progress. A request that ends at t started one service
    /// time earlier. If W requests are in progress, `max(0, W - capacity)` of them fail. The failure ratio of the window from
    /// t - 5 s to t is the integral of the failing requests divided by the integral of all. This function searches for t in
    /// small steps.
    pub fn workers(&self) -> f64 {
        const STEP: f64 = 0.01;
        let started = |time: f64| (self.slope * (time - SERVICE.as_secs_f64())).max(0.0);
        let mut time: f64 = 0.0;
        loop {
            time += STEP;
            let (mut all, mut failed) = (0.0, 0.0);
            let mut at = (time - 5.0).max(0.0);
            while at < time {
                all += started(at);
                failed += (started(at) - self.capacity).max(0.0);
                at += STEP;
            }
            if all > 0.0 && failed / all > self.tolerance {
                return self.slope * time;
            }
        }
    }
}

/// The number of workers in the output of a sizing.
///
/// # Panics
///
/// Panics if the sizing found none.
#[track_caller]
pub fn found(stdout: &str) -> f64 {
    let line = stdout.lines().find_map(|line| line.split_once(" % obtained with ")?.1.strip_suffix(" workers."));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number of workers in: {stdout}"))
}

/// The ends of the interval in the JSON report of a search for the capacity.
///
/// # Panics
///
/// Panics if the search found none.
#[track_caller]
pub fn interval(report: &serde_json::Value) -> (f64, f64) {
    let sizing = &report["sizing"];
    assert_eq!(sizing["outcome"], "found", "{sizing:#}");
    let end = |name: &str| sizing[name].as_f64().unwrap_or_else(|| panic!("no {name} in {sizing:#}"));
    (end("met"), end("broken"))
}
