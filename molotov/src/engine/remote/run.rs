//! Takes part in the run of a coordinator on another machine.

use std::{
    io,
    net::Shutdown,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Failed, FromRun, Ready, ToRun, batches,
    link::{Ends, Link},
};
use crate::{
    engine::{
        clock::Clock,
        control::Inbox,
        envelope::EnvelopeWriter,
        global_fixtures,
        link::{Reader, Writer},
        member::Members,
        message::Message,
        panic,
        plan::Plan,
        processes,
        relay::{self, Place, Relay},
        split::Split,
        threads::{self, StartedThreads, no_thread},
        update::{Command, MemberId, Update},
    },
    queue::{self, Sender},
    run::{Line, Progress, Summary},
    ui::Screen,
};

/// Prepares the part of this process in a run: runs the fixtures that the coordinator asks for, forks if the plan has several
/// processes, and reports that it is ready. Returns `None` if the run does not begin, in the parent only.
///
/// With several processes, the calling thread must be the only one until this function returns.
pub(crate) fn prepare(mut plan: Plan, member: MemberId, mut link: Link, mut inbox: Inbox) -> Option<PreparedPart> {
    panic::install_hook();
    let scope = plan.scope.clone();
    let _entered = scope.enter();
    crate::failure::capture_backtraces(plan.args.verbose > 0);
    let mut members = Members::default();
    if !set_up(&mut plan, &mut link) {
        return None;
    }
    let failed = match plan.open_data() {
        Err(error) => Err(error.to_string()),
        Ok(()) if plan.args.processes > 1 => processes::join(&plan, &mut inbox, &mut members, &mut link),
        Ok(()) => Ok(()),
    };
    if let Err(why) = failed {
        link.fail(Failed::System(why));
        global_fixtures::tear_down(&plan, &mut link);
        link.show_waiting(&inbox);
        return None;
    }
    let threads = (0..plan.args.processes).map(|process| threads::per_process(&plan, Split::of(&plan, process))).sum();
    link.send(&FromRun::Ready(Ready { load: (*plan.load).clone(), threads }));
    Some(PreparedPart { plan, member, members, link, inbox })
}

/// Runs the fixtures that the coordinator asks for. Returns whether the run can begin.
fn set_up(plan: &mut Plan, link: &mut Link) -> bool {
    let variables = loop {
        match link.receive() {
            Some(ToRun::SetUpOnce) => match global_fixtures::set_up_once(plan, link) {
                Ok(variables) => link.send(&FromRun::SetUpOnce { variables }),
                Err(failure) => {
                    link.fail(Failed::Fixture(failure));
                    return false;
                }
            },
            Some(ToRun::SetUp { variables }) => break variables,
            Some(ToRun::Command(Command::Stop | Command::Force) | ToRun::Begin { .. }) | None => return false,
            Some(ToRun::Command(_)) => {}
        }
    };
    match global_fixtures::set_up(plan, variables, link) {
        Ok(()) => true,
        Err(failure) => {
            link.fail(Failed::Fixture(failure));
            false
        }
    }
}

/// The part of this process in a run whose workers have not started.
#[must_use = "workers start when `run` is called"]
pub(crate) struct PreparedPart {
    plan: Plan,
    member: MemberId,
    /// The processes, if there are several.
    members: Members,
    link: Link,
    inbox: Inbox,
}

impl PreparedPart {
    /// Waits for the start of the run, and runs its part until it ends. Then, or if the run does not begin, runs
    /// `global_teardown`.
    pub(crate) fn run(self) {
        let PreparedPart { plan, member, mut members, mut link, inbox } = self;
        let scope = plan.scope.clone();
        let _entered = scope.enter();
        let at = loop {
            match link.receive() {
                Some(ToRun::Begin { at }) => break Some(at),
                Some(ToRun::Command(Command::Stop | Command::Force)) | None => break None,
                Some(_) => {}
            }
        };
        match (at, link.into_ends()) {
            (Some(at), Some(ends)) => work(plan, member, members, inbox, ends, at),
            (_, ends) => {
                members.release();
                let mut link = Link::of(ends);
                global_fixtures::tear_down(&plan, &mut link);
                link.show_waiting(&inbox);
            }
        }
    }
}

