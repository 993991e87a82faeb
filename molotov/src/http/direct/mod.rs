//! The direct transport: connections that belong to the worker, HTTP/1.1 with a reader of our own.

mod connection;
mod framing;
mod head;
#[cfg(feature = "http2")]
mod http2;
#[cfg(not(feature = "http2"))]
#[path = "http2/absent.rs"]
mod http2;
mod pool;
mod stream;
#[cfg(test)]
mod tests;
mod upload;

use std::{cell::Cell, future::poll_fn, rc::Rc, task::Poll, time::Instant};

use bytes::BytesMut;
use http::{Method, Version};

use self::{
    connection::{Answer, Connection},
    pool::Pool,
};
use super::{
    Error, ErrorKind,
    permits::Permit,
    target::Target,
    timer::{Deadline, within},
    wire::{self, Body, HttpVersionPolicy, LazyHeaders, Seen, WireBody, WireOptions, WireRequest, WireResponse},
};
use crate::missing::missing;

pub(crate) use connection::H1Body;

/// The transport of one session.
pub(crate) struct Direct {
    pool: Rc<Pool>,
}

/// Why a request has no answer.
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) seen: Seen,
}

/// What a request goes out on.
enum Way {
    Http1 { connection: Connection, reused: bool },
    Http2 { client: http2::Client },
}

impl Direct {
    pub(crate) fn new(options: Rc<WireOptions>) -> Self {
        Self { pool: Pool::new(options) }
    }

    /// Sends a request and reads at least the head of its response.
    pub(crate) async fn execute(&self, mut request: WireRequest<'_>) -> Result<WireResponse, Error> {
        let (method, target) = (request.method, request.target);
        let mut deadline = request.deadline.map(Deadline::new);
        let connecting = Cell::new(false);
        let result = match within(&mut deadline, self.run(&mut request, &connecting)).await {
            Some(result) => result,
            None if connecting.get() => Err(timed_out_connecting(target, "raise the timeout, or check the address")),
            None => Err(wire::answer_timeout()),
        };
        match result {
            Ok(mut response) => {
                response.body.set_deadline(deadline);
                response.body.set_read_timeout(request.read_timeout);
                Ok(response)
            }
            Err(error) => Err(error.at(method, &target.url)),
        }
    }

    async fn run(&self, request: &mut WireRequest<'_>, connecting: &Cell<bool>) -> Result<WireResponse, Error> {
        if *request.method == Method::CONNECT {
            return Err(Error::new(ErrorKind::Request, "CONNECT opens a tunnel, which a session does not"));
        }
        let origin = &request.target.origin;
        let mut permit = self.pool.permits.acquire(origin).await;
        let replayable = !matches!(request.body, Body::Stream { .. });
        let repeatable = replayable && self.pool.options.retry && is_idempotent(request.method);
        let may_repeat = |seen| match seen {
            Seen::Yes => false,
            Seen::Maybe => repeatable,
            Seen::No => replayable,
        };
        let (mut fresh, mut sent) = (false, false);
        loop {
            let way = self.way(request, repeatable, fresh, connecting).await?;
            if sent {
                request.retried.set(request.retried.get() + 1);
            }
            let failed = match way {
                Way::Http1 { mut connection, reused } => {
                    match connection.exchange(request, self.pool.options.keep_alive).await {
                        Ok(answer) => return Ok(self.response(request, connection, answer, permit.take())),
                        Err(failed) if reused => failed,
                        // The server did not close an idle connection, but answered this request so.
                        Err(failed) => return Err(failed.error),
                    }
                }
                Way::Http2 { mut client } => match client.send(request, &mut permit).await {
                    Ok(response) => return Ok(response),
                    Err(failed) => {
                        if may_repeat(failed.seen) {
                            self.pool.drop_http2(origin);
                        }
                        failed
                    }
                },
            };
            if fresh || !may_repeat(failed.seen) {
                return Err(failed.error);
            }
            (fresh, sent) = (true, failed.seen == Seen::Maybe);
        }
    }

