//! One run of one scenario by a worker: its events, its outcome, and its deadline with `--force-shutdown`.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::time::Sleep;

use super::{Worker, kept_runs::KeptRuns};
use crate::{
    Failure,
    backtrace::poll_apart,
    engine::{clock::Clock, panic, shard::Shard, status::Activity, stop::Phase},
    event::Event,
    metrics::Outcome,
    registry::Slots,
    run::LineKind,
    session::Context,
};

impl Worker {
    /// Runs a scenario once, records its outcome, and returns when it ended. Returns `None` if a data file had no row left for it,
    /// which is not recorded.
    pub(super) async fn run_scenario<'a>(
        &'a self,
        runs: &mut KeptRuns<'a>,
        slots: &'a Slots,
        index: usize,
        step: u64,
        start: Start,
        deadline: &mut ForceDeadline<'_>,
    ) -> Option<Instant> {
        let shard = &*self.shard;
        let scenario = &shard.plan.scenarios[index];
        self.context.enter(step, &scenario.name);
        self.set_activity(Activity::Scenario(index));
        if shard.has_listeners() {
            shard.notify(&Event::ScenarioStart { scenario: &scenario.info, worker: self.id }).await;
        }

        let started = Instant::now();
        // A response time includes the listeners above.
        let lag = start.lag.map(|_| shard.clock.at(started).saturating_sub(start.at));
        let run = ScenarioRun {
            shard,
            context: &self.context,
            thought: self.context.thought(),
            index,
            start: Start { lag, ..start },
            started,
            describing_errors: Cell::new(Duration::ZERO),
            ended: Cell::new(None),
        };
        let work = runs.get(index, || scenario.entry.runs(slots));
        let result = poll_fn(|cx| {
            if shard.stop.phase() == Phase::Forced || deadline.is_over(cx) {
                return Poll::Ready(None);
            }
            let poll = || panic::catch(shard.backtraces, || work.poll(cx));
            match poll_apart(&run.describing_errors, poll) {
                Ok(poll) => poll.map(|result| Some(Ok(result))),
                Err(caught) => Poll::Ready(Some(Err(caught))),
            }
        })
        .await;
        let result = match result {
            None => {
                // Dropped while the scenario still counts as running, so that its requests count as interrupted. A panic in a
                // destructor is ignored.
                shard.cancelling.set(true);
                let _ = panic::catch(false, || runs.drop(index));
                shard.cancelling.set(false);
                return Some(run.end(Outcome::Interrupted));
            }
            Some(Ok(result)) => result,
            Some(Err(caught)) => {
                runs.drop(index);
                Err(Failure::from(caught))
            }
        };

        Some(match result {
            Err(failure) if failure.is_end_of_rows() => {
                run.discard();
                return None;
            }
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
                // The shard may have a command to process.
                tokio::task::yield_now().await;
                ended
            }
            Err(failure) => {
                let ended = run.end(Outcome::Failed);
                // In a box, so that failures do not make the future of every worker larger.
                Box::pin(shard.failed(self.id, &scenario.info, start.at, failure)).await;
                ended
            }
        })
    }
}

/// The start of a scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// When it was planned, or when it happens in a closed loop, on the run's clock.
    pub(super) at: Duration,
    /// With a planned start, the time from it to the real one.
    pub(super) lag: Option<Duration>,
}

/// A running scenario. It is recorded exactly once: when it ends, or as interrupted when its worker is dropped.
struct ScenarioRun<'a> {
    shard: &'a Shard,
    context: &'a Context,
    /// The time that the worker had thought before.
    thought: Duration,
    index: usize,
    start: Start,
    started: Instant,
    /// Time spent on describing errors, which does not count.
    describing_errors: Cell<Duration>,
    ended: Cell<Option<Instant>>,
}

impl ScenarioRun<'_> {
    fn end(self, outcome: Outcome) -> Instant {
        let now = Instant::now();
        self.ended.set(Some(now));
        let apart = self.describing_errors.get() + self.context.thought().saturating_sub(self.thought);
        // Clocks are read at different times.
        self.record(outcome, (self.started + apart).min(now), now);
        now
    }

    /// Ends it without a record.
    fn discard(self) {
        self.ended.set(Some(Instant::now()));
    }

    fn record(&self, outcome: Outcome, started: Instant, ended: Instant) {
        let recorder = self.shard.recorders.at(self.start.at);
        self.shard.record_scenario(recorder, self.index, outcome, self.start.lag, started, ended);
    }
}

impl Drop for ScenarioRun<'_> {
    fn drop(&mut self) {
        if self.ended.get().is_none() {
            self.record(Outcome::Interrupted, self.started, Instant::now());
        }
    }
}

/// When `--force-shutdown` interrupts the running scenario. Without that option it costs nothing.
pub(super) struct ForceDeadline<'a> {
    clock: &'a Clock,
    /// The time on the run's clock, and a timer for it.
    deadline: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl<'a> ForceDeadline<'a> {
    pub(super) fn new(clock: &'a Clock, deadline: Option<Duration>) -> ForceDeadline<'a> {
        let timer = |at: Duration| Box::pin(tokio::time::sleep(at.saturating_sub(clock.now())));
        ForceDeadline { clock, deadline: deadline.map(|at| (at, timer(at))) }
    }

    /// Whether the deadline has passed. The end of a pause must wake the worker.
    fn is_over(&mut self, cx: &mut std::task::Context<'_>) -> bool {
        let Some((at, timer)) = &mut self.deadline else { return false };
        while timer.as_mut().poll(cx).is_ready() {
            let left = at.saturating_sub(self.clock.now());
            if left.is_zero() || self.clock.is_paused() {
                return left.is_zero();
            }
            // The run was paused while the timer ran.
            timer.set(tokio::time::sleep(left));
        }
        false
    }
}
