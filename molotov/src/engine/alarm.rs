//! Sleeps that end on time.
//!
//! Timers of the runtime are up to a millisecond late. In a response time that counts from a planned start, this would be
//! visible. The timers here are up to about a tenth of that late, where the system has them, and cost a system call each.
#![allow(unsafe_code, reason = "descriptors are registered with the runtime; the block says why it holds")]

use std::time::Duration;

#[cfg(target_os = "linux")]
pub(super) use self::linux::Alarms;
#[cfg(not(target_os = "linux"))]
pub(super) use self::other::Alarms;

/// The last part of a sleep that an exact timer waits for. The rest is left to a timer of the runtime.
const EXACT_PART: Duration = Duration::from_millis(20);

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        cell::RefCell,
        io,
        os::fd::{AsFd, AsRawFd, RawFd},
        time::Duration,
    };

    use nix::sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    };
    use tokio::io::{Interest, unix::AsyncFd};

    use super::EXACT_PART;

    /// The most exact timers at a time. Each is an open file.
    const MAX_TIMERS: usize = 32;

    /// The exact timers of a thread.
    #[derive(Debug, Default)]
    pub(in crate::engine) struct Alarms(RefCell<Timers>);

    #[derive(Debug, Default)]
    struct Timers {
        free: Vec<AsyncFd<Timer>>,
        lent: usize,
    }

    /// A timer of the system.
    #[derive(Debug)]
    struct Timer(TimerFd);

    impl AsRawFd for Timer {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Alarms {
        /// Sleeps. Can return early, so the caller compares the time. If the system refuses a timer, the sleep is less exact.
        pub(in crate::engine) async fn sleep(&self, time: Duration) {
            if let Some(first) = time.checked_sub(2 * EXACT_PART) {
                return tokio::time::sleep(first + EXACT_PART).await;
            }
            match self.lend() {
                Some(timer) if timer.wait(time).await.is_ok() => {}
                _ => tokio::time::sleep(time).await,
            }
        }

        fn lend(&self) -> Option<Lent<'_>> {
            let timers = &mut *self.0.borrow_mut();
            let timer = match timers.free.pop() {
                Some(timer) => timer,
                None if timers.lent >= MAX_TIMERS => return None,
                None => {
                    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
                    let timer = Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).ok()?);
                    // SAFETY: the timer owns its descriptor, always returns the same, and keeps it open as long as it exists.
                    unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }.ok()?
                }
            };
            timers.lent += 1;
            Some(Lent { alarms: self, timer: Some(timer) })
        }
    }

    /// A timer that returns to its [`Alarms`] when it is dropped.
    struct Lent<'a> {
        alarms: &'a Alarms,
        timer: Option<AsyncFd<Timer>>,
    }

    impl Lent<'_> {
        async fn wait(&self, time: Duration) -> io::Result<()> {
            let Some(timer) = &self.timer else { return Ok(()) };
            // A time of 0 would turn the timer off.
            let time = TimeSpec::from(time.max(Duration::from_nanos(1)));
            timer.get_ref().0.set(Expiration::OneShot(time), TimerSetTimeFlags::empty())?;
            // The next expiry is a new event, so the number of expiries is never read.
            timer.readable().await?.clear_ready();
            Ok(())
        }
    }

    impl Drop for Lent<'_> {
        fn drop(&mut self) {
            let timers = &mut *self.alarms.0.borrow_mut();
            timers.lent -= 1;
            timers.free.extend(self.timer.take());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::time::Duration;

    /// The timers of the runtime.
    #[derive(Debug, Default)]
    pub(in crate::engine) struct Alarms;

    impl Alarms {
        pub(in crate::engine) async fn sleep(&self, time: Duration) {
            tokio::time::sleep(time).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn sleeps_end_on_time() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let alarms = Alarms::default();
            for micros in [0, 1, 300, 7_700, 61_300] {
                let (time, started) = (Duration::from_micros(micros), Instant::now());
                while started.elapsed() < time {
                    alarms.sleep(time.saturating_sub(started.elapsed())).await;
                }
            }
            // A sleep that is dropped leaves a timer that expires during the next sleep.
            let dropped = tokio::time::timeout(Duration::from_millis(1), alarms.sleep(Duration::from_millis(5))).await;
            assert!(dropped.is_err());
            let started = Instant::now();
            while started.elapsed() < Duration::from_millis(15) {
                alarms.sleep(Duration::from_millis(15).saturating_sub(started.elapsed())).await;
            }
            assert!(started.elapsed() < Duration::from_secs(5));
        });
    }
}
