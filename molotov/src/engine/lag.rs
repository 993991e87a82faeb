//! How late the event loop of a shard runs, sampled at uneven times.

use std::time::{Duration, Instant};

use crate::metrics::Recorder;

/// The shortest and the longest time between two samples, in microseconds.
///
/// The scheduler hands out a CPU quota in periods of 100 ms, and an event loop with work to do stands still at the end of
/// each. Samples in step with those periods would always find it running, or never.
const BETWEEN: std::ops::Range<u64> = 5_000..45_000;
/// The most samples that one standstill counts for, so that a suspended process does not outweigh the rest of the run.
const MOST_MISSED: usize = 100;

/// Records the lag of the event loop it runs in, until it is dropped.
pub(super) async fn record(recorder: Recorder, seed: u64) {
    let mut clock = Clock::new(Instant::now(), seed);
    loop {
        tokio::time::sleep_until(clock.due.into()).await;
        clock.woken(Instant::now(), |late| recorder.lag(late));
    }
}

/// When samples are due.
struct Clock {
    due: Instant,
    rng: fastrand::Rng,
}

impl Clock {
    fn new(now: Instant, seed: u64) -> Clock {
        let mut clock = Clock { due: now, rng: fastrand::Rng::with_seed(seed) };
        clock.advance();
        clock
    }

    fn advance(&mut self) {
        self.due += Duration::from_micros(self.rng.u64(BETWEEN));
    }

    /// Takes the sample that was due, and those that a standstill has made miss their time: what counts is how long something
    /// waits that happens at any moment, not how often the loop stands still.
    fn woken(&mut self, now: Instant, mut record: impl FnMut(Duration)) {
        for _ in 0..MOST_MISSED {
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

    /// The lag of a loop that a quota lets run for the first 30 ms of each 100 ms, over 10 s.
    #[test]
    fn sees_a_quota_whatever_its_phase() {
        for seed in 0..50 {
            let start = Instant::now();
            let (mut clock, mut lag) = (Clock::new(start, seed), Vec::new());
            while clock.due < start + Duration::from_secs(10) {
                let in_period = Duration::from_micros((clock.due - start).as_micros() as u64 % 100_000);
                let stands_still = in_period >= Duration::from_millis(30);
                let wait = if stands_still { Duration::from_millis(100) - in_period } else { Duration::ZERO };
                clock.woken(clock.due + wait, |late| lag.push(late));
            }
            let lag: Histogram = lag.into_iter().collect();
            // Of all moments, 70 % fall into a standstill, which lasts another 35 ms on average.
            let [median, p95] = [50.0, 95.0].map(|percent| lag.percentile(percent).as_millis());
            assert!((10..40).contains(&median) && (55..=71).contains(&p95), "seed {seed}: {median} ms, {p95} ms");
            assert!((300..600).contains(&lag.count()), "seed {seed}: {}", lag.count());
        }
    }

    #[test]
    fn counts_a_standstill_for_all_that_it_delays_up_to_a_limit() {
        let start = Instant::now();
        for (stood, expected) in [(1_000, 20..80), (3_600_000, MOST_MISSED..MOST_MISSED + 1)] {
            let mut clock = Clock::new(start, 7);
            let (now, mut count) = (start + Duration::from_millis(stood), 0);
            clock.woken(now, |_| count += 1);
            assert!(expected.contains(&count), "{stood} ms: {count}");
            assert!(clock.due > now, "the next sample is due in the future");
        }
    }
}
