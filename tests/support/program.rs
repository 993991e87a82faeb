//! Starts programs under test, sends them signals, and collects their output.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags, open},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::{PATIENCE, Server, wait_until};

/// A program to run. Variables that change its output are removed from its environment.
pub struct Program {
    command: Command,
    journal: PathBuf,
    terminal: Option<File>,
    /// Whether its standard output is left unread.
    unread: bool,
}

/// The result of a program.
#[derive(Debug)]
pub struct Output {
    /// Its exit code, or `None` if a signal killed it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// The lines of its journal, which its fixtures write.
    pub journal: Vec<String>,
    /// How long it ran.
    pub took: Duration,
}

impl Program {
    /// The program at `path`, with the options in `line`, separated by spaces.
    pub fn new(path: &str, line: &str) -> Program {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let journal = std::env::temp_dir().join(format!("molotov-journal-{}-{number}", std::process::id()));
        let mut command = Command::new(path);
        command.args(line.split(' ').filter(|word| !word.is_empty()));
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "RUST_LOG"] {
            command.env_remove(name);
        }
        // Requests must reach the server directly.
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        // Runs of tests do not belong in the summary of a job that runs tests.
        command.env_remove("GITHUB_STEP_SUMMARY");
        command.env("JOURNAL", &journal);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Program { command, journal, terminal: None, unread: false }
    }

    /// Adds an argument, which may contain spaces.
    pub fn arg(mut self, value: &str) -> Program {
        self.command.arg(value);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Program {
        self.command.env(name, value);
        self
    }

    /// Sets its working directory.
    pub fn in_directory(mut self, directory: &Path) -> Program {
        self.command.current_dir(directory);
        self
    }

    /// Sets `TARGET` to the URL of the server.
    pub fn against(self, server: &Server) -> Program {
        self.env("TARGET", &server.url())
    }

    /// Connects its standard output to a terminal with this number of columns.
    ///
    /// # Panics
    ///
    /// Panics if the system has no free pseudoterminal.
    pub fn on_terminal(mut self, columns: u16) -> Program {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("our terminal");
        let name = ptsname(&master, Vec::new()).expect("a terminal has a name");
        let slave = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("the terminal opens");
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).expect("it takes a size");
        self.command.stdout(Stdio::from(slave)).env("TERM", "xterm");
        self.terminal = Some(File::from(master));
        self
    }

    /// Does not read its standard output until [`Running::read`] is called.
    pub fn unread(mut self) -> Program {
        self.unread = true;
        self
    }

    /// Connects its standard output to `/dev/null`.
    pub fn discarded(mut self) -> Program {
        self.command.stdout(Stdio::null());
        self
    }

    /// Connects its standard output to `/dev/full`, where every write fails as on a full disk.
    ///
    /// # Panics
    ///
    /// Panics if the system does not have this device.
    pub fn full(mut self) -> Program {
        self.command.stdout(File::options().write(true).open("/dev/full").expect("the device"));
        self
    }

    /// Runs it and waits until it ends.
    pub fn run(self) -> Output {
        self.start().wait()
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// Panics if the program cannot be started.
    pub fn start(mut self) -> Running {
        let started = Instant::now();
        let mut child = self.command.spawn().expect("the program starts");
        let (reading, held) = channel();
        if !self.unread {
            let _ = reading.send(());
        }
        let stdout = match (self.terminal, child.stdout.take()) {
            (Some(terminal), _) => Reader::new(terminal, held),
            (None, Some(pipe)) => Reader::new(pipe, held),
            (None, None) => Reader::new(std::io::empty(), held),
        };
        let (at_once, held) = channel();
        let _ = at_once.send(());
        let stderr = Reader::new(child.stderr.take().expect("it is piped"), held);
        // Closes this process's copy of the terminal, so that reading ends when the program does.
        drop(self.command);
        Running { child, stdout, stderr, journal: self.journal, started, reading }
    }
}

/// A running program. Dropping it kills the program.
pub struct Running {
    child: Child,
    stdout: Reader,
    stderr: Reader,
    journal: PathBuf,
    started: Instant,
    reading: Sender<()>,
}

