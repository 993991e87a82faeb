//! A shard: one thread, one runtime, its own workers, recorder and connections. Nothing hot is shared with another.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::future::LocalBoxFuture;
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use super::{
    board::Board,
    clock::Clock,
    cookies::DroppedCookies,
    message::Message,
    pacing::{ClosedLoop, Pacing},
    plan::{Plan, ShardPlan},
    stop::{Announced, Phase, Stop},
    update::{Command, Update},
    worker::Worker,
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
    vars::Scope,
};

/// How long teardowns may take once the run is forced down.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// Shards report at multiples of this time since the start of the run. It divides a second, so no report spans the end of one.
const REPORT: Duration = Duration::from_millis(200);

/// How many different complaints of listeners are shown.
const SAID: usize = 100;

/// What the workers of a shard share: all of it belongs to the shard's thread.
pub(super) struct Shard {
    pub(super) args: Arc<Args>,
    pub(super) plan: ShardPlan,
    pub(super) pacing: Box<dyn Pacing>,
    pub(super) stop: Stop,
    pub(super) board: Arc<Board>,
    pub(super) clock: Arc<Clock>,
    /// The number of the process it is in.
    process: usize,
    /// Whether failures carry backtraces.
    pub(super) backtraces: bool,
    pub(super) recorder: Recorder,
    /// When the next report is due.
    due: Cell<Instant>,
    /// When the loop of the shard itself last ran.
    last_turn: Cell<Instant>,
    pub(super) statsd: Option<Statsd>,
    outbox: Outbox,
    running: Cell<usize>,
    most: Cell<usize>,
    /// Whether a worker is being cut short right now: what it drops is interrupted then.
    pub(super) cutting: Cell<bool>,
    /// Cookies that its sessions have dropped.
    cookies: DroppedCookies,
    /// Lines about failures in this second.
    failures: FailureLines,
    /// Failures of listeners that were said already.
    said: RefCell<HashSet<String>>,
    /// The number of the shard in its process, and how many there are.
    number: usize,
    shards: usize,
    /// Slots of workers that were sent away.
    dismissed: RefCell<HashSet<usize>>,
    /// Slots of workers that were called in the middle of the run: they take no part in the ramp-up.
    late: RefCell<HashSet<usize>>,
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
    pub(super) shard: usize,
    pub(super) sender: Sender<Message>,
}

impl Outbox {
    fn send(&self, update: Update) {
        // The coordinator goes first only when it has given this shard up; nobody counts it any more then.
        self.sender.send(Message::Update(self.shard, update));
    }
}

/// The coordinator's end of a shard.
pub(super) struct Handle {
    /// `None` for a shard that runs on the thread that started the run.
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) commands: UnboundedSender<Command>,
    pub(super) board: Arc<Board>,
    pub(super) announced: Arc<Announced>,
}

/// A shard that is not running yet.
pub(super) struct Shardling {
    plan: Plan,
    scope: Arc<Scope>,
    board: Arc<Board>,
    announced: Arc<Announced>,
    outbox: Outbox,
    process: Process,
    inbox: UnboundedReceiver<Command>,
}

/// What the shards of a process have in common.
#[derive(Clone)]
pub(super) struct Process {
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

/// Prepares a shard that runs `workers`, counted from 0 in the process.
pub(super) fn prepare(
    plan: &Plan,
    scope: Arc<Scope>,
    outbox: Outbox,
    process: &Process,
    workers: impl Iterator<Item = WorkerId>,
) -> (Shardling, Handle) {
    let board = Arc::new(Board::new(process.clock.clone(), workers));
    let (commands, inbox) = unbounded_channel();
    let announced = Arc::new(Announced::new(process.stopped.clone()));
    let handle = Handle { thread: None, commands, board: board.clone(), announced: announced.clone() };
    (Shardling { plan: plan.clone(), scope, board, announced, outbox, process: process.clone(), inbox }, handle)
}

impl Shardling {
    /// Runs it on a thread of its own.
    pub(super) fn spawn(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(format!("molotov-{}", self.outbox.shard)).spawn(move || {
            self.run(|mut builder, work| {
                builder.build_local(LocalOptions::default()).map(|runtime| runtime.block_on(work))
            });
        })
    }

