//! Programs that are waited for, and what a signal does to them.

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

use rustix::process::{self, Pid, Signal};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM},
    iterator::{SignalsInfo, exfiltrator::WithOrigin},
    low_level::siginfo::Cause,
};

/// Why a program did not do its work.
#[derive(Debug)]
pub(super) enum Failed {
    /// It is not there, or cannot be started.
    Start(io::Error),
    /// It ended badly.
    Ended(ExitStatus),
    /// We were told to stop by this signal.
    Stopped(i32),
}

/// Starts programs, one at a time. Signals that would end us are kept from now on, and handed to the one that runs.
pub(super) struct Children {
    signals: SignalsInfo<WithOrigin>,
    stopped: Option<i32>,
    /// Each program leads a group of its own, and signals go to all of it: what it has started ends with it. A terminal needs
    /// them in our group, which is the one in its foreground.
    grouped: bool,
}

impl Children {
    pub(super) fn new() -> io::Result<Children> {
        Ok(Children {
            signals: SignalsInfo::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD])?,
            stopped: None,
            grouped: !(io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()),
        })
    }

    /// Runs a program to its end, whatever that is.
    pub(super) fn run(&mut self, command: &mut Command) -> Result<ExitStatus, Failed> {
        let mut child = self.spawn(command)?;
        self.wait(&mut child).map_err(Failed::Start)
    }

    fn spawn(&mut self, command: &mut Command) -> Result<Child, Failed> {
        let arrived: Vec<_> = self.signals.pending().collect();
        for origin in arrived {
            self.take(origin.signal, origin.cause, None);
        }
        if let Some(signal) = self.stopped {
            return Err(Failed::Stopped(signal));
        }
        if self.grouped {
            command.process_group(0);
        }
        command.spawn().map_err(Failed::Start)
    }

    /// Runs a program that has to succeed.
    pub(super) fn step(&mut self, command: &mut Command) -> Result<(), Failed> {
        self.judge(command).map(drop)
    }

    /// Runs a program, and gives what it wrote to its standard output, and to its standard error.
    pub(super) fn listen(&mut self, command: &mut Command) -> Result<(Result<(), Failed>, String), Failed> {
        let mut child = self.spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        let pipes = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        let readers = pipes.into_iter().flatten().map(|pipe| {
            let thread = thread::Builder::new().name("moloslave-output".to_owned());
            thread
                .spawn(move || read(File::from(pipe)))
                .map_err(|error| io::Error::new(error.kind(), format!("cannot start a thread: {error}")))
        });
        let readers: io::Result<Vec<_>> = readers.collect();
        let status = self.wait(&mut child).map_err(Failed::Start)?;
        let told = readers.map_err(Failed::Start)?.into_iter().filter_map(|reader| reader.join().ok()).collect();
        Ok((self.verdict(status), told))
    }

    fn judge(&mut self, command: &mut Command) -> Result<ExitStatus, Failed> {
        let status = self.run(command)?;
        self.verdict(status).map(|()| status)
    }

    fn verdict(&self, status: ExitStatus) -> Result<(), Failed> {
        match (self.stopped, status.success()) {
            (Some(signal), _) => Err(Failed::Stopped(signal)),
            (None, true) => Ok(()),
            (None, false) => Err(Failed::Ended(status)),
        }
    }

    fn wait(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            // A child that has ended since has left its signal here.
            let arrived: Vec<_> = self.signals.wait().collect();
            for origin in arrived {
                self.take(origin.signal, origin.cause, Some(child));
            }
        }
    }

    fn take(&mut self, signal: i32, cause: Cause, child: Option<&Child>) {
        if signal == SIGCHLD {
            return;
        }
        self.stopped.get_or_insert(signal);
        // What the terminal sends, it sends to all of our group.
        let reached = !self.grouped && !matches!(cause, Cause::Sent(_));
        if let (Some(child), false) = (child, reached) {
            self.send(child, signal);
        }
    }

    fn send(&self, child: &Child, signal: i32) {
        let known = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (Some(pid), Some(signal)) = (known, Signal::from_named_raw(signal)) else { return };
        // One that has just ended takes none.
        let _ = match self.grouped {
            true => process::kill_process_group(pid, signal),
            false => process::kill_process(pid, signal),
        };
    }
}

fn read(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // What was read until then is all there is.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The code to exit with after a program that ended so.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
