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
        plan::Plan,
        relay::{self, Place, Relay},
        threads::{self, StartedThreads, no_thread},
        update::{Command, MemberId, Update},
    },
    queue,
    vars::Scope,
};

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
                // `relay::obey` notices that the parent has gone.
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
    let sender = inbox.sender.clone();
    let obeying = thread::Builder::new()
        .name("molotov-parent".to_owned())
        .spawn(move || relay::obey(reader, &sender, Reader::receive, || fork::leave(1)));
    if let Some(why) = refused.or(obeying.err().as_ref().map(no_thread)) {
        commands.send(Command::Stop);
        updates.send(Update::SystemFailed(why));
    }
    let event_loop = plan.selection.event_loop.clone();
    let (place, warm_up) = (Place::Process(number), plan.args.warm_up);
    let mut relay = Relay::new(place, clock, members, inbox, updates.clone(), warm_up).with_process();
    match here {
        None => relay.run(fork::was_terminated),
        // The shard needs this thread.
        Some((event_loop, shard)) => {
            let ran = threads::run_here(
                &*event_loop,
                &commands,
                || shard.run(|runtime, work| event_loop.run(runtime, work)),
                &mut relay,
                |relay| relay.run(fork::was_terminated),
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
