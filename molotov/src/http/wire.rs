//! The seam between a session and its transport: one request out, one response back.

use std::{
    cell::{Cell, OnceCell},
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use super::{
    BoxError, Error, ErrorKind, direct::H1Body, permits::Permits, target::Target, timer::Deadline, tls::TlsOptions,
};

/// Pieces of a body that come by and by; local to a thread.
pub(crate) type LocalByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>>>>;

/// One request as a transport sends it: no redirects, cookies or decoding below this line.
pub(crate) struct WireRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) target: &'a Rc<Target>,
    /// All headers but `Host` (unless it shall differ from the URL's) and those of framing.
    pub(crate) headers: &'a HeaderMap,
    /// A stream is taken out and leaves `Empty`; bytes stay, so that the request can be sent again.
    pub(crate) body: &'a mut Body,
    pub(crate) version: Option<Version>,
    /// When the whole exchange, the body's last byte included, has to be over.
    pub(crate) deadline: Option<Instant>,
    /// How long the connection may take to open, instead of the transport's own limit.
    pub(crate) connect_timeout: Option<Duration>,
    /// The longest time without data from the server once the request is on its connection.
    pub(crate) read_timeout: Option<Duration>,
    /// Counts how often the request is sent again, also when nobody waits for its answer any more.
    pub(crate) retried: &'a Cell<u32>,
}

/// Whether the server can have seen a request that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It has: it began to answer, or the fault is ours.
    Yes,
    /// The connection closed, or the server says that it did not process the request. It may count it all the same.
    Maybe,
    /// Nothing was sent: the connection had been closed before.
    No,
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

/// The head of a response, with its body still to be taken.
#[derive(Debug)]
pub(crate) struct WireResponse {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: LazyHeaders,
    pub(crate) body: WireBody,
    /// When the first byte of the final head was seen.
    pub(crate) first_byte: Instant,
    /// Bytes of request written when the head of the response was there.
    pub(crate) bytes_out: u64,
    pub(crate) head_bytes: u64,
    pub(crate) remote_addr: Option<SocketAddr>,
}

/// Headers that become a `HeaderMap` only when somebody asks for one.
#[derive(Clone)]
pub(crate) struct LazyHeaders {
    /// A checked HTTP/1 head: status line, header lines, empty line, each ended by CRLF or LF; no folded headers.
    raw: Bytes,
    map: OnceCell<Box<HeaderMap>>,
}

impl LazyHeaders {
    /// From a head that the reader has found well-formed.
    pub(crate) fn from_head(raw: Bytes) -> Self {
        Self { raw, map: OnceCell::new() }
    }

    /// From a library that has built the map already.
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "only the feature `http2` uses it"))]
    pub(crate) fn from_map(map: HeaderMap) -> Self {
        Self { raw: Bytes::new(), map: OnceCell::from(Box::new(map)) }
    }

    /// The first value under that name.
    pub(crate) fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        if let Some(map) = self.map.get() {
            return map.get(name).map(HeaderValue::as_bytes);
        }
        let name = name.as_str().as_bytes();
        lines(&self.raw).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers, built on first use.
    pub(crate) fn map(&self) -> &HeaderMap {
        self.map.get_or_init(|| {
            let mut map = HeaderMap::new();
            for (name, value) in lines(&self.raw) {
                // httparse let the head through, so neither fails; a header that would is left out.
                if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                    map.append(name, value);
                }
            }
            Box::new(map)
        })
    }

    /// All headers as they came, with the case of their names where that is known.
    #[cfg(feature = "python")]
    pub(crate) fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        if self.raw.is_empty() {
            return self.map().iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect();
        }
        lines(&self.raw).collect()
    }

    /// The reason beside the status, where that is known.
    #[cfg(feature = "python")]
    pub(crate) fn reason(&self) -> Option<&[u8]> {
        let end = memchr::memchr(b'\n', &self.raw)?;
        let line = self.raw[..end].strip_suffix(b"\r").unwrap_or(&self.raw[..end]);
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        parts.next()?;
        parts.next()?;
        Some(parts.next().unwrap_or_default())
    }

    /// All headers, to be changed.
    pub(crate) fn map_mut(&mut self) -> &mut HeaderMap {
        self.map();
        self.raw = Bytes::new();
        self.map.get_mut().expect("the map has just been made")
    }

    /// Whether there may be a header that changes what becomes of the response: a cookie, a compression, a place to
    /// go to. `false` is certain.
    pub(crate) fn has_special(&self) -> bool {
        // Told by the length of their names first: most headers are none of these.
        self.map.get().is_some()
            || lines(&self.raw).any(|(name, _)| match name.len() {
                8 => name.eq_ignore_ascii_case(b"location"),
                10 => name.eq_ignore_ascii_case(b"set-cookie"),
                16 => name.eq_ignore_ascii_case(b"content-encoding"),
                _ => false,
            })
    }
}

