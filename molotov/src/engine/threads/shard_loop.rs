//! The loop of a shard: starts and ends workers, executes commands, and reports.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::future::LocalBoxFuture;
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use crate::{
    engine::{
        alarm::Alarms,
        lag,
        pacing::{Pacing, WorkerPace},
        panic,
        plan::Plan,
        shard::{Outbox, ProcessContext, Shard, TEARDOWN_GRACE},
        status::{StatusTable, left_running},
        stop::{AnnouncedPhase, Phase},
        update::{Command, Update},
        worker::{Ended, Worker},
    },
    http,
    load::{Load, Part},
    options::WorkerId,
    vars::Scope,
};

/// A handle to a shard, for the coordinator.
pub(super) struct ShardHandle {
    /// `None` for a shard on the thread that started the run.
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) commands: UnboundedSender<Command>,
    pub(super) statuses: Arc<StatusTable>,
    pub(super) announced: Arc<AnnouncedPhase>,
}

/// A shard that does not run yet.
pub(in crate::engine) struct PreparedShard {
    plan: Plan,
    scope: Arc<Scope>,
    statuses: Arc<StatusTable>,
    announced: Arc<AnnouncedPhase>,
    outbox: Outbox,
    process: ProcessContext,
    /// Its number in the process.
    number: usize,
    inbox: UnboundedReceiver<Command>,
}

/// Prepares the shard with this number in its process.
pub(super) fn prepare(
    plan: &Plan,
    scope: Arc<Scope>,
    outbox: Outbox,
    process: &ProcessContext,
    number: usize,
) -> (PreparedShard, ShardHandle) {
    let statuses = Arc::new(StatusTable::new(process.clock.clone()));
    let (commands, inbox) = unbounded_channel();
    let announced = Arc::new(AnnouncedPhase::new(process.stopped.clone()));
    let handle = ShardHandle { thread: None, commands, statuses: statuses.clone(), announced: announced.clone() };
    (
        PreparedShard {
            plan: plan.clone(),
            scope,
            statuses,
            announced,
            outbox,
            process: process.clone(),
            number,
            inbox,
        },
        handle,
    )
}

impl PreparedShard {
    /// Runs the shard on a new thread.
    pub(super) fn spawn(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(format!("molotov-{}", self.number)).spawn(move || {
            self.run(|mut builder, work| {
                builder.build_local(LocalOptions::default()).map(|runtime| runtime.block_on(work))
            });
        })
    }

    /// Runs the shard on this thread until it ends.
    pub(in crate::engine) fn run(self, block_on: impl FnOnce(Builder, LocalBoxFuture<'static, ()>) -> io::Result<()>) {
        let _scope = self.scope.enter();
        let (scope, outbox, clock) = (self.scope.clone(), self.outbox.clone(), self.process.clock.clone());
        let mut builder = Builder::new_current_thread();
        builder.enable_all().on_thread_start(move || scope.adopt());
        let idle_since = IdleSince::default();
        let work = run(self, idle_since.clone());
        // The coordinator waits for `Done`, so it is sent whatever happens.
        let ended = catch_unwind(AssertUnwindSafe(|| block_on(builder, Box::pin(work))));
        let failed = match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("cannot start a thread's event loop: {error}")),
            Err(payload) => {
                outbox.send(Update::Abandoned);
                let message = panic::payload_message(&*payload);
                Some(format!("a thread of workers panicked, and what it measured last is lost: {message}"))
            }
        };
        if let Some(why) = failed {
            outbox.send(Update::SystemFailed(why));
        }
        let (elapsed, paused) = idle_since.get().unwrap_or_else(|| (clock.real(), clock.paused()));
        outbox.send(Update::Done { elapsed, paused });
    }
}

/// Since when a shard has been idle, and how long the run was paused until then; `None` while it has workers.
type IdleSince = Rc<Cell<Option<(Duration, Duration)>>>;

