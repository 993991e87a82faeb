//! A shard: what the workers of one thread share. Other threads touch none of its state on the hot path.

mod failures;
mod listeners;
mod report;

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use self::{failures::FailureLines, listeners::ListenerWarnings, report::REPORT_PERIOD};
use super::{
    clock::Clock,
    cookies::DroppedCookies,
    message::Message,
    pacing::{ClosedLoop, Pacing},
    plan::Plan,
    shard_plan::ShardPlan,
    status::StatusTable,
    stop::{AnnouncedPhase, Stop},
    update::{MemberId, Update},
};
use crate::{
    metrics::{Limits, Recorder},
    options::{Args, WorkerId},
    queue::Sender,
    run::{Line, LineKind},
    session::Context,
    statsd::Statsd,
};

/// How long teardowns may take after the run was forced down.
pub(super) const TEARDOWN_GRACE: Duration = Duration::from_secs(5);

/// The state that the workers of a thread share. All of it belongs to that thread.
pub(super) struct Shard {
    pub(super) args: Arc<Args>,
    pub(super) plan: ShardPlan,
    pub(super) pacing: Box<dyn Pacing>,
    pub(super) stop: Stop,
    pub(super) statuses: Arc<StatusTable>,
    pub(super) clock: Arc<Clock>,
    /// The number of its process.
    process: usize,
    /// Whether failures carry backtraces.
    pub(super) backtraces: bool,
    pub(super) recorder: Recorder,
    /// When the next report is due.
    pub(super) due: Cell<Instant>,
    /// When the loop of the shard last ran.
    pub(super) last_turn: Cell<Instant>,
    pub(super) statsd: Option<Statsd>,
    pub(super) outbox: Outbox,
    pub(super) running: Cell<usize>,
    most: Cell<usize>,
    /// Whether a scenario is being cancelled right now. Requests dropped meanwhile count as interrupted.
    pub(super) cancelling: Cell<bool>,
    cookies: DroppedCookies,
    failure_lines: FailureLines,
    listener_warnings: ListenerWarnings,
    /// Slots of workers added during the run, which take no part in the ramp-up.
    pub(super) late: RefCell<HashSet<usize>>,
}

/// Sends a shard's updates to the coordinator.
#[derive(Clone)]
pub(super) struct Outbox {
    pub(super) member: MemberId,
    pub(super) sender: Sender<Message>,
}

impl Outbox {
    pub(super) fn send(&self, update: Update) {
        // Fails only after the coordinator has given up this shard, whose updates no longer count.
        self.sender.send(Message::Update(self.member, update));
    }
}

/// What the shards of a process have in common.
#[derive(Clone)]
pub(super) struct ProcessContext {
    pub(super) clock: Arc<Clock>,
    /// The number of the process, from 0.
    pub(super) number: usize,
    /// How many shards the process has.
    pub(super) shards: usize,
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
            failure_lines: FailureLines::default(),
            listener_warnings: ListenerWarnings::default(),
            late: RefCell::default(),
            args: plan.args,
        }
    }

    /// When a worker starts, on the run's clock.
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

    pub(super) fn worker_started(&self) {
        self.running.set(self.running.get() + 1);
        self.most.set(self.most.get().max(self.running.get()));
    }

    pub(super) fn worker_ended(&self) {
        self.running.set(self.running.get() - 1);
    }

    /// Whether scenarios block the thread, so that the loop of the shard does not run.
    pub(super) fn is_blocked(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_turn.get()) > 2 * REPORT_PERIOD
    }

    /// Shows what a worker is doing.
    pub(super) fn info(&self, worker: WorkerId, text: &str) {
        if !self.args.quiet {
            self.line(worker, LineKind::Info, text.to_owned());
        }
    }

    pub(super) fn line(&self, worker: WorkerId, kind: LineKind, text: String) {
        if self.args.quiet {
            return;
        }
        self.outbox.send(Update::Line(Line { kind, ..Line::info(text) }.by_worker(worker.0)));
    }
}
