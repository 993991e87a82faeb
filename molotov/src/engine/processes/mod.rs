//! Several processes: forked after `global_setup`, each with its own shards, heard and commanded over a pair of sockets.
//!
//! Forking is what scripts rely on: what they made before is there in every process, and what they change after is their
//! process's own. A child inherits nothing that runs: there is no other thread before the last fork.

mod child;
mod fork;
mod link;

use std::{
    io,
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use self::link::{Reader, Writer};
use super::{
    control::Inbox,
    crew::LAST_CALL,
    message::Message,
    plan::Plan,
    shard::GRACE,
    update::{Command, Update},
};
use crate::{metrics::Snapshot, queue::Sender, run::Line, vars::Scope};

/// From a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// From its shard of that number.
    Update(usize, Update),
    /// Something to show, from none of its shards.
    Line(Line),
    /// Measures of the process itself.
    Measures(Box<Snapshot>),
    /// The last one: everything is told.
    Ended,
}

/// To a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Order {
    /// All are there: the workers may start. The run began so long after the moment of the fork.
    Begin(Duration),
    /// For its shards.
    Command(Command),
}

/// What has become of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was stopped by a signal, as by `kill -STOP`, and does not go on.
    Stopped,
    /// It ended and reported everything.
    Ended,
    /// It ended without reporting everything, and this is why.
    Lost(String),
}

/// How long a child has to be stopped before the user hears of it: with Ctrl-Z and `fg` all processes stop and go on.
const STOPPED: Duration = Duration::from_millis(500);

/// How long after its end a child's last words may take to be read.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The children of a run.
pub(super) struct Processes {
    children: Vec<Child>,
    /// A moment before the first fork.
    forked: Instant,
    forced: Option<Instant>,
}

struct Child {
    pid: Pid,
    stream: UnixStream,
    writer: Writer,
    /// It has said its last word.
    told: bool,
    /// Its end of the link is closed.
    silent: bool,
    /// When it was stopped by a signal.
    stopped: Option<Instant>,
    /// How it ended, and when that was seen.
    exited: Option<(WaitStatus, Instant)>,
    /// It was ended by the parent.
    killed: bool,
    concluded: bool,
}

impl Processes {
    /// Forks the children of a run. In a child this does not return.
    ///
    /// # Errors
    ///
    /// When the system allows no more processes; those that were made have ended then.
    pub(super) fn fork(plan: &Plan, scope: &Arc<Scope>, inbox: &mut Inbox) -> io::Result<Processes> {
        let number = plan.args.processes;
        let pairs = (0..number).map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>()?;
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let mut theirs: Vec<_> = theirs.into_iter().map(Some).collect();
        let mut ours: Vec<_> = ours.into_iter().map(Some).collect();
        let forked = Instant::now();
        let mut processes = Processes { children: Vec::new(), forked, forced: None };
        for number in 0..number {
            let pid = match fork::fork_one(plan.selection.event_loop.as_deref()) {
                Ok(Some(pid)) => pid,
                Ok(None) => {
                    let stream = theirs[number].take();
                    // An end that is kept open here would hide from the others that the parent has gone.
                    drop((ours, theirs, processes));
                    let link = stream.and_then(|stream| Some((stream.try_clone().ok()?, stream)));
                    let Some((reader, writer)) = link else { fork::leave(1) };
                    let (reader, writer) = (Reader::new(reader), Writer::new(writer));
                    let scope = scope.clone();
                    child::live(child::Birth { plan, scope, inbox, reader, writer, number, forked });
                }
                Err(error) => {
                    drop((ours, theirs));
                    processes.abandon();
                    return Err(error);
                }
            };
            theirs[number] = None;
            let stream = ours[number].take().ok_or(io::ErrorKind::NotFound)?;
            processes.children.push(Child {
                pid,
                writer: Writer::new(stream.try_clone()?),
                stream,
                told: false,
                silent: false,
                stopped: None,
                exited: None,
                killed: false,
                concluded: false,
            });
        }
        Ok(processes)
    }

    /// Lets the children begin a run that started at `epoch`, and listens to them.
    pub(super) fn begin(&mut self, sender: &Sender<Message>, epoch: Instant) -> io::Result<()> {
        let began = epoch.saturating_duration_since(self.forked);
        for (number, child) in self.children.iter_mut().enumerate() {
            let mut reader = Reader::new(child.stream.try_clone()?);
            let sender = sender.clone();
            thread::Builder::new().name(format!("molotov-process-{number}")).spawn(move || {
                while let Ok(Some(word)) = reader.receive() {
                    if !sender.send(Message::FromProcess(number, Some(word))) {
                        return;
                    }
                }
                sender.send(Message::FromProcess(number, None));
            })?;
            // One that has died already is noticed by its end.
            let _ = child.writer.send(&Order::Begin(began));
        }
        Ok(())
    }

