//! A thread as the coordinator sees it, and the commands to all threads of a process.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use tokio::sync::mpsc::UnboundedSender;

use super::{GIVE_UP_MARGIN, INTERRUPT_AFTER, shard_loop::ShardHandle};
use crate::{
    engine::{
        clock::Clock,
        member::Member,
        shard::TEARDOWN_GRACE,
        status::{Activity, left_running},
        stop::{AnnouncedPhase, Phase},
        update::{Command, Update},
    },
    metrics::Snapshot,
    registry::EventLoop,
    run::Incomplete,
};

/// A thread of workers in this process.
pub(super) struct Thread {
    /// Its number in the process.
    pub(super) number: usize,
    pub(super) handle: ShardHandle,
    pub(super) process: Arc<ProcessState>,
    pub(super) ended: bool,
}

/// The state that the threads of a process share.
pub(super) struct ProcessState {
    pub(super) event_loop: Option<Arc<dyn EventLoop>>,
    pub(super) clock: Arc<Clock>,
    /// When the run was forced down.
    pub(super) forced: OnceLock<Instant>,
    /// The names of the scenarios.
    pub(super) names: Vec<String>,
    pub(super) force_shutdown: bool,
    pub(super) warm_up: Duration,
}

impl Thread {
    /// Interrupts code that keeps the thread of an event loop busy after its time. Interrupts again as long as that lasts: the
    /// next worker may do the same.
    fn interrupt_if_busy(&self) {
        let Some(event_loop) = &self.process.event_loop else { return };
        let forced = self.process.forced.get().map_or(Duration::ZERO, Instant::elapsed);
        // A shard that learns of the force in time cancels its workers, and drops them after the grace.
        let late = TEARDOWN_GRACE + GIVE_UP_MARGIN / 4;
        let unanswered = forced >= INTERRUPT_AFTER && !self.handle.announced.is_answered();
        if unanswered || forced >= late || (self.process.force_shutdown && self.handle.statuses.overdue(late)) {
            event_loop.interrupt();
        }
    }
}

impl Member for Thread {
    fn name(&self) -> String {
        format!("thread {}", self.number)
    }

    fn send(&mut self, command: Command) {
        self.process.prepare_for(&command);
        deliver(&self.handle.commands, &self.handle.announced, command);
    }

    fn observe(&mut self, update: &Update) {
        self.ended |= matches!(update, Update::Done { .. });
    }

    /// Interrupts code that should have ended. Gives up a thread that a scenario keeps busy, and returns its last updates in its
    /// place.
    fn look_after(&mut self) -> Vec<Update> {
        self.interrupt_if_busy();
        let limit = TEARDOWN_GRACE + GIVE_UP_MARGIN;
        let forced = self.process.forced.get().is_some_and(|at| at.elapsed() >= limit);
        let stuck = forced || (self.process.force_shutdown && self.handle.statuses.overdue(limit));
        if self.ended || !stuck {
            return Vec::new();
        }
        let mut updates = Vec::new();
        let (elapsed, paused) = (self.process.clock.real(), self.process.clock.paused());
        let warm_up = self.process.clock.now() < self.process.warm_up;
        let mut interrupted = Snapshot { until: elapsed, warm_up, ..Snapshot::default() };
        for (worker, activity) in self.handle.statuses.unfinished() {
            updates.push(Update::Line(left_running(worker, activity, &self.process.names, TEARDOWN_GRACE)));
            if let Activity::Scenario(index) = activity {
                let name = self.process.names[index].as_str().into();
                interrupted.scenarios.entry(name).or_default().counts.interrupted += 1;
            }
        }
        updates.extend([Update::Abandoned, Update::Measures(Box::new(interrupted)), Update::Done { elapsed, paused }]);
        updates
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn incomplete(&self, since: Duration) -> Incomplete {
        Incomplete { agent: None, process: 0, pid: None, thread: Some(self.number), since }
    }

    /// Joins a thread that has ended. A thread that was given up keeps running: nothing outside can stop it.
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
    /// Applies the effects of a command on the whole process.
    fn prepare_for(&self, command: &Command) {
        match command {
            Command::Pause(paused) => self.clock.pause(*paused),
            // A stop ends a pause.
            Command::Stop | Command::Force => self.clock.pause(false),
            Command::Load(_) | Command::EndStream(_) | Command::Finish => {}
        }
        if *command == Command::Force {
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
        Command::Pause(_) | Command::Load(_) | Command::EndStream(_) | Command::Finish => {}
    }
    // Fails only for a shard that has ended, which needs no commands.
    let _ = commands.send(command);
}

/// Sends commands to all threads of a process, from any thread.
#[derive(Clone)]
pub(in crate::engine) struct Commands {
    pub(super) process: Arc<ProcessState>,
    pub(super) threads: Arc<[(UnboundedSender<Command>, Arc<AnnouncedPhase>)]>,
}

impl Commands {
    /// Whether the run was forced down.
    pub(in crate::engine) fn are_forced(&self) -> bool {
        self.process.forced.get().is_some()
    }

    pub(in crate::engine) fn send(&self, command: Command) {
        self.process.prepare_for(&command);
        for (commands, announced) in self.threads.iter() {
            deliver(commands, announced, command.clone());
        }
    }
}