impl fmt::Debug for LazyHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map().fmt(f)
    }
}

/// The header lines of a checked head.
fn lines(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let start = memchr::memchr(b'\n', raw).map_or(raw.len(), |at| at + 1);
    let mut rest = &raw[start..];
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest)?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let colon = memchr::memchr(b':', line)?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

/// The body of a response. Dropped half-read, it closes its connection.
pub(crate) struct WireBody {
    state: State,
    received: u64,
    deadline: Option<Deadline>,
    read_limit: Option<Box<ReadLimit>>,
}

enum State {
    Ended,
    /// All of it is here; the connection is back in its pool.
    Whole(Bytes),
    Http1(Box<H1Body>),
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "only the feature `http2` uses it"))]
    Stream(Pin<Box<dyn Stream<Item = Result<Bytes, Error>>>>),
}

impl WireBody {
    /// A body that is here already.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let received = bytes.len() as u64;
        let state = if bytes.is_empty() { State::Ended } else { State::Whole(bytes) };
        Self { state, received, deadline: None, read_limit: None }
    }

    /// A body from a library that reads it.
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "only the feature `http2` uses it"))]
    pub(crate) fn stream(
        stream: impl Stream<Item = Result<Bytes, Error>> + 'static,
        deadline: Option<Instant>,
    ) -> Self {
        let deadline = deadline.map(Deadline::new);
        Self { state: State::Stream(Box::pin(stream)), received: 0, deadline, read_limit: None }
    }

    pub(crate) fn http1(body: H1Body) -> Self {
        Self { state: State::Http1(Box::new(body)), received: 0, deadline: None, read_limit: None }
    }

    /// Until when it has to have arrived; of no concern to a body that has.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Deadline>) {
        if !self.is_whole() {
            self.deadline = deadline;
        }
    }

    /// How long a part of it may take to arrive.
    pub(crate) fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        if !self.is_whole() {
            self.read_limit = timeout.map(|timeout| Box::new(ReadLimit::new(timeout)));
        }
    }

    /// Gives the body more time to arrive.
    pub(crate) fn postpone_deadline(&mut self, time: Duration) {
        if let Some(deadline) = &mut self.deadline {
            deadline.postpone(time);
        }
        if let State::Http1(body) = &mut self.state {
            body.upload.postpone_deadline(time);
        }
    }

    /// The next piece, decoded from its framing; `None` at the end. After an error there is nothing more.
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let polled = match &mut self.state {
            State::Ended => return Poll::Ready(None),
            State::Whole(_) => return Poll::Ready(self.take_whole().map(Ok)),
            State::Http1(body) => body.poll_chunk(cx),
            State::Stream(stream) => stream.as_mut().poll_next(cx),
        };
        match polled {
            Poll::Ready(Some(Ok(bytes))) => {
                self.received += bytes.len() as u64;
                if self.deadline.as_ref().is_some_and(Deadline::has_passed) {
                    self.finish();
                    return Poll::Ready(Some(Err(body_timeout())));
                }
                if let Some(limit) = &mut self.read_limit {
                    limit.deadline = None;
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(end) => {
                self.finish();
                Poll::Ready(end)
            }
            Poll::Pending => {
                let error = if self.deadline.as_mut().is_some_and(|deadline| deadline.poll(cx).is_ready()) {
                    body_timeout()
                } else if self.read_limit.as_mut().is_some_and(|limit| limit.poll(cx).is_ready()) {
                    read_timeout()
                } else {
                    return Poll::Pending;
                };
                self.finish();
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn finish(&mut self) {
        self.state = State::Ended;
        self.deadline = None;
        self.read_limit = None;
    }

    /// All of it, when it is all here.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => Some(Bytes::new()),
            State::Whole(bytes) => Some(bytes),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Reads no further: what is left of it is closed with its connection.
    pub(crate) fn abandon(&mut self) {
        self.finish();
    }

    /// Bytes of body that came so far.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Whether nothing is left to come: all was taken, or failed.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether all of it has arrived, taken or not.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.state, State::Ended | State::Whole(_))
    }
}

/// The error of a request that has no answer when its deadline passes.
pub(crate) fn answer_timeout() -> Error {
    Error::new(ErrorKind::Timeout, "no answer came in time").with_hint("raise the timeout, or look at the server")
}

/// The error of a body that is incomplete when its deadline passes.
pub(crate) fn body_timeout() -> Error {
    Error::new(ErrorKind::Timeout, "the body did not arrive in time")
        .with_hint("raise the timeout, or look at the server")
}

/// The error of an exchange in which the server sends nothing for longer than the read timeout.
pub(crate) fn read_timeout() -> Error {
    Error::new(ErrorKind::Timeout, "the server sent nothing within the read timeout")
        .with_hint("raise the read timeout, or look at the server")
        .while_reading()
}

/// The end of a time limit that starts now. One too long to add up is no limit.
pub(crate) fn deadline_after(limit: Option<Duration>) -> Option<Deadline> {
    limit.and_then(|limit| Instant::now().checked_add(limit)).map(Deadline::new)
}

/// How long one read may take. The clock starts when a read has to wait.
pub(crate) struct ReadLimit {
    timeout: Duration,
    deadline: Option<Deadline>,
}

impl ReadLimit {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, deadline: None }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.deadline.is_none() {
            self.deadline = Instant::now().checked_add(self.timeout).map(Deadline::new);
        }
        self.deadline.as_mut().map_or(Poll::Pending, |deadline| deadline.poll(cx))
    }
}