async fn run(prepared: PreparedShard, idle_since: IdleSince) {
    let PreparedShard { plan, scope: _, statuses, announced, outbox, process, number, inbox: mut commands } = prepared;
    let (split, shards) = (process.split, process.shards);
    let shard = Rc::new(Shard::new(plan, process, number, outbox, statuses, announced));
    crate::failure::capture_backtraces(shard.backtraces);

    let mut workers = Workers::new(shard.clone(), split.workers().part(number, shards));
    workers.may_grow = split.is_shared();
    if split.is_shared() {
        workers.wait_for_the_run(&mut commands).await;
    }
    workers.follow_plan();

    // Spawned after the workers, so that they wait in the same queue. They end when they are dropped.
    let mut background = JoinSet::new();
    let seed = shard.args.seed.unwrap_or_default() ^ ((split.process.number as u64) << 32) ^ number as u64;
    background.spawn_local(lag::record(shard.recorders.run().clone(), seed));
    background.spawn_local(http::direct::end_turns());

    let mut forced_at = None;
    while !workers.are_over() {
        workers.note_idle(&idle_since);
        shard.last_turn.set(shard.clock.now());
        let mut tick = pin!(tokio::time::sleep_until(workers.next_turn().into()));
        tokio::select! {
            biased;
            Some(command) = commands.recv() => workers.obey(command),
            () = shard.workers_wanted.notified() => workers.grow(),
            ended = workers.tasks.join_next(), if !workers.tasks.is_empty() => match ended {
                Some(Ok(())) => {}
                // A bug in the worker: panics of user code are caught in it.
                Some(Err(error)) if error.is_panic() => {
                    let message = panic::payload_message(&*error.into_panic());
                    shard.outbox.send(Update::SystemFailed(format!("a worker panicked: {message}")));
                }
                Some(Err(_)) | None => {}
            },
            () = &mut tick => {
                shard.sum_up_failures(false);
                shard.report_if_due(Instant::now());
            }
        }
        if shard.stop.phase() == Phase::Forced {
            forced_at.get_or_insert_with(Instant::now);
        }
        let given_up = forced_at.is_some_and(|at| at.elapsed() >= TEARDOWN_GRACE)
            || (shard.args.force_shutdown && shard.statuses.overdue(TEARDOWN_GRACE));
        if given_up {
            for (worker, doing) in shard.statuses.unfinished() {
                shard.outbox.send(Update::Line(left_running(worker, doing, &shard.plan.names(), TEARDOWN_GRACE)));
            }
            // Dropping a worker records its running scenario as interrupted.
            shard.cancelling.set(true);
            let _ = panic::catch(false, || workers.tasks.abort_all());
            while workers.tasks.join_next().await.is_some() {}
            break;
        }
    }
    shard.running.set(0);
    let stopped = shard.stop.stopped_at().unwrap_or_else(|| match shard.stop.may_run() {
        true => Duration::MAX,
        // The run was stopped, and the command has not arrived.
        false => shard.clock.now(),
    });
    shard.streams.iter().for_each(|stream| stream.pacing.finish(stopped));
    shard.sum_up_failures(true);
    shard.report_if_due(Instant::now());
    shard.report(shard.clock.real());
}

/// The workers of a shard, each a task of its thread.
struct Workers {
    shard: Rc<Shard>,
    tasks: JoinSet<()>,
    /// The slots of the workers of closed loops, by stream.
    slots: Vec<Vec<usize>>,
    ended: Rc<EndedWorkers>,
    /// The numbers of its workers.
    part: Part,
    /// Whether a shard without workers waits for more load. The coordinator knows when there will be none.
    may_grow: bool,
}

/// The slots of workers that have ended.
#[derive(Default)]
struct EndedWorkers {
    /// Workers of closed loops that the plan does not need now.
    not_needed: RefCell<HashSet<usize>>,
    /// Slots that a new worker under a rate takes.
    free: RefCell<Vec<usize>>,
}

impl Workers {
    fn new(shard: Rc<Shard>, part: Part) -> Workers {
        let slots = vec![Vec::new(); shard.streams.len()];
        Workers { shard, tasks: JoinSet::new(), slots, ended: Rc::default(), part, may_grow: false }
    }

