//! Samples the lag of a shard's event loop at irregular intervals.

use std::time::{Duration, Instant};

use crate::metrics::Recorder;

/// The shortest and the longest time between two samples, in microseconds.
///
/// The scheduler grants a CPU quota in periods of 100 ms, and a busy event loop is suspended at the end of each. Samples in step
/// with these periods would always find it running, or never.
const BETWEEN: std::ops::Range<u64> = 5_000..45_000;
/// The most samples that one suspension counts for, so that a stopped process does not outweigh the rest of the run.
const MAX_MISSED: usize = 100;

/// Records the lag of the event loop it runs in, until it is dropped.
pub(super) async fn record(recorder: Recorder, seed: u64) {
    let mut schedule = Schedule::new(Instant::now(), seed);
    loop {
        tokio::time::sleep_until(schedule.due.into()).await;
        schedule.woken(Instant::now(), |late| recorder.lag(late));
    }
}

/// The schedule of the samples.
struct Schedule {
    due: Instant,
    rng: fastrand::Rng,
}

impl Schedule {
    fn new(now: Instant, seed: u64) -> Schedule {
        let mut schedule = Schedule { due: now, rng: fastrand::Rng::with_seed(seed) };
        schedule.advance();
        schedule
    }

    fn advance(&mut self) {
        self.due += Duration::from_micros(self.rng.u64(BETWEEN));
    }

    /// Records the sample that was due and all that were missed while the loop was suspended. So the samples show how long an
    /// event at a random time waits, not how often the loop is suspended.
    fn woken(&mut self, now: Instant, mut record: impl FnMut(Duration)) {
        for _ in 0..MAX_MISSED {
            let Some(late) = now.checked_duration_since(self.due) else { return };
            record(late);
            self.advance();
        }
        if self.due < now {
            self.due = now;
            self.advance();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Histogram;

    /// A quota lets the loop run for the first 30 ms of each 100 ms, for 10 s.
    #[test]
    fn detects_a_quota_at_any_phase() {
        for seed in 0..50 {
            let start = Instant::now();
            let (mut schedule, mut lag) = (Schedule::new(start, seed), Vec::new());
            while schedule.due < start + Duration::from_secs(10) {
                let in_period = Duration::from_micros((schedule.due - start).as_micros() as u64 % 100_000);
                let suspended = in_period >= Duration::from_millis(30);
                let wait = if suspended { Duration::from_millis(100) - in_period } else { Duration::ZERO };
                schedule.woken(schedule.due + wait, |late| lag.push(late));
            }
            let lag: Histogram = lag.into_iter().collect();
            // 70 % of all times fall into a suspension, which lasts another 35 ms on average.
            let [median, p95] = [50.0, 95.0].map(|percent| lag.percentile(percent).as_millis());
            assert!((10..40).contains(&median) && (55..=71).contains(&p95), "seed {seed}: {median} ms, {p95} ms");
            assert!((300..600).contains(&lag.count()), "seed {seed}: {}", lag.count());
        }
    }

    #[test]
    fn counts_missed_samples_up_to_a_limit() {
        let start = Instant::now();
        for (stood, expected) in [(1_000, 20..80), (3_600_000, MAX_MISSED..MAX_MISSED + 1)] {
            let mut schedule = Schedule::new(start, 7);
            let (now, mut count) = (start + Duration::from_millis(stood), 0);
            schedule.woken(now, |_| count += 1);
            assert!(expected.contains(&count), "{stood} ms: {count}");
            assert!(schedule.due > now, "the next sample is due in the future");
        }
    }
}
