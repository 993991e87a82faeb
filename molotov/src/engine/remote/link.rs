//! The link between a run process and its agent.

use std::{io, os::unix::net::UnixStream};

use super::{Failed, FromRun, Task, ToRun};
use crate::{
    engine::link::{Reader, Writer},
    run::{Line, Progress, Summary},
    ui::Screen,
};

/// The end of a run process. Before the run begins, it shows lines at the coordinator.
pub(crate) struct Link(Option<Ends>);

/// Both directions of a link.
pub(super) struct Ends {
    pub(super) stream: UnixStream,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
}

impl Link {
    /// # Errors
    ///
    /// If the system refuses more open files.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Link> {
        let (reader, writer) = (Reader::new(stream.try_clone()?), Writer::new(stream.try_clone()?));
        Ok(Link(Some(Ends { stream, reader, writer })))
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
            let _ = ends.writer.send(message);
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
