//! The handle by which the outside world ends a run.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::message::Message;
use crate::queue::{Receiver, Sender, queue};

/// Asks a run to end; clones are handles on the same run, and may be used from any thread.
#[derive(Debug, Clone)]
pub struct Control {
    sender: Sender<Message>,
    stopped: Arc<AtomicBool>,
}

impl Control {
    /// A control, and what its run listens to.
    pub fn new() -> (Control, Inbox) {
        let (sender, receiver) = queue();
        let stopped = Arc::<AtomicBool>::default();
        (Control { sender: sender.clone(), stopped: stopped.clone() }, Inbox { sender, receiver, stopped })
    }

    /// As the first Ctrl-C: no scenario begins after this call, running ones end, teardowns run.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        // A run that has ended does not listen any more: then there is nothing to stop.
        self.sender.send(Message::Stop);
    }

    /// Holds the workers before their next scenario, or lets them go on.
    pub fn pause(&self, paused: bool) {
        self.sender.send(Message::Pause(paused));
    }

    /// Adds a tenth of the workers that there are to be, or takes it away: at least one, and one in each thread stays.
    pub fn change_workers(&self, more: bool) {
        self.sender.send(Message::ChangeWorkers(more));
    }

    /// Shows a line in order with the run's own; `false` when the run has ended.
    #[cfg(feature = "python")]
    pub(crate) fn line(&self, line: crate::run::Line) -> bool {
        self.sender.send(Message::Line(line))
    }

    /// As the second Ctrl-C: what runs is cancelled at once and counted as interrupted; teardowns run.
    pub fn force(&self) {
        self.sender.send(Message::Force);
    }
}

/// The run's end of a [`Control`].
#[derive(Debug)]
pub struct Inbox {
    pub(super) sender: Sender<Message>,
    pub(super) receiver: Receiver<Message>,
    /// The run was asked to stop; the message may still be on its way.
    pub(super) stopped: Arc<AtomicBool>,
}
