//! A run of this process for a coordinator on another machine.

mod batches;
mod link;
mod message;
mod run;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::{io, os::unix::net::UnixStream, process::Command, time::Duration};

pub(crate) use self::{
    link::Link,
    message::{Failed, FromRun, Ready, Task, ToRun, Variables},
    run::prepare,
};

/// Set for a process that takes part in a run. Its standard input is the link to its agent.
const LINK: &str = "MOLOTOV_RUN_LINK";

/// Makes a command take part in a run, and returns the link to it. The first message on it is a [`Task`].
///
/// # Errors
///
/// If the system refuses a pair of sockets.
pub(crate) fn connect(command: &mut Command) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    command.env(LINK, "stdin").stdin(std::os::fd::OwnedFd::from(theirs));
    Ok(ours)
}

/// Returns the link of this process to its agent; `None` if it takes part in no run of a coordinator. Only the first call returns
/// it.
///
/// # Errors
///
/// If the system refuses more open files.
pub(crate) fn link() -> io::Result<Option<Link>> {
    if std::env::var_os(LINK).is_none() {
        return Ok(None);
    }
    // A program that a script starts has the variable too, but another standard input.
    let status = rustix::fs::fstat(rustix::stdio::stdin())?;
    if rustix::fs::FileType::from_raw_mode(status.st_mode) != rustix::fs::FileType::Socket {
        return Ok(None);
    }
    let stream = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Link::new(stream).map(Some)
}

/// The monotonic clock of this machine, whose processes all see the same.
pub(crate) fn monotonic() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
