//! The shards of one process: started, commanded, and left behind where they do not end.

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

use super::{
    board::Doing,
    clock::Clock,
    control::Inbox,
    plan::Plan,
    shard::{self, GRACE, Handle, Outbox, Process, Shardling},
    stop::{Announced, Phase},
    update::{Command, Update},
};
use crate::{
    metrics::Snapshot,
    options::{Args, WorkerId},
    registry::EventLoop,
    run::Line,
    statsd::Statsd,
    vars::Scope,
};

/// How long a shard may take to give itself up before the crew does.
pub(super) const LAST_CALL: Duration = Duration::from_millis(500);

/// How long a shard that is forced down may keep its thread busy before its code is broken into.
const UNANSWERED: Duration = Duration::from_secs(1);

/// The shards of this process.
pub(super) struct Crew {
    shards: Vec<(Handle, bool)>,
    commands: Commands,
    names: Vec<String>,
    force_shutdown: bool,
}

/// A crew, and what is left to do for who has started it.
pub(super) struct Started {
    pub(super) crew: Crew,
    /// The shard that has to run on the calling thread, in this event loop.
    pub(super) here: Option<(Arc<dyn EventLoop>, Shardling)>,
    /// Why there are fewer threads than wanted, or no statsd: one sentence.
    pub(super) refused: Option<String>,
}

impl Crew {
    /// Starts the shards of the process of that number; each tells `inbox` what happens.
    pub(super) fn start(plan: &Plan, scope: &Arc<Scope>, inbox: &Inbox, clock: Arc<Clock>, process: usize) -> Started {
        let workers = plan.args.workers;
        let event_loop = plan.selection.event_loop.clone();
        let threads = threads(plan);
        let (statsd, mut refused) = match plan.statsd.map(Statsd::open).transpose() {
            Ok(statsd) => (statsd, None),
            Err(error) => (None, Some(format!("cannot open a socket for statsd: {error}"))),
        };
        tracing::debug!(workers, threads, process, "the workers are started");
        let process =
            Process { clock: clock.clone(), number: process, shards: threads, statsd, stopped: inbox.stopped.clone() };
        let (mut shards, mut here) = (Vec::new(), None);
        for number in 0..threads {
            let outbox = Outbox { shard: number, sender: inbox.sender.clone() };
            let mine = (number..workers).step_by(threads).map(WorkerId);
            let (shard, mut handle) = shard::prepare(plan, scope.clone(), outbox, &process, mine);
            if let Some(event_loop) = &event_loop {
                here = Some((event_loop.clone(), shard));
                shards.push((handle, false));
                break;
            }
            match shard.spawn() {
                Ok(thread) => {
                    handle.thread = Some(thread);
                    shards.push((handle, false));
                }
                Err(error) => {
                    refused = Some(no_thread(&error));
                    break;
                }
            }
        }
        let commands = Commands(Arc::new(Wires {
            shards: shards.iter().map(|(handle, _)| (handle.commands.clone(), handle.announced.clone())).collect(),
            event_loop,
            clock,
            forced: OnceLock::new(),
        }));
        let force_shutdown = plan.args.force_shutdown;
        Started { crew: Crew { shards, commands, names: plan.names(), force_shutdown }, here, refused }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }

    /// The way to its shards.
    pub(super) fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Whether a shard has said its last word, or was given up.
    pub(super) fn has_ended(&self, shard: usize) -> bool {
        self.shards[shard].1
    }

    /// A shard has said its last word.
    pub(super) fn ended(&mut self, shard: usize) {
        self.shards[shard].1 = true;
    }

    pub(super) fn all_ended(&self) -> bool {
        self.shards.iter().all(|(_, ended)| *ended)
    }

    /// Breaks into code that keeps the thread of an event loop busy though it should have ended. To be called again and again:
    /// the next worker may do the same.
    pub(super) fn break_in(&self) {
        let Some(event_loop) = &self.commands.0.event_loop else { return };
        let forced = self.commands.0.forced.get().map_or(Duration::ZERO, Instant::elapsed);
        // A shard that learns in time cancels its workers and drops them after the grace.
        let late = GRACE + LAST_CALL / 4;
        for (handle, _) in self.shards.iter().filter(|(handle, _)| handle.thread.is_none()) {
            let unanswered = forced >= UNANSWERED && !handle.announced.is_answered();
            if unanswered || forced >= late || (self.force_shutdown && handle.board.overdue(late)) {
                event_loop.interrupt();
            }
        }
    }

