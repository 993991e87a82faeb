//! A worker: one simulated user, from its start to its teardown.
//!
//! A worker waits for its start, runs `setup` and `setup_session`, runs scenarios at the times that [`Pacing`] gives, and runs
//! `teardown_session` and `teardown`. It stops running scenarios when the plan of the load does not need it any more, or the run
//! stops. A worker is an `async fn` on the thread of its shard. Rust and Python scenarios run in the same loop: the worker sees
//! a future that returns a result.

mod kept_runs;
mod scenario_run;

use std::{any::Any, pin::Pin, rc::Rc, sync::Arc, time::Duration};

use futures_util::{TryFutureExt, future::LocalBoxFuture};
use tokio::task::coop;

use self::{
    kept_runs::KeptRuns,
    scenario_run::{ForceDeadline, Start},
};
use super::{
    observe::WorkerObserver,
    pacing::{Pace, Pacing, WorkerPace},
    panic::{self, CatchPanic},
    sequence::{Next, ScenarioSequence},
    shard::Shard,
    status::{Activity, WorkerStatus},
    update::Update,
};
use crate::{Failure, metrics::Outcome, options::WorkerId, registry::Slots, run::FixtureFailure, session::Context};

/// A worker of a shard.
pub(super) struct Worker {
    shard: Rc<Shard>,
    id: WorkerId,
    /// The stream of the load that it runs.
    stream: usize,
    context: Context,
    observer: Rc<WorkerObserver>,
    /// What it is doing, for the coordinator.
    status: Arc<WorkerStatus>,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its work is done.
    Finished,
    /// The plan needs fewer workers, and may need it again.
    NotNeeded,
}

impl Worker {
    pub(super) fn new(shard: Rc<Shard>, id: WorkerId, slot: usize, stream: usize) -> Worker {
        let observer = Rc::new(WorkerObserver::new(shard.clone(), id));
        let status = shard.statuses.get(slot);
        let predecessors = status.restart();
        let context = shard.context_of(id).with_observer(observer.clone()).after(predecessors);
        Worker { shard, id, stream, context, observer, status }
    }

    /// Runs the worker from its start to its teardown.
    pub(super) async fn run(&self, pace: &mut WorkerPace) -> Ended {
        let (shard, pacing) = (&*self.shard, self.pacing());
        let mut ended = Ended::NotNeeded;
        while let Some(start) = pacing.start_of(pace, shard.clock.now()) {
            shard.stop.sleep_until(start).await;
            if !shard.stop.may_run() {
                break;
            }
            // Otherwise the plan has changed.
            if shard.clock.now() >= start {
                shard.worker_started();
                self.info("Starting");
                ended = self.work(pace).await;
                shard.worker_ended();
                break;
            }
        }
        self.set_activity(Activity::Ended);
        ended
    }

    fn pacing(&self) -> &Pacing {
        &self.shard.streams[self.stream].pacing
    }

    async fn work(&self, pace: &mut WorkerPace) -> Ended {
        let shard = &*self.shard;
        let started = shard.clock.now();
        let rows = match shard.plan.take_rows() {
            Ok(rows) => rows,
            Err(failure) => {
                if failure.is_end_of_rows() {
                    self.rows_ran_out();
                } else {
                    self.fixture_failed("data", failure);
                }
                return Ended::Finished;
            }
        };
        self.observer.starts(started);
        let mut ended = Ended::Finished;
        // At a rate, many workers may set up at once. Those that are not needed any more do not continue.
        let is_needed = |pace: &WorkerPace| {
            let pacing = self.pacing();
            !pacing.is_exact() || shard.stop.may_run() && pacing.start_of(pace, shard.clock.now()).is_some()
        };
        if let Ok(slots) = self.set_up(rows).await
            && is_needed(pace)
            && self.set_up_sessions(&slots).await.is_ok()
        {
            let now = shard.clock.now();
            let over = self.pacing().join(pace, now, now.saturating_sub(started));
            self.info("Running scenarios");
            let runs;
            shard.active.set(shard.active.get() + 1);
            (runs, ended) = self.run_scenarios(&slots, pace, over).await;
            shard.active.set(shard.active.get() - 1);
            self.info(&format!("Ran {runs} scenarios"));
            self.tear_down_sessions(&slots).await;
        }
        // Also after a failed `setup`, which may have opened something before it failed.
        self.tear_down();
        ended
    }

