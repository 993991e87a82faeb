//! What a sizing should find, worked out without it.

use crate::SERVICE;

/// Workers that start one after the other, against a service that bears so many requests at once.
#[derive(Debug, Clone, Copy)]
pub struct Ramp {
    /// Requests that the service bears at once; each takes it [`SERVICE`], and so does the refusal of one too many.
    pub capacity: f64,
    /// Workers that start in a second, over all processes.
    pub slope: f64,
    /// Share of failures that is tolerated.
    pub tolerance: f64,
}

impl Ramp {
    /// How many workers there are when the failures of the last 5 s cross the tolerance.
    ///
    /// At a time t there are `slope * t` workers, each with a request under way. Those that end at t were begun a service
    /// time before; of W begun at once, `max(0, W - capacity)` fail. In the window from t - 5 s to t the share of failures is
    /// the integral of those that fail over the integral of all: t is looked for in small steps.
    pub fn workers(&self) -> f64 {
        const STEP: f64 = 0.01;
        let begun = |time: f64| (self.slope * (time - SERVICE.as_secs_f64())).max(0.0);
        let mut time: f64 = 0.0;
        loop {
            time += STEP;
            let (mut all, mut failed) = (0.0, 0.0);
            let mut at = (time - 5.0).max(0.0);
            while at < time {
                all += begun(at);
                failed += (begun(at) - self.capacity).max(0.0);
                at += STEP;
            }
            if all > 0.0 && failed / all > self.tolerance {
                return self.slope * time;
            }
        }
    }
}

/// The number of workers in what a sizing has printed.
///
/// # Panics
///
/// When it has found none.
#[track_caller]
pub fn found(stdout: &str) -> f64 {
    let line = stdout.lines().find_map(|line| line.split_once(" % obtained with ")?.1.strip_suffix(" workers."));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no workers were found: {stdout}"))
}
