//! A shard: what the workers of a thread share, their recorder and their way to the coordinator. Nothing hot is shared with
//! another thread.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::{
    clock::Clock,
    cookies::DroppedCookies,
    message::Message,
    pacing::{ClosedLoop, Pacing},
    plan::{Plan, ShardPlan},
    status::StatusTable,
    stop::{AnnouncedPhase, Phase, Stop},
    update::{MemberId, Update},
};
use crate::{
    Failure,
    event::{Event, ScenarioInfo},
    format,
    metrics::{ErrorSample, Limits, Outcome, Recorder, Snapshot},
    options::{Args, WorkerId},
    queue::Sender,
    run::{FixtureFailure, Line, LineKind},
    session::Context,
    statsd::Statsd,
};

/// How long teardowns may take once the run is forced down.
pub(super) const TEARDOWN_GRACE: Duration = Duration::from_secs(5);

/// Shards report at multiples of this time since the start of the run. It divides a second, so no report spans the end of one.
const REPORT_PERIOD: Duration = Duration::from_millis(200);

/// How many different complaints of listeners are shown.
const MAX_LISTENER_WARNINGS: usize = 100;

/// What the workers of a thread share: all of it belongs to that thread.
pub(super) struct Shard {
    pub(super) args: Arc<Args>,
    pub(super) plan: ShardPlan,
    pub(super) pacing: Box<dyn Pacing>,
    pub(super) stop: Stop,
    pub(super) statuses: Arc<StatusTable>,
    pub(super) clock: Arc<Clock>,
    /// The number of the process it is in.
    process: usize,
    /// Whether failures carry backtraces.
    pub(super) backtraces: bool,
    pub(super) recorder: Recorder,
    /// When the next report is due.
    pub(super) due: Cell<Instant>,
    /// When the loop of the shard itself last ran.
    pub(super) last_turn: Cell<Instant>,
    pub(super) statsd: Option<Statsd>,
    pub(super) outbox: Outbox,
    pub(super) running: Cell<usize>,
    most: Cell<usize>,
    /// Whether a worker is being cut short right now: what it drops is interrupted then.
    pub(super) cancelling: Cell<bool>,
    /// Cookies that its sessions have dropped.
    cookies: DroppedCookies,
    /// Lines about failures in this second.
    failures: FailureLines,
    /// Failures of listeners that were said already.
    said: RefCell<HashSet<String>>,
    /// Slots of workers that were called in the middle of the run: they take no part in the ramp-up.
    pub(super) late: RefCell<HashSet<usize>>,
}

/// How many failures a shard shows in a second; the rest is counted.
const FAILURE_LINES: u64 = 1_000;

/// The lines about failures that a shard has shown in this second, and those that it has left out.
#[derive(Default)]
struct FailureLines {
    since: Cell<Option<Instant>>,
    count: Cell<u64>,
}

impl FailureLines {
    /// Counts a failure: whether there is to be a line about it.
    fn count(&self) -> bool {
        self.count.set(self.count.get() + 1);
        self.count.get() <= FAILURE_LINES
    }

    /// Begins a new second, when the last one is over or `now`: the number of failures without a line.
    fn turn(&self, now: bool) -> u64 {
        if !now && self.since.get().is_some_and(|since| since.elapsed() < Duration::from_secs(1)) {
            return 0;
        }
        self.since.set(Some(Instant::now()));
        self.count.replace(0).saturating_sub(FAILURE_LINES)
    }
}

/// A shard's way to the coordinator.
#[derive(Clone)]
pub(super) struct Outbox {
    pub(super) member: MemberId,
    pub(super) sender: Sender<Message>,
}

impl Outbox {
    pub(super) fn send(&self, update: Update) {
        // The coordinator goes first only when it has given this shard up; nobody counts it any more then.
        self.sender.send(Message::Update(self.member, update));
    }
}

/// What the shards of a process have in common.
#[derive(Clone)]
pub(super) struct ProcessContext {
    pub(super) clock: Arc<Clock>,
    /// The number of the process, from 0.
    pub(super) number: usize,
    /// How many shards it has.
    pub(super) shards: usize,
    /// Its way to statsd.
    pub(super) statsd: Option<Statsd>,
    /// Set when the run is asked to stop.
    pub(super) stopped: Arc<AtomicBool>,
}

impl Shard {
    pub(super) fn new(
        plan: Plan,
        process: ProcessContext,
        outbox: Outbox,
        statuses: Arc<StatusTable>,
        announced: Arc<AnnouncedPhase>,
    ) -> Shard {
        let ProcessContext { clock, number: process, shards, statsd, stopped: _ } = process;
        let recorder = Recorder::new(Limits::for_shards(shards * plan.args.processes));
        Shard {
            plan: ShardPlan::new(&plan, &recorder),
            pacing: Box::new(ClosedLoop::new(&plan.args)),
            stop: Stop::new(statuses.workers().len(), clock.clone(), announced),
            statuses,
            due: Cell::new(clock.epoch() + REPORT_PERIOD),
            clock,
            process,
            backtraces: plan.args.verbose > 0,
            recorder,
            last_turn: Cell::new(Instant::now()),
            statsd,
            outbox,
            running: Cell::new(0),
            most: Cell::new(0),
            cancelling: Cell::new(false),
            cookies: DroppedCookies::default(),
            failures: FailureLines::default(),
            said: RefCell::default(),
            late: RefCell::default(),
            args: plan.args,
        }
    }

    /// What the run's clock shows when a worker starts.
    pub(super) fn start_of(&self, slot: usize, id: WorkerId) -> Duration {
        if self.late.borrow().contains(&slot) { Duration::ZERO } else { self.pacing.start_of(id) }
    }