    /// Runs it on this thread, to its end.
    pub(super) fn run(self, block_on: impl FnOnce(Builder, LocalBoxFuture<'static, ()>) -> io::Result<()>) {
        let _scope = self.scope.enter();
        let (scope, outbox) = (self.scope.clone(), self.outbox.clone());
        let mut builder = Builder::new_current_thread();
        builder.enable_all().on_thread_start(move || scope.adopt());
        let work = run(self);
        // Whatever happens, the coordinator learns that the shard has ended: it waits for that.
        let ended = catch_unwind(AssertUnwindSafe(|| block_on(builder, Box::pin(work))));
        let failed = match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("cannot start a thread's event loop: {error}")),
            Err(payload) => {
                outbox.send(Update::Abandoned);
                let message = super::panic::payload_message(&*payload);
                Some(format!("a thread of workers panicked, and what it measured last is lost: {message}"))
            }
        };
        if let Some(why) = failed {
            outbox.send(Update::SystemFailed(why));
        }
        outbox.send(Update::Done);
    }
}

async fn run(shardling: Shardling) {
    let Shardling { plan, scope: _, board, announced, outbox, process, inbox: mut commands } = shardling;
    let Process { clock, number: process, shards, statsd, stopped: _ } = process;
    let number = outbox.shard;
    let recorder = Recorder::new(Limits::for_shards(shards * plan.args.processes));
    let stop = Stop::new(board.workers().len(), clock.clone(), announced);
    let shard = Rc::new(Shard {
        plan: ShardPlan::new(&plan, &recorder),
        pacing: Box::new(ClosedLoop::new(&plan.args)),
        stop,
        board,
        clock: clock.clone(),
        process,
        backtraces: plan.args.verbose > 0,
        recorder,
        due: Cell::new(clock.epoch() + REPORT),
        last_turn: Cell::new(Instant::now()),
        statsd,
        outbox,
        running: Cell::new(0),
        most: Cell::new(0),
        cutting: Cell::new(false),
        cookies: DroppedCookies::default(),
        failures: FailureLines::default(),
        said: RefCell::default(),
        number,
        shards,
        dismissed: RefCell::default(),
        late: RefCell::default(),
        args: plan.args,
    });
    crate::failure::capture_backtraces(shard.backtraces);

    let mut workers = JoinSet::new();
    for (slot, id) in shard.board.workers().into_iter().enumerate() {
        shard.employ(&mut workers, slot, id);
    }

    // In the queue behind the workers, where it waits as they do. It ends when it is dropped.
    let mut lag = JoinSet::new();
    let seed = shard.args.seed.unwrap_or_default() ^ ((process as u64) << 32) ^ number as u64;
    lag.spawn_local(super::lag::record(shard.recorder.clone(), seed));

    let mut forced_at = None;
    loop {
        shard.last_turn.set(Instant::now());
        let mut tick = pin!(tokio::time::sleep_until(shard.due.get().into()));
        tokio::select! {
            biased;
            Some(command) = commands.recv() => match command {
                Command::Stop => shard.stop.raise(Phase::Stopping),
                Command::Force => shard.stop.raise(Phase::Forced),
                // The clock is paused already.
                Command::Pause(_) => shard.stop.wake(),
                Command::Workers(all) => shard.want(&mut workers, all),
            },
            ended = workers.join_next() => match ended {
                Some(Ok(())) => {}
                // The worker's own code is at fault then: user code cannot panic through it.
                Some(Err(error)) if error.is_panic() => {
                    let message = super::panic::payload_message(&*error.into_panic());
                    shard.outbox.send(Update::SystemFailed(format!("a worker panicked: {message}")));
                }
                Some(Err(_cancelled)) => {}
                None => break,
            },
            () = &mut tick => {
                shard.sum_up_failures(false);
                shard.report_if_due(Instant::now());
            }
        }
        if shard.stop.phase() == Phase::Forced {
            forced_at.get_or_insert_with(Instant::now);
        }
        let given_up = forced_at.is_some_and(|at| at.elapsed() >= GRACE)
            || (shard.args.force_shutdown && shard.board.overdue(GRACE));
        if given_up {
            for (worker, doing) in shard.board.unfinished() {
                shard.outbox.send(Update::Line(super::crew::left_behind(worker, doing, &shard.plan.names())));
            }
            // Dropping the workers counts what they were in the middle of as interrupted.
            shard.cutting.set(true);
            let _ = super::panic::catch(false, || workers.abort_all());
            while workers.join_next().await.is_some() {}
            break;
        }
    }
    shard.running.set(0);
    shard.sum_up_failures(true);
    shard.report_if_due(Instant::now());
    shard.report(shard.clock.real());
}

