//! Threads as members: the shards of one process, started, commanded, and left behind where they do not end.

mod shard_loop;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::UnboundedSender;

pub(super) use self::shard_loop::PreparedShard;
use self::shard_loop::ShardHandle;
use super::{
    clock::Clock,
    control::Inbox,
    member::{Member, Members},
    plan::Plan,
    shard::{Outbox, ProcessContext, TEARDOWN_GRACE},
    status::{Activity, left_running},
    stop::{AnnouncedPhase, Phase},
    update::{Command, Update},
};
use crate::{
    metrics::Snapshot,
    options::{Args, WorkerId},
    registry::EventLoop,
    run::Incomplete,
    statsd::Statsd,
    vars::Scope,
};

/// How long a shard may take to give itself up before it is given up.
pub(super) const GIVE_UP_MARGIN: Duration = Duration::from_millis(500);

/// How long a shard that is forced down may keep its thread busy before its code is broken into.
const INTERRUPT_AFTER: Duration = Duration::from_secs(1);

/// A thread of workers in this process.
struct Thread {
    /// Its number in the process.
    number: usize,
    handle: ShardHandle,
    common: Arc<ProcessState>,
    ended: bool,
}

/// What the threads of a process have in common.
struct ProcessState {
    event_loop: Option<Arc<dyn EventLoop>>,
    clock: Arc<Clock>,
    /// When the run was forced down.
    forced: OnceLock<Instant>,
    /// Names of the scenarios.
    names: Vec<String>,
    force_shutdown: bool,
}

/// What the caller must still do after the threads have started.
pub(super) struct StartedThreads {
    /// The way to the threads.
    pub(super) commands: Commands,
    /// The shard that has to run on the calling thread, in this event loop.
    pub(super) here: Option<(Arc<dyn EventLoop>, PreparedShard)>,
    /// Why there are fewer threads than wanted, or no statsd: one sentence.
    pub(super) refused: Option<String>,
}

/// Starts the threads of the process of that number, which join `members`; each tells `inbox` what happens.
pub(super) fn start(
    plan: &Plan,
    scope: &Arc<Scope>,
    inbox: &Inbox,
    clock: Arc<Clock>,
    process: usize,
    members: &mut Members,
) -> StartedThreads {
    let workers = plan.args.workers;
    let threads = per_process(plan);
    let (statsd, mut refused) = match plan.statsd.map(Statsd::open).transpose() {
        Ok(statsd) => (statsd, None),
        Err(error) => {
            // No worker is to begin before somebody learns why.
            inbox.stopped.store(true, Ordering::Relaxed);
            (None, Some(format!("cannot open a socket for statsd: {error}")))
        }
    };
    tracing::debug!(workers, threads, process, "the workers are started");
    let process = ProcessContext {
        clock: clock.clone(),
        number: process,
        shards: threads,
        statsd,
        stopped: inbox.stopped.clone(),
    };
    let common = Arc::new(ProcessState {
        event_loop: plan.selection.event_loop.clone(),
        clock,
        forced: OnceLock::new(),
        names: plan.names(),
        force_shutdown: plan.args.force_shutdown,
    });
    let (mut ways, mut here) = (Vec::new(), None);
    for number in 0..threads {
        let id = members.next_id();
        let outbox = Outbox { member: id, sender: inbox.sender.clone() };
        let mine = (number..workers).step_by(threads).map(WorkerId);
        let (shard, mut handle) = shard_loop::prepare(plan, scope.clone(), outbox, &process, number, mine);
        match &common.event_loop {
            Some(event_loop) => here = Some((event_loop.clone(), shard)),
            None => match shard.spawn() {
                Ok(thread) => handle.thread = Some(thread),
                Err(error) => {
                    refused = Some(no_thread(&error));
                    break;
                }
            },
        }
        ways.push((handle.commands.clone(), handle.announced.clone()));
        members.join(id, Box::new(Thread { number, handle, common: common.clone(), ended: false }));
    }
    StartedThreads { commands: Commands { common, threads: ways.into() }, here, refused }
}

impl Thread {
    /// Breaks into code that keeps the thread of an event loop busy though it should have ended: the next worker may do the same.
    fn break_in(&self) {
        let Some(event_loop) = &self.common.event_loop else { return };
        let forced = self.common.forced.get().map_or(Duration::ZERO, Instant::elapsed);
        // A shard that learns in time cancels its workers and drops them after the grace.
        let late = TEARDOWN_GRACE + GIVE_UP_MARGIN / 4;
        let unanswered = forced >= INTERRUPT_AFTER && !self.handle.announced.is_answered();
        if unanswered || forced >= late || (self.common.force_shutdown && self.handle.statuses.overdue(late)) {
            event_loop.interrupt();
        }
    }
}

impl Member for Thread {
    fn name(&self) -> String {
        format!("thread {}", self.number)
    }

    fn send(&mut self, command: Command) {
        self.common.prepare_for(command);
        deliver(&self.handle.commands, &self.handle.announced, command);
    }

    fn observe(&mut self, update: &Update) {
        self.ended |= matches!(update, Update::Done { .. });
    }

