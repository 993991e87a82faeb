//! One worker, from its first breath to its last: the whole run seen from where the load is made.
//!
//! A worker waits for its turn in the ramp-up, is set up, runs one scenario after the other until its time or its
//! runs are over or the run stops, and is torn down. It is a plain `async fn` on its shard's thread. Python scenarios
//! run in the same loop: to a worker a scenario is only a future that ends well or does not.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{task::coop, time::Sleep};

use super::{
    clock::Clock,
    observe::WorkerObserver,
    panic::CatchPanic,
    sequence::{Next, ScenarioSequence},
    shard::Shard,
    status::{Activity, WorkerStatus},
    stop::Phase,
};
use crate::{
    Failure,
    event::Event,
    metrics::Outcome,
    options::WorkerId,
    registry::Slots,
    run::{FixtureFailure, LineKind},
    session::Context,
};

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

    /// The whole life.
    pub(super) async fn live(self) {
        let shard = self.shard.clone();
        shard.stop.sleep_until(self.slot, shard.start_of(self.slot, self.id)).await;
        if shard.stop.may_run(self.slot) {
            shard.worker_started();
            self.say("Starting");
            self.work().await;
            shard.worker_ended();
        }
        self.now(Activity::Ended);
    }

    async fn work(&self) {
        if let Ok(slots) = self.set_up().await
            && self.set_up_sessions(&slots).await.is_ok()
        {
            self.say("Running scenarios");
            let runs = self.run_scenarios(&slots).await;
            self.say(&format!("Ran {runs} scenarios"));
            self.tear_down_sessions(&slots).await;
        }
        // Also after a failed `setup`: it may have opened something before it failed.
        self.tear_down();
    }

    /// Picks and runs until there is no more to do; gives back the number of runs.
    async fn run_scenarios(&self, slots: &Slots) -> u64 {
        let shard = &*self.shard;
        let clock = &*shard.clock;
        let over = clock.now().saturating_add(shard.args.duration);
        self.status.set_end(over);
        let mut limit = ForceDeadline::new(clock, shard.args.force_shutdown.then_some(over));
        let mut order = ScenarioSequence::new(&shard.plan, &shard.args);
        let mut step = 0;
        while shard.stop.may_run(self.slot) {
            if shard.stop.is_paused() {
                self.now(Activity::Idle);
                shard.stop.wait_out_the_pause(self.slot).await;
                continue;
            }
            let index = match order.next(&self.context, step + 1) {
                Next::Scenario(index) => index,
                Next::Unknown(failure) => {
                    step += 1;
                    if let Some(picker) = shard.plan.picker_id {
                        shard.recorder.scenario(picker, Outcome::Failed, Duration::ZERO);
                    }
                    shard.failed(self.id, &shard.plan.picker_info, failure).await;
                    coop::consume_budget().await;
                    if clock.now() >= over {
                        break;
                    }
                    continue;
                }
                Next::Done => break,
            };
            step += 1;
            let ended = self.run(slots, index, step, &mut limit).await;
            // Checked after a run, not before: a duration of 0 is one run.
            if clock.at(ended) >= over {
                break;
            }
            let rest = shard.pacing.rest_after(shard.plan.scenarios[index].info.delay);
            if rest.is_zero() {
                // A scenario that never waits must not keep the other workers of the thread from running.
                match shard.is_blocked(ended) {
                    true => tokio::task::yield_now().await,
                    false => coop::consume_budget().await,
                }
            } else {
                let rested = clock.now().saturating_add(rest);
                shard.stop.sleep_until(self.slot, rested.min(over)).await;
                if clock.now() >= over {
                    break;
                }
            }
        }
        self.now(Activity::Idle);
        step
    }

    /// Runs one scenario once, and records how it went. Gives back when it ended.
    async fn run(&self, slots: &Slots, index: usize, step: u64, limit: &mut ForceDeadline<'_>) -> Instant {
        let shard = &*self.shard;
        let scenario = &shard.plan.scenarios[index];
        self.context.enter(step, &scenario.name);
        self.now(Activity::Scenario(index));
        if shard.has_listeners() {
            shard.notify(&Event::ScenarioStart { scenario: &scenario.info, worker: self.id }).await;
        }

        let run = ScenarioRun {
            shard,
            index,
            started: Instant::now(),
            aside: Cell::new(Duration::ZERO),
            ended: Cell::new(None),
        };
        let mut work = CatchPanic::new(shard.backtraces, scenario.entry.run(slots));
        let ended = poll_fn(|cx| {
            if shard.stop.phase() == Phase::Forced || limit.is_over(cx) {
                return Poll::Ready(None);
            }
            Pin::new(&mut work).poll(cx).map(Some)
        });
        let result = crate::backtrace::apart(&run.aside, ended).await;
        let result = match result {
            None => {
                // What the scenario held is given up here, while it still counts as running; a panic in a destructor
                // of the user's ends nothing.
                shard.cancelling.set(true);
                let _ = super::panic::catch(false, || drop(work));
                shard.cancelling.set(false);
                return run.end(Outcome::Interrupted);
            }
            Some(Ok(result)) => result,
            Some(Err(caught)) => Err(Failure::from(caught)),
        };

        match result {
            Ok(()) => {
                let ended = run.end(Outcome::Ok);
                if shard.has_listeners() {
                    shard.notify(&Event::ScenarioSuccess { scenario: &scenario.info, worker: self.id }).await;
                }
                ended
            }
            Err(failure) if failure.is_interruption() => {
                let text = format!("kept its thread busy: interrupted in the scenario `{}`", scenario.name);
                shard.line(self.id, LineKind::Warning, text);
                let ended = run.end(Outcome::Interrupted);
                // The shard may have a command waiting.
                tokio::task::yield_now().await;
                ended
            }
            Err(failure) => {
                let ended = run.end(Outcome::Failed);
                shard.failed(self.id, &scenario.info, failure).await;
                ended
            }
        }
    }

    /// Runs `setup` and opens the sessions.
    async fn set_up(&self) -> Result<Slots, Aborted> {
        self.now(Activity::Setup);
        let open = self.shard.plan.open_sessions(&self.context);
        self.fixture("setup", open).await
    }

    async fn set_up_sessions(&self, slots: &Slots) -> Result<(), Aborted> {
        self.now(Activity::SetupSession);
        for fixture in &self.shard.plan.selection.setup_sessions {
            self.say("Setting up session");
            self.fixture("setup_session", async {
                fixture.run(slots).await.map_err(|failure| ("setup_session", failure))
            })
            .await?;
        }
        Ok(())
    }

    async fn tear_down_sessions(&self, slots: &Slots) {
        self.now(Activity::TeardownSession);
        for fixture in &self.shard.plan.selection.teardown_sessions {
            let torn_down = CatchPanic::new(self.shard.backtraces, fixture.run(slots)).await;
            if let Err(failure) = torn_down.unwrap_or_else(|caught| Err(caught.into())) {
                self.shard.teardown_failed(self.id, "teardown_session", failure);
            }
        }
    }

    fn tear_down(&self) {
        self.now(Activity::Teardown);
        for fixture in &self.shard.plan.selection.teardowns {
            let torn_down = super::panic::catch(self.shard.backtraces, || fixture.run(&self.context));
            if let Err(failure) = torn_down.unwrap_or_else(|caught| Err(caught.into())) {
                self.shard.teardown_failed(self.id, "teardown", failure);
            }
        }
    }

    /// Runs a fixture without which the worker cannot work: when it fails, the run ends.
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

    fn now(&self, doing: Activity) {
        self.status.set(doing);
    }

    fn say(&self, text: &str) {
        self.shard.say(self.id, text);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = super::panic::catch(false, || self.context.detach_all());
    }
}

