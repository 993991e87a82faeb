//! How a shard's workers learn that they shall end.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

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

/// The phase, and the wakers of all workers of the shard.
///
/// Nothing is registered for a sleep or a request: a worker that waits is woken when the phase changes and looks.
/// In the steady state the cost is one comparison of wakers a poll.
#[derive(Debug)]
pub(crate) struct Stop {
    phase: Cell<Phase>,
    workers: RefCell<Vec<Option<Waker>>>,
}

/// What was cancelled by [`Phase::Forced`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cancelled;

impl Stop {
    pub(crate) fn new(workers: usize) -> Stop {
        Stop { phase: Cell::new(Phase::Running), workers: RefCell::new(vec![None; workers]) }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Goes on to a later phase and wakes every worker; never back.
    pub(crate) fn raise(&self, phase: Phase) {
        if phase > self.phase.get() {
            self.phase.set(phase);
            for waker in self.workers.borrow().iter().flatten() {
                waker.wake_by_ref();
            }
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

    /// Sleeps, at most until the run begins to stop.
    pub(crate) async fn sleep(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        let mut sleep = pin!(tokio::time::sleep(time));
        poll_fn(|cx| if self.phase() >= Phase::Stopping { Poll::Ready(()) } else { sleep.as_mut().poll(cx) }).await;
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
            let stop = Rc::new(Stop::new(1));
            let (begun, begin) = tokio::sync::oneshot::channel();
            let worker = tokio::task::spawn_local({
                let stop = stop.clone();
                async move {
                    stop.watch(0, async {
                        let _ = begun.send(());
                        let work = pin!(async { 7 });
                        stop.sleep(Duration::from_secs(3600)).await;
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
            let stop = Rc::new(Stop::new(1));
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
}
