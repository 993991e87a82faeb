//! The life of a child: its shards run here, and all that they say goes to the parent.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    Order, Word, fork,
    link::{Reader, Writer},
};
use crate::{
    engine::{
        clock::Clock,
        control::Inbox,
        crew::{self, Commands, Crew, LAST_CALL, Started, no_thread},
        message::Message,
        plan::Plan,
        shard::GRACE,
        update::{Command, Update},
    },
    metrics::{ProcessProbe, Snapshot},
    queue::{self, Sender},
    vars::Scope,
};

/// How often a child looks for stuck shards and signals.
const LOOK: Duration = Duration::from_millis(100);

/// What a child begins with.
pub(super) struct Birth<'a> {
    pub(super) plan: &'a Plan,
    pub(super) scope: Arc<Scope>,
    /// The parent's, of which this is a copy: what is sent here stays here.
    pub(super) inbox: &'a mut Inbox,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) number: usize,
    /// A moment that the parent knows too.
    pub(super) forked: Instant,
}

/// Lives to the end, and ends the process.
pub(super) fn live(birth: Birth<'_>) -> ! {
    // A panic must not unwind into what is the parent's to do.
    let code = catch_unwind(AssertUnwindSafe(|| work(birth))).unwrap_or(101);
    fork::leave(code)
}

fn work(birth: Birth<'_>) -> i32 {
    let Birth { plan, scope, inbox, mut reader, writer, number, forked } = birth;
    // The parent lets all begin at once; when it changes its mind, it goes.
    let Ok(Some(Order::Begin(began))) = reader.receive() else { return 0 };
    let clock = Arc::new(Clock::new(forked + began));
    let (words, waiting) = queue::queue::<Word>();
    let writer = Arc::new(Mutex::new(writer));
    // On its own thread, so that a parent that does not read blocks nobody here.
    let write = {
        let writer = writer.clone();
        move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(word) = waiting.receive() {
                // Whoever listens to the parent notices that it has gone.
                if writer.send(&word).is_err() {
                    return;
                }
            }
        }
    };
    let refusal = |why| Word::Update(0, Update::SystemFailed(why));
    let written = match thread::Builder::new().name("molotov-report".to_owned()).spawn(write) {
        Ok(written) => written,
        Err(error) => {
            let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).send(&refusal(no_thread(&error)));
            return 1;
        }
    };
    let Started { crew, here, refused } = Crew::start(plan, &scope, inbox, clock.clone(), number);
    let commands = crew.commands().clone();
    let obeyed = commands.clone();
    let begun = thread::Builder::new().name("molotov-parent".to_owned()).spawn(move || obey(reader, &obeyed));
    if let Some(why) = refused.or(begun.err().as_ref().map(no_thread)) {
        crew.commands().send(Command::Stop);
        words.send(refusal(why));
    }
    let event_loop = plan.selection.event_loop.clone();
    let mut teller = Teller { clock, crew, inbox, words: words.clone(), probe: ProcessProbe::start() };
    match here {
        None => teller.tell(),
        // The shard wants this thread.
        Some((event_loop, shard)) => {
            let ran = crew::run_here(
                &*event_loop,
                &commands,
                || shard.run(|runtime, work| event_loop.run(runtime, work)),
                &mut teller,
                |teller| teller.tell(),
                |teller| teller.crew.commands().are_forced(),
            );
            if let Err(error) = ran {
                words.send(refusal(no_thread(&error)));
            }
        }
    }
    if let Some(event_loop) = event_loop {
        event_loop.leave();
    }
    drop(words);
    teller.end();
    let _ = written.join();
    0
}

/// Hands the parent's commands to the shards. When the parent has gone, everything ends.
fn obey(mut reader: Reader, commands: &Commands) {
    while let Ok(Some(Order::Command(command))) = reader.receive() {
        commands.send(command);
    }
    commands.send(Command::Force);
    // Teardowns may run still; what does not end by itself then is ended.
    thread::sleep(GRACE + LAST_CALL * 2);
    fork::leave(1);
}

/// Tells the parent what happens here.
struct Teller<'a> {
    clock: Arc<Clock>,
    crew: Crew,
    inbox: &'a mut Inbox,
    words: Sender<Word>,
    probe: ProcessProbe,
}

impl Teller<'_> {
    fn tell(&mut self) {
        let (mut next_look, mut next_sample) = (Instant::now() + LOOK, Instant::now());
        let mut terminated = false;
        while !self.crew.all_ended() {
            let now = Instant::now();
            if now >= next_sample {
                self.sample();
                next_sample = now + Duration::from_secs(1);
            }
            if now >= next_look {
                if fork::was_terminated() && !std::mem::replace(&mut terminated, true) {
                    self.crew.commands().send(Command::Stop);
                }
                self.crew.break_in();
                for (shard, update) in self.crew.give_up_the_stuck() {
                    self.send(Word::Update(shard, update));
                }
                next_look = now + LOOK;
            }
            if let Ok(message) = self.inbox.receiver.receive_until(next_look.min(next_sample)) {
                self.pass_on(message);
            }
        }
        self.drain();
    }

    /// The last words.
    fn end(mut self) {
        self.drain();
        self.sample();
        self.send(Word::Ended);
        self.crew.join();
    }

    fn drain(&mut self) {
        while let Ok(message) = self.inbox.receiver.try_receive() {
            self.pass_on(message);
        }
    }

    fn sample(&mut self) {
        let (until, health) = (self.clock.real(), self.probe.sample());
        let measures = Snapshot { until, health, ..Snapshot::default() };
        self.send(Word::Measures(Box::new(measures)));
    }

    fn pass_on(&mut self, message: Message) {
        match message {
            Message::Line(line) => self.send(Word::Line(line)),
            // A shard that was given up may come back to life: its words are no part of the run any more.
            Message::Update(shard, update) if !self.crew.has_ended(shard) => {
                if matches!(update, Update::Done) {
                    self.crew.ended(shard);
                }
                self.send(Word::Update(shard, update));
            }
            Message::Update(..) => {}
            Message::Stop => self.crew.commands().send(Command::Stop),
            Message::Force => self.crew.commands().send(Command::Force),
            // These are the parent's: nobody asks a child.
            Message::Pause(_) | Message::ChangeWorkers(_) | Message::FromProcess(..) => {}
        }
    }

    fn send(&mut self, word: Word) {
        self.words.send(word);
    }
}