fn work(plan: Plan, member: MemberId, mut members: Members, mut inbox: Inbox, ends: Ends, at: Duration) {
    let clock = Arc::new(Clock::new(instant(at)));
    let (updates, waiting) = queue::queue::<Update>();
    let Ends { stream, reader, writer } = ends;
    let writer =
        Arc::new(Mutex::new(AgentWriter { writer, outgoing: EnvelopeWriter::new(member), clock: clock.clone() }));
    let write = {
        let (writer, clock) = (writer.clone(), clock.clone());
        move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            // `obey` notices that the agent has gone.
            let _ = batches::send_all(&waiting, &clock, |update| writer.send(update));
        }
    };
    // On its own thread, so that an agent that does not read blocks nothing here.
    let written = match thread::Builder::new().name("molotov-report".to_owned()).spawn(write) {
        Ok(written) => written,
        Err(error) => {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = writer.send(Update::SystemFailed(no_thread(&error)));
            return members.release();
        }
    };
    let has_ended = Arc::new(AtomicBool::new(false));
    let obeying = {
        let (sender, has_ended) = (inbox.sender.clone(), has_ended.clone());
        let leave = move || {
            if !has_ended.load(Ordering::Acquire) {
                processes::leave(1);
            }
        };
        let thread = thread::Builder::new().name("molotov-agent".to_owned());
        thread.spawn(move || relay::obey(reader, &sender, next_command, leave))
    };
    let mut refused = obeying.as_ref().err().map(no_thread);
    let (scope, warm_up) = (plan.scope.clone(), plan.args.warm_up);
    let (mut here, mut commands) = (None, None);
    let is_single = members.is_empty();
    if is_single {
        let started = threads::start(&plan, &scope, &inbox, clock.clone(), 0, &mut members);
        let StartedThreads { commands: sent, here: shard, refused: why } = started;
        (here, commands, refused) = (shard, Some(sent), refused.or(why));
    } else if let Err(error) = members.begin(&inbox.sender, clock.epoch()) {
        members.release();
        refused = refused.or(Some(no_thread(&error)));
    }
    if let Some(why) = refused {
        members.send(Command::Stop);
        updates.send(Update::SystemFailed(why));
    }
    let relay = Relay::new(Place::Machine, clock.clone(), members, &mut inbox, updates.clone(), warm_up);
    let mut relay = if is_single { relay.with_process() } else { relay };
    match (here, commands) {
        (Some((event_loop, shard)), Some(commands)) => {
            let ran = threads::run_here(
                &*event_loop,
                &commands,
                || shard.run(|runtime, work| event_loop.run(runtime, work)),
                &mut relay,
                |relay| relay.run(|| false),
                |_| commands.are_forced(),
            );
            if let Err(error) = ran {
                updates.send(Update::SystemFailed(no_thread(&error)));
            }
        }
        _ => relay.run(|| false),
    }
    relay.end();
    let event_loop = plan.selection.event_loop.iter();
    let notes = event_loop.flat_map(|event_loop| event_loop.notes(clock.epoch()));
    let notes = notes.chain(plan.data.iter().filter_map(|source| source.note(clock.epoch())));
    notes.for_each(|note| _ = updates.send(Update::Note(note)));
    let exit = global_fixtures::tear_down(&plan, &mut ToCoordinator(updates.clone()));
    // What `global_teardown` has printed.
    while let Ok(message) = inbox.receiver.try_receive() {
        if let Message::Line(line) = message {
            updates.send(Update::Line(line));
        }
    }
    exit.into_iter().for_each(|code| _ = updates.send(Update::Exit(code)));
    drop(updates);
    let _ = written.join();
    has_ended.store(true, Ordering::Release);
    let _ = stream.shutdown(Shutdown::Both);
}

/// Receives the next command; `None` after the agent has closed the link.
fn next_command(reader: &mut Reader) -> io::Result<Option<Command>> {
    loop {
        match reader.receive()? {
            Some(ToRun::Command(command)) => return Ok(Some(command)),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}

/// Sends updates to the agent.
struct AgentWriter {
    writer: Arc<Mutex<Writer>>,
    outgoing: EnvelopeWriter,
    clock: Arc<Clock>,
}

impl AgentWriter {
    fn send(&mut self, update: Update) -> io::Result<()> {
        Ends::send(&self.writer, &FromRun::Update(self.outgoing.seal(self.clock.real(), update)))
    }
}

/// Shows lines at the coordinator, as updates.
struct ToCoordinator(Sender<Update>);

impl Screen for ToCoordinator {
    fn line(&mut self, line: &Line) {
        self.0.send(Update::Line(line.clone()));
    }

    fn progress(&mut self, _: &Progress) {}

    fn finish(&mut self, _: &Summary) {}
}

/// The moment at which the monotonic clock of the machine shows a time.
fn instant(at: Duration) -> Instant {
    let (now, shown) = (Instant::now(), super::monotonic());
    match at.checked_sub(shown) {
        Some(left) => now + left,
        None => now.checked_sub(shown - at).unwrap_or(now),
    }
}