impl Running {
    /// Waits until its standard output contains `text`.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        wait_until(&format!("it wrote {text:?}"), || self.stdout.text().contains(text));
    }

    /// Its standard output so far.
    pub fn written(&self) -> String {
        self.stdout.text()
    }

    /// Its standard error so far.
    pub fn errors(&self) -> String {
        self.stderr.text()
    }

    /// Waits until its journal contains the line `entry`.
    #[track_caller]
    pub fn wait_for_journal(&self, entry: &str) {
        wait_until(&format!("its journal says {entry:?}"), || {
            read_journal(&self.journal).iter().any(|line| line == entry)
        });
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process IDs of its children.
    ///
    /// # Panics
    ///
    /// Panics if the program has ended.
    pub fn children(&self) -> Vec<i32> {
        let path = format!("/proc/{0}/task/{0}/children", self.id());
        let children = fs::read_to_string(path).expect("it still runs");
        children.split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
    }

    /// The peak resident memory of the program or of one of its children, whichever is larger, in MiB.
    ///
    /// # Panics
    ///
    /// Panics if the program has ended.
    pub fn peak_memory(&self) -> u64 {
        let own = self.id().cast_signed();
        let peak = |pid: i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) / 1024
        };
        std::iter::once(own).chain(self.children()).map(peak).max().expect("there is one")
    }

    /// Waits until the [peak memory](Running::peak_memory) no longer grows, and returns it.
    ///
    /// # Panics
    ///
    /// Panics if the program has ended, or still grows by more than 4 MiB a second.
    pub fn settled_memory(&self) -> u64 {
        let window = Duration::from_millis(500);
        let (mut since, mut memory) = (Instant::now(), None::<u64>);
        wait_until("its memory no longer grows", || {
            if since.elapsed() < window {
                return false;
            }
            // The system's figure is approximate and can fall.
            let now = self.peak_memory().max(memory.unwrap_or(0));
            since = Instant::now();
            memory.replace(now).is_some_and(|before| now - before <= 2)
        });
        memory.expect("it was read")
    }

    /// Starts to read the standard output that was left [`unread`](Program::unread).
    pub fn read(&self) {
        let _ = self.reading.send(());
    }

    /// Sends SIGINT, like Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// Panics if the program has ended.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it still runs");
    }

    /// Closes the reading end of its standard output, as `head` does.
    pub fn close_stdout(&self) {
        self.stdout.close();
    }

    /// Waits until it ends.
    ///
    /// # Panics
    ///
    /// Panics if it does not end.
    #[track_caller]
    pub fn wait(self) -> Output {
        self.wait_with(|_| ())
    }

    /// Waits until it ends, and calls `meanwhile` again and again until then.
    ///
    /// # Panics
    ///
    /// Panics if it does not end.
    #[track_caller]
    pub fn wait_with(mut self, mut meanwhile: impl FnMut(&Running)) -> Output {
        let mut code = None;
        wait_until("it ends", || {
            code = self.child.try_wait().expect("it is our child");
            if code.is_none() {
                meanwhile(&self);
            }
            code.is_some()
        });
        let took = self.started.elapsed();
        assert!(took < PATIENCE, "it took {took:?}");
        let journal = read_journal(&self.journal);
        self.read();
        Output {
            code: code.and_then(|status| status.code()),
            stdout: self.stdout.rest(),
            stderr: self.stderr.rest(),
            journal,
            took,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.journal);
    }
}

fn read_journal(path: &PathBuf) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
}

/// Reads a pipe on its own thread, so that the program never waits for the test.
struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts to read when `held` receives a message.
    fn new(mut pipe: impl Read + Send + 'static, held: Receiver<()>) -> Reader {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(AtomicBool::new(false));
        let (into, stop) = (bytes.clone(), closed.clone());
        let thread = thread::spawn(move || {
            let _ = held.recv();
            let mut chunk = [0; 4096];
            // Reading from a closed terminal is an error.
            while let (false, Ok(read @ 1..)) = (stop.load(Ordering::Relaxed), pipe.read(&mut chunk)) {
                into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..read]);
            }
        });
        Reader { bytes, closed, thread: Some(thread) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Takes effect at the next write of the program.
    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn rest(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.text()
    }
}

impl Output {
    /// The successes and failures in the second to last line.
    ///
    /// # Panics
    ///
    /// Panics if the line is missing.
    #[track_caller]
    pub fn totals(&self) -> (u64, u64) {
        let line = self.stdout.lines().rev().nth(1).unwrap_or_default();
        let numbers = line.strip_prefix("SUCCESSES: ").and_then(|rest| rest.split_once(" | FAILURES: "));
        let Some((Ok(successes), Ok(failures))) = numbers.map(|(ok, failed)| (ok.parse(), failed.parse())) else {
            panic!("no totals in the second to last line: {self:#?}");
        };
        (successes, failures)
    }

    /// Asserts that the exit code is `code`.
    ///
    /// # Panics
    ///
    /// Panics if it is not. The message contains the output.
    #[track_caller]
    pub fn exited(self, code: i32) -> Output {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}
