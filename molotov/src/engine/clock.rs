//! The clock of a run, which stops while the run is paused.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Set while the clock is paused.
const PAUSED: u64 = 1 << 63;

/// Time since the start of the run without pauses. Durations, ramp-ups and delays are measured by this clock.
///
/// All threads of a process share one.
#[derive(Debug)]
pub(super) struct Clock {
    epoch: Instant,
    /// While it runs: the nanoseconds of all pauses so far. While it is paused: [`PAUSED`], and the nanoseconds it shows.
    state: AtomicU64,
}

impl Clock {
    /// A running clock that shows zero at `epoch`.
    pub(super) fn new(epoch: Instant) -> Clock {
        Clock { epoch, state: AtomicU64::new(0) }
    }

    /// When the run started.
    pub(super) fn epoch(&self) -> Instant {
        self.epoch
    }

    /// Real time since the start of the run, pauses included.
    pub(super) fn real(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The time on the clock.
    pub(super) fn now(&self) -> Duration {
        self.at(Instant::now())
    }

    /// The time on the clock at `moment`, which must not be before the last pause or its end.
    pub(super) fn at(&self, moment: Instant) -> Duration {
        let state = self.state.load(Ordering::Acquire);
        match state & PAUSED {
            0 => moment.saturating_duration_since(self.epoch).saturating_sub(Duration::from_nanos(state)),
            _ => Duration::from_nanos(state & !PAUSED),
        }
    }

    /// Whether a sample of the last second belongs to the first part of the run, which is this long: most of the second does.
    pub(super) fn is_sample_of(&self, part: Duration) -> bool {
        !part.is_zero() && self.now().saturating_sub(Duration::from_millis(500)) < part
    }

    pub(super) fn is_paused(&self) -> bool {
        self.state.load(Ordering::Acquire) & PAUSED != 0
    }

    /// How long the run has been paused so far.
    pub(super) fn paused(&self) -> Duration {
        let now = Instant::now();
        now.saturating_duration_since(self.epoch).saturating_sub(self.at(now))
    }

    /// Pauses or resumes the clock.
    pub(super) fn pause(&self, paused: bool) {
        if self.is_paused() == paused {
            return;
        }
        let now = Instant::now();
        let shown = self.at(now);
        let state = match paused {
            true => nanos(shown) | PAUSED,
            false => nanos(now.saturating_duration_since(self.epoch).saturating_sub(shown)),
        };
        self.state.store(state, Ordering::Release);
    }
}

/// Saturates after 292 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) & !PAUSED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_pauses() {
        let clock = Clock::new(Instant::now() - Duration::from_secs(10));
        assert!(clock.now() >= Duration::from_secs(10));
        clock.pause(true);
        clock.pause(true);
        let shown = clock.now();
        std::thread::sleep(Duration::from_millis(20));
        assert!(clock.is_paused());
        assert_eq!(clock.now(), shown);
        clock.pause(false);
        clock.pause(false);
        let paused = clock.paused();
        assert!(paused >= Duration::from_millis(20) && paused < Duration::from_secs(5), "{paused:?}");
        assert!(clock.now() >= shown && clock.now() <= clock.real() - Duration::from_millis(20));
        clock.pause(true);
        let shown = clock.now();
        clock.pause(false);
        assert!(clock.now() >= shown);
        assert!(clock.paused() >= paused);
    }
}
