//! A worker: one simulated user, from its start to its teardown.
//!
//! A worker waits for its turn in the ramp-up, runs `setup` and `setup_session`, runs one scenario after the other, and runs
//! `teardown_session` and `teardown`. It stops running scenarios when its duration is over, its runs are used up, or the run
//! stops. A worker is an `async fn` on the thread of its shard. Rust and Python scenarios run in the same loop: the worker sees
//! a future that returns a result.

mod scenario_run;

use std::{future::Future, pin::Pin, rc::Rc, sync::Arc, time::Duration};

use tokio::task::coop;

use self::scenario_run::ForceDeadline;
use super::{
    observe::WorkerObserver,
    panic::{self, CatchPanic},
    sequence::{Next, ScenarioSequence},
    shard::Shard,
    status::{Activity, WorkerStatus},
};
use crate::{Failure, metrics::Outcome, options::WorkerId, registry::Slots, run::FixtureFailure, session::Context};

/// A worker of a shard.
pub(super) struct Worker {
    shard: Rc<Shard>,
    id: WorkerId,
    /// Its number within the shard.
    slot: usize,
    context: Context,
    /// What it is doing, for the coordinator.
    status: Arc<WorkerStatus>,
}

impl Worker {
    pub(super) fn new(shard: Rc<Shard>, id: WorkerId, slot: usize) -> Worker {
        let observer = Rc::new(WorkerObserver::new(shard.clone(), id));
        let context = shard.context_of(id).with_observer(observer);
        let status = shard.statuses.get(slot);
        Worker { shard, id, slot, context, status }
    }

    /// Runs the worker from its start to its teardown.
    pub(super) async fn run(self) {
        let shard = self.shard.clone();
        shard.stop.sleep_until(self.slot, shard.start_of(self.slot, self.id)).await;
        if shard.stop.may_run(self.slot) {
            shard.worker_started();
            self.info("Starting");
            self.work().await;
            shard.worker_ended();
        }
        self.set_activity(Activity::Ended);
    }

    async fn work(&self) {
        if let Ok(slots) = self.set_up().await
            && self.set_up_sessions(&slots).await.is_ok()
        {
            self.info("Running scenarios");
            let runs = self.run_scenarios(&slots).await;
            self.info(&format!("Ran {runs} scenarios"));
            self.tear_down_sessions(&slots).await;
        }
        // Also after a failed `setup`, which may have opened something before it failed.
        self.tear_down();
    }

    /// Runs scenarios until the worker is done, and returns how many it ran.
    async fn run_scenarios(&self, slots: &Slots) -> u64 {
        let shard = &*self.shard;
        let clock = &*shard.clock;
        let end = clock.now().saturating_add(shard.args.duration);
        self.status.set_end(end);
        let mut deadline = ForceDeadline::new(clock, shard.args.force_shutdown.then_some(end));
        let mut sequence = ScenarioSequence::new(&shard.plan, &shard.args);
        let mut step = 0;
        while shard.stop.may_run(self.slot) {
            if shard.stop.is_paused() {
                self.set_activity(Activity::Idle);
                shard.stop.wait_out_the_pause(self.slot).await;
                continue;
            }
            let index = match sequence.next(&self.context, step + 1) {
                Next::Done => break,
                Next::Unknown(failure) => {
                    step += 1;
                    self.picker_failed(failure).await;
                    if clock.now() >= end {
                        break;
                    }
                    continue;
                }
                Next::Scenario(index) => index,
            };
            step += 1;
            let ended = self.run_scenario(slots, index, step, &mut deadline).await;
            // Checked after the scenario, so that a duration of 0 runs one.
            if clock.at(ended) >= end {
                break;
            }
            let delay = shard.pacing.delay_after(shard.plan.scenarios[index].info.delay);
            if delay.is_zero() {
                // A scenario that never waits must not keep the other workers of the thread from running.
                match shard.is_blocked(ended) {
                    true => tokio::task::yield_now().await,
                    false => coop::consume_budget().await,
                }
            } else {
                let next = clock.now().saturating_add(delay);
                shard.stop.sleep_until(self.slot, next.min(end)).await;
                if clock.now() >= end {
                    break;
                }
            }
        }
        self.set_activity(Activity::Idle);
        step
    }

    /// Records that the scenario picker named no scenario of this run.
    async fn picker_failed(&self, failure: Failure) {
        let shard = &*self.shard;
        if let Some(picker) = shard.plan.picker_id {
            shard.recorder.scenario(picker, Outcome::Failed, Duration::ZERO);
        }
        shard.failed(self.id, &shard.plan.picker_info, failure).await;
        coop::consume_budget().await;
    }

    /// Runs `setup` and opens the sessions.
    async fn set_up(&self) -> Result<Slots, Aborted> {
        self.set_activity(Activity::Setup);
        let open = self.shard.plan.open_sessions(&self.context);
        self.fixture("setup", open).await
    }

    async fn set_up_sessions(&self, slots: &Slots) -> Result<(), Aborted> {
        self.set_activity(Activity::SetupSession);
        for fixture in &self.shard.plan.selection.setup_sessions {
            self.info("Setting up session");
            self.fixture("setup_session", async {
                fixture.run(slots).await.map_err(|failure| ("setup_session", failure))
            })
            .await?;
        }
        Ok(())
    }

    async fn tear_down_sessions(&self, slots: &Slots) {
        self.set_activity(Activity::TeardownSession);
        for fixture in &self.shard.plan.selection.teardown_sessions {
            let result = CatchPanic::new(self.shard.backtraces, fixture.run(slots)).await;
            if let Err(failure) = result.unwrap_or_else(|caught| Err(caught.into())) {
                self.shard.teardown_failed(self.id, "teardown_session", failure);
            }
        }
    }

    fn tear_down(&self) {
        self.set_activity(Activity::Teardown);
        for fixture in &self.shard.plan.selection.teardowns {
            let result = panic::catch(self.shard.backtraces, || fixture.run(&self.context));
            if let Err(failure) = result.unwrap_or_else(|caught| Err(caught.into())) {
                self.shard.teardown_failed(self.id, "teardown", failure);
            }
        }
    }

    /// Runs a fixture that the worker needs. Its failure ends the run.
    async fn fixture<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, (&'static str, Failure)>>,
    ) -> Result<T, Aborted> {
        let work: Pin<Box<dyn Future<Output = _> + '_>> = Box::pin(work);
        let mut work = CatchPanic::new(self.shard.backtraces, work);
        let (fixture, failure) = match self.shard.stop.cancellable(Pin::new(&mut work)).await {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(failed))) => failed,
            Ok(Err(caught)) => (name, caught.into()),
            Err(_cancelled) => return Err(Aborted),
        };
        let failed = FixtureFailure { fixture: fixture.into(), message: failure.to_string(), exit: failure.exit() };
        self.shard.fixture_failed(self.id, failed, failure);
        Err(Aborted)
    }

    fn set_activity(&self, activity: Activity) {
        self.status.set(activity);
    }

    fn info(&self, text: &str) {
        self.shard.info(self.id, text);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = panic::catch(false, || self.context.detach_all());
    }
}

/// A fixture failed or was cancelled: the worker runs no scenarios.
struct Aborted;
