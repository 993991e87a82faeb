//! A request as a transport sends it, and its body.

use std::{
    cell::Cell,
    fmt,
    pin::Pin,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, Method, Version};

use super::{BoxError, target::Target};

/// A stream of the parts of a body, local to a thread.
pub(crate) type LocalByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>>>>;

/// One request for a transport, which does not follow redirects, keep cookies or decode bodies.
pub(crate) struct TransportRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) target: &'a Rc<Target>,
    /// All headers except those that frame the body, and except `Host` unless it differs from the URL.
    pub(crate) headers: &'a HeaderMap,
    /// The transport takes a stream out and leaves `Empty`. Bytes stay, so that the request can be sent again.
    pub(crate) body: &'a mut Body,
    pub(crate) version: Option<Version>,
    /// When the request has to end, including the last byte of the response's body.
    pub(crate) deadline: Option<Instant>,
    /// How long the connection may take to open, instead of the limit in the transport's options.
    pub(crate) connect_timeout: Option<Duration>,
    /// The longest time without data from the server once the request is on its connection.
    pub(crate) read_timeout: Option<Duration>,
    /// Counts how often the request is sent again, even if its future is dropped later.
    pub(crate) retried: &'a Cell<u32>,
    /// How long it waits for a connection. Stays zero if one is idle.
    pub(crate) waited: &'a Cell<Duration>,
}

impl TransportRequest<'_> {
    /// Adds a wait for a connection.
    pub(crate) fn has_waited(&self, time: Duration) {
        self.waited.set(self.waited.get() + time);
    }
}

/// The body of a request.
#[derive(Default)]
pub(crate) enum Body {
    #[default]
    Empty,
    Bytes(Bytes),
    Stream {
        stream: LocalByteStream,
        length: Option<u64>,
    },
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length:?})"),
        }
    }
}