    /// Runs scenarios until the worker is done, and returns how many it ran. Its time is over at `over`.
    async fn run_scenarios(&self, slots: &Slots, pace: &mut WorkerPace, over: Duration) -> (u64, Ended) {
        let shard = &*self.shard;
        let clock = &*shard.clock;
        self.status.set_end(over);
        let mut deadline = ForceDeadline::new(clock, shard.args.force_shutdown.then_some(over));
        let mut sequence = ScenarioSequence::new(&shard.plan, shard.streams[self.stream].only, &shard.args);
        let mut runs = KeptRuns::default();
        let (mut step, mut delay, mut now) = (0, Duration::ZERO, clock.now());
        let ended = loop {
            match self.wait(pace, now, delay).await {
                Some(Ok(start)) => now = start,
                Some(Err(ended)) => break ended,
                None => break Ended::Finished,
            }
            let lag = self.pacing().started(pace, now);
            let start = Start { at: now.saturating_sub(lag.unwrap_or_default()), lag };
            self.observer.starts(start.at);
            step += 1;
            match sequence.next(&self.context, step) {
                // A picker in Python may take a row.
                Next::Unknown(failure) if failure.is_end_of_rows() => {
                    self.rows_ran_out();
                    step -= 1;
                    break Ended::Finished;
                }
                Next::Unknown(failure) => {
                    Box::pin(self.picker_failed(start.at, failure)).await;
                    (now, delay) = (clock.now(), Duration::ZERO);
                }
                Next::Scenario(index) => {
                    let Some(ended) = self.run_scenario(&mut runs, slots, index, step, start, &mut deadline).await
                    else {
                        self.rows_ran_out();
                        step -= 1;
                        break Ended::Finished;
                    };
                    let info = &shard.plan.scenarios[index].info;
                    now = clock.at(ended);
                    delay = info.delay.draw(|| self.context.random());
                    if let Some(pacing) = info.pacing {
                        // The delay of all scenarios comes on top of this one.
                        let left = start.at.saturating_add(pacing).saturating_sub(now);
                        delay = delay.max(left.saturating_sub(shard.args.delay));
                    }
                }
            }
        };
        self.set_activity(Activity::Idle);
        (step, ended)
    }

    /// Waits until the next scenario starts, and returns the time. Returns an error if the plan ends the worker, and `None` if the
    /// run does. `delay` is the sleep that the last scenario asks for.
    async fn wait(&self, pace: &mut WorkerPace, mut now: Duration, delay: Duration) -> Option<Result<Duration, Ended>> {
        let (shard, pacing) = (&*self.shard, self.pacing());
        let mut has_waited = false;
        while shard.stop.may_run() {
            match pacing.next(pace, now, delay) {
                Pace::Done { again } => return Some(Err(if again { Ended::NotNeeded } else { Ended::Finished })),
                Pace::At(start) if start <= now && !shard.stop.is_paused() => {
                    if !has_waited {
                        // A scenario that never waits must not keep the other workers of the thread from running.
                        match shard.is_blocked(now) {
                            true => tokio::task::yield_now().await,
                            false => coop::consume_budget().await,
                        }
                    }
                    // Another worker may have stopped or paused the run meanwhile.
                    if shard.stop.may_run() && !shard.stop.is_paused() {
                        // The lag includes listeners and other workers that have run since `now`.
                        return Some(Ok(if pacing.is_exact() { shard.clock.now() } else { now }));
                    }
                }
                Pace::At(start) => {
                    if shard.stop.is_paused() {
                        self.set_activity(Activity::Idle);
                    }
                    match pacing.is_exact() {
                        true => shard.stop.wait_for_start(start).await,
                        false => shard.stop.sleep_until(start).await,
                    }
                }
                Pace::Idle(until) => {
                    self.set_activity(Activity::Idle);
                    shard.stop.idle_until(until).await;
                }
            }
            has_waited = true;
            now = shard.clock.now();
        }
        None
    }

    /// Records that the scenario picker named no scenario of this run.
    async fn picker_failed(&self, start: Duration, failure: Failure) {
        let shard = &*self.shard;
        if let Some(picker) = shard.plan.picker_id {
            shard.recorders.at(start).scenario(picker, Outcome::Failed, Duration::ZERO);
        }
        shard.failed(self.id, &shard.plan.picker_info, start, failure).await;
        coop::consume_budget().await;
    }

    /// Ends the stream of the worker, because a data file has no row left for it.
    fn rows_ran_out(&self) {
        self.info("Found no row left in a data file");
        if self.shard.end_stream(self.stream) {
            // The other threads and processes do not notice it before one of their workers needs a row.
            self.shard.outbox.send(Update::RowsRanOut { stream: self.stream });
        }
    }

    /// Runs `setup` and opens the sessions.
    async fn set_up(&self, rows: Vec<Box<dyn Any>>) -> Result<Slots, Aborted> {
        self.set_activity(Activity::Setup);
        self.fixture("setup", Box::pin(self.shard.plan.open_sessions(&self.context, rows))).await
    }

    async fn set_up_sessions(&self, slots: &Slots) -> Result<(), Aborted> {
        self.set_activity(Activity::SetupSession);
        for fixture in &self.shard.plan.selection.setup_sessions {
            self.info("Setting up session");
            let run = fixture.run(slots).map_err(|failure| ("setup_session", failure));
            self.fixture("setup_session", Box::pin(run)).await?;
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

    /// Runs a fixture that the worker needs. Its failure ends the run. The future is in a box, so that the one of the worker is
    /// not larger than running scenarios requires.
    async fn fixture<T>(
        &self,
        name: &'static str,
        work: LocalBoxFuture<'_, Result<T, (&'static str, Failure)>>,
    ) -> Result<T, Aborted> {
        let mut work = CatchPanic::new(self.shard.backtraces, work);
        let (fixture, failure) = match self.shard.stop.cancellable(Pin::new(&mut work)).await {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(failed))) => failed,
            Ok(Err(caught)) => (name, caught.into()),
            Err(_cancelled) => return Err(Aborted),
        };
        // A fixture may take a row too.
        match failure.is_end_of_rows() {
            true => self.rows_ran_out(),
            false => self.fixture_failed(fixture, failure),
        }
        Err(Aborted)
    }

    fn fixture_failed(&self, fixture: &'static str, failure: Failure) {
        let failed = FixtureFailure { fixture: fixture.into(), message: failure.to_string(), exit: failure.exit() };
        self.shard.fixture_failed(self.id, failed, failure);
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