    /// Ends the children of a run that cannot begin.
    pub(super) fn abandon(&mut self) {
        for child in self.children.drain(..) {
            // Not only dropped: another end of it may be with who reads from it.
            let _ = child.stream.shutdown(Shutdown::Both);
            let _ = waitpid(child.pid, None);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn pid(&self, number: usize) -> u32 {
        self.children[number].pid.as_raw().unsigned_abs()
    }

    /// How many have not ended.
    pub(super) fn living(&self) -> usize {
        self.children.iter().filter(|child| child.exited.is_none()).count()
    }

    pub(super) fn all_concluded(&self) -> bool {
        self.children.iter().all(|child| child.concluded)
    }

    /// Whether there are some that say no more, and have not ended yet.
    pub(super) fn some_are_ending(&self) -> bool {
        self.children.iter().any(|child| child.silent && !child.concluded)
    }

    pub(super) fn send(&mut self, command: Command) {
        if command == Command::Force {
            self.forced.get_or_insert_with(Instant::now);
        }
        for child in self.children.iter_mut().filter(|child| !child.silent) {
            // One that has ended takes no commands.
            let _ = child.writer.send(&Order::Command(command));
            if command == Command::Force && child.exited.is_none() {
                // One that is stopped goes on, so that it can report and tear down.
                let _ = kill(child.pid, Signal::SIGCONT);
            }
        }
    }

    /// A child has said its last word.
    pub(super) fn told(&mut self, number: usize) {
        self.children[number].told = true;
    }

    /// A child's end of the link is closed.
    pub(super) fn silent(&mut self, number: usize) {
        self.children[number].silent = true;
    }

    /// Notices children that have ended or were stopped.
    pub(super) fn look_after(&mut self) -> Vec<(usize, Change)> {
        let overdue = self.forced.is_some_and(|at| at.elapsed() >= GRACE + LAST_CALL * 4);
        let mut changes = Vec::new();
        for (number, child) in self.children.iter_mut().enumerate().filter(|(_, child)| !child.concluded) {
            if child.exited.is_none() {
                let seen = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED;
                match waitpid(child.pid, Some(seen)) {
                    Ok(WaitStatus::StillAlive) if overdue => {
                        child.killed = true;
                        let _ = kill(child.pid, Signal::SIGKILL);
                    }
                    Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => {
                        child.exited = Some((status, Instant::now()));
                    }
                    Ok(WaitStatus::Stopped(..)) => child.stopped = Some(Instant::now()),
                    Ok(WaitStatus::Continued(_)) => child.stopped = None,
                    Ok(_) => {}
                    // Somebody else has waited for it: how it ended is not known, its words are.
                    Err(_) => child.exited = Some((WaitStatus::Exited(child.pid, 0), Instant::now())),
                }
            }
            if child.stopped.is_some_and(|at| at.elapsed() >= STOPPED) {
                child.stopped = None;
                changes.push((number, Change::Stopped));
            }
            let Some((status, at)) = child.exited else { continue };
            if !child.silent {
                // Something that the child has started may hold the link open.
                if at.elapsed() >= LAST_WORDS {
                    let _ = child.stream.shutdown(Shutdown::Read);
                }
                continue;
            }
            child.concluded = true;
            let pid = child.pid;
            let change = match status {
                WaitStatus::Exited(_, 0) if child.told => Change::Ended,
                WaitStatus::Exited(_, code) => {
                    Change::Lost(format!("the process {pid} ended with exit code {code} before its work was done"))
                }
                WaitStatus::Signaled(_, Signal::SIGKILL, _) if child.killed => {
                    Change::Lost(format!("the process {pid} did not end and was killed"))
                }
                WaitStatus::Signaled(_, signal, _) => Change::Lost(format!("the process {pid} was killed by {signal}")),
                other => Change::Lost(format!("the process {pid} is gone: {other:?}")),
            };
            changes.push((number, change));
        }
        changes
    }
}

/// Threads of this process besides the calling one, by name: what they hold would be lost in a child, or locked for ever.
pub(super) fn other_threads() -> Vec<String> {
    // One that has just been waited for may still be listed for a moment.
    let until = Instant::now() + Duration::from_secs(1);
    loop {
        let names = listed();
        if names.is_empty() || Instant::now() >= until {
            return names;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(not(target_os = "linux"))]
fn listed() -> Vec<String> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn listed() -> Vec<String> {
    let own = rustix::thread::gettid().as_raw_nonzero().to_string();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let name = |task: std::fs::DirEntry| {
        (task.file_name().to_str() != Some(&own)).then(|| {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            name.trim().to_owned()
        })
    };
    // Who listens to signals only waits, and a child takes no part in that.
    let matters = |name: &String| !name.is_empty() && name != "molotov-signals";
    let mut names: Vec<_> = tasks.flatten().filter_map(name).filter(matters).collect();
    names.sort();
    names
}