impl fmt::Debug for WireBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireBody").field("received", &self.received).field("end", &self.is_end()).finish()
    }
}

/// Which version of HTTP connections speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HttpVersionPolicy {
    /// HTTP/2 where TLS negotiates it, HTTP/1.1 otherwise.
    #[default]
    Auto,
    Http1Only,
    /// HTTP/2 without asking.
    Http2PriorKnowledge,
}

/// What a transport is told once, when its session opens.
#[derive(Clone, Debug)]
pub(crate) struct WireOptions {
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) tls: TlsOptions,
    pub(crate) http_version: HttpVersionPolicy,
    pub(crate) local_address: Option<IpAddr>,
    /// Addresses to use for a host instead of asking the resolver; a port of 0 means the URL's.
    pub(crate) resolve: HashMap<String, Vec<SocketAddr>>,
    pub(crate) keep_alive: bool,
    /// Whether a request may be sent again when its connection closes without an answer.
    pub(crate) retry: bool,
    pub(crate) pool_idle_timeout: Option<Duration>,
    /// Idle connections kept for one origin.
    pub(crate) pool_max_idle_per_host: usize,
    /// Connections to one origin at a time; further requests wait in line.
    pub(crate) max_connections: Option<usize>,
    /// The limits on connections that others share, in the place of `max_connections`.
    pub(crate) shared_permits: Option<Permits>,
    /// Whether only addresses of IPv6 are used, or only those of IPv4.
    pub(crate) only_ipv6: Option<bool>,
    /// The name that servers are asked for by TLS and that their certificate has to have, in the place of the URL's.
    pub(crate) server_name: Option<String>,
    pub(crate) tcp_nodelay: bool,
}

impl Default for WireOptions {
    fn default() -> Self {
        Self {
            connect_timeout: None,
            tls: TlsOptions::default(),
            http_version: HttpVersionPolicy::Auto,
            local_address: None,
            resolve: HashMap::new(),
            keep_alive: true,
            retry: true,
            pool_idle_timeout: Some(Duration::from_secs(90)),
            pool_max_idle_per_host: 1024,
            max_connections: None,
            shared_permits: None,
            only_ipv6: None,
            server_name: None,
            tcp_nodelay: true,
        }
    }
}

impl WireOptions {
    /// The limits on connections.
    pub(crate) fn permits(&self) -> Permits {
        self.shared_permits.clone().unwrap_or_else(|| Permits::new(self.max_connections, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_without_a_map() {
        let head = LazyHeaders::from_head(Bytes::from_static(
            b"HTTP/1.1 200 OK\r\nContent-Type:  text/plain \r\nSet-Cookie: a=b\r\nset-cookie: c=d:e\r\nEmpty:\r\n\r\n",
        ));
        assert_eq!(head.get(&http::header::CONTENT_TYPE), Some(&b"text/plain"[..]));
        assert_eq!(head.get(&http::header::SET_COOKIE), Some(&b"a=b"[..]));
        assert_eq!(head.get(&http::header::LOCATION), None);
        assert_eq!(head.map().len(), 4);
        assert_eq!(head.map().get_all("set-cookie").iter().next_back(), Some(&HeaderValue::from_static("c=d:e")));
        assert_eq!(head.get(&HeaderName::from_static("empty")), Some(&b""[..]));
    }

    #[tokio::test]
    async fn a_deadline_holds_for_a_body_that_is_always_ready() {
        let before = Instant::now();
        let endless = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(b"x")));
        let mut body = WireBody::stream(endless, Some(before + Duration::from_millis(20)));
        let error = loop {
            assert!(before.elapsed() < Duration::from_secs(2));
            match std::future::poll_fn(|cx| body.poll_chunk(cx)).await.unwrap() {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(error.is_timeout(), "{error}");
        assert!(body.is_end());
    }

    #[test]
    fn a_whole_body_is_taken_once() {
        let mut body = WireBody::whole(Bytes::from_static(b"abc"));
        assert!(body.is_whole() && !body.is_end());
        assert_eq!(body.take_whole().as_deref(), Some(&b"abc"[..]));
        assert_eq!((body.received(), body.is_end()), (3, true));
    }
}
