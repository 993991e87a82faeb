//! The coordinator of a run: starts the shards, decides when to stop, merges measures, feeds the screen.
//!
//! It knows shards only by the [`Update`]s they send and the [`Command`]s they take.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

use super::{
    RunReport, Verdict,
    board::Doing,
    control::Inbox,
    listeners::RunListeners,
    panic,
    plan::Plan,
    shard::{self, GRACE, Handle, Outbox, Shardling},
    stop::Phase,
    update::{Command, FixtureFailure, Update},
};
use crate::{
    Failure,
    metrics::{ProcessProbe, Snapshot},
    options::WorkerId,
    registry::EventLoop,
    report::{Line, Progress, Summary},
    ui::Screen,
    vars::Scope,
};

/// What the coordinator is woken by.
#[derive(Debug)]
pub(crate) enum Message {
    /// From the shard of that number.
    Update(usize, Update),
    /// From the listeners of the run.
    Line(Line),
    /// The first Ctrl-C.
    Stop,
    /// The second.
    Force,
}

/// How long a shard may take to give itself up before the coordinator does.
const LAST_CALL: Duration = Duration::from_millis(500);

/// Runs a plan on the calling thread, to its end.
///
/// The thread must not be inside a tokio runtime that has to go on meanwhile: this call blocks it.
pub fn run(plan: Plan, screen: &mut dyn Screen, inbox: Inbox) -> RunReport {
    let epoch = Instant::now();
    panic::install_hook();
    let scope = plan.scope.clone();
    let _entered = scope.enter();
    crate::failure::capture_backtraces(plan.args.verbose > 0);

    let mut run = Run::new(&plan, screen, inbox, epoch);
    if run.global_setup() {
        match run.start(scope) {
            None => run.watch(),
            // The shard wants this thread, so the coordinator takes another.
            Some((event_loop, shard)) => std::thread::scope(|threads| {
                threads.spawn(|| run.watch());
                shard.run(|runtime, work| event_loop.run(runtime, work));
            }),
        }
        run.global_teardown();
    }
    run.finish()
}

struct Run<'a> {
    plan: &'a Plan,
    screen: &'a mut dyn Screen,
    inbox: Inbox,
    epoch: Instant,
    shards: Vec<Shard>,
    listeners: Option<RunListeners>,
    phase: Phase,
    forced_at: Option<Instant>,
    totals: Snapshot,
    fixture_failure: Option<FixtureFailure>,
    rate: Rate,
    most_workers: usize,
    probe: ProcessProbe,
}

struct Shard {
    handle: Handle,
    running: usize,
    most: usize,
    done: bool,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, screen: &'a mut dyn Screen, inbox: Inbox, epoch: Instant) -> Run<'a> {
        Run {
            plan,
            screen,
            inbox,
            epoch,
            shards: Vec::new(),
            listeners: None,
            phase: Phase::Running,
            forced_at: None,
            totals: Snapshot::default(),
            fixture_failure: None,
            rate: Rate::default(),
            most_workers: 0,
            probe: ProcessProbe::start(),
        }
    }

    /// Runs the `global_setup` fixtures; `false` when one failed, and with it the run.
    fn global_setup(&mut self) -> bool {
        let args = &self.plan.args;
        for fixture in &self.plan.selection.global_setups {
            let outcome = panic::catch(args.verbose > 0, || fixture.run(args));
            if let Err(failure) = outcome.unwrap_or_else(|caught| Err(caught.into())) {
                self.fixture_failed("global_setup", failure);
                return false;
            }
        }
        true
    }

    fn global_teardown(&mut self) {
        for fixture in &self.plan.selection.global_teardowns {
            let outcome = panic::catch(self.plan.args.verbose > 0, || fixture.run(&self.plan.args));
            if let Err(failure) = outcome.unwrap_or_else(|caught| Err(caught.into())) {
                let text = failure.describe("global_teardown", self.plan.args.verbose > 0);
                self.screen.line(&Line::warning(text));
            }
        }
    }

    fn fixture_failed(&mut self, fixture: &'static str, failure: Failure) {
        let text = failure.describe(fixture, self.plan.args.verbose > 0);
        self.screen.line(&Line::failure(text));
        self.fixture_failure = Some(FixtureFailure { fixture, message: failure.to_string() });
    }

