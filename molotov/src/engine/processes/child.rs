//! A child process: runs its shards and relays their updates to the parent.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::fork;
use crate::{
    engine::{
        clock::Clock,
        control::Inbox,
        envelope::EnvelopeWriter,
        link::{Reader, Writer},
        member::Members,
        message::Message,
        plan::Plan,
        shard::TEARDOWN_GRACE,
        threads::{self, Commands, GIVE_UP_MARGIN, StartedThreads, no_thread},
        update::{Command, MemberId, Update},
    },
    metrics::{ProcessProbe, Snapshot},
    queue::{self, Sender},
    run::Incomplete,
    vars::Scope,
};

/// How often a child checks for stuck shards and signals.
const CHECK_PERIOD: Duration = Duration::from_millis(100);

/// What a child starts with.
pub(super) struct ChildStart<'a> {
    pub(super) plan: &'a Plan,
    pub(super) scope: Arc<Scope>,
    /// A copy of the parent's inbox. Messages sent to it stay in the child.
    pub(super) inbox: &'a mut Inbox,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// Its id among the members of the run.
    pub(super) id: MemberId,
    pub(super) number: usize,
    /// A moment that the parent has a copy of.
    pub(super) forked: Instant,
}

/// Runs the child and ends the process.
pub(super) fn run(start: ChildStart<'_>) -> ! {
    // A panic must not unwind into code of the parent.
    let code = catch_unwind(AssertUnwindSafe(|| work(start))).unwrap_or(101);
    fork::leave(code)
}

fn work(start: ChildStart<'_>) -> i32 {
    let ChildStart { plan, scope, inbox, mut reader, writer, id, number, forked } = start;
    // The parent starts all children together. It closes the link if it does not start them.
    let Ok(Some(began)) = reader.receive::<Duration>() else { return 0 };
    let clock = Arc::new(Clock::new(forked + began));
    let (updates, waiting) = queue::queue::<Update>();
    let writer = Arc::new(Mutex::new(ParentWriter { writer, outgoing: EnvelopeWriter::new(id), clock: clock.clone() }));
    // On its own thread, so that a parent that does not read blocks nothing here.
    let write = {
        let writer = writer.clone();
        move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(update) = waiting.receive() {
                // `obey` notices that the parent has gone.
                if writer.send(update).is_err() {
                    return;
                }
            }
        }
    };
    let written = match thread::Builder::new().name("molotov-report".to_owned()).spawn(write) {
        Ok(written) => written,
        Err(error) => {
            let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).send(Update::SystemFailed(no_thread(&error)));
            return 1;
        }
    };
    let mut members = Members::default();
    let StartedThreads { commands, here, refused } =
        threads::start(plan, &scope, inbox, clock.clone(), number, &mut members);
    let obeyed = commands.clone();
    let begun = thread::Builder::new().name("molotov-parent".to_owned()).spawn(move || obey(reader, &obeyed));
    if let Some(why) = refused.or(begun.err().as_ref().map(no_thread)) {
        commands.send(Command::Stop);
        updates.send(Update::SystemFailed(why));
    }
    let event_loop = plan.selection.event_loop.clone();
    let mut relay = Relay {
        clock,
        number,
        members,
        inbox,
        updates: updates.clone(),
        probe: ProcessProbe::start(),
        warm_up: plan.args.warm_up,
        done_at: (Duration::ZERO, Duration::ZERO),
    };
    match here {
        None => relay.run(),
        // The shard needs this thread.
        Some((event_loop, shard)) => {
            let ran = threads::run_here(
                &*event_loop,
                &commands,
                || shard.run(|runtime, work| event_loop.run(runtime, work)),
                &mut relay,
                |relay| relay.run(),
                |_| commands.are_forced(),
            );
            if let Err(error) = ran {
                updates.send(Update::SystemFailed(no_thread(&error)));
            }
        }
    }
    if let Some(event_loop) = event_loop {
        event_loop.leave();
    }
    drop(updates);
    relay.end();
    let _ = written.join();
    0
}

