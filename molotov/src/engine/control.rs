//! The handle that controls a run from outside.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::message::Message;
use crate::queue::{Receiver, Sender, queue};

/// Controls a run from any thread. Clones control the same run.
#[derive(Debug, Clone)]
pub struct Control {
    sender: Sender<Message>,
    stopped: Arc<AtomicBool>,
}

impl Control {
    /// Creates a control, and the inbox for its run.
    pub fn new() -> (Control, Inbox) {
        let (sender, receiver) = queue();
        let stopped = Arc::<AtomicBool>::default();
        (Control { sender: sender.clone(), stopped: stopped.clone() }, Inbox { sender, receiver, stopped })
    }

    /// Stops the run like the first Ctrl-C: no scenario starts after this call, running scenarios end, and teardowns run.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Fails only for a run that has ended.
        self.sender.send(Message::Stop);
    }

    /// Pauses the workers before their next scenario, or resumes them.
    pub fn pause(&self, paused: bool) {
        self.sender.send(Message::Pause(paused));
    }

    /// Adds or removes a tenth of the workers, at least one. One worker stays in each thread.
    pub fn change_workers(&self, more: bool) {
        self.sender.send(Message::ChangeWorkers(more));
    }

    /// Shows a line in order with those of the run. Returns `false` if the run has ended.
    #[cfg(feature = "python")]
    pub(crate) fn line(&self, line: crate::run::Line) -> bool {
        self.sender.send(Message::Line(line))
    }

    /// Forces the run down like the second Ctrl-C: running scenarios are cancelled and count as interrupted, and teardowns run.
    pub fn force(&self) {
        self.sender.send(Message::Force);
    }
}

/// The end of a [`Control`] that belongs to the run.
#[derive(Debug)]
pub struct Inbox {
    pub(super) sender: Sender<Message>,
    pub(super) receiver: Receiver<Message>,
    /// Set when the run is asked to stop, before the message arrives.
    pub(super) stopped: Arc<AtomicBool>,
}
