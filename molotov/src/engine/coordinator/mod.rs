//! The coordinator of a run: starts the shards (`start`), decides when to stop, merges measures, feeds the screen.
//!
//! It knows shards only by the [`Update`]s they send and the [`Command`]s they take.

mod rate;
mod start;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use self::rate::Rate;
use super::{
    RunReport, Verdict,
    clock::Clock,
    control::Inbox,
    cookies::CookieWarning,
    crew::{self, Crew},
    listeners::RunListeners,
    message::Message,
    panic,
    plan::Plan,
    processes::{Change, Processes, Word},
    shard::GRACE,
    sizing::Sizing,
    stop::Phase,
    update::{Command, Update},
};
use crate::{
    format,
    metrics::{MachineProbe, ProcessProbe, Snapshot},
    run::{Incomplete, Line, Progress, Summary, Timeline},
    ui::Screen,
};

/// Runs a plan on the calling thread, to its end.
///
/// The thread must not be inside a tokio runtime that has to go on meanwhile: this call blocks it.
pub fn run(plan: &Plan, screen: &mut dyn Screen, inbox: Inbox) -> RunReport {
    begin(plan, screen, inbox).end()
}

/// Begins a run: runs `global_setup`, then forks where there are to be several processes.
///
/// Until it returns, the program must have no thread but the calling one when there are to be several processes. It returns
/// in the parent only.
pub fn begin<'a>(plan: &'a Plan, screen: &'a mut dyn Screen, inbox: Inbox) -> Begun<'a> {
    panic::install_hook();
    let _entered = plan.scope.enter();
    crate::failure::capture_backtraces(plan.args.verbose > 0);
    let mut run = Run::new(plan.clone(), screen, inbox);
    run.set_up = run.global_setup();
    if run.set_up && run.plan.args.processes > 1 {
        run.fork();
    }
    Begun(run)
}

/// A run that has begun: its processes are there, and nobody works yet.
#[must_use = "a run does nothing before its end is waited for"]
pub struct Begun<'a>(Run<'a>);

impl Begun<'_> {
    /// Runs it to its end.
    pub fn end(self) -> RunReport {
        let mut run = self.0;
        let scope = run.plan.scope.clone();
        let _entered = scope.enter();
        if run.set_up {
            run.work(&scope);
            run.global_teardown();
        }
        run.finish()
    }
}

struct Run<'a> {
    plan: Plan,
    screen: &'a mut dyn Screen,
    inbox: Inbox,
    /// `global_setup` went well.
    set_up: bool,
    /// Counts from the start of the workers.
    clock: Arc<Clock>,
    /// Real time from then to the end of the last shard, and how much of it were pauses.
    elapsed: Duration,
    paused: Duration,
    workforce: Workforce,
    /// All shards, wherever they are: those of a process stand together.
    shards: Vec<Shard>,
    listeners: Option<RunListeners>,
    phase: Phase,
    totals: Snapshot,
    /// Why the run cannot go on.
    failed: Option<Verdict>,
    /// The exit code that `global_teardown` asked for.
    exit: Option<u8>,
    lost: Option<String>,
    incomplete: Vec<Incomplete>,
    cookies: CookieWarning,
    timeline: Timeline,
    started: Option<SystemTime>,
    sizing: Option<Sizing>,
    /// How many workers each process is to have.
    workers: usize,
    /// The run was asked to stop from outside.
    interrupted: bool,
    /// A shard was left that did not end.
    gave_up: bool,
    rate: Rate,
    most_workers: usize,
    probe: ProcessProbe,
    machine: MachineProbe,
}

/// Where the shards are.
enum Workforce {
    /// Nowhere yet, or nowhere any more.
    None,
    /// In this process.
    Crew(Crew),
    /// In its children.
    Processes(Processes),
}

/// What the coordinator knows of a shard.
#[derive(Debug, Clone, Default)]
struct Shard {
    running: usize,
    most: usize,
    /// Until when it has reported its measures.
    reported: Duration,
    done: bool,
}

