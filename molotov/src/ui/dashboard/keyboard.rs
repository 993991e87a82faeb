//! The keyboard, read on a thread of its own: Ctrl-C works while the terminal takes nothing and drawing blocks.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    stdio::stdin,
    termios::isatty,
};

use super::{
    ControlAction, ControlHandler,
    input::{self, Action},
    state::State,
    terminal,
};

/// How often it is looked whether there is still somebody who takes keys.
const LOOK: Duration = Duration::from_millis(20);
/// How long the thread may take to end.
const PATIENCE: Duration = Duration::from_secs(1);
/// As if Ctrl-C had ended the process.
const INTERRUPTED: i32 = 130;

/// Asks things of the run, and counts how often it was asked to stop.
pub(super) struct Keyboard {
    control: ControlHandler,
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
    pub(super) fn action(self, state: &mut State) -> Option<Action> {
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
    pub(super) fn new(control: ControlHandler) -> Keyboard {
        Keyboard { control, stops: AtomicUsize::new(0) }
    }

    pub(super) fn request(&self, action: ControlAction) {
        (self.control)(action);
    }

    /// Asks the run to stop; asked again, to cut what runs; a third time, ends the process.
    pub(super) fn stop(&self) {
        match self.stops.fetch_add(1, Ordering::Relaxed) {
            0 => self.request(ControlAction::Stop),
            1 => self.request(ControlAction::Force),
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
///
/// # Errors
///
/// When the system has no thread.
pub(super) fn listen(keyboard: &Arc<Keyboard>) -> io::Result<Keys> {
    let (sender, pressed) = channel();
    let taken = Arc::new(());
    let (keyboard, wanted) = (keyboard.clone(), Arc::downgrade(&taken));
    let thread = thread::Builder::new().name("molotov-keys".to_owned());
    let thread = thread.spawn(move || read(&keyboard, &sender, &wanted))?;
    Ok(Keys { pressed, taken: Some(taken), thread: Some(thread) })
}

/// What is typed after belongs to whoever has the terminal then.
impl Drop for Keys {
    fn drop(&mut self) {
        self.taken = None;
        let Some(thread) = self.thread.take() else { return };
        // If the terminal is closed at the very moment in which crossterm reads, it keeps the thread for ever.
        let asked = Instant::now();
        while !thread.is_finished() {
            if asked.elapsed() > PATIENCE {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let _ = thread.join();
    }
}

/// The terminal that crossterm reads keys from.
enum Source {
    StandardInput,
    Terminal(File),
}

impl Source {
    fn open() -> io::Result<Source> {
        if isatty(stdin()) { Ok(Source::StandardInput) } else { File::open("/dev/tty").map(Source::Terminal) }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Source::StandardInput => stdin(),
            Source::Terminal(terminal) => terminal.as_fd(),
        }
    }

    /// Waits for input, at most for a moment.
    ///
    /// crossterm reads a closed terminal over and over and never returns, so it is asked only when there is input.
    ///
    /// # Errors
    ///
    /// When the terminal is closed.
    fn has_input(&self) -> io::Result<bool> {
        let timeout = Timespec::try_from(LOOK).map_err(io::Error::other)?;
        let mut polled = [PollFd::from_borrowed_fd(self.fd(), PollFlags::IN)];
        match poll(&mut polled, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => return Ok(false),
            ready => ready?,
        };
        let seen = polled[0].revents();
        if seen.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(seen.contains(PollFlags::IN))
    }
}

/// Reads keys until nobody takes them, or the terminal is closed.
fn read(keyboard: &Keyboard, pressed: &Sender<Key>, wanted: &Weak<()>) {
    let Ok(source) = Source::open() else { return };
    while wanted.strong_count() > 0 {
        let Ok(input) = source.has_input() else { return };
        // Asked without input too: a change of size that waited there would hide the next key.
        let mut found = false;
        while event::poll(Duration::ZERO).unwrap_or(false) {
            found = true;
            match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    if pressed.send(hand_on(keyboard, key)).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
        if input && !found {
            // The beginning of a sequence: the rest of it is on its way.
            thread::sleep(LOOK);
        }
    }
}

/// Acts on Ctrl-C, whatever else is going on.
fn hand_on(keyboard: &Keyboard, key: KeyEvent) -> Key {
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        keyboard.stop();
        Key::Interrupt
    } else {
        Key::Other(key)
    }
}
