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
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use super::{BoxError, target::Target};

/// A stream of the parts of a body, local to a thread.
pub(crate) type LocalByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>>>>;

/// One request for a transport, which does not follow redirects, keep cookies or decode bodies.
pub(crate) struct TransportRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) target: &'a Rc<Target>,
    pub(crate) headers: RequestHeaders<'a>,
    /// The transport takes a stream out and leaves `Empty`. Bytes stay, so that the request can be sent again.
    pub(crate) body: &'a mut Body,
    /// Whether the body is a stream, or was one, so that the request cannot be sent again.
    pub(crate) streamed: bool,
    pub(crate) version: Option<Version>,
    /// The current time.
    pub(crate) now: Instant,
    /// When the request has to end, including the last byte of the response's body.
    pub(crate) deadline: Option<Instant>,
    /// Whether the deadline is distant, so that a request may end a little late.
    pub(crate) is_distant: bool,
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

/// The headers of a request: its own, the defaults that it does not replace, and the cookies.
///
/// They do not contain those that frame the body, and `Host` only if it differs from the URL.
pub(crate) struct RequestHeaders<'a> {
    pub(crate) own: &'a HeaderMap,
    pub(crate) defaults: Option<&'a DefaultHeaders>,
    pub(crate) cookies: Option<&'a HeaderValue>,
}

/// Headers that many requests have.
pub(crate) struct DefaultHeaders {
    map: HeaderMap,
    /// The lines for HTTP/1.1, unless a header needs more than being sent.
    encoded: Option<Box<[u8]>>,
}

impl DefaultHeaders {
    pub(crate) fn new(map: HeaderMap) -> DefaultHeaders {
        let encoded = (!map.keys().any(affects_connection)).then(|| {
            let mut lines = Vec::new();
            map.iter().for_each(|(name, value)| encode(&mut lines, name, value));
            lines.into()
        });
        DefaultHeaders { map, encoded }
    }

    pub(crate) fn map(&self) -> &HeaderMap {
        &self.map
    }
}

/// Appends the line of a header for HTTP/1.1.
#[inline]
pub(crate) fn encode(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Returns whether a header says something about the connection or the framing, so that its value matters to the transport.
fn affects_connection(name: &HeaderName) -> bool {
    *name == header::HOST
        || *name == header::CONNECTION
        || *name == header::UPGRADE
        || *name == header::CONTENT_LENGTH
        || *name == header::TRANSFER_ENCODING
}

impl<'a> RequestHeaders<'a> {
    /// Calls a function with each name and value.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&HeaderName, &HeaderValue)) {
        self.own.iter().for_each(|(name, value)| visit(name, value));
        for (name, value) in self.defaults.into_iter().flat_map(|defaults| &defaults.map) {
            if !self.own.contains_key(name) {
                visit(name, value);
            }
        }
        if let Some(cookies) = self.cookies {
            visit(&header::COOKIE, cookies);
        }
    }

    /// Returns the lines of the defaults for HTTP/1.1, and the other headers. Returns `None` if the headers have to be looked at
    /// one by one.
    pub(crate) fn encoded_defaults(&self) -> Option<(&'a [u8], &'a HeaderMap)> {
        let defaults = self.defaults?;
        let lines = defaults.encoded.as_ref()?;
        let replaces = |name: &HeaderName| affects_connection(name) || defaults.map.contains_key(name);
        if self.own.is_empty() || !self.own.keys().any(replaces) { Some((lines, self.own)) } else { None }
    }

    /// Returns the headers as a map.
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "only the feature `http2` uses it"))]
    pub(crate) fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        self.for_each(|name, value| _ = map.append(name, value.clone()));
        map
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
