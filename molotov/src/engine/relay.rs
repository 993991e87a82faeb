//! Makes the members of a process one member of a run: the threads of a forked process, or the threads or processes of a machine.

use std::{
    io,
    time::{Duration, Instant},
};

use std::sync::Arc;

use super::{
    clock::Clock,
    control::Inbox,
    link::Reader,
    member::Members,
    message::Message,
    shard::TEARDOWN_GRACE,
    threads::GIVE_UP_MARGIN,
    update::{Command, MemberId, Update},
};
use crate::{
    metrics::{MachineProbe, ProcessProbe, Snapshot},
    queue::Sender,
    run::{Incomplete, Line},
};

/// How often a relay checks for stuck members and signals.
const CHECK_PERIOD: Duration = Duration::from_millis(100);

/// How long a process may take to end after it was forced to, in which teardowns may run.
pub(super) const END_TIMEOUT: Duration = TEARDOWN_GRACE.saturating_add(GIVE_UP_MARGIN).saturating_add(GIVE_UP_MARGIN);

/// What a relay is, for the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A forked process, by its number.
    Process(usize),
    /// A machine of a run on several machines.
    Machine,
}

/// Combines the updates of the members of a process.
pub(super) struct Relay<'a> {
    place: Place,
    clock: Arc<Clock>,
    members: Members,
    inbox: &'a mut Inbox,
    updates: Sender<Update>,
    /// Samples this process, if it has workers.
    process: Option<ProcessProbe>,
    /// Samples the machine.
    machine: Option<MachineProbe>,
    warm_up: Duration,
    /// When the last member was done, from the start of the run, and how long the run was paused until then.
    done_at: (Duration, Duration),
    /// How late the first and the last shard began.
    began: Option<(Duration, Duration)>,
    /// Whether the members wait without workers.
    is_idle: bool,
}

impl<'a> Relay<'a> {
    pub(super) fn new(
        place: Place,
        clock: Arc<Clock>,
        members: Members,
        inbox: &'a mut Inbox,
        updates: Sender<Update>,
        warm_up: Duration,
    ) -> Relay<'a> {
        Relay {
            place,
            clock,
            members,
            inbox,
            updates,
            process: None,
            machine: (place == Place::Machine).then(MachineProbe::start),
            warm_up,
            done_at: (Duration::ZERO, Duration::ZERO),
            began: None,
            is_idle: false,
        }
    }

    /// Also samples this process.
    pub(super) fn with_process(self) -> Relay<'a> {
        Relay { process: Some(ProcessProbe::start()), ..self }
    }

    /// Relays until all members have ended. Stops them once `is_terminated` returns `true`.
    pub(super) fn run(&mut self, is_terminated: impl Fn() -> bool) {
        let (mut next_look, mut next_sample) = (Instant::now() + CHECK_PERIOD, Instant::now());
        let mut terminated = false;
        while !self.members.all_ended() {
            let now = Instant::now();
            if now >= next_sample {
                self.sample();
                next_sample = now + Duration::from_secs(1);
            }
            if now >= next_look {
                if is_terminated() && !std::mem::replace(&mut terminated, true) {
                    self.members.send(Command::Stop);
                }
                for (id, update) in self.members.look_after() {
                    self.pass_on(id, update);
                }
                next_look = now + self.look_period();
                continue;
            }
            if let Ok(message) = self.inbox.receiver.receive_until(next_look.min(next_sample)) {
                // A member that has closed its link is about to end.
                if matches!(message, Message::Update(_, Update::Closed)) {
                    next_look = now;
                }
                self.handle(message);
            }
        }
        self.drain();
    }

    /// Relays the remaining updates and [`Update::Done`].
    pub(super) fn end(mut self) {
        self.drain();
        self.sample();
        let (elapsed, paused) = self.done_at;
        self.updates.send(Update::Done { elapsed, paused });
        self.members.release();
    }

    fn look_period(&self) -> Duration {
        if self.members.some_are_ending() { Duration::from_millis(2) } else { CHECK_PERIOD }
    }

    fn drain(&mut self) {
        while let Ok(message) = self.inbox.receiver.try_receive() {
            self.handle(message);
        }
    }

    fn sample(&mut self) {
        let mut health = self.machine.as_mut().map(MachineProbe::sample).unwrap_or_default();
        if let Some(process) = &mut self.process {
            health.merge(&process.sample());
        }
        let warm_up = self.clock.is_sample_of(self.warm_up);
        let measures = Snapshot { until: self.clock.real(), warm_up, health, ..Snapshot::default() };
        self.updates.send(Update::Measures(Box::new(measures)));
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Line(line) => _ = self.updates.send(Update::Line(line)),
            Message::Update(id, update) => self.pass_on(id, update),
            Message::Command(command) => self.members.send(command),
            Message::Stop => self.members.send(Command::Stop),
            Message::Force => self.members.send(Command::Force),
            // Only the coordinator receives these.
            Message::Pause(_) | Message::ChangeWorkers(_) => {}
        }
    }

    /// Relays the update of a member as an update of this process.
    fn pass_on(&mut self, id: MemberId, update: Update) {
        let Some(member) = self.members.get_mut(id) else { return };
        let was_done = member.is_done();
        if !member.record(&update) {
            return;
        }
        let update = match update {
            Update::Workers { .. } => self.members.workers(),
            Update::Reported(_) => self.members.reported(),
            Update::Abandoned => Update::Incomplete(match self.place {
                Place::Process(process) => Incomplete { process, pid: Some(std::process::id()), ..member.incomplete() },
                Place::Machine => member.incomplete(),
            }),
            Update::Began { first, last } => {
                let (earliest, latest) = self.began.unwrap_or((first, last));
                let (first, last) = (first.min(earliest), last.max(latest));
                self.began = Some((first, last));
                Update::Began { first, last }
            }
            Update::Done { elapsed, paused } => {
                self.done_at = self.done_at.max((elapsed, paused));
                self.members.workers()
            }
            Update::Lost(how) => {
                if !was_done {
                    self.done_at = self.done_at.max((self.clock.real(), self.clock.paused()));
                }
                Update::LostPart { how, incomplete: (!was_done).then(|| member.incomplete()) }
            }
            Update::Missing { updates } => {
                let text = member.missing(updates);
                self.updates.send(Update::Line(Line::warning(text)));
                Update::Incomplete(member.incomplete())
            }
            // The other machines have rows of their own.
            Update::RowsRanOut { stream } if self.place == Place::Machine => {
                self.members.send(Command::EndStream(stream));
                return;
            }
            Update::Closed => return,
            Update::Idle(_) => return self.note_idle(),
            update => update,
        };
        self.updates.send(update);
        self.note_idle();
    }

    /// Reports when the members become idle or have workers again.
    fn note_idle(&mut self) {
        let is_idle = self.members.are_idle();
        if std::mem::replace(&mut self.is_idle, is_idle) != is_idle {
            self.updates.send(Update::Idle(is_idle));
        }
    }
}

/// Passes the commands that `read` receives to the relay of `inbox`. After the other side has gone, forces the run down, and calls
/// `leave` if the process has not ended a while later.
pub(super) fn obey(
    mut reader: Reader,
    sender: &Sender<Message>,
    mut read: impl FnMut(&mut Reader) -> io::Result<Option<Command>>,
    leave: impl FnOnce(),
) {
    while let Ok(Some(command)) = read(&mut reader) {
        sender.send(Message::Command(command));
    }
    sender.send(Message::Command(Command::Force));
    std::thread::sleep(END_TIMEOUT);
    leave();
}