    /// Leaves shards that should have ended and do not even answer, since a scenario keeps the thread busy; gives back what
    /// they would have said.
    pub(super) fn give_up_the_stuck(&mut self) -> Vec<(usize, Update)> {
        let forced = self.commands.0.forced.get().is_some_and(|at| at.elapsed() >= GRACE + LAST_CALL);
        let mut said = Vec::new();
        for (shard, (handle, ended)) in self.shards.iter_mut().enumerate().filter(|(_, (_, ended))| !ended) {
            let stuck = forced || (self.force_shutdown && handle.board.overdue(GRACE + LAST_CALL));
            if !stuck {
                continue;
            }
            *ended = true;
            let mut cut = Snapshot { until: self.commands.0.clock.real(), ..Snapshot::default() };
            for (worker, doing) in handle.board.unfinished() {
                said.push((shard, Update::Line(left_behind(worker, doing, &self.names))));
                if let Doing::Scenario(index) = doing {
                    cut.scenarios.entry(self.names[index].as_str().into()).or_default().counts.interrupted += 1;
                }
            }
            said.push((shard, Update::Abandoned));
            said.push((shard, Update::Measures(Box::new(cut))));
            said.push((shard, Update::Done));
        }
        said
    }

    /// Waits for the threads that have ended. One that was given up is left behind: it cannot be stopped from outside.
    pub(super) fn join(self) {
        for (handle, ended) in self.shards {
            if let Some(thread) = handle.thread
                && ended
                && thread.is_finished()
            {
                let _ = thread.join();
            }
        }
    }
}

/// The way from whoever decides to the shards of a process.
#[derive(Clone)]
pub(super) struct Commands(Arc<Wires>);

struct Wires {
    shards: Vec<(UnboundedSender<Command>, Arc<Announced>)>,
    event_loop: Option<Arc<dyn EventLoop>>,
    clock: Arc<Clock>,
    /// When the run was forced down.
    forced: OnceLock<Instant>,
}

impl Commands {
    /// Whether the run was forced down.
    pub(super) fn are_forced(&self) -> bool {
        self.0.forced.get().is_some()
    }

    pub(super) fn send(&self, command: Command) {
        match command {
            Command::Pause(paused) => self.0.clock.pause(paused),
            // A run that stops holds nobody any more.
            Command::Stop | Command::Force => self.0.clock.pause(false),
            Command::Workers(_) => {}
        }
        if command == Command::Force {
            self.0.forced.get_or_init(Instant::now);
        }
        if let (Some(event_loop), Command::Stop | Command::Force) = (&self.0.event_loop, command) {
            event_loop.stopping();
        }
        for (shard, announced) in &self.0.shards {
            match command {
                Command::Stop => announced.announce(Phase::Stopping),
                Command::Force => announced.announce(Phase::Forced),
                Command::Pause(_) | Command::Workers(_) => {}
            }
            // A shard that has ended takes no commands, and needs none.
            let _ = shard.send(command);
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
                if is_forced(&mut watched) && forced.get_or_insert_with(Instant::now).elapsed() >= UNANSWERED {
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

/// How many shards each process of a run has.
pub(super) fn threads(plan: &Plan) -> usize {
    if plan.selection.event_loop.is_some() { 1 } else { threads_for(&plan.args) }
}

/// How many threads run the workers of a process: never one without a worker.
fn threads_for(args: &Args) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from) / args.processes.max(1);
    args.threads.unwrap_or_else(cores).clamp(1, args.workers.max(1))
}

/// The line that names a worker which did not end.
pub(super) fn left_behind(worker: WorkerId, doing: Doing, scenarios: &[String]) -> Line {
    let what = match doing {
        Doing::Scenario(index) => match scenarios.get(index) {
            Some(name) => format!("the scenario `{name}`"),
            None => "a scenario".to_owned(),
        },
        Doing::Setup => "the fixture `setup`".to_owned(),
        Doing::SetupSession => "the fixture `setup_session`".to_owned(),
        Doing::TeardownSession => "the fixture `teardown_session`".to_owned(),
        Doing::Teardown => "the fixture `teardown`".to_owned(),
        Doing::Waiting | Doing::Resting | Doing::Ended => "its last step".to_owned(),
    };
    let text = format!("did not end within {} s: left in {what}", GRACE.as_secs());
    Line::warning(text).by_worker(worker.0)
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