    async fn way(
        &self,
        request: &WireRequest<'_>,
        repeatable: bool,
        fresh: bool,
        connecting: &Cell<bool>,
    ) -> Result<Way, Error> {
        let (pool, origin) = (&self.pool, &request.target.origin);
        let version = match request.version {
            Some(Version::HTTP_2) if !cfg!(feature = "http2") => {
                return Err(Error::new(ErrorKind::Builder, missing("HTTP/2 is not supported", "http2")));
            }
            Some(Version::HTTP_2) => HttpVersionPolicy::Http2PriorKnowledge,
            Some(Version::HTTP_09 | Version::HTTP_3) => {
                return Err(Error::new(ErrorKind::Request, "this version of HTTP is not spoken here")
                    .with_hint("use HTTP/1.0, 1.1 or 2"));
            }
            Some(_) => HttpVersionPolicy::Http1Only,
            None => pool.options.http_version,
        };
        let now = Instant::now();
        if version != HttpVersionPolicy::Http1Only
            && !fresh
            && let Some(client) = pool.http2(origin, now)
        {
            return Ok(Way::Http2 { client });
        }
        if version != HttpVersionPolicy::Http2PriorKnowledge && !fresh {
            let kept = poll_fn(|cx| Poll::Ready(pool.take(origin, now, repeatable, cx))).await;
            if let Some(connection) = kept {
                return Ok(Way::Http1 { connection, reused: true });
            }
        }
        let limit = request.connect_timeout.or(pool.options.connect_timeout);
        let mut limit = wire::deadline_after(limit);
        let open = async {
            let opened = stream::open(origin, &pool.options, version).await?;
            if !opened.http2 {
                let connection = Connection::new(opened.io, opened.remote);
                return Ok(Way::Http1 { connection, reused: false });
            }
            // Requests side by side may all have opened one: the first stays.
            if !fresh && let Some(client) = pool.http2(origin, Instant::now()) {
                return Ok(Way::Http2 { client });
            }
            let client = http2::Client::new(opened).await?;
            pool.keep_http2(origin, client.clone(), Instant::now());
            Ok(Way::Http2 { client })
        };
        connecting.set(true);
        let opened = within(&mut limit, open).await;
        connecting.set(false);
        opened.unwrap_or_else(|| {
            Err(timed_out_connecting(request.target, "raise the connect timeout, or check the address")
                .while_connecting())
        })
    }

    fn response(
        &self,
        request: &WireRequest<'_>,
        connection: Connection,
        answer: Answer,
        permit: Option<Permit>,
    ) -> WireResponse {
        let Answer { head, raw, body, first_byte, upload, keep } = answer;
        let (remote_addr, bytes_out) = (Some(connection.remote), upload.written);
        let body = match body {
            Ok(bytes) => {
                if keep && upload.is_done() {
                    self.pool.give(&request.target.origin, connection, first_byte);
                }
                WireBody::whole(bytes)
            }
            Err(decoder) => WireBody::http1(H1Body {
                connection: Some(connection),
                decoder,
                upload,
                keep,
                pool: Rc::clone(&self.pool),
                target: Rc::clone(request.target),
                method: request.method.clone(),
                permit,
            }),
        };
        WireResponse {
            version: head.version,
            status: head.status,
            headers: LazyHeaders::from_head(raw),
            body,
            first_byte,
            bytes_out,
            head_bytes: head.length as u64,
            remote_addr,
        }
    }
}

fn timed_out_connecting(target: &Target, hint: &'static str) -> Error {
    let what = format!("connecting to {} timed out", target.authority);
    Error::new(ErrorKind::Timeout, what).with_hint(hint)
}

fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS | Method::TRACE)
}

/// What the reader made of some bytes; for fuzzing and conformance tests.
#[doc(hidden)]
#[derive(Debug)]
pub struct Parsed {
    /// The final status.
    pub status: u16,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// Whether the whole body was there.
    pub complete: bool,
    /// Bytes of the input that belong to this response.
    pub consumed: usize,
}

/// Reads one final response out of bytes as a connection does that gets them in pieces of `piece` bytes,
/// with the connection's own reader. `None` where the head is incomplete.
///
/// # Errors
/// What is malformed about it.
#[doc(hidden)]
pub fn parse_response(bytes: &[u8], method: &Method, piece: usize, closed: bool) -> Result<Option<Parsed>, String> {
    let mut pieces = bytes.chunks(piece.max(1));
    let mut buffer = BytesMut::new();
    let mut exchange = connection::Exchange::new(method, false);
    let mut read = 0;
    let answer = loop {
        let Some(fresh) = pieces.next() else { return Ok(None) };
        read += fresh.len();
        match exchange.take(&mut buffer, fresh) {
            Ok(Some(answer)) => break answer,
            Ok(None) => {}
            Err(failed) => return Err(failed.error.to_string()),
        }
    };
    let status = answer.head.status.as_u16();
    let mut decoder = match answer.body {
        Ok(body) => {
            let consumed = read - buffer.len();
            return Ok(Some(Parsed { status, body: body.to_vec(), complete: true, consumed }));
        }
        Err(decoder) => decoder,
    };
    let (mut at, mut body) = (read - buffer.len(), Vec::new());
    while at < bytes.len() && !decoder.is_end() {
        let input = &bytes[at..at.saturating_add(piece).min(bytes.len())];
        let decoded = decoder.decode(input).map_err(|what| what.0.to_owned())?;
        body.extend_from_slice(&input[decoded.data]);
        at += decoded.consumed;
    }
    let complete = decoder.is_end() || (closed && decoder.close());
    Ok(Some(Parsed { status, body, complete, consumed: at }))
}
