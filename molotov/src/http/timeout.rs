//! The timeouts of a request: their errors, and the limit of a single read.

use std::{
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{Error, ErrorKind, timer::Deadline};

/// Returns the error of a request without a response at its deadline.
pub(crate) fn response_timeout() -> Error {
    Error::new(ErrorKind::Timeout, "the request timed out").with_hint("raise the timeout, or look at the server")
}

/// Returns the error of a body that is incomplete at its deadline.
pub(crate) fn body_timeout() -> Error {
    Error::new(ErrorKind::Timeout, "the body timed out").with_hint("raise the timeout, or look at the server")
}

/// Returns the error of a request whose server sends nothing for longer than the read timeout.
pub(crate) fn read_timeout() -> Error {
    Error::new(ErrorKind::Timeout, "the server sent nothing within the read timeout")
        .with_hint("raise the read timeout, or look at the server")
        .while_reading()
}

/// Returns the deadline of a limit that starts now, or `None` if the limit is too long to represent.
pub(crate) fn deadline_after(limit: Option<Duration>) -> Option<Deadline> {
    limit.and_then(|limit| Instant::now().checked_add(limit)).map(Deadline::new)
}

/// The limit of a single read. It starts when the read has to wait.
pub(crate) struct ReadLimit {
    timeout: Duration,
    deadline: Option<Deadline>,
}

impl ReadLimit {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, deadline: None }
    }

    /// Ends the current read, so that the next one gets the whole limit.
    pub(crate) fn reset(&mut self) {
        self.deadline = None;
    }

    /// Returns `Ready` once the current read has taken too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.deadline.is_none() {
            self.deadline = Instant::now().checked_add(self.timeout).map(Deadline::new);
        }
        self.deadline.as_mut().map_or(Poll::Pending, |deadline| deadline.poll(cx))
    }
}