impl<'a> Run<'a> {
    fn new(plan: Plan, screen: &'a mut dyn Screen, inbox: Inbox) -> Run<'a> {
        let (sizing, workers) = (Sizing::of(&plan.args), plan.args.workers);
        Run {
            plan,
            screen,
            inbox,
            set_up: false,
            clock: Arc::new(Clock::new(Instant::now())),
            elapsed: Duration::ZERO,
            paused: Duration::ZERO,
            workforce: Workforce::None,
            shards: Vec::new(),
            listeners: None,
            phase: Phase::Running,
            totals: Snapshot::default(),
            failed: None,
            exit: None,
            lost: None,
            incomplete: Vec::new(),
            cookies: CookieWarning::default(),
            timeline: Timeline::default(),
            started: None,
            sizing,
            workers,
            interrupted: false,
            gave_up: false,
            rate: Rate::default(),
            most_workers: 0,
            probe: ProcessProbe::start(),
            machine: MachineProbe::start(),
        }
    }

    fn global_teardown(&mut self) {
        for fixture in &self.plan.selection.global_teardowns {
            let outcome = panic::catch(self.plan.args.verbose > 0, || fixture.run(&self.plan.args));
            let Err(failure) = outcome.unwrap_or_else(|caught| Err(caught.into())) else { continue };
            self.screen.line(&match failure.exit() {
                Some(code) => Line::info(format!("`global_teardown` exits with code {code}")),
                None => Line::warning(failure.describe("global_teardown", self.plan.args.verbose > 0)),
            });
            self.exit = failure.exit().or(self.exit);
        }
    }

    /// Listens to the shards until all have ended or were given up.
    fn watch(&mut self) {
        let period = self.plan.args.console_update.max(Duration::from_millis(20));
        let mut next_progress = Instant::now() + period;
        let mut next_count = Instant::now();
        let mut next_look = Instant::now() + self.patience();
        while !self.all_ended() {
            let now = Instant::now();
            if now >= next_count {
                self.tell_workers();
                next_count = now + Duration::from_secs(1);
            }
            if now >= next_look {
                self.look_after();
                next_look = now + self.patience();
                // There may be nobody left to say anything.
                continue;
            }
            if now >= next_progress {
                self.show_progress();
                next_progress = now + period;
            }
            if let Ok(message) = self.inbox.receiver.receive_until(next_progress.min(next_count).min(next_look)) {
                // A process that says no more is about to end.
                if matches!(message, Message::FromProcess(_, None)) {
                    next_look = now;
                }
                self.handle(message);
            }
        }
        // What was sent before a shard's last word has been handled before it: one sender, one order.
        self.tell_workers();
        if let Some(listeners) = self.listeners.take() {
            listeners.end(GRACE);
        }
        self.drain();
        self.timeline.end(self.elapsed);
        self.most_workers = self.shards.iter().map(|shard| shard.most).sum();
        if let Workforce::Crew(crew) = std::mem::replace(&mut self.workforce, Workforce::None) {
            crew.join();
        }
    }

    /// How long until it is looked again whether all is as it should be.
    fn patience(&self) -> Duration {
        match &self.workforce {
            Workforce::Processes(processes) if processes.some_are_ending() => Duration::from_millis(2),
            _ => Duration::from_millis(100),
        }
    }

    fn all_ended(&self) -> bool {
        match &self.workforce {
            Workforce::None => true,
            Workforce::Crew(crew) => crew.all_ended(),
            Workforce::Processes(processes) => processes.all_concluded(),
        }
    }

    fn drain(&mut self) {
        while let Ok(message) = self.inbox.receiver.try_receive() {
            self.handle(message);
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Line(line) => self.screen.line(&line),
            Message::Pause(paused) => {
                if self.phase == Phase::Running && self.clock.is_paused() != paused {
                    self.clock.pause(paused);
                    let text = if paused { "Paused: running scenarios may end" } else { "Going on" };
                    self.screen.line(&Line::info(text));
                    self.send(Command::Pause(paused));
                }
            }
            Message::ChangeWorkers(more) => self.change_workers(more),
            Message::Stop => {
                self.interrupted = true;
                if self.phase == Phase::Running {
                    self.screen.line(&Line::info("Stopping: running scenarios may end; a second Ctrl-C cuts them"));
                }
                self.raise(Phase::Stopping);
            }
            Message::Force => {
                self.interrupted = true;
                self.raise(Phase::Forced);
            }
            Message::Update(shard, update) => self.update(shard, None, update),
            Message::FromProcess(number, word) => self.hear(number, word),
        }
    }

    /// What a child has to say.
    fn hear(&mut self, number: usize, word: Option<Word>) {
        let threads = crew::threads(&self.plan);
        let Workforce::Processes(processes) = &mut self.workforce else { return };
        let pid = processes.pid(number);
        match word {
            Some(Word::Update(shard, update)) => self.update(number * threads + shard, Some(pid), update),
            Some(Word::Line(line)) => self.screen.line(&line.by_process(pid)),
            Some(Word::Measures(measures)) => self.measured(Some(pid), &measures),
            Some(Word::Ended) => processes.told(number),
            None => processes.silent(number),
        }
    }

    fn update(&mut self, shard: usize, pid: Option<u32>, update: Update) {
        // A shard that was given up may come back to life: its words are no part of the totals any more.
        if self.shards.get(shard).is_none_or(|shard| shard.done) {
            return;
        }
        match update {
            Update::Line(line) => self.screen.line(&Line { pid, ..line }),
            Update::Measures(measures) => {
                self.shards[shard].reported = measures.until;
                self.measured(pid, &measures);
            }
            Update::Abandoned => {
                let threads = crew::threads(&self.plan);
                self.incomplete.push(Incomplete {
                    process: shard / threads,
                    pid,
                    thread: Some(shard % threads),
                    since: self.shards[shard].reported,
                });
            }
            Update::CookieDropped(dropped) => {
                if let Some(text) = self.cookies.hear(dropped) {
                    self.screen.line(&Line::warning(text));
                }
            }
            Update::Workers { running, most } => {
                self.shards[shard].running = running;
                self.shards[shard].most = most;
            }
            Update::StopOnFailure => self.raise(Phase::Stopping),
            Update::FixtureFailed(failed) => {
                self.failed.get_or_insert(Verdict::FixtureFailed(failed));
                self.raise(Phase::Stopping);
            }
            Update::SystemFailed(why) => self.system_failed(why),
            Update::Done => {
                tracing::debug!(shard, elapsed = ?self.clock.real(), "a shard has ended");
                self.shard_ended(shard);
                if let Workforce::Crew(crew) = &mut self.workforce {
                    crew.ended(shard);
                }
            }
        }
    }

    fn measured(&mut self, process: Option<u32>, measures: &Snapshot) {
        self.screen.measures(process, measures);
        self.totals.merge(measures);
        self.timeline.add(measures);
    }

    fn raise(&mut self, phase: Phase) {
        if phase <= self.phase {
            return;
        }
        self.phase = phase;
        // A run that stops holds nobody any more.
        self.clock.pause(false);
        tracing::debug!(?phase, elapsed = ?self.clock.real(), "the run is stopped");
        let command = match phase {
            Phase::Running => return,
            Phase::Stopping => Command::Stop,
            Phase::Forced => Command::Force,
        };
        self.send(command);
    }

    fn send(&mut self, command: Command) {
        match &mut self.workforce {
            Workforce::None => {}
            Workforce::Crew(crew) => crew.commands().send(command),
            Workforce::Processes(processes) => processes.send(command),
        }
    }

    fn change_workers(&mut self, more: bool) {
        if self.phase != Phase::Running {
            return;
        }
        let step = self.workers.div_ceil(10);
        // Each shard keeps one: a shard without workers has ended.
        let least = crew::threads(&self.plan);
        self.workers = if more { self.workers + step } else { self.workers.saturating_sub(step).max(least) };
        self.screen.line(&Line::info(format!("{} wanted", format::plural(self.workers as u64, "worker"))));
        self.send(Command::Workers(self.workers));
    }

    /// Notices shards that do not end, processes that have, and a service that bears no more.
    fn look_after(&mut self) {
        let workers = self.running();
        self.timeline.tick(self.clock.real(), workers);
        if self.phase == Phase::Running
            && let Some(sizing) = &mut self.sizing
            && sizing.look(self.clock.now(), self.totals.totals(), workers)
        {
            self.raise(Phase::Stopping);
        }
        match &mut self.workforce {
            Workforce::None => {}
            Workforce::Crew(crew) => {
                crew.break_in();
                let given_up = crew.give_up_the_stuck();
                self.gave_up |= !given_up.is_empty();
                for (shard, update) in given_up {
                    self.update(shard, None, update);
                }
            }
            Workforce::Processes(processes) => {
                for (number, change) in processes.look_after() {
                    self.process_changed(number, change);
                }
            }
        }
    }

    fn shard_ended(&mut self, shard: usize) {
        let shard = &mut self.shards[shard];
        if !shard.done {
            (shard.running, shard.done) = (0, true);
            (self.elapsed, self.paused) = (self.clock.real(), self.clock.paused());
        }
    }

    fn process_changed(&mut self, number: usize, change: Change) {
        let Workforce::Processes(processes) = &self.workforce else { return };
        let pid = processes.pid(number);
        if change == Change::Stopped {
            let text = format!("the process {pid} is stopped and generates no load; resume it with `kill -CONT {pid}`");
            return self.screen.line(&Line::warning(text));
        }
        let threads = crew::threads(&self.plan);
        let shards = number * threads..(number + 1) * threads;
        let unreported = self.shards[shards.clone()].iter().filter(|shard| !shard.done).map(|shard| shard.reported);
        let since = unreported.min();
        shards.for_each(|shard| self.shard_ended(shard));
        if let Change::Lost(mut how) = change {
            if let Some(since) = since {
                self.incomplete.push(Incomplete { process: number, pid: Some(pid), thread: None, since });
                how = format!("{how}; its counts are incomplete since {}", format::elapsed(since));
            }
            self.screen.line(&Line::failure(how.clone()));
            self.lost.get_or_insert(how);
        }
    }

    fn running(&self) -> usize {
        self.shards.iter().map(|shard| shard.running).sum()
    }

    fn processes(&self) -> usize {
        match &self.workforce {
            Workforce::Processes(processes) => processes.living(),
            Workforce::None | Workforce::Crew(_) => 1,
        }
    }

    fn tell_workers(&mut self) {
        let mut health = self.machine.sample();
        if self.plan.args.processes == 1 {
            health.merge(&self.probe.sample());
        }
        self.measured(None, &Snapshot { until: self.clock.real(), health, ..Snapshot::default() });
        if let Some(listeners) = &self.listeners {
            listeners.workers(self.running());
        }
    }

    fn show_progress(&mut self) {
        let elapsed = self.clock.real();
        let counts = self.totals.totals();
        self.screen.progress(&Progress {
            elapsed,
            paused: self.clock.paused(),
            successes: counts.ok,
            failures: counts.failed,
            interrupted: counts.interrupted,
            workers: self.running(),
            processes: self.processes(),
            sizing: self.sizing.as_ref().map(Sizing::progress),
            rate: self.rate.over_the_last_second(elapsed, counts.ok + counts.failed),
        });
    }

    fn finish(mut self) -> RunReport {
        // What `global_teardown` has printed; shards have been heard to their end.
        while let Ok(message) = self.inbox.receiver.try_receive() {
            match message {
                Message::Line(line) => self.screen.line(&line),
                Message::Force => self.phase = Phase::Forced,
                _ => {}
            }
        }
        let args = self.plan.args.clone();
        let counts = self.totals.totals();
        let mut summary = Summary {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            elapsed: self.elapsed,
            paused: self.paused,
            successes: counts.ok,
            failures: counts.failed,
            interrupted: counts.interrupted,
            workers: self.most_workers,
            processes: args.processes,
            sizing: self.sizing.as_ref().map(|sizing| sizing.verdict(self.interrupted, self.most_workers)),
            thresholds: Vec::new(),
            started: self.started,
            timeline: std::mem::take(&mut self.timeline),
            incomplete: std::mem::take(&mut self.incomplete),
            notes: self.cookies.end().into_iter().collect(),
            verbose: args.verbose,
            snapshot: std::mem::take(&mut self.totals),
        };
        // A run that was not allowed to begin has met nothing.
        summary.thresholds = self.plan.args.threshold.iter().map(|threshold| threshold.judge(&summary)).collect();
        let broken = summary.thresholds.iter().any(|judged| !judged.passed);
        self.screen.finish(&summary);
        self.settle();
        let verdict = match self.failed.take() {
            Some(failed) => failed,
            None if self.lost.is_some() => Verdict::ProcessLost(self.lost.take().unwrap_or_default()),
            None if broken => Verdict::ThresholdBroken,
            None if args.fail.is_some_and(|limit| summary.failures >= limit) => Verdict::TooManyFailures,
            None => self.exit.map_or(Verdict::Ended, Verdict::Exit),
        };
        RunReport { summary, verdict }
    }

    /// Waits until all is written, or until somebody who has no patience finds that nobody reads.
    fn settle(&mut self) {
        let mut forced = self.phase == Phase::Forced;
        let receiver = &self.inbox.receiver;
        self.screen.settle(&mut || {
            forced |=
                std::iter::from_fn(|| receiver.try_receive().ok()).any(|message| matches!(message, Message::Force));
            forced
        });
    }
}