impl Shard {
    /// Lets a worker begin its life.
    fn employ(self: &Rc<Self>, workers: &mut JoinSet<()>, slot: usize, id: WorkerId) {
        let shard = self.clone();
        workers.spawn_local(async move {
            let worker = Worker::new(shard.clone(), id, slot);
            shard.stop.watch(slot, worker.live()).await;
            if slot >= shard.stop.wanted() {
                shard.dismissed.borrow_mut().insert(slot);
            }
        });
    }

    /// Has the workers that this shard has when the process has `all`: at least one.
    fn want(self: &Rc<Self>, workers: &mut JoinSet<()>, all: usize) {
        let mine = all.saturating_sub(self.number).div_ceil(self.shards).max(1);
        self.stop.want(mine);
        for slot in 0..mine {
            let id = WorkerId(self.number + slot * self.shards);
            let known = self.board.workers().len();
            if slot >= known {
                self.board.add(id);
            }
            // One that has ended by itself has done its work; one that was sent away comes back.
            if slot >= known || self.dismissed.borrow_mut().remove(&slot) {
                self.late.borrow_mut().insert(slot);
                self.employ(workers, slot, id);
            }
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
        Context::new(worker, self.process, self.args.clone(), Some(self.recorder.clone()), Some(printer))
            .with_statsd(self.statsd.clone())
    }

    /// Reports the measures of a period that is over at `now`.
    fn report_if_due(&self, now: Instant) {
        let due = self.due.get();
        if now < due {
            return;
        }
        self.report(due - self.clock.epoch());
        let missed = (now - due).as_nanos() / REPORT.as_nanos();
        self.due.set(due + REPORT * (u32::try_from(missed).unwrap_or(u32::MAX - 1) + 1));
    }

    /// Reports everything measured since the last report; `until` is the end of that time, counted from the start of the run.
    fn report(&self, until: Duration) {
        self.outbox.send(Update::Workers { running: self.running.get(), most: self.most.get() });
        self.outbox.send(Update::Measures(Box::new(Snapshot { until, ..self.recorder.take() })));
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
    fn sum_up_failures(&self, now: bool) {
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
        now.saturating_duration_since(self.last_turn.get()) > 2 * REPORT
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
            self.tell(&Event::ScenarioFailure { scenario, failure: &failure, worker }).await;
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
    pub(super) async fn tell(&self, event: &Event<'_>) {
        for listener in &self.plan.selection.events {
            let told = super::panic::CatchPanic::new(self.backtraces, listener.handle(event)).await;
            if let Err(failure) = told.unwrap_or_else(|caught| Err(caught.into())) {
                let text = failure.describe("events", self.backtraces);
                let mut said = self.said.borrow_mut();
                if said.len() < SAID && said.insert(text.clone()) {
                    self.outbox.send(Update::Line(Line::warning(text)));
                }
            }
        }
    }
}
