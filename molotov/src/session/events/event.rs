//! A single server-sent event.

use std::{
    fmt,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;
use sse_core::MessageEvent;

use crate::http::{Error, ErrorKind, target::Target};

/// A server-sent event, which [`ServerSentEvents::next`](super::ServerSentEvents::next) returns.
pub struct ServerSentEvent {
    message: MessageEvent,
    retry: Option<Duration>,
    pub(super) received_at: Instant,
    pub(super) since_start: Duration,
    target: Rc<Target>,
}

impl ServerSentEvent {
    pub(super) fn new(message: MessageEvent, retry: Option<Duration>, at: Instant, target: Rc<Target>) -> Self {
        ServerSentEvent { message, retry, received_at: at, since_start: Duration::ZERO, target }
    }

    /// Returns the type of the event. It is `message` unless the server names another one.
    pub fn event(&self) -> &str {
        &self.message.event
    }

    /// Returns the data: all `data` lines of the event, joined by line feeds.
    pub fn data(&self) -> &str {
        &self.message.data
    }

    /// Returns the ID of the last event that had one: this event, or an earlier one. It is empty if there was none.
    pub fn id(&self) -> &str {
        self.message.last_event_id.as_deref().unwrap_or_default()
    }

    /// Returns the time after which a browser would reconnect, if the server has set it in this event or an earlier one. Molotov
    /// does not reconnect.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Parses the data as JSON.
    ///
    /// # Errors
    ///
    /// Returns an error if the data is not valid JSON for `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(self.data()).map_err(|error| {
            let shown: String = self.data().chars().take(80).collect();
            let what = format!(
                "the data of the event `{}` is not the expected JSON; it starts with `{}`",
                self.event(),
                shown.escape_debug()
            );
            Error::new(ErrorKind::Decode, what).with_source(error).at_url(&self.target.url)
        })
    }

    /// Returns when the last byte of the event was read from the connection. [`ServerSentEvents`](super::ServerSentEvents)
    /// says how close that is to its arrival.
    pub fn received_at(&self) -> Instant {
        self.received_at
    }

    /// Returns the time from the start of the request to [`received_at`](Self::received_at).
    pub fn since_start(&self) -> Duration {
        self.since_start
    }

    /// Returns the memory that the event takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let id = self.message.last_event_id.as_ref().map_or(0, |id: &Arc<str>| id.len());
        size_of::<ServerSentEvent>() + self.message.data.len() + self.message.event.len() + id
    }
}

impl fmt::Debug for ServerSentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerSentEvent")
            .field("event", &self.event())
            .field("data", &self.data())
            .field("id", &self.id())
            .field("retry", &self.retry)
            .field("since_start", &self.since_start)
            .finish()
    }
}
