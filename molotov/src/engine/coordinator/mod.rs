//! The coordinator of a run: starts the members (`start`), decides when to stop, merges measures, feeds the screen.
//!
//! It knows members only by the [`Update`]s they send and the [`Command`]s they take.

mod rate;
mod start;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use self::rate::Rate;
use super::{
    Summary, Verdict,
    clock::Clock,
    control::Inbox,
    cookies::CookieWarning,
    listeners::RunListeners,
    member::Members,
    message::Message,
    panic,
    plan::Plan,
    shard::TEARDOWN_GRACE,
    sizing::Sizing,
    stop::Phase,
    update::{Command, MemberId, Update},
};
use crate::{
    format,
    metrics::{MachineProbe, ProcessProbe, Snapshot},
    run::{Incomplete, Line, Progress, Timeline, Totals},
    ui::Screen,
};

/// Runs a plan on the calling thread, to its end.
///
/// The thread must not be inside a tokio runtime that has to go on meanwhile: this call blocks it.
pub fn run(plan: &Plan, screen: &mut dyn Screen, inbox: Inbox) -> Summary {
    prepare(plan, screen, inbox).run()
}

/// Begins a run: runs `global_setup`, then forks where there are to be several processes.
///
/// Until it returns, the program must have no thread but the calling one when there are to be several processes. It returns
/// in the parent only.
pub fn prepare<'a>(plan: &'a Plan, screen: &'a mut dyn Screen, inbox: Inbox) -> PreparedRun<'a> {
    panic::install_hook();
    let _entered = plan.scope.enter();
    crate::failure::capture_backtraces(plan.args.verbose > 0);
    let mut run = Run::new(plan.clone(), screen, inbox);
    run.set_up = run.global_setup();
    if run.set_up && run.plan.args.processes > 1 {
        run.fork();
    }
    PreparedRun(run)
}

/// A run that has begun: its processes are there, and nobody works yet.
#[must_use = "a run does nothing before its end is waited for"]
pub struct PreparedRun<'a>(Run<'a>);

