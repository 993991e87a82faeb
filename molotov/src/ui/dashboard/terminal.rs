//! Takes over the terminal, and restores it on every way out of the process.
#![allow(unsafe_code, reason = "`atexit` is an unsafe function; the block explains why the call is sound")]

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use ratatui::{
    Frame, Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    crossterm::{
        cursor::{Hide, Show},
        execute,
        terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
    layout::Rect,
};
use rustix::{
    io::fcntl_dupfd_cloexec,
    pipe::pipe,
    process::{Signal, getpgrp, kill_process_group},
    stdio::{dup2_stderr, dup2_stdout},
    termios::{QueueSelector, tcflush, tcgetwinsize},
};

/// The screen that ratatui draws on.
pub(super) type Screen = Terminal<CrosstermBackend<FrameWriter>>;

/// Collects a frame, and writes it at once when it is flushed. A frame that is not flushed is never written, since the terminal may
/// have been restored.
#[derive(Debug)]
pub(super) struct FrameWriter {
    terminal: File,
    frame: Vec<u8>,
}

impl FrameWriter {
    fn new(terminal: File) -> FrameWriter {
        FrameWriter { terminal, frame: Vec::new() }
    }
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.terminal.write_all(&self.frame);
        self.frame.clear();
        written
    }
}

/// How long to wait for the process to be suspended.
const SUSPEND_TIMEOUT: Duration = Duration::from_millis(500);

/// How long to wait for a terminal that nobody reads to be restored.
const RESTORE_TIMEOUT: Duration = Duration::from_millis(500);

/// What has to be restored.
static TAKEN: Mutex<Taken> = Mutex::new(Taken { stdout: None, stderr: None, raw: false });

struct Taken {
    /// The original standard output.
    stdout: Option<OwnedFd>,
    /// The original standard error, if it was a terminal.
    stderr: Option<OwnedFd>,
    /// Whether the terminal is in raw mode and shows the alternate screen.
    raw: bool,
}

fn taken() -> MutexGuard<'static, Taken> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns whether there is a terminal to read keys from and to draw on.
pub(super) fn is_there() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}

/// Redirects the output of the program and its children to a pipe, so that it does not overwrite the screen. Returns the end to
/// read from.
pub(super) fn capture() -> io::Result<File> {
    io::stdout().flush()?;
    io::stderr().flush()?;
    let (read, write) = pipe()?;
    // Programs that scripts start inherit the pipe as their output, and no other descriptor.
    for end in [&read, &write] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    let mut taken = taken();
    taken.stdout = Some(duplicate(rustix::stdio::stdout())?);
    dup2_stdout(&write)?;
    if io::stderr().is_terminal() {
        taken.stderr = Some(duplicate(rustix::stdio::stderr())?);
        dup2_stderr(&write)?;
    }
    Ok(File::from(read))
}

/// Duplicates a descriptor. Programs that scripts start do not inherit the duplicate.
fn duplicate(file: impl AsFd) -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(file, 3)?)
}

/// Switches to raw mode and the alternate screen.
pub(super) fn enter() -> io::Result<Screen> {
    let mut taken = taken();
    let mut out = match &taken.stdout {
        Some(stdout) => File::from(duplicate(stdout)?),
        None => return Err(io::ErrorKind::NotFound.into()),
    };
    enable_raw_mode()?;
    taken.raw = true;
    restore_at_exit();
    // A terminal that already shows its alternate screen does not clear it.
    execute!(out, EnterAlternateScreen, Clear(ClearType::All), Hide)?;
    drop(taken);
    let size = size(&out);
    let backend = CrosstermBackend::new(FrameWriter::new(out));
    Terminal::with_options(backend, TerminalOptions { viewport: Viewport::Fixed(size) })
}

/// Registers a function that restores the terminal when the program calls `exit`.
fn restore_at_exit() {
    extern "C" fn at_exit() {
        restore_within(RESTORE_TIMEOUT);
    }
    static REGISTERED: Once = Once::new();
    // SAFETY: the function lives as long as the program, and does not unwind. If it cannot be registered, `exit` does not call
    // it.
    REGISTERED.call_once(|| {
        let _ = unsafe { libc::atexit(at_exit) };
    });
}