    /// Starts the shards; gives back the one that has to run on this thread.
    fn start(&mut self, scope: Arc<Scope>) -> Option<(Arc<dyn EventLoop>, Shardling)> {
        // What `global_setup` has printed, and a Ctrl-C during it: then there is nothing to start.
        while let Ok(message) = self.inbox.receiver.try_recv() {
            self.handle(message);
        }
        let args = &self.plan.args;
        let workers = args.workers;
        let plural = if workers == 1 { "" } else { "s" };
        self.screen.line(&Line::info(format!("Preparing {workers} worker{plural}...")));
        self.listeners = RunListeners::start(self.plan, scope.clone(), self.inbox.sender.clone());
        if self.phase != Phase::Running {
            return None;
        }
        let event_loop = &self.plan.selection.event_loop;
        let threads = if event_loop.is_some() { 1 } else { threads(args.threads, workers) };
        tracing::debug!(workers, threads, "the workers are started");
        for shard in 0..threads {
            let outbox = Outbox { shard, sender: self.inbox.sender.clone() };
            let mine = (shard..workers).step_by(threads).map(WorkerId);
            let (shard, mut handle) = shard::prepare(self.plan, scope.clone(), outbox, self.epoch, threads, mine);
            if let Some(event_loop) = event_loop {
                self.shards.push(Shard { handle, running: 0, most: 0, done: false });
                self.screen.line(&Line::info("OK"));
                return Some((event_loop.clone(), shard));
            }
            match shard.spawn() {
                Ok(thread) => {
                    handle.thread = Some(thread);
                    self.shards.push(Shard { handle, running: 0, most: 0, done: false });
                }
                Err(error) => {
                    self.thread_refused(error);
                    break;
                }
            }
        }
        self.screen.line(&Line::info("OK"));
        None
    }

    fn thread_refused(&mut self, error: io::Error) {
        let message = format!("cannot start a thread: {error}; try a lower `--threads`");
        self.screen.line(&Line::failure(message.clone()));
        self.fixture_failure = Some(FixtureFailure { fixture: "thread", message });
        self.raise(Phase::Stopping);
    }

    /// Listens to the shards until all have ended or were given up.
    fn watch(&mut self) {
        let period = self.plan.args.console_update.max(Duration::from_millis(20));
        let mut next_progress = Instant::now() + period;
        let mut next_count = Instant::now();
        while self.shards.iter().any(|shard| !shard.done) {
            let now = Instant::now();
            if now >= next_count {
                self.tell_workers();
                next_count = now + Duration::from_secs(1);
            }
            if now >= next_progress {
                self.show_progress();
                self.give_up_the_stuck();
                next_progress = now + period;
            }
            if let Some(message) = receive(&self.inbox.receiver, next_progress.min(next_count)) {
                self.handle(message);
            }
        }
        // What was sent before a shard's last word has been handled before it: one sender, one order.
        self.tell_workers();
        if let Some(listeners) = self.listeners.take() {
            listeners.end(GRACE);
        }
        while let Ok(message) = self.inbox.receiver.try_recv() {
            self.handle(message);
        }
        self.most_workers = self.shards.iter().map(|shard| shard.most).sum();
        for shard in self.shards.drain(..) {
            // A thread that was given up is left behind; it cannot be stopped from outside.
            if let Some(thread) = shard.handle.thread
                && shard.done
                && thread.is_finished()
            {
                let _ = thread.join();
            }
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Line(line) => self.screen.line(&line),
            Message::Stop => {
                if self.phase == Phase::Running {
                    self.screen.line(&Line::info("Stopping: running scenarios may end; a second Ctrl-C cuts them"));
                }
                self.raise(Phase::Stopping);
            }
            Message::Force => self.raise(Phase::Forced),
            Message::Update(shard, update) => {
                // A shard that was given up may come back to life: its words are no part of the totals any more.
                if !self.shards[shard].done {
                    self.update(shard, update);
                }
            }
        }
    }

    fn update(&mut self, shard: usize, update: Update) {
        match update {
            Update::Line(line) => self.screen.line(&line),
            Update::Measures(measures) => self.totals.merge(&measures),
            Update::Workers { running, most } => {
                self.shards[shard].running = running;
                self.shards[shard].most = most;
            }
            Update::StopOnFailure => self.raise(Phase::Stopping),
            Update::FixtureFailed(failed) => {
                self.fixture_failure.get_or_insert(failed);
                self.raise(Phase::Stopping);
            }
            Update::Done => {
                tracing::debug!(shard, elapsed = ?self.epoch.elapsed(), "a shard has ended");
                self.shards[shard].done = true;
            }
        }
    }

    fn raise(&mut self, phase: Phase) {
        if phase <= self.phase {
            return;
        }
        self.phase = phase;
        tracing::debug!(?phase, elapsed = ?self.epoch.elapsed(), "the run is stopped");
        let command = match phase {
            Phase::Running => return,
            Phase::Stopping => Command::Stop,
            Phase::Forced => {
                self.forced_at = Some(Instant::now());
                Command::Force
            }
        };
        if let Some(event_loop) = &self.plan.selection.event_loop {
            event_loop.stopping();
        }
        for shard in &self.shards {
            // A shard that has ended takes no commands, and needs none.
            let _ = shard.handle.commands.send(command);
        }
    }