impl PreparedRun<'_> {
    /// Runs it to its end.
    pub fn run(self) -> Summary {
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
    members: Members,
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
    /// How many workers each process is to have, and at least has: one in each thread.
    workers: usize,
    least_workers: usize,
    /// The run was asked to stop from outside.
    interrupted: bool,
    /// A member was left that did not end.
    gave_up: bool,
    rate: Rate,
    most_workers: usize,
    probe: ProcessProbe,
    machine: MachineProbe,
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
            members: Members::default(),
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
            least_workers: 1,
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

    /// Listens to the members until all have ended or were given up.
    fn watch(&mut self) {
        let period = self.plan.args.console_update.max(Duration::from_millis(20));
        let mut next_progress = Instant::now() + period;
        let mut next_count = Instant::now();
        let mut next_look = Instant::now() + self.patience();
        while !self.members.all_ended() {
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
                // A member that says no more is about to end.
                if matches!(message, Message::Update(_, Update::Closed)) {
                    next_look = now;
                }
                self.handle(message);
            }
        }
        // What was sent before a member's last word has been handled before it: one sender, one order.
        self.tell_workers();
        if let Some(listeners) = self.listeners.take() {
            listeners.end(TEARDOWN_GRACE);
        }
        self.drain();
        self.timeline.end(self.elapsed);
        self.most_workers = self.members.most();
        self.members.release();
    }

    /// How long until it is looked again whether all is as it should be.
    fn patience(&self) -> Duration {
        Duration::from_millis(if self.members.some_are_ending() { 2 } else { 100 })
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
                    self.members.send(Command::Pause(paused));
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
            Message::Update(member, update) => self.update(member, update),
        }
    }

    /// What a member says.
    fn update(&mut self, id: MemberId, update: Update) {
        let Some(member) = self.members.get_mut(id) else { return };
        let was_done = member.is_done();
        if !member.record(&update) {
            return;
        }
        match update {
            Update::Line(line) => self.screen.line(&line),
            Update::Measures(measures) => {
                let label = member.label();
                self.measured(label.as_ref(), &measures);
            }
            Update::Abandoned => {
                self.incomplete.push(member.incomplete());
                self.gave_up = true;
            }
            Update::Incomplete(incomplete) => self.incomplete.push(incomplete),
            Update::Missing { updates } => {
                let (name, incomplete) = (member.name(), member.incomplete());
                let (count, since) = (format::plural(updates, "update"), format::elapsed(incomplete.since));
                let text = format!("{count} of {name} got lost on the way: its counts are incomplete since {since}");
                self.screen.line(&Line::warning(text));
                self.incomplete.push(incomplete);
            }
            Update::Lost(mut how) => {
                if !was_done {
                    let incomplete = member.incomplete();
                    how = format!("{how}; its counts are incomplete since {}", format::elapsed(incomplete.since));
                    self.incomplete.push(incomplete);
                    self.work_ended(self.clock.real(), self.clock.paused());
                }
                self.screen.line(&Line::failure(how.clone()));
                self.lost.get_or_insert(how);
            }
            Update::StopOnFailure => self.raise(Phase::Stopping),
            Update::FixtureFailed(failed) => {
                self.failed.get_or_insert(Verdict::FixtureFailed(failed));
                self.raise(Phase::Stopping);
            }
            Update::SystemFailed(why) => self.system_failed(why),
            Update::CookieDropped(dropped) => {
                if let Some(text) = self.cookies.hear(dropped) {
                    self.screen.line(&Line::warning(text));
                }
            }
            Update::Done { elapsed, paused } => {
                tracing::debug!(member = member.name(), ?elapsed, "a member has ended");
                self.work_ended(elapsed, paused);
            }
            Update::Workers { .. } | Update::Reported(_) | Update::Closed => {}
        }
    }

    /// The work of a member was over at that time of the run.
    fn work_ended(&mut self, elapsed: Duration, paused: Duration) {
        if elapsed >= self.elapsed {
            (self.elapsed, self.paused) = (elapsed, paused);
        }
    }

    fn measured(&mut self, member: Option<&Arc<str>>, measures: &Snapshot) {
        self.screen.measures(member, measures);
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
        self.members.send(command);
    }

    fn change_workers(&mut self, more: bool) {
        if self.phase != Phase::Running {
            return;
        }
        let step = self.workers.div_ceil(10);
        let fewer = self.workers.saturating_sub(step).max(self.least_workers);
        self.workers = if more { self.workers + step } else { fewer };
        self.screen.line(&Line::info(format!("{} wanted", format::plural(self.workers as u64, "worker"))));
        self.members.send(Command::Workers(self.workers));
    }

    /// Notices members that do not end or are gone, and a service that bears no more.
    fn look_after(&mut self) {
        let workers = self.running();
        self.timeline.tick(self.clock.real(), workers);
        if self.phase == Phase::Running
            && let Some(sizing) = &mut self.sizing
            && sizing.look(self.clock.now(), self.totals.totals(), workers)
        {
            self.raise(Phase::Stopping);
        }
        for (member, update) in self.members.look_after() {
            self.update(member, update);
        }
    }

    fn running(&self) -> usize {
        self.members.running()
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
            totals: Totals {
                elapsed,
                paused: self.clock.paused(),
                successes: counts.ok,
                failures: counts.failed,
                interrupted: counts.interrupted,
            },
            workers: self.running(),
            processes: if self.plan.args.processes > 1 { self.members.living() } else { 1 },
            sizing: self.sizing.as_ref().map(Sizing::progress),
            rate: self.rate.over_the_last_second(elapsed, counts.ok + counts.failed),
        });
    }

    fn finish(mut self) -> Summary {
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
            verdict: Verdict::Ended,
            totals: Totals {
                elapsed: self.elapsed,
                paused: self.paused,
                successes: counts.ok,
                failures: counts.failed,
                interrupted: counts.interrupted,
            },
            workers: self.most_workers,
            processes: args.processes,
            sizing: self.sizing.as_ref().map(|sizing| sizing.result(self.interrupted, self.most_workers)),
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
        let broken = summary.thresholds.iter().any(|result| !result.passed);
        summary.verdict = match self.failed.take() {
            Some(failed) => failed,
            None if self.lost.is_some() => Verdict::ProcessLost(self.lost.take().unwrap_or_default()),
            None if broken => Verdict::ThresholdBroken,
            None if args.fail.is_some_and(|limit| summary.totals.failures >= limit) => Verdict::TooManyFailures,
            None => self.exit.map_or(Verdict::Ended, Verdict::Exit),
        };
        self.screen.finish(&summary);
        self.settle();
        summary
    }

    /// Waits until all is written, or until somebody who has no patience finds that nobody reads.
    fn settle(&mut self) {
        let mut forced = self.phase == Phase::Forced;
        let receiver = &self.inbox.receiver;
        self.screen.flush(&mut || {
            forced |=
                std::iter::from_fn(|| receiver.try_receive().ok()).any(|message| matches!(message, Message::Force));
            forced
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        Failure,
        engine::{control::Control, member::Member},
        options::Args,
        registry::Registry,
        ui::Quiet,
    };

    /// A member that does nothing by itself, on a machine of its own.
    struct Agent;

    impl Member for Agent {
        fn name(&self) -> String {
            "the agent on db2".to_owned()
        }

        fn send(&mut self, _: Command) {}

        fn observe(&mut self, _: &Update) {}

        fn look_after(&mut self) -> Vec<Update> {
            Vec::new()
        }

        fn has_ended(&self) -> bool {
            true
        }

        fn incomplete(&self, since: Duration) -> Incomplete {
            Incomplete { process: 4, pid: None, thread: None, since }
        }

        fn release(self: Box<Self>) {}
    }

    fn measures(runs: u64) -> Update {
        let mut measures = Snapshot::default();
        measures.scenarios.entry("browse".into()).or_default().counts.ok = runs;
        Update::Measures(Box::new(measures))
    }

    #[test]
    fn lost_updates_make_the_counts_incomplete() {
        let mut registry = Registry::new();
        registry.add_scenario_fn("browse", async |_: &crate::session::Session| Ok::<_, Failure>(()));
        let plan = Plan::new(Args::default(), &registry).unwrap();
        let (mut screen, (_control, inbox)) = (Quiet, Control::new());
        let mut run = Run::new(plan, &mut screen, inbox);
        let ids = [run.members.next_id(), run.members.next_id()];
        ids.into_iter().for_each(|id| run.members.join(id, Box::new(Agent)));
        let since = Duration::from_millis(1_400);
        for update in [measures(3), Update::Reported(since), Update::Missing { updates: 2 }, measures(1)] {
            run.update(ids[0], update);
        }
        let over = Duration::from_secs(2);
        for update in [measures(2), Update::Done { elapsed: over, paused: Duration::ZERO }, measures(9)] {
            run.update(ids[1], update);
        }
        for how in ["the agent on db2 was cut off", "the agent on db2 is gone"] {
            run.update(ids[0], Update::Lost(how.to_owned()));
        }
        run.update(ids[1], Update::Lost("the agent on db2 failed at its end".to_owned()));
        let summary = run.finish();
        assert_eq!(summary.totals.successes, 6, "what comes after the end of a member does not count");
        let incomplete = Incomplete { process: 4, pid: None, thread: None, since };
        assert_eq!(summary.incomplete, [incomplete.clone(), incomplete]);
        assert_eq!(summary.totals.elapsed, over);
        let Verdict::ProcessLost(how) = summary.verdict else { panic!("{:?}", summary.verdict) };
        assert_eq!(how, "the agent on db2 was cut off; its counts are incomplete since 1.4 s");
    }
}
