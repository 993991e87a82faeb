//! The terminal: taken over for a while, and given back as it was, whatever happens.
#![allow(unsafe_code, reason = "the system calls us at its exit only so; the block says why it holds")]

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
pub(super) type Screen = Terminal<CrosstermBackend<File>>;

/// After so long, a stop that was asked for does not come.
const UNSTOPPED: Duration = Duration::from_millis(500);

/// How long a terminal that takes nothing any more is given to be restored.
const RESTORE: Duration = Duration::from_millis(500);

/// What has to be given back.
static TAKEN: Mutex<Taken> = Mutex::new(Taken { stdout: None, stderr: None, raw: false });

struct Taken {
    /// Where standard output went before.
    stdout: Option<OwnedFd>,
    /// Where standard error went before, if that was the terminal.
    stderr: Option<OwnedFd>,
    /// Keys come one by one, and the other screen is shown.
    raw: bool,
}

fn taken() -> MutexGuard<'static, Taken> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is a terminal to take: one to read keys from, and one to draw on.
pub(super) fn is_there() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}

/// Leads what the program and its children write into a pipe, so that it does not run over the screen. Gives the end to read
/// from.
pub(super) fn capture() -> io::Result<File> {
    io::stdout().flush()?;
    io::stderr().flush()?;
    let (read, write) = pipe()?;
    // Programs that scripts start get the pipe as their output, and nothing else of ours.
    for end in [&read, &write] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    let mut taken = taken();
    taken.stdout = Some(kept(rustix::stdio::stdout())?);
    dup2_stdout(&write)?;
    if io::stderr().is_terminal() {
        taken.stderr = Some(kept(rustix::stdio::stderr())?);
        dup2_stderr(&write)?;
    }
    Ok(File::from(read))
}

/// The same open file under another number, which programs that scripts start do not get.
fn kept(file: impl AsFd) -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(file, 3)?)
}

/// Shows the other screen, and takes keys one by one.
pub(super) fn enter() -> io::Result<Screen> {
    let mut taken = taken();
    let mut out = match &taken.stdout {
        Some(stdout) => File::from(kept(stdout)?),
        None => return Err(io::ErrorKind::NotFound.into()),
    };
    enable_raw_mode()?;
    taken.raw = true;
    restore_at_exit();
    // A terminal that shows its alternate screen already does not clear it.
    execute!(out, EnterAlternateScreen, Clear(ClearType::All), Hide)?;
    drop(taken);
    let size = size(&out);
    Terminal::with_options(CrosstermBackend::new(out), TerminalOptions { viewport: Viewport::Fixed(size) })
}

/// Gives the terminal back when something in the program calls `exit`.
fn restore_at_exit() {
    extern "C" fn at_exit() {
        restore_within(RESTORE);
    }
    static ASKED: Once = Once::new();
    // SAFETY: the function is there as long as the program, and does not unwind. Where there is no room for it in the system's
    // list, exit is as it was without it.
    ASKED.call_once(|| {
        let _ = unsafe { libc::atexit(at_exit) };
    });
}

/// Draws the screen, unless the terminal was given back meanwhile.
pub(super) fn draw(screen: &mut Screen, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
    let taken = taken();
    if taken.raw {
        screen.draw(render)?;
    }
    Ok(())
}

/// The room there is.
fn size(out: &impl AsFd) -> Rect {
    let (columns, rows) = tcgetwinsize(out).map_or((80, 24), |size| (size.ws_col, size.ws_row));
    Rect::new(0, 0, columns.max(1), rows.max(1))
}

/// Follows the terminal when its size has changed.
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

/// Gives the keys and the screen back, not the output.
fn leave(taken: &mut Taken) {
    if !std::mem::take(&mut taken.raw) {
        return;
    }
    let _ = disable_raw_mode();
    if let Some(mut out) = taken.stdout.as_ref().and_then(|stdout| kept(stdout).ok()).map(File::from) {
        let _ = execute!(out, LeaveAlternateScreen, Show);
    }
}

/// Gives all of it back. May be called at any time, and more than once.
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

/// Gives the terminal back, even where it takes nothing any more and something blocks in writing to it. Returns in `time`.
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
    // What waits for a reader is thrown away: this makes room for what gives the screen back.
    let _ = tcflush(rustix::stdio::stdin(), QueueSelector::OFlush);
    let _ = disable_raw_mode();
    if helper.is_ok() {
        is_restored(time / 2);
    }
}

/// Restores the terminal, even where it takes nothing any more, and ends the process.
pub(crate) fn exit(code: i32) -> ! {
    crate::ui::exit::exit_after(|| restore_within(RESTORE), code)
}

/// Gives the terminal back and stops, with all processes of the run, until the shell lets them go on.
pub(super) fn suspend() -> io::Result<Screen> {
    leave(&mut taken());
    // The stop comes when the system sees fit: what is done to the terminal before it is undone by the shell.
    let continued = Arc::new(AtomicBool::new(false));
    let registered = signal_hook::flag::register(signal_hook::consts::SIGCONT, continued.clone())?;
    kill_process_group(getpgrp(), Signal::TSTP)?;
    let asked = Instant::now();
    // Where there is no shell to come back from, nobody stops.
    while !continued.load(Ordering::Relaxed) && asked.elapsed() < UNSTOPPED {
        thread::sleep(Duration::from_millis(5));
    }
    signal_hook::low_level::unregister(registered);
    enter()
}