/// The worker cannot go on.
struct Aborted;

/// A run of a scenario. Recorded once: when it ends, or when the worker is dropped in the middle of it.
struct ScenarioRun<'a> {
    shard: &'a Shard,
    index: usize,
    started: Instant,
    /// Time that went into describing errors.
    aside: Cell<Duration>,
    ended: Cell<Option<Instant>>,
}

impl ScenarioRun<'_> {
    fn end(self, outcome: Outcome) -> Instant {
        let now = Instant::now();
        self.ended.set(Some(now));
        self.shard.ran(self.index, outcome, self.started + self.aside.get(), now);
        now
    }
}

impl Drop for ScenarioRun<'_> {
    fn drop(&mut self) {
        if self.ended.get().is_none() {
            self.shard.ran(self.index, Outcome::Interrupted, self.started, Instant::now());
        }
    }
}

/// With `--force-shutdown`: when a running scenario is cancelled. Costs nothing without.
struct ForceDeadline<'a> {
    clock: &'a Clock,
    /// What the clock shows then, and a timer for it.
    over: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl<'a> ForceDeadline<'a> {
    fn new(clock: &'a Clock, over: Option<Duration>) -> ForceDeadline<'a> {
        let timer = |over: Duration| Box::pin(tokio::time::sleep(over.saturating_sub(clock.now())));
        ForceDeadline { clock, over: over.map(|over| (over, timer(over))) }
    }

    /// Whether the time is over. The end of a pause has to wake the worker.
    fn is_over(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        let Some((over, timer)) = &mut self.over else { return false };
        while timer.as_mut().poll(cx).is_ready() {
            let left = over.saturating_sub(self.clock.now());
            if left.is_zero() || self.clock.is_paused() {
                return left.is_zero();
            }
            // There was a pause meanwhile.
            timer.set(tokio::time::sleep(left));
        }
        false
    }
}
