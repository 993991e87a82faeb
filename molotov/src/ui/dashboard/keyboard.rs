//! Reads keys on a separate thread, so that Ctrl-C works while drawing blocks on a terminal that nobody reads. The thread sleeps
//! until a key is pressed or the size of the terminal changes.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Weak, mpsc::Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustix::{
    event::{PollFd, PollFlags, poll},
    stdio::stdin,
    termios::isatty,
};
use signal_hook::{
    SigId,
    consts::SIGWINCH,
    low_level::{pipe, unregister},
};

use super::{
    control::Control,
    input::{self, Action},
    state::State,
};

/// How long to wait for the rest of an escape sequence.
const REST_OF_A_KEY: Duration = Duration::from_millis(20);
/// How long crossterm may wait for input that is there. It does not look for input if the time is zero.
const READ_TIMEOUT: Duration = Duration::from_millis(1);
/// How long the thread may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// What the thread of the display waits for.
pub(super) enum Wake {
    /// The run has made progress, or has ended.
    Run,
    /// The terminal has a new size.
    Resized,
    /// Ctrl-C was pressed. The run was stopped already.
    Interrupt,
    /// Any other key was pressed.
    Key(KeyEvent),
}

impl Wake {
    /// Applies a key to the state, and returns what else it does.
    pub(super) fn action(self, state: &mut State) -> Option<Action> {
        match self {
            Wake::Interrupt => {
                state.stopping = true;
                None
            }
            Wake::Key(key) => input::key(state, key),
            Wake::Run | Wake::Resized => None,
        }
    }
}

/// Receives keys until it is dropped.
pub(super) struct Keys {
    /// The thread reads keys while this exists.
    wanted: Option<Arc<()>>,
    /// Interrupts the thread.
    interrupt: UnixStream,
    resized: Option<SigId>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread that reads keys and notices new sizes of the terminal. It sends to `sender`.
///
/// # Errors
///
/// If the system cannot start a thread, or has no descriptor left.
pub(super) fn listen(control: &Arc<Control>, sender: &Sender<Wake>) -> io::Result<Keys> {
    let wanted = Arc::new(());
    let (control, sender, still_wanted) = (control.clone(), sender.clone(), Arc::downgrade(&wanted));
    let (interrupt, interrupted) = UnixStream::pair()?;
    interrupted.set_nonblocking(true)?;
    let thread = thread::Builder::new().name("molotov-keys".to_owned());
    let thread = thread.spawn(move || read(&control, &sender, &still_wanted, interrupted))?;
    // Without the signal, the display follows a new size at its next frame.
    let resized = interrupt.try_clone().and_then(|interrupt| pipe::register(SIGWINCH, interrupt)).ok();
    Ok(Keys { wanted: Some(wanted), interrupt, resized, thread: Some(thread) })
}

/// Ends the thread, so that later input goes to whatever uses the terminal next.
impl Drop for Keys {
    fn drop(&mut self) {
        self.wanted = None;
        self.resized.map(unregister);
        let _ = self.interrupt.write(&[0]);
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

    /// Waits for input or an interruption.
    ///
    /// crossterm loops forever on a closed terminal, so it is called only when there is input.
    ///
    /// # Errors
    ///
    /// If the terminal is closed.
    fn wait(&self, interrupted: &mut UnixStream) -> io::Result<Woken> {
        let mut polled =
            [PollFd::from_borrowed_fd(self.fd(), PollFlags::IN), PollFd::new(&*interrupted, PollFlags::IN)];
        match poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => return Ok(Woken::default()),
            ready => ready?,
        };
        let [terminal, interruption] = polled.map(|polled| polled.revents());
        if terminal.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let is_interrupted = !interruption.is_empty();
        if is_interrupted {
            while let Ok(1..) = interrupted.read(&mut [0; 64]) {}
        }
        Ok(Woken { by_input: terminal.contains(PollFlags::IN), by_interruption: is_interrupted })
    }
}

/// Why the thread stopped waiting.
#[derive(Debug, Clone, Copy, Default)]
struct Woken {
    by_input: bool,
    by_interruption: bool,
}

/// Reads keys until they are not wanted any more or the terminal is closed.
fn read(control: &Control, sender: &Sender<Wake>, wanted: &Weak<()>, mut interrupted: UnixStream) {
    let Ok(source) = Source::open() else { return };
    while wanted.strong_count() > 0 {
        let Ok(woken) = source.wait(&mut interrupted) else { return };
        if woken.by_interruption && sender.send(Wake::Resized).is_err() {
            return;
        }
        if !woken.by_input {
            continue;
        }
        let mut found = false;
        while event::poll(READ_TIMEOUT).unwrap_or(false) {
            found = true;
            match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    if sender.send(wake_of(control, key)).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        if !found {
            // The start of an escape sequence, or an error of the terminal. The rest follows.
            thread::sleep(REST_OF_A_KEY);
        }
    }
}

/// Stops the run on Ctrl-C, without waiting for the thread that draws.
fn wake_of(control: &Control, key: KeyEvent) -> Wake {
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        control.stop();
        Wake::Interrupt
    } else {
        Wake::Key(key)
    }
}
