//! Processes as members: forked after `global_setup`, each with its own shards, heard and commanded over a pair of sockets.
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

use self::link::{Reader, Writer};
use super::{
    control::Inbox,
    envelope::{Envelope, EnvelopeReader},
    member::Member,
    message::Message,
    plan::Plan,
    shard::TEARDOWN_GRACE,
    threads::GIVE_UP_MARGIN,
    update::{Command, MemberId, Update},
};
use crate::{
    queue::Sender,
    run::{Incomplete, Line},
    vars::Scope,
};

/// How long a child has to be stopped before the user hears of it: with Ctrl-Z and `fg` all processes stop and go on.
const STOPPED_NOTICE: Duration = Duration::from_millis(500);

/// How long after its end a child's last words may take to be read.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// A child of this process.
pub(super) struct Child {
    id: MemberId,
    /// The number of the process, from 0.
    number: usize,
    pid: Pid,
    /// A moment before the fork, which the child knows too.
    forked: Instant,
    stream: UnixStream,
    writer: Writer,
    /// It has said its last word.
    told: bool,
    /// Its end of the link is closed.
    silent: bool,
    /// When it was forced down.
    forced: Option<Instant>,
    /// When it was stopped by a signal.
    stopped: Option<Instant>,
    /// How it ended, and when that was seen.
    exited: Option<(WaitStatus, Instant)>,
    /// It was ended by the parent.
    killed: bool,
    concluded: bool,
}

/// Forks the children of a run, one for each identity. In a child this does not return.
///
/// # Errors
///
/// When the system allows no more processes; those that were made have ended then.
pub(super) fn fork(plan: &Plan, scope: &Arc<Scope>, inbox: &mut Inbox, ids: &[MemberId]) -> io::Result<Vec<Child>> {
    let pairs = ids.iter().map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>()?;
    let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let mut theirs: Vec<_> = theirs.into_iter().map(Some).collect();
    let mut ours: Vec<_> = ours.into_iter().map(Some).collect();
    let forked = Instant::now();
    let mut children: Vec<Child> = Vec::new();
    for (number, id) in ids.iter().copied().enumerate() {
        let pid = match fork::fork_one(plan.selection.event_loop.as_deref()) {
            Ok(Some(pid)) => pid,
            Ok(None) => {
                let stream = theirs[number].take();
                // An end that is kept open here would hide from the others that the parent has gone.
                drop((ours, theirs, children));
                let link = stream.and_then(|stream| Some((stream.try_clone().ok()?, stream)));
                let Some((reader, writer)) = link else { fork::leave(1) };
                let (reader, writer) = (Reader::new(reader), Writer::new(writer));
                let scope = scope.clone();
                child::live(child::ChildStart { plan, scope, inbox, reader, writer, id, number, forked });
            }
            Err(error) => {
                drop((ours, theirs));
                children.into_iter().for_each(|child| Box::new(child).release());
                return Err(error);
            }
        };
        theirs[number] = None;
        let stream = ours[number].take().ok_or(io::ErrorKind::NotFound)?;
        children.push(Child {
            id,
            number,
            pid,
            forked,
            writer: Writer::new(stream.try_clone()?),
            stream,
            told: false,
            silent: false,
            forced: None,
            stopped: None,
            exited: None,
            killed: false,
            concluded: false,
        });
    }
    Ok(children)
}

impl Child {
    pub(super) fn id(&self) -> MemberId {
        self.id
    }

    fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Checks whether the process has exited, stopped or resumed, and kills it if it is overdue.
    fn wait(&mut self) {
        if self.exited.is_some() {
            return;
        }
        let overdue = self.forced.is_some_and(|at| at.elapsed() >= TEARDOWN_GRACE + GIVE_UP_MARGIN * 4);
        let seen = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED;
        match waitpid(self.pid, Some(seen)) {
            Ok(WaitStatus::StillAlive) if overdue => {
                self.killed = true;
                let _ = kill(self.pid, Signal::SIGKILL);
            }
            Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => {
                self.exited = Some((status, Instant::now()));
            }
            Ok(WaitStatus::Stopped(..)) => self.stopped = Some(Instant::now()),
            Ok(WaitStatus::Continued(_)) => self.stopped = None,
            Ok(_) => {}
            // Somebody else has waited for it: how it ended is not known, what it reported is.
            Err(_) => self.exited = Some((WaitStatus::Exited(self.pid, 0), Instant::now())),
        }
    }

