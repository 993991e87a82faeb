//! The keyboard, read on a thread of its own: Ctrl-C works while the terminal takes nothing and drawing blocks.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    Wish, Wishes,
    input::{self, Ask},
    state::State,
    terminal,
};

/// How often it is looked whether there is still somebody who takes keys.
const LOOK: Duration = Duration::from_millis(20);
/// As if Ctrl-C had ended the process.
const INTERRUPTED: i32 = 130;

/// Asks things of the run, and counts how often it was asked to stop.
pub(super) struct Keyboard {
    wishes: Wishes,
    stops: AtomicUsize,
}

/// A key that was pressed.
pub(super) enum Key {
    /// Ctrl-C, which has been handed on.
    Interrupt,
    /// Another one.
    Other(KeyEvent),
}

impl Key {
    /// What it asks for.
    pub(super) fn asks(self, state: &mut State) -> Option<Ask> {
        match self {
            Key::Interrupt => {
                state.stopping = true;
                None
            }
            Key::Other(key) => input::key(state, key),
        }
    }
}

impl Keyboard {
    pub(super) fn new(wishes: Wishes) -> Keyboard {
        Keyboard { wishes, stops: AtomicUsize::new(0) }
    }

    pub(super) fn wish(&self, wish: Wish) {
        (self.wishes)(wish);
    }

    /// Asks the run to stop; asked again, to cut what runs; a third time, ends the process.
    pub(super) fn stop(&self) {
        match self.stops.fetch_add(1, Ordering::Relaxed) {
            0 => self.wish(Wish::Stop),
            1 => self.wish(Wish::Force),
            _ => terminal::exit(INTERRUPTED),
        }
    }
}

/// The keys that are pressed, until they are dropped.
pub(super) struct Keys {
    pub(super) pressed: Receiver<Key>,
    /// There as long as somebody takes keys.
    taken: Option<Arc<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Reads keys on a thread of its own.
pub(super) fn listen(keyboard: &Arc<Keyboard>) -> Keys {
    let (sender, pressed) = channel();
    let taken = Arc::new(());
    let (keyboard, wanted) = (keyboard.clone(), Arc::downgrade(&taken));
    let thread = thread::Builder::new().name("molotov-keys".to_owned());
    let thread = thread.spawn(move || read(&keyboard, &sender, &wanted)).ok();
    Keys { pressed, taken: Some(taken), thread }
}

/// What is typed after belongs to whoever has the terminal then.
impl Drop for Keys {
    fn drop(&mut self) {
        self.taken = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn read(keyboard: &Keyboard, pressed: &Sender<Key>, wanted: &Weak<()>) {
    while wanted.strong_count() > 0 {
        let key = match event::poll(LOOK).and_then(|ready| ready.then(event::read).transpose()) {
            Ok(Some(Event::Key(key))) if key.kind != KeyEventKind::Release => key,
            Ok(_) => continue,
            // The terminal is gone.
            Err(_) => return,
        };
        let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        let key = if interrupts {
            keyboard.stop();
            Key::Interrupt
        } else {
            Key::Other(key)
        };
        if pressed.send(key).is_err() {
            return;
        }
    }
}
