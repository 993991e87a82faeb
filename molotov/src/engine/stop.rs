//! How the workers of a shard learn that they must stop.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::clock::Clock;

/// The phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Workers run scenarios.
    Running,
    /// No more scenarios start, and running ones end.
    Stopping,
    /// Running scenarios are cancelled.
    Forced,
}

/// The phase as another thread has announced it. The event loop of the shard learns it later if a scenario blocks the thread.
#[derive(Debug, Default)]
pub(super) struct AnnouncedPhase {
    phase: AtomicU8,
    /// Set when the run is asked to stop, before the command arrives.
    stopped: Arc<AtomicBool>,
    /// Whether the shard has learned that it is forced down.
    answered: AtomicBool,
}

impl AnnouncedPhase {
    pub(super) fn new(stopped: Arc<AtomicBool>) -> AnnouncedPhase {
        AnnouncedPhase { stopped, ..AnnouncedPhase::default() }
    }

    pub(super) fn announce(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 if !self.stopped.load(Ordering::Relaxed) => Phase::Running,
            0 => Phase::Stopping,
            1 => Phase::Stopping,
            _ => Phase::Forced,
        }
    }

    /// Whether the shard has learned that it is forced down.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

/// The phase of a shard, how many of its workers may run, and the wakers of all of them.
///
/// Sleeps and requests register nothing. A change of the phase wakes every worker, and each checks the phase when it is polled.
/// In the steady state this costs one comparison of wakers per poll.
#[derive(Debug)]
pub(crate) struct Stop {
    phase: Cell<Phase>,
    announced: Arc<AnnouncedPhase>,
    clock: Arc<Clock>,
    /// Workers in this slot and above must end.
    limit: Cell<usize>,
    workers: RefCell<Vec<Option<Waker>>>,
}

/// The work was cancelled by [`Phase::Forced`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cancelled;

impl Stop {
    pub(super) fn new(workers: usize, clock: Arc<Clock>, announced: Arc<AnnouncedPhase>) -> Stop {
        Stop {
            phase: Cell::new(Phase::Running),
            announced,
            clock,
            limit: Cell::new(workers),
            workers: RefCell::new(vec![None; workers]),
        }
    }

    /// Whether the worker in this slot may start a scenario, now or after a pause.
    pub(crate) fn may_run(&self, slot: usize) -> bool {
        self.phase() == Phase::Running && slot < self.limit.get()
    }

    /// How many workers may run.
    pub(crate) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// Lets this many workers run, those in the first slots.
    pub(crate) fn set_limit(&self, workers: usize) {
        let mut wakers = self.workers.borrow_mut();
        if wakers.len() < workers {
            wakers.resize(workers, None);
        }
        drop(wakers);
        self.limit.set(workers);
        self.wake();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.clock.is_paused()
    }

