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

use super::{alarm::Alarms, clock::Clock};

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

/// The phase of a shard, and the wakers of its workers.
///
/// Sleeps and requests register nothing. A change of the phase wakes every worker, and each checks the phase when it is polled.
/// In the steady state this costs one comparison per poll.
#[derive(Debug)]
pub(crate) struct Stop {
    phase: Cell<Phase>,
    announced: Arc<AnnouncedPhase>,
    clock: Arc<Clock>,
    /// When the phase ended in which workers run, on the run's clock.
    stopped_at: Cell<Option<Duration>>,
    /// How often the plan of the load has changed.
    changes: Cell<u64>,
    /// Exact timers, for planned starts.
    alarms: Alarms,
    workers: RefCell<Vec<Option<Waker>>>,
}

/// The work was cancelled by [`Phase::Forced`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cancelled;

impl Stop {
    pub(super) fn new(clock: Arc<Clock>, announced: Arc<AnnouncedPhase>) -> Stop {
        Stop {
            phase: Cell::new(Phase::Running),
            announced,
            clock,
            stopped_at: Cell::new(None),
            changes: Cell::new(0),
            alarms: Alarms::default(),
            workers: RefCell::default(),
        }
    }

    /// Whether workers may start scenarios, now or after a pause.
    pub(crate) fn may_run(&self) -> bool {
        self.phase() == Phase::Running
    }

    /// Ends the waits of all workers after a change of the plan.
    pub(crate) fn plan_changed(&self) {
        self.changes.set(self.changes.get() + 1);
        self.wake();
    }

    /// When workers had to stop, on the run's clock.
    pub(crate) fn stopped_at(&self) -> Option<Duration> {
        self.stopped_at.get()
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.clock.is_paused()
    }

    /// Wakes the worker in a slot.
    pub(crate) fn wake_one(&self, slot: usize) {
        if let Some(Some(waker)) = self.workers.borrow().get(slot) {
            waker.wake_by_ref();
        }
    }

    /// Wakes every worker after a change of the phase, the plan or the clock.
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
            if self.stopped_at.get().is_none() {
                self.stopped_at.set(Some(self.clock.now()));
            }
            self.wake();
        }
    }

    /// Runs a worker, whose waker is kept under its slot.
    pub(crate) async fn watch<F: Future>(&self, slot: usize, mut worker: Pin<&mut F>) -> F::Output {
        // While a waker is kept, no other one has its data. So comparing this reads nothing but the task.
        let mut known = None;
        poll_fn(|cx| {
            if known != Some(cx.waker().data()) {
                known = Some(cx.waker().data());
                self.keep(slot, cx.waker());
            }
            worker.as_mut().poll(cx)
        })
        .await
    }

    fn keep(&self, slot: usize, waker: &Waker) {
        let mut workers = self.workers.borrow_mut();
        if workers.len() <= slot {
            workers.resize(slot + 1, None);
        }
        workers[slot] = Some(waker.clone());
    }

    /// Waits until this time on the run's clock. Returns early if the worker must stop or the plan changes.
    pub(crate) async fn sleep_until(&self, until: Duration) {
        self.sleep(until, tokio::time::sleep).await;
    }

    /// Does the same as [`sleep_until`](Self::sleep_until) with an exact timer.
    pub(crate) async fn wait_for_start(&self, until: Duration) {
        self.sleep(until, |time| self.alarms.sleep(time)).await;
    }

    async fn sleep<S: Future<Output = ()>>(&self, until: Duration, timer: impl Fn(Duration) -> S) {
        let changes = self.changes.get();
        let mut sleep = pin!(timer(until.saturating_sub(self.clock.now())));
        poll_fn(|cx| {
            if !self.may_run() || self.changes.get() != changes {
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
                // The timer was early, or the run was paused meanwhile.
                sleep.set(timer(left));
            }
        })
        .await;
    }

    /// Waits until the worker is woken, or until this time on the run's clock.
    pub(crate) async fn idle_until(&self, until: Duration) {
        let mut sleep = pin!(tokio::time::sleep(until.saturating_sub(self.clock.now())));
        let mut is_woken = false;
        poll_fn(|cx| {
            if !self.may_run() || std::mem::replace(&mut is_woken, true) {
                return Poll::Ready(());
            }
            // The end of the pause wakes the worker.
            if self.is_paused() {
                return Poll::Pending;
            }
            sleep.as_mut().poll(cx)
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
            let stop = Rc::new(Stop::new(Arc::new(Clock::new(Instant::now())), Arc::default()));
            let (started, start) = tokio::sync::oneshot::channel();
            let worker = tokio::task::spawn_local({
                let stop = stop.clone();
                async move {
                    let worker = pin!(async {
                        let _ = started.send(());
                        let work = pin!(async { 7 });
                        stop.sleep_until(Duration::from_secs(3600)).await;
                        stop.cancellable(work).await
                    });
                    stop.watch(0, worker).await
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
            let stop = Rc::new(Stop::new(Arc::new(Clock::new(Instant::now())), Arc::default()));
            let (started, start) = tokio::sync::oneshot::channel();
            let worker = tokio::task::spawn_local({
                let stop = stop.clone();
                async move {
                    let worker = pin!(async {
                        let _ = started.send(());
                        let work = pin!(std::future::pending::<()>());
                        stop.cancellable(work).await
                    });
                    stop.watch(0, worker).await
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
            let stop = Rc::new(Stop::new(clock.clone(), Arc::default()));
            let worker = tokio::task::spawn_local({
                let (stop, clock) = (stop.clone(), clock.clone());
                async move {
                    let sleep = pin!(stop.sleep_until(clock.now() + Duration::from_millis(30)));
                    stop.watch(0, sleep).await
                }
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