/// Passes the parent's commands to the threads. Ends the process after the parent has gone.
fn obey(mut reader: Reader, commands: &Commands) {
    while let Ok(Some(command)) = reader.receive() {
        commands.send(command);
    }
    commands.send(Command::Force);
    // Teardowns may still run. If the process has not ended by then, end it.
    thread::sleep(TEARDOWN_GRACE + GIVE_UP_MARGIN * 2);
    fork::leave(1);
}

/// Sends updates to the parent.
struct ParentWriter {
    writer: Writer,
    outgoing: EnvelopeWriter,
    clock: Arc<Clock>,
}

impl ParentWriter {
    fn send(&mut self, update: Update) -> io::Result<()> {
        let update = match update {
            Update::Line(line) => Update::Line(line.by_process(std::process::id())),
            update => update,
        };
        self.writer.send(&self.outgoing.seal(self.clock.real(), update))
    }
}

/// Makes the threads of this process one member: combines their updates for the parent.
struct Relay<'a> {
    clock: Arc<Clock>,
    /// The number of the process.
    number: usize,
    members: Members,
    inbox: &'a mut Inbox,
    updates: Sender<Update>,
    probe: ProcessProbe,
    warm_up: Duration,
    /// When the last thread was done, from the start of the run, and how long the run was paused until then.
    done_at: (Duration, Duration),
}

impl Relay<'_> {
    /// Relays until all threads have ended.
    fn run(&mut self) {
        let (mut next_look, mut next_sample) = (Instant::now() + CHECK_PERIOD, Instant::now());
        let mut terminated = false;
        while !self.members.all_ended() {
            let now = Instant::now();
            if now >= next_sample {
                self.sample();
                next_sample = now + Duration::from_secs(1);
            }
            if now >= next_look {
                if fork::was_terminated() && !std::mem::replace(&mut terminated, true) {
                    self.members.send(Command::Stop);
                }
                for (id, update) in self.members.look_after() {
                    self.pass_on(id, update);
                }
                next_look = now + CHECK_PERIOD;
            }
            if let Ok(message) = self.inbox.receiver.receive_until(next_look.min(next_sample)) {
                self.handle(message);
            }
        }
        self.drain();
    }

    /// Relays the remaining updates and `Update::Done`.
    fn end(mut self) {
        self.drain();
        self.sample();
        let (elapsed, paused) = self.done_at;
        self.updates.send(Update::Done { elapsed, paused });
        self.members.release();
    }

    fn drain(&mut self) {
        while let Ok(message) = self.inbox.receiver.try_receive() {
            self.handle(message);
        }
    }

    fn sample(&mut self) {
        let (until, health) = (self.clock.real(), self.probe.sample());
        let warm_up = self.clock.is_sample_of(self.warm_up);
        let measures = Snapshot { until, warm_up, health, ..Snapshot::default() };
        self.updates.send(Update::Measures(Box::new(measures)));
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Line(line) => _ = self.updates.send(Update::Line(line)),
            Message::Update(id, update) => self.pass_on(id, update),
            Message::Stop => self.members.send(Command::Stop),
            Message::Force => self.members.send(Command::Force),
            // Only the parent receives these.
            Message::Pause(_) | Message::ChangeWorkers(_) => {}
        }
    }

    /// Relays the update of a thread as an update of this process.
    fn pass_on(&mut self, id: MemberId, update: Update) {
        let Some(member) = self.members.get_mut(id) else { return };
        if !member.record(&update) {
            return;
        }
        let update = match update {
            Update::Workers { .. } => self.members.workers(),
            Update::Reported(_) => self.members.reported(),
            Update::Abandoned => {
                let pid = Some(std::process::id());
                Update::Incomplete(Incomplete { process: self.number, pid, ..member.incomplete() })
            }
            Update::Done { elapsed, paused } => {
                self.done_at = self.done_at.max((elapsed, paused));
                self.members.workers()
            }
            update => update,
        };
        self.updates.send(update);
    }
}