/// Draws the screen, unless the terminal was restored in the meantime.
pub(super) fn draw(screen: &mut Screen, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
    let taken = taken();
    if taken.raw {
        screen.draw(render)?;
    }
    Ok(())
}

/// The size of the terminal.
fn size(out: &impl AsFd) -> Rect {
    let (columns, rows) = tcgetwinsize(out).map_or((80, 24), |size| (size.ws_col, size.ws_row));
    Rect::new(0, 0, columns.max(1), rows.max(1))
}

/// Adapts the screen to the size of the terminal, and returns whether it has changed.
pub(super) fn follow(screen: &mut Screen) -> io::Result<bool> {
    let size = match &taken().stdout {
        Some(stdout) => size(stdout),
        None => return Ok(false),
    };
    if screen.get_frame().area() == size {
        return Ok(false);
    }
    screen.resize(size)?;
    Ok(true)
}

/// Clears the screen, so that the next frame is drawn as a whole.
pub(super) fn clear(screen: &mut Screen) -> io::Result<()> {
    // `Terminal::clear` asks the terminal where its cursor is, and waits for the answer among the keys.
    let area = screen.get_frame().area();
    screen.resize(area)
}

/// Leaves raw mode and the alternate screen. The output stays redirected.
fn leave(taken: &mut Taken) {
    if !std::mem::take(&mut taken.raw) {
        return;
    }
    let _ = disable_raw_mode();
    if let Some(mut out) = taken.stdout.as_ref().and_then(|stdout| duplicate(stdout).ok()).map(File::from) {
        let _ = execute!(out, LeaveAlternateScreen, Show);
    }
}

/// Restores the terminal and the output. It may be called at any time, and more than once.
pub(crate) fn restore() {
    let mut taken = taken();
    leave(&mut taken);
    let _ = io::stdout().flush();
    let _ = io::stderr().flush();
    if let Some(stdout) = taken.stdout.take() {
        let _ = dup2_stdout(&stdout);
    }
    if let Some(stderr) = taken.stderr.take() {
        let _ = dup2_stderr(&stderr);
    }
}

/// Restores the terminal, even if nobody reads it and a write to it blocks. Returns after `time` at the latest.
fn restore_within(time: Duration) {
    let (done, restored) = mpsc::channel::<()>();
    let helper = thread::Builder::new().spawn(move || {
        let _done = done;
        restore();
    });
    let is_restored = |time| restored.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Disconnected);
    if helper.is_ok() && is_restored(time / 2) {
        return;
    }
    // Discards the pending output, which makes room for the sequences that restore the screen.
    let _ = tcflush(rustix::stdio::stdin(), QueueSelector::OFlush);
    let _ = disable_raw_mode();
    if helper.is_ok() {
        is_restored(time / 2);
    }
}

/// Restores the terminal, even if nobody reads it, and ends the process.
pub(crate) fn exit(code: i32) -> ! {
    crate::ui::exit::exit_after(|| restore_within(RESTORE_TIMEOUT), code)
}

/// Restores the terminal and suspends all processes of the run until the shell resumes them.
pub(super) fn suspend() -> io::Result<Screen> {
    leave(&mut taken());
    // The signal is delivered asynchronously, and the shell resets the terminal when the process stops.
    let continued = Arc::new(AtomicBool::new(false));
    let registered = signal_hook::flag::register(signal_hook::consts::SIGCONT, continued.clone())?;
    kill_process_group(getpgrp(), Signal::TSTP)?;
    let asked = Instant::now();
    // Without a shell that could resume it, the process does not stop.
    while !continued.load(Ordering::Relaxed) && asked.elapsed() < SUSPEND_TIMEOUT {
        thread::sleep(Duration::from_millis(5));
    }
    signal_hook::low_level::unregister(registered);
    enter()
}
