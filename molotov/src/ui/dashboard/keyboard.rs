//! Reads keys on a separate thread, so that Ctrl-C works while drawing blocks on a terminal that nobody reads.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc, Weak,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    stdio::stdin,
    termios::isatty,
};

use super::{
    control::Control,
    input::{self, Action},
    state::State,
};

/// How often the thread checks whether keys are still wanted.
const POLL: Duration = Duration::from_millis(20);
/// How long crossterm may wait for input that is there. It does not look for input if the time is zero.
const READ_TIMEOUT: Duration = Duration::from_millis(1);
/// How long the thread may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// A key that was pressed.
pub(super) enum Key {
    /// Ctrl-C. The run was stopped already.
    Interrupt,
    /// Any other key.
    Other(KeyEvent),
}

impl Key {
    /// Applies the key to the state, and returns what else it does.
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

/// Receives keys until it is dropped.
pub(super) struct Keys {
    pub(super) pressed: Receiver<Key>,
    /// The thread reads keys while this exists.
    wanted: Option<Arc<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread that reads keys.
///
/// # Errors
///
/// If the system cannot start a thread.
pub(super) fn listen(control: &Arc<Control>) -> io::Result<Keys> {
    let (sender, pressed) = channel();
    let wanted = Arc::new(());
    let (control, still_wanted) = (control.clone(), Arc::downgrade(&wanted));
    let thread = thread::Builder::new().name("molotov-keys".to_owned());
    let thread = thread.spawn(move || read(&control, &sender, &still_wanted))?;
    Ok(Keys { pressed, wanted: Some(wanted), thread: Some(thread) })
}

/// Ends the thread, so that later input goes to whatever uses the terminal next.
impl Drop for Keys {
    fn drop(&mut self) {
        self.wanted = None;
        let Some(thread) = self.thread.take() else { return };
        // crossterm never returns if the terminal is closed while it reads.
        let asked = Instant::now();
        while !thread.is_finished() {
            if asked.elapsed() > END_TIMEOUT {
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

    /// Waits up to [`POLL`] for input.
    ///
    /// crossterm loops forever on a closed terminal, so it is called only when there is input.
    ///
    /// # Errors
    ///
    /// If the terminal is closed.
    fn has_input(&self) -> io::Result<bool> {
        let timeout = Timespec::try_from(POLL).map_err(io::Error::other)?;
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

/// Reads keys until they are not wanted any more or the terminal is closed.
fn read(control: &Control, pressed: &Sender<Key>, wanted: &Weak<()>) {
    let Ok(source) = Source::open() else { return };
    while wanted.strong_count() > 0 {
        match source.has_input() {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        let mut found = false;
        while event::poll(READ_TIMEOUT).unwrap_or(false) {
            found = true;
            match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    if pressed.send(key_of(control, key)).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        if !found {
            // The start of an escape sequence, or an error of the terminal. The rest follows.
            thread::sleep(POLL);
        }
    }
}

/// Stops the run on Ctrl-C, without waiting for the thread that draws.
fn key_of(control: &Control, key: KeyEvent) -> Key {
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        control.stop();
        Key::Interrupt
    } else {
        Key::Other(key)
    }
}