    /// Breaks into its code where it should have ended. Leaves it where it does not even answer, since a scenario keeps the thread
    /// busy; returns what it would have said.
    fn look_after(&mut self) -> Vec<Update> {
        self.break_in();
        let forced = self.common.forced.get().is_some_and(|at| at.elapsed() >= TEARDOWN_GRACE + GIVE_UP_MARGIN);
        let stuck =
            forced || (self.common.force_shutdown && self.handle.statuses.overdue(TEARDOWN_GRACE + GIVE_UP_MARGIN));
        if self.ended || !stuck {
            return Vec::new();
        }
        let mut said = Vec::new();
        let (elapsed, paused) = (self.common.clock.real(), self.common.clock.paused());
        let mut cut = Snapshot { until: elapsed, ..Snapshot::default() };
        for (worker, doing) in self.handle.statuses.unfinished() {
            said.push(Update::Line(left_running(worker, doing, &self.common.names, TEARDOWN_GRACE)));
            if let Activity::Scenario(index) = doing {
                cut.scenarios.entry(self.common.names[index].as_str().into()).or_default().counts.interrupted += 1;
            }
        }
        said.extend([Update::Abandoned, Update::Measures(Box::new(cut)), Update::Done { elapsed, paused }]);
        said
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn incomplete(&self, since: Duration) -> Incomplete {
        Incomplete { process: 0, pid: None, thread: Some(self.number), since }
    }

    /// Waits for a thread that has ended. One that was given up is left behind: it cannot be stopped from outside.
    fn release(self: Box<Self>) {
        if let Some(thread) = self.handle.thread
            && self.ended
            && thread.is_finished()
        {
            let _ = thread.join();
        }
    }
}

impl ProcessState {
    /// What a command does to the whole process.
    fn prepare_for(&self, command: Command) {
        match command {
            Command::Pause(paused) => self.clock.pause(paused),
            // A run that stops holds nobody any more.
            Command::Stop | Command::Force => self.clock.pause(false),
            Command::Workers(_) => {}
        }
        if command == Command::Force {
            self.forced.get_or_init(Instant::now);
        }
        if let (Some(event_loop), Command::Stop | Command::Force) = (&self.event_loop, command) {
            event_loop.stopping();
        }
    }
}

fn deliver(commands: &UnboundedSender<Command>, announced: &AnnouncedPhase, command: Command) {
    match command {
        Command::Stop => announced.announce(Phase::Stopping),
        Command::Force => announced.announce(Phase::Forced),
        Command::Pause(_) | Command::Workers(_) => {}
    }
    // A shard that has ended takes no commands, and needs none.
    let _ = commands.send(command);
}

/// The way to all threads of a process, from any thread.
#[derive(Clone)]
pub(super) struct Commands {
    common: Arc<ProcessState>,
    threads: Arc<[(UnboundedSender<Command>, Arc<AnnouncedPhase>)]>,
}

impl Commands {
    /// Whether the run was forced down.
    pub(super) fn are_forced(&self) -> bool {
        self.common.forced.get().is_some()
    }

    pub(super) fn send(&self, command: Command) {
        self.common.prepare_for(command);
        for (commands, announced) in self.threads.iter() {
            deliver(commands, announced, command);
        }
    }
}

/// Runs a shard in an event loop on this thread, and `beside` on another. If the shard's code still keeps this thread after
/// `beside`, it is interrupted once `is_forced`.
///
/// # Errors
///
/// When the other thread cannot be started. Nothing has run then.
pub(super) fn run_here<T: Send>(
    event_loop: &dyn EventLoop,
    commands: &Commands,
    work: impl FnOnce(),
    watched: T,
    beside: impl FnOnce(&mut T) + Send,
    mut is_forced: impl FnMut(&mut T) -> bool + Send,
) -> io::Result<()> {
    let returned = AtomicBool::new(false);
    let is_back = || returned.load(Ordering::Acquire);
    thread::scope(|threads| {
        let watcher = thread::Builder::new().name("molotov-run".to_owned()).spawn_scoped(threads, move || {
            let mut watched = watched;
            let done = catch_unwind(AssertUnwindSafe(|| beside(&mut watched)));
            if let Err(panic) = done {
                // Nobody else would end the shard.
                commands.send(Command::Force);
                resume_unwind(panic);
            }
            let mut forced = None;
            while !is_back() {
                if is_forced(&mut watched) && forced.get_or_insert_with(Instant::now).elapsed() >= INTERRUPT_AFTER {
                    event_loop.interrupt();
                }
                thread::park_timeout(Duration::from_millis(100));
            }
        })?;
        work();
        returned.store(true, Ordering::Release);
        watcher.thread().unpark();
        Ok(())
    })
}

/// One sentence about a thread that the system refused, and what to do.
pub(crate) fn no_thread(error: &io::Error) -> String {
    format!(
        "cannot start a thread: {error}; allow more processes (`ulimit -u`), or use fewer `--threads` or `--processes`"
    )
}

/// How many threads each process of a run has.
pub(super) fn per_process(plan: &Plan) -> usize {
    if plan.selection.event_loop.is_some() { 1 } else { threads_for(&plan.args) }
}

/// How many threads run the workers of a process: never one without a worker.
fn threads_for(args: &Args) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from) / args.processes.max(1);
    args.threads.unwrap_or_else(cores).clamp(1, args.workers.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_is_without_a_worker() {
        let threads =
            |threads, workers, processes| threads_for(&Args { threads, workers, processes, ..Args::default() });
        assert_eq!(threads(Some(8), 3, 1), 3);
        assert_eq!(threads(Some(2), 100, 1), 2);
        assert_eq!(threads(None, 1, 1), 1);
        assert_eq!(threads(None, 100, 1_000), 1, "cores are shared among the processes");
        assert_eq!(threads(Some(2), 100, 1_000), 2);
    }
}
