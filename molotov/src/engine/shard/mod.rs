//! A shard: what the workers of one thread share. Other threads touch none of its state on the hot path.

mod failures;
mod listeners;
mod recorders;
mod report;

use std::{
    cell::Cell,
    rc::Rc,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

pub(super) use self::recorders::Recorders;
use self::{failures::FailureLines, listeners::ListenerWarnings, report::REPORT_PERIOD};
use super::{
    clock::Clock,
    cookies::DroppedCookies,
    message::Message,
    pacing::{ClosedLoop, OpenLoop, OpenShard, Pacing},
    plan::Plan,
    shard_plan::ShardPlan,
    split::Split,
    stall::BinRecorder,
    status::StatusTable,
    stop::{AnnouncedPhase, Stop},
    update::{MemberId, Update},
};
use crate::{
    load::{ClosedModel, Levels, Model, Part, Stream},
    metrics::{Limits, StreamId},
    options::{Args, WorkerId},
    queue::Sender,
    run::{Line, LineKind},
    session::{Context, Numbers, Printer},
    statsd::Statsd,
};

/// How long teardowns may take after the run was forced down.
pub(super) const TEARDOWN_GRACE: Duration = Duration::from_secs(5);

/// The state that the workers of a thread share. All of it belongs to that thread.
pub(super) struct Shard {
    pub(super) args: Arc<Args>,
    pub(super) plan: ShardPlan,
    /// The streams of the load.
    pub(super) streams: Vec<ShardStream>,
    pub(super) stop: Rc<Stop>,
    pub(super) statuses: Arc<StatusTable>,
    pub(super) clock: Arc<Clock>,
    /// The number of its process among those of all machines.
    process: usize,
    numbers: Arc<Numbers>,
    /// Whether failures carry backtraces.
    pub(super) backtraces: bool,
    pub(super) recorders: Recorders,
    /// What ended in each bin, in a run whose loads are all closed loops.
    bins: Option<BinRecorder>,
    /// When the next report is due.
    pub(super) due: Cell<Instant>,
    /// When the loop of the shard last ran, on the run's clock.
    pub(super) last_turn: Cell<Duration>,
    pub(super) statsd: Option<Statsd>,
    pub(super) outbox: Outbox,
    /// Prints what workers print.
    printer: Printer,
    pub(super) running: Cell<usize>,
    /// The workers that run scenarios: they have set up their sessions, and their time is not over.
    pub(super) active: Cell<usize>,
    most: Cell<usize>,
    /// Whether a scenario is being cancelled right now. Requests dropped meanwhile count as interrupted.
    pub(super) cancelling: Cell<bool>,
    cookies: DroppedCookies,
    failure_lines: FailureLines,
    listener_warnings: ListenerWarnings,
    /// Notified when a stream needs more workers.
    pub(super) workers_wanted: Rc<Notify>,
}

/// A stream of the load in a shard.
pub(super) struct ShardStream {
    /// The index of its only scenario, if it has one.
    pub(super) only: Option<usize>,
    pub(super) pacing: Pacing,
}

impl ShardStream {
    /// A stream whose workers are all in other processes.
    fn idle(only: Option<usize>) -> ShardStream {
        let model = ClosedModel { workers: Levels::default(), span: None, runs: None, delay: Duration::ZERO };
        ShardStream { only, pacing: Pacing::Closed(ClosedLoop::new(&model)) }
    }
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
    /// The part of the process in the load.
    pub(super) split: Split,
    /// How many shards the process has.
    pub(super) shards: usize,
    pub(super) statsd: Option<Statsd>,
    /// The unique numbers of the process.
    pub(super) numbers: Arc<Numbers>,
    /// Set when the run is asked to stop.
    pub(super) stopped: Arc<AtomicBool>,
}

impl Shard {
    /// Returns the shard with this number in its process.
    pub(super) fn new(
        plan: Plan,
        process: ProcessContext,
        number: usize,
        outbox: Outbox,
        statuses: Arc<StatusTable>,
        announced: Arc<AnnouncedPhase>,
    ) -> Shard {
        let ProcessContext { clock, split, shards, statsd, numbers, stopped: _ } = process;
        let limits = Limits::for_shards(shards * split.process.of);
        let (recorders, (shard_plan, stream_ids)) = Recorders::new(limits, plan.args.warm_up, |recorder| {
            let id = |stream: &Stream| recorder.stream_id(stream.scenario.as_deref().unwrap_or_default());
            (ShardPlan::new(&plan, recorder), plan.load.streams.iter().map(id).collect::<Vec<_>>())
        });
        let stop = Rc::new(Stop::new(clock.clone(), announced));
        let workers_wanted = Rc::new(Notify::new());
        let stream = |(stream, id): (&Stream, StreamId)| {
            let only = stream.scenario.as_ref().and_then(|name| shard_plan.index_of(name));
            let pacing = match &stream.model {
                Model::Closed(model) => Pacing::Closed(ClosedLoop::new(model)),
                Model::Open(model) => {
                    let (recorders, stop, wanted) = (recorders.clone(), stop.clone(), workers_wanted.clone());
                    let Some((starts, workers)) = split.starts(model) else { return ShardStream::idle(only) };
                    let shard = Part::WHOLE.part(number, shards);
                    Pacing::Open(Box::new(OpenLoop::new(
                        model,
                        OpenShard {
                            part: starts.part(number, shards),
                            limit: shard.count(workers).max(1),
                            record: Box::new(move |planned, sample| recorders.at(planned).start(id, sample)),
                            wake: Box::new(move |slot| stop.wake_one(slot)),
                            grow: Box::new(move || wanted.notify_one()),
                        },
                    )))
                }
            };
            ShardStream { only, pacing }
        };
        let printer = {
            let (outbox, quiet) = (outbox.clone(), plan.args.quiet);
            Rc::new(move |worker: WorkerId, text: String| {
                if !quiet {
                    outbox.send(Update::Line(Line::print(text).by_worker(worker.0)));
                }
            })
        };
        Shard {
            streams: plan.load.streams.iter().zip(stream_ids).map(stream).collect(),
            plan: shard_plan,
            stop,
            statuses,
            due: Cell::new(clock.epoch() + REPORT_PERIOD),
            clock,
            process: split.process.number,
            numbers,
            backtraces: plan.args.verbose > 0,
            recorders,
            // A search for the capacity has no steady throughput.
            bins: (!plan.load.is_open() && !plan.args.searches_capacity()).then(BinRecorder::default),
            last_turn: Cell::default(),
            statsd,
            outbox,
            printer,
            running: Cell::new(0),
            active: Cell::new(0),
            most: Cell::new(0),
            cancelling: Cell::new(false),
            cookies: DroppedCookies::default(),
            failure_lines: FailureLines::default(),
            listener_warnings: ListenerWarnings::default(),
            workers_wanted,
            args: plan.args,
        }
    }

    pub(super) fn context_of(&self, worker: WorkerId) -> Context {
        Context::new(worker, self.process, self.args.clone(), Some(self.printer.clone()))
            .with_statsd(self.statsd.clone())
            .with_numbers(self.numbers.clone())
    }

    /// Ends a stream early. Returns whether it had not been ended before.
    pub(super) fn end_stream(&self, stream: usize) -> bool {
        let is_new = self.streams[stream].pacing.end_early(self.clock.now());
        if is_new {
            self.stop.plan_changed();
        }
        is_new
    }

    pub(super) fn worker_started(&self) {
        self.running.set(self.running.get() + 1);
        self.most.set(self.most.get().max(self.running.get()));
    }

    pub(super) fn worker_ended(&self) {
        self.running.set(self.running.get() - 1);
    }

    /// Whether scenarios block the thread, so that the loop of the shard does not run.
    pub(super) fn is_blocked(&self, now: Duration) -> bool {
        now.saturating_sub(self.last_turn.get()) > 2 * REPORT_PERIOD
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