    /// Waits until the pause ends or the worker must stop.
    pub(crate) async fn wait_out_the_pause(&self, slot: usize) {
        poll_fn(|_| if self.is_paused() && self.may_run(slot) { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    /// Wakes every worker after a change of the phase, the limit or the clock.
    pub(crate) fn wake(&self) {
        for waker in self.workers.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get().max(self.announced.phase())
    }

    /// Enters a later phase and wakes every worker. Ignores an earlier phase.
    pub(crate) fn raise(&self, phase: Phase) {
        if phase == Phase::Forced {
            self.announced.answered.store(true, Ordering::Relaxed);
        }
        if phase > self.phase.get() {
            self.phase.set(phase);
            self.wake();
        }
    }

    /// Runs a worker, whose waker is kept under its slot.
    pub(crate) async fn watch<F: Future>(&self, slot: usize, worker: F) -> F::Output {
        let mut worker = pin!(worker);
        poll_fn(|cx| {
            let mut workers = self.workers.borrow_mut();
            let known = &mut workers[slot];
            if !known.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *known = Some(cx.waker().clone());
            }
            drop(workers);
            worker.as_mut().poll(cx)
        })
        .await
    }

    /// Sleeps until this time on the run's clock. Returns early if the worker must stop.
    pub(crate) async fn sleep_until(&self, slot: usize, until: Duration) {
        let mut sleep = pin!(tokio::time::sleep(until.saturating_sub(self.clock.now())));
        poll_fn(|cx| {
            if !self.may_run(slot) {
                return Poll::Ready(());
            }
            // The end of a pause wakes the worker.
            if self.is_paused() {
                return Poll::Pending;
            }
            loop {
                let left = until.saturating_sub(self.clock.now());
                if left.is_zero() {
                    return Poll::Ready(());
                }
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                // The run was paused while the timer ran.
                sleep.set(tokio::time::sleep(left));
            }
        })
        .await;
    }

    /// Polls `work` until it completes or the run is forced down.
    pub(crate) fn cancellable<'a, F: Future>(&'a self, work: Pin<&'a mut F>) -> Cancellable<'a, F> {
        Cancellable { stop: self, work }
    }
}

/// See [`Stop::cancellable`].
pub(crate) struct Cancellable<'a, F> {
    stop: &'a Stop,
    work: Pin<&'a mut F>,
}

impl<F: Future> Future for Cancellable<'_, F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.stop.phase() == Phase::Forced {
            return Poll::Ready(Err(Cancelled));
        }
        self.work.as_mut().poll(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{rc::Rc, time::Instant};
    use tokio::runtime::LocalOptions;

    fn local() -> tokio::runtime::LocalRuntime {
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap()
    }

    #[test]
    fn stop_ends_sleeps_and_leaves_work() {
        local().block_on(async {
            let stop = Rc::new(Stop::new(1, Arc::new(Clock::new(Instant::now())), Arc::default()));
            let (started, start) = tokio::sync::oneshot::channel();
            let worker = tokio::task::spawn_local({
                let stop = stop.clone();
                async move {
                    stop.watch(0, async {
                        let _ = started.send(());
                        let work = pin!(async { 7 });
                        stop.sleep_until(0, Duration::from_secs(3600)).await;
                        stop.cancellable(work).await
                    })
                    .await
                }
            });
            start.await.unwrap();
            let before = Instant::now();
            stop.raise(Phase::Stopping);
            assert_eq!(worker.await.unwrap(), Ok(7));
            assert!(before.elapsed() < Duration::from_secs(60));
        });
    }

    #[test]
    fn force_cancels_work_and_is_final() {
        local().block_on(async {
            let stop = Rc::new(Stop::new(1, Arc::new(Clock::new(Instant::now())), Arc::default()));
            let (started, start) = tokio::sync::oneshot::channel();
            let worker = tokio::task::spawn_local({
                let stop = stop.clone();
                async move {
                    stop.watch(0, async {
                        let _ = started.send(());
                        let work = pin!(std::future::pending::<()>());
                        stop.cancellable(work).await
                    })
                    .await
                }
            });
            start.await.unwrap();
            stop.raise(Phase::Forced);
            stop.raise(Phase::Stopping);
            assert_eq!(stop.phase(), Phase::Forced);
            assert_eq!(worker.await.unwrap(), Err(Cancelled));
        });
    }

    #[test]
    fn pause_extends_sleeps() {
        local().block_on(async {
            let clock = Arc::new(Clock::new(Instant::now()));
            let stop = Rc::new(Stop::new(1, clock.clone(), Arc::default()));
            let worker = tokio::task::spawn_local({
                let (stop, clock) = (stop.clone(), clock.clone());
                async move { stop.watch(0, stop.sleep_until(0, clock.now() + Duration::from_millis(30))).await }
            });
            tokio::task::yield_now().await;
            clock.pause(true);
            stop.wake();
            // The timer fires during the pause, which must not end the sleep.
            tokio::time::sleep(Duration::from_millis(60)).await;
            assert!(!worker.is_finished());
            clock.pause(false);
            let shown = clock.now();
            stop.wake();
            worker.await.unwrap();
            assert!(clock.now() >= Duration::from_millis(30), "resumed at {shown:?}");
        });
    }
}