    /// Why it ended before its work was done, if it did.
    fn lost(&self, status: WaitStatus) -> Option<String> {
        let name = self.name();
        Some(match status {
            WaitStatus::Exited(_, 0) if self.told => return None,
            WaitStatus::Exited(_, code) => format!("{name} ended with exit code {code} before its work was done"),
            WaitStatus::Signaled(_, Signal::SIGKILL, _) if self.killed => format!("{name} did not end and was killed"),
            WaitStatus::Signaled(_, signal, _) => format!("{name} was killed by {signal}"),
            other => format!("{name} is gone: {other:?}"),
        })
    }
}

impl Member for Child {
    fn name(&self) -> String {
        format!("the process {}", self.pid())
    }

    fn label(&self) -> Option<Arc<str>> {
        Some(self.pid().to_string().into())
    }

    fn begin(&mut self, sender: &Sender<Message>, epoch: Instant) -> io::Result<()> {
        let (id, name, sender) = (self.id, self.name(), sender.clone());
        let stream = self.stream.try_clone()?;
        let thread = thread::Builder::new().name(format!("molotov-process-{}", self.number));
        thread.spawn(move || {
            if let Err(error) = listen(&stream, id, &sender) {
                sender.send(Message::Update(id, Update::Lost(format!("{name} {error}"))));
                // Nobody reads what it sends any more: it is to end.
                let _ = stream.shutdown(Shutdown::Both);
            }
            sender.send(Message::Update(id, Update::Closed));
        })?;
        // One that has died already is noticed by its end.
        let _ = self.writer.send(&epoch.saturating_duration_since(self.forked));
        Ok(())
    }

    fn send(&mut self, command: Command) {
        if command == Command::Force {
            self.forced.get_or_insert_with(Instant::now);
        }
        if self.silent {
            return;
        }
        // One that has ended takes no commands.
        let _ = self.writer.send(&command);
        if command == Command::Force && self.exited.is_none() {
            // Resume a stopped process, so that it can report and tear down.
            let _ = kill(self.pid, Signal::SIGCONT);
        }
    }

    fn observe(&mut self, update: &Update) {
        match update {
            Update::Done { .. } => self.told = true,
            Update::Closed => self.silent = true,
            _ => {}
        }
    }

    /// Notices when it has ended or was stopped.
    fn look_after(&mut self) -> Vec<Update> {
        let mut said = Vec::new();
        if self.concluded {
            return said;
        }
        self.wait();
        if self.stopped.is_some_and(|at| at.elapsed() >= STOPPED_NOTICE) {
            self.stopped = None;
            let (name, pid) = (self.name(), self.pid());
            let text = format!("{name} is stopped and generates no load; resume it with `kill -CONT {pid}`");
            said.push(Update::Line(Line::warning(text)));
        }
        let Some((status, at)) = self.exited else { return said };
        if self.silent {
            self.concluded = true;
            said.extend(self.lost(status).map(Update::Lost));
        } else if at.elapsed() >= DRAIN_TIMEOUT {
            // Something that the child has started may hold the link open.
            let _ = self.stream.shutdown(Shutdown::Read);
        }
        said
    }

    fn is_ending(&self) -> bool {
        self.silent && !self.concluded
    }

    fn has_ended(&self) -> bool {
        self.concluded
    }

    fn incomplete(&self, since: Duration) -> Incomplete {
        Incomplete { process: self.number, pid: Some(self.pid()), thread: None, since }
    }

    fn release(self: Box<Self>) {
        if !self.concluded {
            // Dropping it is not enough: the reader holds a duplicate.
            let _ = self.stream.shutdown(Shutdown::Both);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// Hands what a child sends to the coordinator, until the child's end of the link is closed.
fn listen(stream: &UnixStream, id: MemberId, sender: &Sender<Message>) -> io::Result<()> {
    let mut reader = Reader::new(stream.try_clone()?);
    let mut incoming = EnvelopeReader::new(id);
    while let Some(bytes) = reader.receive_bytes()? {
        let envelope = Envelope::read(bytes).map_err(io::Error::other)?;
        for update in incoming.open(envelope) {
            if !sender.send(Message::Update(id, update)) {
                return Ok(());
            }
        }
    }
    Ok(())
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
