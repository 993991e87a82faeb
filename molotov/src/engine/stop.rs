//! How a shard's workers learn that they shall end.

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

/// How far the end of a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Scenarios are picked and run.
    Running,
    /// No scenario is begun any more; running ones end by themselves.
    Stopping,
    /// What runs is cancelled.
    Forced,
}

/// How far the end of the run has come, as the outside has announced it. The shard's own event loop learns it later: not before
/// its thread is given back.
#[derive(Debug, Default)]
pub(super) struct AnnouncedPhase {
    phase: AtomicU8,
    /// Whether the run was asked to stop. The caller sets it before it sends the command.
    stopped: Arc<AtomicBool>,
    /// The shard has learned that it is forced down.
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

/// The phase, which workers are wanted, and the wakers of all workers of the shard.
///
/// Nothing is registered for a sleep or a request: a worker that waits is woken when the phase changes and looks.
/// In the steady state the cost is one comparison of wakers a poll.
#[derive(Debug)]
pub(crate) struct Stop {
    phase: Cell<Phase>,
    announced: Arc<AnnouncedPhase>,
    clock: Arc<Clock>,
    /// Workers from this slot on are not wanted any more.
    wanted: Cell<usize>,
    workers: RefCell<Vec<Option<Waker>>>,
}

/// What was cancelled by [`Phase::Forced`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cancelled;

impl Stop {
    pub(super) fn new(workers: usize, clock: Arc<Clock>, announced: Arc<AnnouncedPhase>) -> Stop {
        Stop {
            phase: Cell::new(Phase::Running),
            announced,
            clock,
            wanted: Cell::new(workers),
            workers: RefCell::new(vec![None; workers]),
        }
    }

    /// Whether the worker in that slot may begin a scenario, now or after a pause.
    pub(crate) fn may_run(&self, slot: usize) -> bool {
        self.phase() == Phase::Running && slot < self.wanted.get()
    }

    /// How many workers are wanted.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted.get()
    }

    /// Wants that many workers, the first ones.
    pub(crate) fn want(&self, workers: usize) {
        let mut wakers = self.workers.borrow_mut();
        if wakers.len() < workers {
            wakers.resize(workers, None);
        }
        drop(wakers);
        self.wanted.set(workers);
        self.wake();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.clock.is_paused()
    }

    /// Waits while the run is paused and the worker may go on after.
    pub(crate) async fn wait_out_the_pause(&self, slot: usize) {
        poll_fn(|_| if self.is_paused() && self.may_run(slot) { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    /// Wakes every worker: the phase, the workers wanted or the clock has changed.
    pub(crate) fn wake(&self) {
        for waker in self.workers.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get().max(self.announced.phase())
    }

    /// Goes on to a later phase and wakes every worker; never back.
    pub(crate) fn raise(&self, phase: Phase) {
        if phase == Phase::Forced {
            self.announced.answered.store(true, Ordering::Relaxed);
        }
        if phase > self.phase.get() {
            self.phase.set(phase);
            self.wake();
        }
    }

    /// Runs a worker's whole life under this stop: `slot` is its number within the shard.
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

    /// Sleeps until the run's clock shows `until` and is not paused; less when the run begins to stop or the worker is not
    /// wanted any more.
    pub(crate) async fn sleep_until(&self, slot: usize, until: Duration) {
        let mut sleep = pin!(tokio::time::sleep(until.saturating_sub(self.clock.now())));
        poll_fn(|cx| {
            if !self.may_run(slot) {
                return Poll::Ready(());
            }
            // The end of the pause wakes the worker.
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
                // There was a pause meanwhile.
                sleep.set(tokio::time::sleep(left));
            }
        })
        .await;
    }

    /// Polls `work` until it ends or the run is forced down.
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
    fn a_stop_cuts_sleeps_and_leaves_work() {
        local().block_on(async {
            let stop = Rc::new(Stop::new(1, Arc::new(Clock::new(Instant::now())), Arc::default()));
            let (begun, begin) = tokio::sync::oneshot::channel();
            let worker = tokio::task::spawn_local({
                let stop = stop.clone();
                async move {
                    stop.watch(0, async {
                        let _ = begun.send(());
                        let work = pin!(async { 7 });
                        stop.sleep_until(0, Duration::from_secs(3600)).await;
                        stop.cancellable(work).await
                    })
                    .await
                }
            });
            begin.await.unwrap();
            let before = Instant::now();
            stop.raise(Phase::Stopping);
            assert_eq!(worker.await.unwrap(), Ok(7));
            assert!(before.elapsed() < Duration::from_secs(60));
        });
    }

    #[test]
    fn force_cancels_and_the_phase_never_goes_back() {
        local().block_on(async {
            let stop = Rc::new(Stop::new(1, Arc::new(Clock::new(Instant::now())), Arc::default()));
            let (begun, begin) = tokio::sync::oneshot::channel();
            let worker = tokio::task::spawn_local({
                let stop = stop.clone();
                async move {
                    stop.watch(0, async {
                        let _ = begun.send(());
                        let work = pin!(std::future::pending::<()>());
                        stop.cancellable(work).await
                    })
                    .await
                }
            });
            begin.await.unwrap();
            stop.raise(Phase::Forced);
            stop.raise(Phase::Stopping);
            assert_eq!(stop.phase(), Phase::Forced);
            assert_eq!(worker.await.unwrap(), Err(Cancelled));
        });
    }

    #[test]
    fn a_pause_stretches_sleeps() {
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
            // The timer fires in the pause, and ends nothing.
            tokio::time::sleep(Duration::from_millis(60)).await;
            assert!(!worker.is_finished());
            clock.pause(false);
            let shown = clock.now();
            stop.wake();
            worker.await.unwrap();
            assert!(clock.now() >= Duration::from_millis(30), "{shown:?} when it went on");
        });
    }
}
