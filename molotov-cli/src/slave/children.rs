//! Programs that are waited for, and what a signal does to them.

use std::{
    io::{self, Read},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
};

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
}

impl Children {
    pub(super) fn new() -> io::Result<Children> {
        Ok(Children { signals: SignalsInfo::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD])?, stopped: None })
    }

    /// Runs a program to its end, whatever that is.
    pub(super) fn run(&mut self, command: &mut Command) -> Result<ExitStatus, Failed> {
        self.take_signals(None);
        if let Some(signal) = self.stopped {
            return Err(Failed::Stopped(signal));
        }
        let mut child = command.spawn().map_err(Failed::Start)?;
        self.wait(&mut child).map_err(Failed::Start)
    }

    /// Runs a program that has to succeed.
    pub(super) fn step(&mut self, command: &mut Command) -> Result<(), Failed> {
        self.judge(command).map(drop)
    }

    /// Runs a program, and gives what it wrote to its standard output, and to its standard error.
    pub(super) fn listen(&mut self, command: &mut Command) -> Result<(Result<(), Failed>, String), Failed> {
        self.take_signals(None);
        if let Some(signal) = self.stopped {
            return Err(Failed::Stopped(signal));
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(Failed::Start)?;
        let readers = [
            child.stdout.take().map(|pipe| thread::spawn(move || read(pipe))),
            child.stderr.take().map(|pipe| thread::spawn(move || read(pipe))),
        ];
        let status = self.wait(&mut child).map_err(Failed::Start)?;
        let told = readers.into_iter().flatten().filter_map(|reader| reader.join().ok()).collect();
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

    fn take_signals(&mut self, child: Option<&Child>) {
        let arrived: Vec<_> = self.signals.pending().collect();
        for origin in arrived {
            self.take(origin.signal, origin.cause, child);
        }
    }

    fn take(&mut self, signal: i32, cause: Cause, child: Option<&Child>) {
        if signal == SIGCHLD {
            return;
        }
        self.stopped.get_or_insert(signal);
        // What the terminal sends, it sends to the child too.
        if let (Some(child), Cause::Sent(_)) = (child, cause) {
            send(child, signal);
        }
    }
}

fn send(child: &Child, signal: i32) {
    let known = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let (Some(pid), Some(signal)) = (known, rustix::process::Signal::from_named_raw(signal)) {
        // One that has just ended takes none.
        let _ = rustix::process::kill_process(pid, signal);
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
