//! The loop of the coordinator: receives messages, looks after the members, and shows the progress.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::Coordinator;
use crate::{
    engine::{
        message::Message,
        shard::TEARDOWN_GRACE,
        sizing::{Action, Moment, Sizing},
        stop::Phase,
        update::{Command, Update},
    },
    metrics::Snapshot,
    run::{COMPLETE_AFTER, Line, PlanProgress, Progress, Totals},
};

impl Coordinator<'_> {
    /// Receives messages until all members have ended or were given up.
    pub(super) fn watch(&mut self) {
        let period = self.plan.args.console_update.max(Duration::from_millis(20));
        let mut next_progress = Instant::now() + period;
        let mut next_sample = Instant::now();
        let mut next_look = Instant::now() + self.look_period();
        while !self.members.all_ended() {
            let now = Instant::now();
            if now >= next_sample {
                self.sample();
                next_sample = now + Duration::from_secs(1);
            }
            if now >= next_look {
                self.look_after();
                next_look = now + self.look_period();
                // Maybe no member is left to send anything.
                continue;
            }
            if now >= next_progress {
                self.show_progress();
                next_progress = now + period;
            }
            if let Ok(message) = self.inbox.receiver.receive_until(next_progress.min(next_sample).min(next_look)) {
                // A member that has closed its link is about to end.
                if matches!(message, Message::Update(_, Update::Closed)) {
                    next_look = now;
                }
                self.handle(message);
            }
        }
        // Messages of a member arrive in order, so everything before its last one has been handled.
        self.sample();
        if let Some(listeners) = self.listeners.take() {
            listeners.end(TEARDOWN_GRACE);
        }
        self.drain();
        let end = self.load_time();
        self.followed.get_or_insert(end);
        self.note_planned_starts(self.elapsed);
        let seconds = self.arriving.take();
        self.complete(seconds);
        self.timeline.end(self.elapsed);
        self.most_workers = self.members.most();
        self.members.release();
    }

    /// How long to wait before `look_after` is called again.
    fn look_period(&self) -> Duration {
        Duration::from_millis(if self.members.some_are_ending() { 2 } else { 100 })
    }

    /// Handles the messages that have arrived.
    pub(super) fn drain(&mut self) {
        while let Ok(message) = self.inbox.receiver.try_receive() {
            self.handle(message);
        }
    }

    pub(super) fn handle(&mut self, message: Message) {
        match message {
            Message::Line(line) => self.screen.line(&line),
            Message::Pause(paused) => {
                if self.phase == Phase::Running && self.started.is_some() && self.clock.is_paused() != paused {
                    self.clock.pause(paused);
                    self.sizing.iter_mut().for_each(Sizing::disturbed);
                    let text = if paused { "Paused: running scenarios finish" } else { "Resumed" };
                    self.screen.line(&Line::info(text));
                    self.members.send(Command::Pause(paused));
                }
            }
            Message::ChangeWorkers(more) => self.change_load(more),
            Message::Stop => {
                self.interrupted = true;
                if self.phase == Phase::Running {
                    self.screen.line(&Line::info(match self.started {
                        Some(_) => "Stopping: waiting for running scenarios; a second Ctrl-C cancels them",
                        None => "Stopping before the start",
                    }));
                }
                self.raise(Phase::Stopping);
            }
            Message::Force => {
                self.interrupted = true;
                self.raise(Phase::Forced);
            }
            Message::Update(member, update) => self.update(member, update),
            // Only relays receive commands.
            Message::Command(_) => {}
        }
    }

    /// Notices members that do not end or have disappeared, and decides whether the sizing is over.
    fn look_after(&mut self) {
        let workers = self.running();
        let elapsed = self.clock.real();
        self.follow_warm_up();
        self.note_planned_starts(elapsed);
        let seconds = self.arriving.take_complete(elapsed.saturating_sub(COMPLETE_AFTER));
        self.complete(seconds);
        self.timeline.tick(elapsed, workers);
        self.size(workers);
        for (member, update) in self.members.look_after() {
            self.update(member, update);
        }
        // The others may be cut off.
        self.finish_idle();
    }

    /// Moves the end of the warm-up, which is a time without pauses, to real time.
    pub(super) fn follow_warm_up(&mut self) {
        let warm_up = self.plan.args.warm_up;
        if self.clock.now() < warm_up {
            self.warm_up_until = warm_up + self.clock.paused();
            self.timeline.warm_up(self.warm_up_until);
        }
    }

    /// Lets the sizing decide what comes next.
    fn size(&mut self, workers: usize) {
        if self.phase != Phase::Running || self.clock.is_paused() {
            return;
        }
        let (counts, _) = self.counts();
        let Some(sizing) = &mut self.sizing else { return };
        let moment = Moment { now: self.clock.now(), reported: self.members.reported_until(), workers };
        match sizing.advance(moment, counts, &self.plan.load) {
            Some(Action::Load(load)) => self.set_load(Arc::new(load)),
            Some(Action::Stop) => self.raise(Phase::Stopping),
            None => {}
        }
    }

    /// Samples this process and the machine, and tells the listeners how many workers run.
    fn sample(&mut self) {
        if self.agents.is_some() {
            // The machines that run the load report for themselves.
            self.tell_listeners();
            return;
        }
        let mut health = self.machine.sample();
        if self.plan.args.processes == 1 {
            health.merge(&self.probe.sample());
        }
        let warm_up = self.clock.is_sample_of(self.plan.args.warm_up);
        self.measured(None, Snapshot { until: self.clock.real(), warm_up, health, ..Snapshot::default() });
        self.tell_listeners();
    }

    fn tell_listeners(&self) {
        if let Some(listeners) = &self.listeners {
            listeners.workers(self.running());
        }
    }

    /// Feeds the progress of the run to the screen.
    pub(super) fn show_progress(&mut self) {
        let elapsed = self.clock.real();
        let plan = self.plan_progress(elapsed);
        let (counts, warm_up) = self.counts();
        let ended = counts.ok + counts.failed + warm_up.ok + warm_up.failed;
        self.screen.progress(&Progress {
            totals: Totals {
                elapsed,
                paused: self.clock.paused(),
                warm_up: self.plan.args.warm_up.min(self.clock.now()),
                successes: counts.ok,
                failures: counts.failed,
                interrupted: counts.interrupted,
            },
            workers: self.running(),
            processes: if self.plan.args.processes > 1 { self.members.living() } else { 1 },
            agents: self.members.living_agents(),
            measures_lost: self.lost.is_some() || !self.incomplete.is_empty(),
            sizing: self.sizing.as_ref().map(Sizing::progress),
            plan,
            warm_up_until: self.warm_up_until,
            rate: self.rate.over_the_last_second(elapsed, ended),
        });
    }

    /// Adds the starts that were planned until now to the timeline.
    fn note_planned_starts(&mut self, elapsed: Duration) {
        if self.plan.load.is_open() {
            self.timeline.planned(elapsed, self.plan.load.starts_before(self.load_time()));
        }
    }

    /// The plan of the load so far, if scenarios start at a rate.
    fn plan_progress(&mut self, elapsed: Duration) -> Option<PlanProgress> {
        let load = &self.plan.load;
        let (now, (starts, in_warm_up)) = (self.load_time(), self.starts());
        let rate = load.rate_at(now)?;
        let started_in_all = starts.started + in_warm_up.started;
        let planned_in_all = load.starts_before(now);
        Some(PlanProgress {
            // The plan does not advance in a pause.
            rate: if self.clock.is_paused() { 0.0 } else { rate },
            achieved: self.start_rate.over_the_last_second(elapsed, started_in_all),
            planned: planned_in_all - load.starts_before(self.plan.args.warm_up.min(now)),
            planned_in_all,
            started: starts.started,
            late: starts.late,
            dropped: starts.dropped,
        })
    }
}
