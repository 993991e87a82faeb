//! The loop of a shard: it runs on a thread with a runtime of its own, starts and ends workers, and reports.

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

/// The coordinator's end of a shard.
pub(super) struct ShardHandle {
    /// `None` for a shard that runs on the thread that started the run.
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) commands: UnboundedSender<Command>,
    pub(super) statuses: Arc<StatusTable>,
    pub(super) announced: Arc<AnnouncedPhase>,
}

/// A shard that is not running yet.
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

/// Prepares the shard of that number in its process: it runs `workers`, counted from 0 in the process.
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
    /// Runs it on a thread of its own.
    pub(super) fn spawn(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(format!("molotov-{}", self.number)).spawn(move || {
            self.run(|mut builder, work| {
                builder.build_local(LocalOptions::default()).map(|runtime| runtime.block_on(work))
            });
        })
    }

    /// Runs it on this thread, to its end.
    pub(in crate::engine) fn run(self, block_on: impl FnOnce(Builder, LocalBoxFuture<'static, ()>) -> io::Result<()>) {
        let _scope = self.scope.enter();
        let (scope, outbox, clock) = (self.scope.clone(), self.outbox.clone(), self.process.clock.clone());
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

    let mut workers = Workers { shard: shard.clone(), tasks: JoinSet::new(), dismissed: Rc::default(), number, shards };
    for (slot, id) in shard.statuses.workers().into_iter().enumerate() {
        workers.employ(slot, id);
    }

    // In the queue behind the workers, where it waits as they do. It ends when it is dropped.
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
                Command::Workers(all) => workers.want(all),
            },
            ended = workers.tasks.join_next() => match ended {
                Some(Ok(())) => {}
                // The worker's own code is at fault then: user code cannot panic through it.
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
            // Dropping the workers counts what they were in the middle of as interrupted.
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
    /// Slots of workers that were sent away.
    dismissed: Rc<RefCell<HashSet<usize>>>,
    /// The number of the shard in its process, and how many there are.
    number: usize,
    shards: usize,
}

impl Workers {
    /// Lets a worker begin its life.
    fn employ(&mut self, slot: usize, id: WorkerId) {
        let (shard, dismissed) = (self.shard.clone(), self.dismissed.clone());
        self.tasks.spawn_local(async move {
            let worker = Worker::new(shard.clone(), id, slot);
            shard.stop.watch(slot, worker.live()).await;
            if slot >= shard.stop.wanted() {
                dismissed.borrow_mut().insert(slot);
            }
        });
    }

    /// Has the workers that this shard has when the process has `all`: at least one.
    fn want(&mut self, all: usize) {
        let mine = all.saturating_sub(self.number).div_ceil(self.shards).max(1);
        self.shard.stop.want(mine);
        for slot in 0..mine {
            let id = WorkerId(self.number + slot * self.shards);
            let known = self.shard.statuses.workers().len();
            if slot >= known {
                self.shard.statuses.add(id);
            }
            // One that has ended by itself has done its work; one that was sent away comes back.
            if slot >= known || self.dismissed.borrow_mut().remove(&slot) {
                self.shard.late.borrow_mut().insert(slot);
                self.employ(slot, id);
            }
        }
    }
}
