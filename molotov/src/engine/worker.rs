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
    board::{Doing, Place},
    clock::Clock,
    observe::WorkerObserver,
    order::{Next, Order},
    panic::CatchPanic,
    shard::Shard,
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
    /// Its place on the board.
    place: Arc<Place>,
}

impl Worker {
    pub(super) fn new(shard: Rc<Shard>, id: WorkerId, slot: usize) -> Worker {
        let observer = Rc::new(WorkerObserver::new(shard.clone(), id));
        let context = shard.context_of(id).with_observer(observer);
        let place = shard.board.place(slot);
        Worker { shard, id, slot, context, place }
    }

    /// The whole life.
    pub(super) async fn live(self) {
        let shard = self.shard.clone();
        shard.stop.sleep_until(self.slot, shard.start_of(self.slot, self.id)).await;
        if shard.stop.goes_on(self.slot) {
            shard.worker_started();
            self.say("Starting");
            self.work().await;
            shard.worker_ended();
        }
        self.now(Doing::Ended);
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
        self.place.set_over(over);
        let mut limit = Limit::new(clock, shard.args.force_shutdown.then_some(over));
        let mut order = Order::new(&shard.plan, &shard.args);
        let mut step = 0;
        while shard.stop.goes_on(self.slot) {
            if shard.stop.is_paused() {
                self.now(Doing::Resting);
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
        self.now(Doing::Resting);
        step
    }

    /// Runs one scenario once, and records how it went. Gives back when it ended.
    async fn run(&self, slots: &Slots, index: usize, step: u64, limit: &mut Limit<'_>) -> Instant {
        let shard = &*self.shard;
        let scenario = &shard.plan.scenarios[index];
        self.context.enter(step, &scenario.name);
        self.now(Doing::Scenario(index));
        if shard.has_listeners() {
            shard.tell(&Event::ScenarioStart { scenario: &scenario.info, worker: self.id }).await;
        }

        let run =
            Run { shard, index, started: Instant::now(), aside: Cell::new(Duration::ZERO), ended: Cell::new(None) };
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
                shard.cutting.set(true);
                let _ = super::panic::catch(false, || drop(work));
                shard.cutting.set(false);
                return run.end(Outcome::Interrupted);
            }
            Some(Ok(result)) => result,
            Some(Err(caught)) => Err(Failure::from(caught)),
        };

        match result {
            Ok(()) => {
                let ended = run.end(Outcome::Ok);
                if shard.has_listeners() {
                    shard.tell(&Event::ScenarioSuccess { scenario: &scenario.info, worker: self.id }).await;
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
    async fn set_up(&self) -> Result<Slots, Ended> {
        self.now(Doing::Setup);
        let open = self.shard.plan.open_sessions(&self.context);
        self.fixture("setup", open).await
    }

    async fn set_up_sessions(&self, slots: &Slots) -> Result<(), Ended> {
        self.now(Doing::SetupSession);
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
        self.now(Doing::TeardownSession);
        for fixture in &self.shard.plan.selection.teardown_sessions {
            let torn_down = CatchPanic::new(self.shard.backtraces, fixture.run(slots)).await;
            if let Err(failure) = torn_down.unwrap_or_else(|caught| Err(caught.into())) {
                self.shard.teardown_failed(self.id, "teardown_session", failure);
            }
        }
    }

    fn tear_down(&self) {
        self.now(Doing::Teardown);
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
    ) -> Result<T, Ended> {
        let work: Pin<Box<dyn Future<Output = _> + '_>> = Box::pin(work);
        let mut work = CatchPanic::new(self.shard.backtraces, work);
        let (fixture, failure) = match self.shard.stop.cancellable(Pin::new(&mut work)).await {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(failed))) => failed,
            Ok(Err(caught)) => (name, caught.into()),
            Err(_cancelled) => return Err(Ended),
        };
        let failed = FixtureFailure { fixture: fixture.into(), message: failure.to_string(), exit: failure.exit() };
        self.shard.fixture_failed(self.id, failed, failure);
        Err(Ended)
    }

    fn now(&self, doing: Doing) {
        self.place.set(doing);
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
struct Ended;

/// A run of a scenario. Recorded once: when it ends, or when the worker is dropped in the middle of it.
struct Run<'a> {
    shard: &'a Shard,
    index: usize,
    started: Instant,
    /// Time that went into describing errors.
    aside: Cell<Duration>,
    ended: Cell<Option<Instant>>,
}

impl Run<'_> {
    fn end(self, outcome: Outcome) -> Instant {
        let now = Instant::now();
        self.ended.set(Some(now));
        self.shard.ran(self.index, outcome, self.started + self.aside.get(), now);
        now
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if self.ended.get().is_none() {
            self.shard.ran(self.index, Outcome::Interrupted, self.started, Instant::now());
        }
    }
}

/// With `--force-shutdown`: when a running scenario is cancelled. Costs nothing without.
struct Limit<'a> {
    clock: &'a Clock,
    /// What the clock shows then, and a timer for it.
    over: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl<'a> Limit<'a> {
    fn new(clock: &'a Clock, over: Option<Duration>) -> Limit<'a> {
        let timer = |over: Duration| Box::pin(tokio::time::sleep(over.saturating_sub(clock.now())));
        Limit { clock, over: over.map(|over| (over, timer(over))) }
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
