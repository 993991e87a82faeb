//! Runs child processes, and forwards signals to them.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    thread,
};

use molotov::python::environment::{ChildError, Runner};
use rustix::process::{self, Pid, Signal};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM},
    iterator::{SignalsInfo, exfiltrator::WithOrigin},
    low_level::siginfo::Cause,
};

use super::print;

/// Runs programs, one at a time. While it exists, signals that would end this process are forwarded to the running program.
pub(super) struct Children {
    signals: SignalsInfo<WithOrigin>,
    stopped: Option<i32>,
    /// Whether each program leads its own process group, which receives the signals, so that its descendants end too. On a
    /// terminal, programs stay in the foreground group, which is that of this process.
    own_groups: bool,
}

impl Children {
    pub(super) fn new() -> io::Result<Children> {
        Ok(Children {
            signals: SignalsInfo::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD])?,
            stopped: None,
            own_groups: !(io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()),
        })
    }

    /// Runs a program and returns its status.
    pub(super) fn run(&mut self, command: &mut Command) -> Result<ExitStatus, ChildError> {
        let mut child = self.spawn(command)?;
        self.wait(&mut child).map_err(ChildError::Start)
    }

    fn spawn(&mut self, command: &mut Command) -> Result<Child, ChildError> {
        let arrived: Vec<_> = self.signals.pending().collect();
        for origin in arrived {
            self.handle(origin.signal, origin.cause, None);
        }
        if let Some(signal) = self.stopped {
            return Err(ChildError::Stopped(signal));
        }
        if self.own_groups {
            command.process_group(0);
        }
        command.spawn().map_err(ChildError::Start)
    }

    fn check(&self, status: ExitStatus) -> Result<(), ChildError> {
        match (self.stopped, status.success()) {
            (Some(signal), _) => Err(ChildError::Stopped(signal)),
            (None, true) => Ok(()),
            (None, false) => Err(ChildError::Failed(status)),
        }
    }

    fn wait(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            // If the child ended after `try_wait`, SIGCHLD is pending.
            let arrived: Vec<_> = self.signals.wait().collect();
            for origin in arrived {
                self.handle(origin.signal, origin.cause, Some(child));
            }
        }
    }

    fn handle(&mut self, signal: i32, cause: Cause, child: Option<&Child>) {
        if signal == SIGCHLD {
            return;
        }
        self.stopped.get_or_insert(signal);
        // The terminal signals the whole foreground group.
        let received = !self.own_groups && !matches!(cause, Cause::Sent(_));
        if let (Some(child), false) = (child, received) {
            self.send(child, signal);
        }
    }

    fn send(&self, child: &Child, signal: i32) {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) else { return };
        // Fails if the child has just ended.
        let _ = match self.own_groups {
            true => process::kill_process_group(pid, signal),
            false => process::kill_process(pid, signal),
        };
    }
}

impl Runner for Children {
    fn print(&mut self, text: &str) {
        print(text);
    }

    fn run_checked(&mut self, command: &mut Command) -> Result<(), ChildError> {
        let status = self.run(command)?;
        self.check(status)
    }

    fn output(&mut self, command: &mut Command) -> Result<(Result<(), ChildError>, String), ChildError> {
        let mut child = self.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let pipes = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        let readers = pipes.into_iter().flatten().map(|pipe| {
            let thread = thread::Builder::new().name("moloslave-output".to_owned());
            thread
                .spawn(move || read(File::from(pipe)))
                .map_err(|error| io::Error::new(error.kind(), format!("cannot start a thread: {error}")))
        });
        let readers: io::Result<Vec<_>> = readers.collect();
        let status = self.wait(&mut child).map_err(ChildError::Start)?;
        let output = readers.map_err(ChildError::Start)?.into_iter().filter_map(|reader| reader.join().ok()).collect();
        Ok((self.check(status), output))
    }
}

fn read(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // After an error, the bytes read so far are returned.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The exit code for the status of a program.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
