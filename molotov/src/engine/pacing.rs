//! Pacing: when workers start, and how long they wait between scenarios.

use std::time::Duration;

use crate::options::{Args, WorkerId};

/// Decides how the load of a run is spread over time.
pub(crate) trait Pacing: Send + Sync {
    /// When the worker starts, from the start of the run.
    fn start_of(&self, worker: WorkerId) -> Duration;

    /// How long a worker waits after a scenario whose own delay is `delay`.
    fn delay_after(&self, delay: Duration) -> Duration;
}

/// A closed loop: each worker starts its next scenario when the last one has ended.
#[derive(Debug, Clone)]
pub(crate) struct ClosedLoop {
    ramp_up: Duration,
    workers: usize,
    delay: Duration,
}

impl ClosedLoop {
    pub(crate) fn new(args: &Args) -> ClosedLoop {
        ClosedLoop { ramp_up: args.ramp_up, workers: args.workers, delay: args.delay }
    }
}

impl Pacing for ClosedLoop {
    fn start_of(&self, worker: WorkerId) -> Duration {
        self.ramp_up.mul_f64(worker.0 as f64 / self.workers.max(1) as f64)
    }

    fn delay_after(&self, delay: Duration) -> Duration {
        delay.saturating_add(self.delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Worker `i` starts at `i * ramp_up / workers`: the first one immediately, the last one step before the end.
        #[test]
        fn ramp_up_starts_workers_evenly(workers in 1_usize..5_000, millis in 0_u64..1_000_000) {
            let ramp_up = Duration::from_millis(millis);
            let pacing = ClosedLoop::new(&Args { workers, ramp_up, ..Args::default() });
            prop_assert_eq!(pacing.start_of(WorkerId(0)), Duration::ZERO);
            let mut last = Duration::ZERO;
            for i in 0..workers {
                let start = pacing.start_of(WorkerId(i));
                prop_assert!(start >= last && (start < ramp_up || ramp_up.is_zero()));
                let exact = ramp_up.as_nanos() * i as u128 / workers as u128;
                prop_assert!(start.as_nanos().abs_diff(exact) <= 1_000, "worker {}: {:?} is not {} ns", i, start, exact);
                last = start;
            }
        }
    }

    #[test]
    fn adds_the_delay_of_the_scenario_and_the_option() {
        let pacing = ClosedLoop::new(&Args { delay: Duration::from_millis(200), ..Args::default() });
        assert_eq!(pacing.delay_after(Duration::from_millis(300)), Duration::from_millis(500));
    }
}
