//! A child process as the parent sees it.

use std::{
    io,
    net::Shutdown,
    os::unix::net::UnixStream,
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

use crate::{
    engine::{
        envelope::{Envelope, EnvelopeReader},
        link::{Reader, Writer},
        member::Member,
        message::Message,
        shard::TEARDOWN_GRACE,
        threads::GIVE_UP_MARGIN,
        update::{Command, MemberId, Update},
    },
    queue::Sender,
    run::{Incomplete, Line, MemberLabel},
};

/// How long a child must be stopped before the run reports it. Ctrl-Z and `fg` stop and resume all processes.
const NOTIFY_STOPPED_AFTER: Duration = Duration::from_millis(500);

/// How long reading the last updates of a child may take after it has exited.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// A child of this process.
pub(in crate::engine) struct Child {
    id: MemberId,
    /// The number of the process, from 0.
    number: usize,
    pid: Pid,
    /// A moment before the fork, which the child has a copy of.
    forked: Instant,
    stream: UnixStream,
    writer: Writer,
    /// It has sent `Update::Done`.
    done: bool,
    /// Its end of the link is closed.
    closed: bool,
    /// When it was forced down.
    forced: Option<Instant>,
    /// When it was stopped by a signal.
    stopped: Option<Instant>,
    /// How it ended, and when the parent noticed.
    exited: Option<(WaitStatus, Instant)>,
    /// The parent killed it.
    killed: bool,
    /// It has exited and its updates have been read.
    concluded: bool,
}

impl Child {
    pub(super) fn new(
        id: MemberId,
        number: usize,
        pid: Pid,
        forked: Instant,
        stream: UnixStream,
        writer: Writer,
    ) -> Child {
        Child {
            id,
            number,
            pid,
            forked,
            stream,
            writer,
            done: false,
            closed: false,
            forced: None,
            stopped: None,
            exited: None,
            killed: false,
            concluded: false,
        }
    }

    pub(in crate::engine) fn id(&self) -> MemberId {
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
            // Other code has waited for it. Its status is unknown; its updates are not lost.
            Err(_) => self.exited = Some((WaitStatus::Exited(self.pid, 0), Instant::now())),
        }
    }

    /// Why the process ended before its work was done, if it did.
    fn lost(&self, status: WaitStatus) -> Option<String> {
        let name = self.name();
        Some(match status {
            WaitStatus::Exited(_, 0) if self.done => return None,
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

    fn label(&self) -> Option<MemberLabel> {
        Some(MemberLabel::Process(self.pid()))
    }

    fn begin(&mut self, sender: &Sender<Message>, epoch: Instant) -> io::Result<()> {
        let (id, name, sender) = (self.id, self.name(), sender.clone());
        let stream = self.stream.try_clone()?;
        let thread = thread::Builder::new().name(format!("molotov-process-{}", self.number));
        thread.spawn(move || {
            if let Err(error) = listen(&stream, id, &sender) {
                sender.send(Message::Update(id, Update::Lost(format!("{name} {error}"))));
                // Nothing reads its updates any more, so it must end.
                let _ = stream.shutdown(Shutdown::Both);
            }
            sender.send(Message::Update(id, Update::Closed));
        })?;
        // A child that has died already is noticed by `wait`.
        let _ = self.writer.send(&epoch.saturating_duration_since(self.forked));
        Ok(())
    }

    fn send(&mut self, command: Command) {
        if command == Command::Force {
            self.forced.get_or_insert_with(Instant::now);
        }
        if self.closed {
            return;
        }
        // Fails only for a child that has exited.
        let _ = self.writer.send(&command);
        if command == Command::Force && self.exited.is_none() {
            // Resume a stopped process, so that it can report and tear down.
            let _ = kill(self.pid, Signal::SIGCONT);
        }
    }

    fn observe(&mut self, update: &Update) {
        match update {
            Update::Done { .. } => self.done = true,
            Update::Closed => self.closed = true,
            _ => {}
        }
    }

    /// Notices when the process has exited or was stopped.
    fn look_after(&mut self) -> Vec<Update> {
        let mut updates = Vec::new();
        if self.concluded {
            return updates;
        }
        self.wait();
        if self.stopped.is_some_and(|at| at.elapsed() >= NOTIFY_STOPPED_AFTER) {
            self.stopped = None;
            let (name, pid) = (self.name(), self.pid());
            let text = format!("{name} is stopped and generates no load; resume it with `kill -CONT {pid}`");
            updates.push(Update::Line(Line::warning(text)));
        }
        let Some((status, at)) = self.exited else { return updates };
        if self.closed {
            self.concluded = true;
            updates.extend(self.lost(status).map(Update::Lost));
        } else if at.elapsed() >= DRAIN_TIMEOUT {
            // A program that the child started may hold the link open.
            let _ = self.stream.shutdown(Shutdown::Read);
        }
        updates
    }

    fn is_ending(&self) -> bool {
        self.closed && !self.concluded
    }

    fn has_ended(&self) -> bool {
        self.concluded
    }

    fn incomplete(&self, since: Duration) -> Incomplete {
        Incomplete { agent: None, process: self.number, pid: Some(self.pid()), thread: None, since }
    }

    fn release(self: Box<Self>) {
        if !self.concluded {
            // The thread that reads holds a duplicate of the socket.
            let _ = self.stream.shutdown(Shutdown::Both);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// Passes the updates of a child to the coordinator until the child closes the link.
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
