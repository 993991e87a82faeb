//! Requests that the user makes of the run.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::terminal;

/// The exit code after an interrupt, as if Ctrl-C had ended the process.
const INTERRUPTED: i32 = 130;

/// What the user of the dashboard wants the run to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlAction {
    /// Stop the run; running scenarios may end.
    Stop,
    /// Interrupt running scenarios.
    Force,
    /// Pause the workers, or resume them.
    Pause(bool),
    /// Add a tenth of the workers, or remove a tenth.
    Workers(bool),
}

/// Sends actions to the run, and escalates repeated stops.
pub(super) struct Control {
    handler: Box<dyn Fn(ControlAction) + Send + Sync>,
    stops: AtomicUsize,
}

impl Control {
    pub(super) fn new(handler: impl Fn(ControlAction) + Send + Sync + 'static) -> Control {
        Control { handler: Box::new(handler), stops: AtomicUsize::new(0) }
    }

    pub(super) fn request(&self, action: ControlAction) {
        (self.handler)(action);
    }

    /// Stops the run. The second call interrupts running scenarios, the third ends the process.
    pub(super) fn stop(&self) {
        match self.stops.fetch_add(1, Ordering::Relaxed) {
            0 => self.request(ControlAction::Stop),
            1 => self.request(ControlAction::Force),
            _ => terminal::exit(INTERRUPTED),
        }
    }
}
