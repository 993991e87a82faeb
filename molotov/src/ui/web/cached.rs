//! Limits the CPU time of updates.

use std::time::{Duration, Instant};

/// The shortest time between two updates.
pub(super) const UPDATE_PERIOD: Duration = Duration::from_secs(1);
/// The time until the next update, as a multiple of the CPU time that an update took: updates take half a percent of a core.
const PAUSE: u32 = 200;

/// A value that is kept until its next update is due.
#[derive(Debug)]
pub(super) struct Cached<T> {
    period: Duration,
    /// The last value, and when the next one is due.
    last: Option<(T, Instant)>,
}

impl<T: Clone> Cached<T> {
    pub(super) fn new(period: Duration) -> Cached<T> {
        Cached { period, last: None }
    }

    /// Returns the last value, or a new one if it is due.
    pub(super) fn get(&mut self, make: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        match &self.last {
            Some((last, due)) if started < *due => last.clone(),
            _ => {
                let before = cpu_time();
                let value = make();
                let due = started + self.period.max(cpu_time().saturating_sub(before) * PAUSE);
                self.last = Some((value.clone(), due));
                value
            }
        }
    }
}

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_until_the_next_one_is_due() {
        let mut cached = Cached::new(Duration::from_secs(3_600));
        assert_eq!([cached.get(|| 1), cached.get(|| 2)], [1, 1]);
        let mut expired = Cached::new(Duration::ZERO);
        expired.last = Some((1, Instant::now()));
        assert_eq!(expired.get(|| 2), 2);
    }
}