    /// Waits until the run starts on all machines, or is stopped before, and reports how late the shard is.
    async fn wait_for_the_run(&mut self, commands: &mut UnboundedReceiver<Command>) {
        let (shard, alarms) = (self.shard.clone(), Alarms::default());
        while shard.stop.may_run() {
            let left = shard.clock.epoch().saturating_duration_since(Instant::now());
            if left.is_zero() {
                let late = shard.clock.real();
                shard.outbox.send(Update::Began { first: late, last: late });
                return;
            }
            tokio::select! {
                biased;
                Some(command) = commands.recv() => self.obey(command),
                () = alarms.sleep(left) => {}
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Stop => self.shard.stop.raise(Phase::Stopping),
            Command::Force => self.shard.stop.raise(Phase::Forced),
            // The clock is paused already.
            Command::Pause(_) => self.shard.stop.wake(),
            Command::Load(load) => self.change_plan(&load),
            Command::EndStream(stream) => {
                self.shard.end_stream(stream);
            }
            Command::Finish => self.may_grow = false,
        }
    }

    /// Whether all workers have ended and no more will start.
    fn are_over(&self) -> bool {
        self.tasks.is_empty() && (!self.shard.stop.may_run() || (self.plan_is_over() && !self.waits_for_load()))
    }

    fn plan_is_over(&self) -> bool {
        self.shard.clock.now() >= self.plan_end()
    }

    /// Whether workers may be added although the plan needs none.
    fn waits_for_load(&self) -> bool {
        self.may_grow && self.shard.streams.iter().any(|stream| stream.pacing.is_open_ended())
    }

    /// Reports when the shard becomes idle or has workers again.
    fn note_idle(&self, since: &IdleSince) {
        let is_idle = self.tasks.is_empty() && self.plan_is_over();
        if is_idle == since.get().is_some() {
            return;
        }
        let (elapsed, paused) = (self.shard.clock.real(), self.shard.clock.paused());
        since.set(is_idle.then_some((elapsed, paused)));
        if is_idle {
            self.shard.report(elapsed);
        }
        self.shard.outbox.send(Update::Idle(is_idle));
    }

    /// When the plan ends, on the run's clock.
    fn plan_end(&self) -> Duration {
        self.shard.streams.iter().map(|stream| stream.pacing.end()).max().unwrap_or_default()
    }

    /// When the loop has something to do without an event.
    fn next_turn(&self) -> Instant {
        let report = self.shard.due.get();
        if !self.tasks.is_empty() || self.shard.clock.is_paused() || self.waits_for_load() {
            return report;
        }
        let left = self.plan_end().saturating_sub(self.shard.clock.now());
        Instant::now().checked_add(left).map_or(report, |end| end.min(report))
    }

    /// Starts the workers of closed loops that the plan needs at any time. Each waits for its start.
    fn follow_plan(&mut self) {
        for stream in 0..self.slots.len() {
            let Some(workers) = self.shard.streams[stream].pacing.workers() else { continue };
            for index in 0..self.part.count(workers) {
                let known = self.slots[stream].get(index).copied();
                // A worker that the plan did not need is started again; one that has finished is not.
                let is_needed = known.is_none_or(|slot| self.ended.not_needed.borrow_mut().remove(&slot));
                let slot = known.unwrap_or_else(|| self.add());
                if known.is_none() {
                    self.slots[stream].push(slot);
                }
                if is_needed {
                    self.start(stream, slot, self.part.nth(index));
                }
            }
        }
    }

    /// Starts the workers that rates need now.
    fn grow(&mut self) {
        for stream in 0..self.slots.len() {
            for _ in 0..self.shard.streams[stream].pacing.take_wanted() {
                let free = self.ended.free.borrow_mut().pop();
                let slot = free.unwrap_or_else(|| self.add());
                self.start(stream, slot, 0);
            }
        }
    }

    fn change_plan(&mut self, load: &Load) {
        for (stream, changed) in self.shard.streams.iter().zip(&load.streams) {
            stream.pacing.change(&changed.model, self.shard.clock.now());
        }
        self.shard.stop.plan_changed();
        self.follow_plan();
    }

    fn id(&self, slot: usize) -> WorkerId {
        WorkerId(self.part.nth(slot))
    }

    /// Adds a slot.
    fn add(&self) -> usize {
        self.shard.statuses.add(|slot| self.id(slot))
    }

    /// Starts a worker with this number among those of its stream. A worker that the plan needs again later runs again.
    fn start(&mut self, stream: usize, slot: usize, number: usize) {
        let (shard, ended, id) = (self.shard.clone(), self.ended.clone(), self.id(slot));
        self.tasks.spawn_local(async move {
            let pacing = &shard.streams[stream].pacing;
            loop {
                let how = {
                    let mut place = Place { shard: &shard, pacing, pace: WorkerPace::new(slot, number) };
                    let worker = Worker::new(shard.clone(), id, slot, stream);
                    let run = pin!(worker.run(&mut place.pace));
                    shard.stop.watch(slot, run).await
                };
                if pacing.workers().is_none() {
                    ended.free.borrow_mut().push(slot);
                    return;
                }
                if how == Ended::Finished || !shard.stop.may_run() {
                    return;
                }
                if pacing.start_of(&WorkerPace::new(slot, number), shard.clock.now()).is_none() {
                    ended.not_needed.borrow_mut().insert(slot);
                    return;
                }
            }
        });
    }
}

/// The part of a worker in its pacing, which ends when it is dropped.
struct Place<'a> {
    shard: &'a Shard,
    pacing: &'a Pacing,
    pace: WorkerPace,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // What is planned during the teardown of a worker that was stopped is not owed.
        let now = self.shard.clock.now();
        self.pacing.leave(&mut self.pace, self.shard.stop.stopped_at().map_or(now, |stopped| stopped.min(now)));
    }
}
