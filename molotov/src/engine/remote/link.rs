//! The link between a run process and its agent.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Failed, FromRun, Task, ToRun};
use crate::{
    engine::{
        control::Inbox,
        link::{Reader, Writer},
        message::Message,
    },
    run::{Line, Progress, Summary},
    ui::Screen,
};

/// The end of a run process. Before the run begins, it shows lines at the coordinator.
pub(crate) struct Link(Option<Ends>);

/// Both directions of a link.
pub(super) struct Ends {
    pub(super) stream: UnixStream,
    pub(super) reader: Reader,
    /// Also used by [`Link::lines`].
    pub(super) writer: Arc<Mutex<Writer>>,
}

impl Ends {
    pub(super) fn send(writer: &Mutex<Writer>, message: &FromRun) -> io::Result<()> {
        writer.lock().unwrap_or_else(PoisonError::into_inner).send(message)
    }
}

impl Link {
    /// # Errors
    ///
    /// If the system refuses more open files.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Link> {
        let (reader, writer) = (Reader::new(stream.try_clone()?), Writer::new(stream.try_clone()?));
        Ok(Link(Some(Ends { stream, reader, writer: Arc::new(Mutex::new(writer)) })))
    }

    /// Receives the task; `None` if there is none.
    pub(crate) fn receive_task(&mut self) -> Option<Task> {
        self.0.as_mut()?.reader.receive().ok()?
    }

    /// Receives the next message; `None` after the agent has closed the link.
    pub(super) fn receive(&mut self) -> Option<ToRun> {
        self.0.as_mut()?.reader.receive().ok()?
    }

    /// Sends a message. An agent that has gone is noticed by [`receive`](Self::receive).
    pub(super) fn send(&mut self, message: &FromRun) {
        if let Some(ends) = &mut self.0 {
            let _ = Ends::send(&ends.writer, message);
        }
    }

    /// Returns a function that shows lines at the coordinator, until the link is closed.
    pub(crate) fn lines(&self) -> Box<dyn Fn(Line) + Send> {
        let writer = self.0.as_ref().map(|ends| Arc::downgrade(&ends.writer)).unwrap_or_default();
        Box::new(move |line| {
            if let Some(writer) = writer.upgrade() {
                let _ = Ends::send(&writer, &FromRun::Line(line));
            }
        })
    }

    /// Shows the lines that wait in the inbox of a run that does not begin.
    pub(super) fn show_waiting(&mut self, inbox: &Inbox) {
        while let Ok(message) = inbox.receiver.try_receive() {
            if let Message::Line(line) = message {
                self.line(&line);
            }
        }
    }

    /// Reports that this process cannot take part in the run.
    pub(crate) fn fail(&mut self, failed: Failed) {
        self.send(&FromRun::Failed(failed));
    }

    pub(super) fn of(ends: Option<Ends>) -> Link {
        Link(ends)
    }

    pub(super) fn into_ends(mut self) -> Option<Ends> {
        self.0.take()
    }
}

impl Screen for Link {
    fn line(&mut self, line: &Line) {
        self.send(&FromRun::Line(line.clone()));
    }

    fn progress(&mut self, _: &Progress) {}

    /// The agent must notice the end of the parent even if children live.
    fn in_child(&mut self) {
        self.0 = None;
    }

    fn finish(&mut self, _: &Summary) {}
}
