//! Threads as members: starts the shards of one process.

mod calling_thread;
mod shard_loop;
mod thread;

use std::{
    io,
    sync::{Arc, OnceLock, atomic::Ordering},
    thread::available_parallelism,
    time::Duration,
};

use self::thread::{ProcessState, Thread};
pub(super) use self::{calling_thread::run_here, shard_loop::PreparedShard, thread::Commands};
use super::{
    clock::Clock,
    control::Inbox,
    member::Members,
    plan::Plan,
    shard::{Outbox, ProcessContext},
    split::Split,
};
use crate::{options::Args, registry::EventLoop, session::Numbers, statsd::Statsd, vars::Scope};

/// How much longer than the teardown grace a shard may take to drop its workers before the coordinator gives it up.
pub(super) const GIVE_UP_MARGIN: Duration = Duration::from_millis(500);

/// How long a shard that is forced down may keep its thread busy before its code is interrupted.
const INTERRUPT_AFTER: Duration = Duration::from_secs(1);

/// The threads that were started, and what the caller must still do.
pub(super) struct StartedThreads {
    /// Sends commands to all threads.
    pub(super) commands: Commands,
    /// The shard to run on the calling thread, in this event loop.
    pub(super) here: Option<(Arc<dyn EventLoop>, PreparedShard)>,
    /// Why a thread or the statsd socket is missing, in one sentence.
    pub(super) refused: Option<String>,
}

/// Starts the threads of a process. They join `members` and send their updates to `inbox`.
pub(super) fn start(
    plan: &Plan,
    scope: &Arc<Scope>,
    inbox: &Inbox,
    clock: Arc<Clock>,
    process: usize,
    members: &mut Members,
) -> StartedThreads {
    let split = Split::of(plan, process);
    let threads = per_process(plan, split);
    let (statsd, mut refused) = match plan.statsd.map(Statsd::open).transpose() {
        Ok(statsd) => (statsd, None),
        Err(error) => {
            // No worker may start before the coordinator learns the reason.
            inbox.stopped.store(true, Ordering::Relaxed);
            (None, Some(format!("cannot open a socket for statsd: {error}")))
        }
    };
    tracing::debug!(load = ?plan.load, threads, process, "the workers are started");
    let context = ProcessContext {
        clock: clock.clone(),
        split,
        shards: threads,
        statsd,
        numbers: Arc::new(Numbers::new(split.process, split.is_shared())),
        stopped: inbox.stopped.clone(),
    };
    let state = Arc::new(ProcessState {
        event_loop: plan.selection.event_loop.clone(),
        clock,
        forced: OnceLock::new(),
        names: plan.names(),
        force_shutdown: plan.args.force_shutdown,
        warm_up: plan.args.warm_up,
    });
    let (mut channels, mut here) = (Vec::new(), None);
    for number in 0..threads {
        let id = members.next_id();
        let outbox = Outbox { member: id, sender: inbox.sender.clone() };
        let (shard, mut handle) = shard_loop::prepare(plan, scope.clone(), outbox, &context, number);
        match &state.event_loop {
            Some(event_loop) => here = Some((event_loop.clone(), shard)),
            None => match shard.spawn() {
                Ok(thread) => handle.thread = Some(thread),
                Err(error) => {
                    refused = Some(no_thread(&error));
                    break;
                }
            },
        }
        channels.push((handle.commands.clone(), handle.announced.clone()));
        members.join(id, Box::new(Thread { number, handle, process: state.clone(), ended: false }));
    }
    StartedThreads { commands: Commands { process: state, threads: channels.into() }, here, refused }
}

/// The message for a thread that the system refused to start.
pub(crate) fn no_thread(error: &io::Error) -> String {
    format!(
        "cannot start a thread: {error}; allow more processes (`ulimit -u`), or use fewer `--threads` or `--processes`"
    )
}

/// How many threads a process of a run has.
pub(super) fn per_process(plan: &Plan, split: Split) -> usize {
    let workers = plan.load.most_threads(plan.args.searches_capacity(), |model| split.most_workers(model));
    if plan.selection.event_loop.is_some() { 1 } else { threads_for(&plan.args, workers) }
}

/// How many threads run the workers of a process. Every thread has a worker.
fn threads_for(args: &Args, workers: usize) -> usize {
    let cores = || available_parallelism().map_or(1, usize::from) / args.processes.max(1);
    args.threads.unwrap_or_else(cores).clamp(1, workers.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_has_a_worker() {
        let threads =
            |threads, workers, processes| threads_for(&Args { threads, processes, ..Args::default() }, workers);
        assert_eq!(threads(Some(8), 3, 1), 3);
        assert_eq!(threads(Some(2), 100, 1), 2);
        assert_eq!(threads(None, 1, 1), 1);
        assert_eq!(threads(None, 100, 1_000), 1, "processes share the cores");
        assert_eq!(threads(Some(2), 100, 1_000), 2);
    }
}