    pub(super) fn context_of(self: &Rc<Self>, worker: WorkerId) -> Context {
        let outbox = self.outbox.clone();
        let quiet = self.args.quiet;
        let printer = Rc::new(move |worker: WorkerId, text: String| {
            if quiet {
                return;
            }
            outbox.send(Update::Line(Line::print(text).by_worker(worker.0)));
        });
        Context::new(worker, self.process, self.args.clone(), Some(printer)).with_statsd(self.statsd.clone())
    }

    /// Reports the measures of a period that is over at `now`.
    pub(super) fn report_if_due(&self, now: Instant) {
        let due = self.due.get();
        if now < due {
            return;
        }
        self.report(due - self.clock.epoch());
        let missed = (now - due).as_nanos() / REPORT_PERIOD.as_nanos();
        self.due.set(due + REPORT_PERIOD * (u32::try_from(missed).unwrap_or(u32::MAX - 1) + 1));
    }

    /// Reports everything measured since the last report; `until` is the end of that time, counted from the start of the run.
    pub(super) fn report(&self, until: Duration) {
        self.outbox.send(Update::Workers { running: self.running.get(), most: self.most.get() });
        self.outbox.send(Update::Measures(Box::new(Snapshot { until, ..self.recorder.take() })));
        self.outbox.send(Update::Reported(until));
        if let Some(statsd) = &self.statsd {
            statsd.flush();
        }
    }

    pub(super) fn worker_started(&self) {
        self.running.set(self.running.get() + 1);
        self.most.set(self.most.get().max(self.running.get()));
    }

    pub(super) fn worker_ended(&self) {
        self.running.set(self.running.get() - 1);
    }

    pub(super) fn say(&self, worker: WorkerId, text: &str) {
        if !self.args.quiet {
            self.line(worker, LineKind::Info, text.to_owned());
        }
    }

    /// Says how many failures of the last second have no line of their own.
    pub(super) fn sum_up_failures(&self, now: bool) {
        let more = self.failures.turn(now);
        if more > 0 && !self.args.quiet {
            let text = format!("... and {}", format::plural(more, "more failure"));
            self.outbox.send(Update::Line(Line::failure(text)));
        }
    }

    pub(super) fn line(&self, worker: WorkerId, kind: LineKind, text: String) {
        if self.args.quiet {
            return;
        }
        self.outbox.send(Update::Line(Line { kind, ..Line::info(text) }.by_worker(worker.0)));
    }

    /// Records how a run of a scenario ended.
    pub(super) fn ran(&self, index: usize, outcome: Outcome, started: Instant, ended: Instant) {
        // A scenario that blocks the thread delays the loop too: what ended before belongs to the period before.
        self.report_if_due(ended);
        self.recorder.scenario(self.plan.scenarios[index].id, outcome, ended - started);
    }

    /// Whether scenarios block the thread and keep the loop of the shard itself from running.
    pub(super) fn is_blocked(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_turn.get()) > 2 * REPORT_PERIOD
    }

    /// Everything that a failed scenario entails, but for its count.
    pub(super) async fn failed(&self, worker: WorkerId, scenario: &ScenarioInfo, failure: Failure) {
        if self.args.exception {
            self.stop.raise(Phase::Stopping);
            self.outbox.send(Update::StopOnFailure);
        }
        self.recorder.error(ErrorSample {
            kind: failure.kind(),
            message: failure.message(),
            place: failure.place(),
            scenario: &scenario.name,
            detail: failure.backtrace().map(str::to_owned),
            at: std::time::SystemTime::now(),
        });
        // At full speed a line for each would cost more than the scenario.
        if !self.args.quiet && self.failures.count() {
            self.line(worker, LineKind::Failure, failure.describe(&scenario.name, self.backtraces));
        }
        if self.has_listeners() {
            self.notify(&Event::ScenarioFailure { scenario, failure: &failure, worker }).await;
        }
    }

    /// A fixture without which the run cannot go on has failed.
    pub(super) fn fixture_failed(&self, worker: WorkerId, failed: FixtureFailure, failure: Failure) {
        let text = failure.describe(&failed.fixture, self.backtraces);
        self.line(worker, LineKind::Failure, text);
        self.stop.raise(Phase::Stopping);
        self.outbox.send(Update::FixtureFailed(failed));
    }

    /// A session has dropped a cookie of this server.
    pub(super) fn cookie_dropped(&self, host: &str) {
        if let Some(dropped) = self.cookies.dropped(host) {
            self.outbox.send(Update::CookieDropped(dropped));
        }
    }

    /// A request was answered with this status.
    pub(super) fn answered(&self, status: u16) {
        if let Some(dropped) = self.cookies.answered(status) {
            self.outbox.send(Update::CookieDropped(dropped));
        }
    }

    pub(super) fn teardown_failed(&self, worker: WorkerId, fixture: &str, failure: Failure) {
        self.line(worker, LineKind::Warning, failure.describe(fixture, self.backtraces));
    }

    pub(super) fn has_listeners(&self) -> bool {
        !self.plan.selection.events.is_empty()
    }

    /// Tells every listener, one after the other. One that fails is said once for each message, and fails nothing.
    pub(super) async fn notify(&self, event: &Event<'_>) {
        for listener in &self.plan.selection.events {
            let told = super::panic::CatchPanic::new(self.backtraces, listener.handle(event)).await;
            if let Err(failure) = told.unwrap_or_else(|caught| Err(caught.into())) {
                let text = failure.describe("events", self.backtraces);
                let mut said = self.said.borrow_mut();
                if said.len() < MAX_LISTENER_WARNINGS && said.insert(text.clone()) {
                    self.outbox.send(Update::Line(Line::warning(text)));
                }
            }
        }
    }
}
