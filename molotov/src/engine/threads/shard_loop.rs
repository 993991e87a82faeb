//! The loop of a shard: starts and ends workers, executes commands, and reports.

use std::{
    cell::RefCell,
    collections::HashSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::Instant,
};

use futures_util::future::LocalBoxFuture;
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};

use crate::{
    engine::{
        lag, panic,
        plan::Plan,
        shard::{Outbox, ProcessContext, Shard, TEARDOWN_GRACE},
        status::{StatusTable, left_running},
        stop::{AnnouncedPhase, Phase},
        update::{Command, Update},
        worker::Worker,
    },
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

/// Prepares a shard to run `workers`, whose numbers count from 0 in the process.
pub(super) fn prepare(
    plan: &Plan,
    scope: Arc<Scope>,
    outbox: Outbox,
    process: &ProcessContext,
    number: usize,
    workers: impl Iterator<Item = WorkerId>,
) -> (PreparedShard, ShardHandle) {
    let statuses = Arc::new(StatusTable::new(process.clock.clone(), workers));
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
        let work = run(self);
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
        outbox.send(Update::Done { elapsed: clock.real(), paused: clock.paused() });
    }
}

async fn run(prepared: PreparedShard) {
    let PreparedShard { plan, scope: _, statuses, announced, outbox, process, number, inbox: mut commands } = prepared;
    let (process_number, shards) = (process.number, process.shards);
    let shard = Rc::new(Shard::new(plan, process, outbox, statuses, announced));
    crate::failure::capture_backtraces(shard.backtraces);

    let mut workers = Workers { shard: shard.clone(), tasks: JoinSet::new(), removed: Rc::default(), number, shards };
    for (slot, id) in shard.statuses.workers().into_iter().enumerate() {
        workers.start(slot, id);
    }

    // Spawned after the workers, so that it waits in the same queue. It ends when it is dropped.
    let mut sampled = JoinSet::new();
    let seed = shard.args.seed.unwrap_or_default() ^ ((process_number as u64) << 32) ^ number as u64;
    sampled.spawn_local(lag::record(shard.recorder.clone(), seed));

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
                Command::Workers(all) => workers.resize(all),
            },
            ended = workers.tasks.join_next() => match ended {
                Some(Ok(())) => {}
                // A bug in the worker: panics of user code are caught in it.
                Some(Err(error)) if error.is_panic() => {
                    let message = panic::payload_message(&*error.into_panic());
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
    shard.sum_up_failures(true);
    shard.report_if_due(Instant::now());
    shard.report(shard.clock.real());
}

/// The workers of a shard, each a task of its thread.
struct Workers {
    shard: Rc<Shard>,
    tasks: JoinSet<()>,
    /// Slots of workers that were removed.
    removed: Rc<RefCell<HashSet<usize>>>,
    /// The number of the shard in its process, and how many there are.
    number: usize,
    shards: usize,
}

impl Workers {
    /// Starts a worker.
    fn start(&mut self, slot: usize, id: WorkerId) {
        let (shard, removed) = (self.shard.clone(), self.removed.clone());
        self.tasks.spawn_local(async move {
            let worker = Worker::new(shard.clone(), id, slot);
            shard.stop.watch(slot, worker.run()).await;
            if slot >= shard.stop.limit() {
                removed.borrow_mut().insert(slot);
            }
        });
    }

    /// Adds or removes workers for `all` workers in the process. At least one worker stays.
    fn resize(&mut self, all: usize) {
        let own = all.saturating_sub(self.number).div_ceil(self.shards).max(1);
        self.shard.stop.set_limit(own);
        for slot in 0..own {
            let id = WorkerId(self.number + slot * self.shards);
            let known = self.shard.statuses.workers().len();
            if slot >= known {
                self.shard.statuses.add(id);
            }
            // A removed worker is started again; a worker that has finished its runs or duration is not.
            if slot >= known || self.removed.borrow_mut().remove(&slot) {
                self.shard.late.borrow_mut().insert(slot);
                self.start(slot, id);
            }
        }
    }
}