    /// Leaves shards that should have ended and do not even answer: a scenario keeps the thread busy.
    fn give_up_the_stuck(&mut self) {
        let forced = self.forced_at.is_some_and(|at| at.elapsed() >= GRACE + LAST_CALL);
        let force_shutdown = self.plan.args.force_shutdown;
        let names = self.plan.names();
        for shard in self.shards.iter_mut().filter(|shard| !shard.done) {
            let stuck = forced || (force_shutdown && shard.handle.board.overdue(GRACE + LAST_CALL));
            if !stuck {
                continue;
            }
            shard.done = true;
            shard.running = 0;
            if let (None, Some(event_loop)) = (&shard.handle.thread, &self.plan.selection.event_loop) {
                event_loop.interrupt();
            }
            for (worker, doing) in shard.handle.board.unfinished() {
                self.screen.line(&left_behind(worker, doing, &names));
                if let Doing::Scenario(index) = doing {
                    self.totals.scenarios.entry(names[index].as_str().into()).or_default().counts.interrupted += 1;
                }
            }
        }
    }

    fn running(&self) -> usize {
        self.shards.iter().map(|shard| shard.running).sum()
    }

    fn tell_workers(&mut self) {
        self.totals.health.merge(&self.probe.sample());
        if let Some(listeners) = &self.listeners {
            listeners.workers(self.running());
        }
    }

    fn show_progress(&mut self) {
        let elapsed = self.epoch.elapsed();
        let counts = self.totals.totals();
        self.screen.progress(&Progress {
            elapsed,
            successes: counts.ok,
            failures: counts.failed,
            interrupted: counts.interrupted,
            workers: self.running(),
            processes: 1,
            rate: self.rate.over_the_last_second(elapsed, counts.ok + counts.failed),
        });
    }

    fn finish(mut self) -> RunReport {
        // What `global_teardown` has printed; shards have been heard to their end.
        while let Ok(message) = self.inbox.receiver.try_recv() {
            if let Message::Line(line) = message {
                self.screen.line(&line);
            }
        }
        let args = &self.plan.args;
        let counts = self.totals.totals();
        let summary = Summary {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            elapsed: self.epoch.elapsed(),
            successes: counts.ok,
            failures: counts.failed,
            interrupted: counts.interrupted,
            workers: self.most_workers,
            processes: 1,
            verbose: args.verbose,
            snapshot: std::mem::take(&mut self.totals),
        };
        self.screen.finish(&summary);
        let verdict = match self.fixture_failure.take() {
            Some(failed) => Verdict::FixtureFailed(failed),
            None if args.fail.is_some_and(|limit| summary.failures >= limit) => Verdict::TooManyFailures,
            None => Verdict::Ended,
        };
        RunReport { summary, verdict }
    }
}

/// The next message, or `None` at `until`.
fn receive(receiver: &Receiver<Message>, until: Instant) -> Option<Message> {
    // The run holds a sender itself, so the channel is never closed: the only error is the time.
    receiver.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
}

/// How many threads run `workers`: never one without a worker.
fn threads(asked: Option<usize>, workers: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    asked.unwrap_or_else(cores).clamp(1, workers.max(1))
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

/// The throughput of the last second, from totals seen now and then.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Duration, u64)>);

impl Rate {
    fn over_the_last_second(&mut self, at: Duration, total: u64) -> f64 {
        while self.0.len() > 1 && self.0[1].0 + Duration::from_secs(1) <= at {
            self.0.pop_front();
        }
        let (since, before) = self.0.front().copied().unwrap_or_default();
        self.0.push_back((at, total));
        let time = at.saturating_sub(since).as_secs_f64();
        if time > 0.0 { (total - before) as f64 / time } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_thread_is_without_a_worker() {
        assert_eq!(threads(Some(8), 3), 3);
        assert_eq!(threads(Some(2), 100), 2);
        assert_eq!(threads(None, 1), 1);
    }

    #[test]
    fn the_rate_forgets_what_is_older_than_a_second() {
        let mut rate = Rate::default();
        let at = |millis| Duration::from_millis(millis);
        assert_eq!(rate.over_the_last_second(at(500), 50), 100.0);
        assert_eq!(rate.over_the_last_second(at(1000), 100), 100.0);
        rate.over_the_last_second(at(1500), 100);
        assert_eq!(rate.over_the_last_second(at(2500), 100), 0.0);
    }
}
