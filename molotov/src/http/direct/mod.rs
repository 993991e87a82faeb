//! The direct transport opens its own connections, and implements HTTP/1.1.

mod blocks;
mod body;
mod channel;
mod connection;
mod exchange;
mod framing;
mod head;
#[cfg(feature = "http2")]
mod http2;
#[cfg(not(feature = "http2"))]
#[path = "http2/absent.rs"]
mod http2;
mod low_water;
mod malformed;
mod parse;
mod pool;
mod retry;
mod scratch;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod turn;
mod upload;

use std::{cell::Cell, pin::pin, rc::Rc, time::Instant};

use http::{Method, Version};

pub use self::parse::{Parsed, parse_response};
pub(crate) use self::turn::end_turns;
use self::{
    body::Http1Body,
    connection::Connection,
    exchange::Received,
    low_water::LowWater,
    pool::Pool,
    retry::{Retry, is_idempotent},
};
use super::{
    Error, ErrorKind,
    body::ResponseBody,
    headers::LazyHeaders,
    options::TransportOptions,
    permits::Permit,
    request::TransportRequest,
    response::TransportResponse,
    target::Target,
    timeout,
    timer::{Deadline, within},
    version::HttpVersionPolicy,
};
use crate::missing::missing;

/// A transport with its own connections.
pub(crate) struct DirectTransport {
    pool: Rc<Pool>,
}

/// The connection that a request is sent on.
enum Acquired {
    Http1 { connection: Box<Connection>, reused: bool },
    Http2 { connection: http2::Connection },
}

/// What became of earlier attempts to send a request.
#[derive(Clone, Copy, Default)]
struct Attempts {
    /// Whether one has failed, so that the next one opens a connection.
    fresh: bool,
    /// Whether the server may have received the request.
    sent: bool,
}

impl DirectTransport {
    pub(crate) fn new(options: Rc<TransportOptions>) -> Self {
        Self { pool: Pool::new(options) }
    }

    /// Sends a request and reads at least the head of its response.
    ///
    /// Nearly all requests of a load test find an idle HTTP/1.1 connection. Everything else is boxed, so that it does not make
    /// the futures of the scenarios larger. For the same reason, the request is not moved.
    #[allow(clippy::manual_async_fn, reason = "an `async fn` would store the request twice")]
    pub(crate) fn execute<'a>(
        &'a self,
        mut request: TransportRequest<'a>,
    ) -> impl Future<Output = Result<TransportResponse, Error>> + 'a {
        async move {
            let Some(mut connection) = self.idle_connection(&request) else {
                return Box::pin(self.execute_slowly(request, Attempts::default())).await;
            };
            let failed = match connection.exchange(&mut request, self.pool.options.keep_alive).await {
                Ok(received) => return Ok(self.response(&request, connection, received, None)),
                Err(failed) => failed,
            };
            drop(connection);
            if !self.may_retry(&request, failed.retry) {
                return Err(failed.error.at(request.method, &request.target.url));
            }
            let attempts = Attempts { fresh: true, sent: failed.retry == Retry::IfIdempotent };
            Box::pin(self.execute_slowly(request, attempts)).await
        }
    }

    /// Takes an idle HTTP/1.1 connection, if the request needs nothing else: neither HTTP/2 nor a permit.
    fn idle_connection(&self, request: &TransportRequest<'_>) -> Option<Box<Connection>> {
        let version = self.version(request).ok()?;
        if version == HttpVersionPolicy::Http2PriorKnowledge
            || self.pool.permits.is_limited()
            || *request.method == Method::CONNECT
        {
            return None;
        }
        let prefers_http2 = version == HttpVersionPolicy::Auto;
        self.pool.take(&request.target.origin, request.now, self.is_repeatable(request), prefers_http2)
    }

    /// Does the same as [`execute`](Self::execute), if a permit or a connection may have to be waited for.
    async fn execute_slowly(
        &self,
        mut request: TransportRequest<'_>,
        attempts: Attempts,
    ) -> Result<TransportResponse, Error> {
        let (method, target) = (request.method, request.target);
        let mut deadline = request.deadline.map(Deadline::new);
        let connecting = Cell::new(false);
        let run = pin!(self.run(&mut request, attempts, &connecting));
        let result = match within(&mut deadline, run).await {
            Some(result) => result,
            None if connecting.get() => Err(timed_out_connecting(target, "raise the timeout, or check the address")),
            None => Err(timeout::response_timeout()),
        };
        result.map_err(|error| error.at(method, &target.url))
    }

    async fn run(
        &self,
        request: &mut TransportRequest<'_>,
        mut attempts: Attempts,
        connecting: &Cell<bool>,
    ) -> Result<TransportResponse, Error> {
        if *request.method == Method::CONNECT {
            return Err(Error::new(ErrorKind::Request, "sessions do not support the method CONNECT"));
        }
        let origin = &request.target.origin;
        let mut permit = self.pool.permits.acquire(origin, request.waited).await;
        loop {
            let acquired = self.acquire(request, attempts.fresh, connecting).await?;
            if attempts.sent {
                request.retried.set(request.retried.get() + 1);
            }
            let failed = match acquired {
                Acquired::Http1 { mut connection, reused } => {
                    match connection.exchange(request, self.pool.options.keep_alive).await {
                        Ok(received) => return Ok(self.response(request, connection, received, permit.take())),
                        Err(failed) if reused => failed,
                        // The connection was not idle: closing it is the server's reaction to this request.
                        Err(failed) => return Err(failed.error),
                    }
                }
                Acquired::Http2 { mut connection } => match connection.send(request, &mut permit).await {
                    Ok(mut response) => {
                        limit_body(&mut response.body, request);
                        return Ok(response);
                    }
                    Err(failed) => {
                        if self.may_retry(request, failed.retry) {
                            self.pool.drop_http2(origin);
                        }
                        failed
                    }
                },
            };
            if attempts.fresh || !self.may_retry(request, failed.retry) {
                return Err(failed.error);
            }
            attempts = Attempts { fresh: true, sent: failed.retry == Retry::IfIdempotent };
        }
    }

    /// Returns whether a failed request may be sent again. A body that was a stream has been taken from the request.
    fn may_retry(&self, request: &TransportRequest<'_>, retry: Retry) -> bool {
        match retry {
            Retry::Never => false,
            Retry::IfIdempotent => self.is_repeatable(request),
            Retry::Always => !request.streamed,
        }
    }

    /// Returns whether a request may be sent again although the server may have received it.
    fn is_repeatable(&self, request: &TransportRequest<'_>) -> bool {
        !request.streamed && self.pool.options.retry && is_idempotent(request.method)
    }

    /// Returns the versions of HTTP that a request may use.
    fn version(&self, request: &TransportRequest<'_>) -> Result<HttpVersionPolicy, Error> {
        match request.version {
            None => Ok(self.pool.options.http_version),
            Some(Version::HTTP_2) if !cfg!(feature = "http2") => {
                Err(Error::new(ErrorKind::Builder, missing("HTTP/2 is not supported", "http2")))
            }
            Some(Version::HTTP_2) => Ok(HttpVersionPolicy::Http2PriorKnowledge),
            Some(Version::HTTP_09 | Version::HTTP_3) => {
                Err(Error::new(ErrorKind::Request, "this version of HTTP is not supported")
                    .with_hint("use HTTP/1.0, 1.1 or 2"))
            }
            Some(_) => Ok(HttpVersionPolicy::Http1Only),
        }
    }

    /// Takes a connection from the pool, or opens one. With `fresh`, it always opens one.
    async fn acquire(
        &self,
        request: &TransportRequest<'_>,
        fresh: bool,
        connecting: &Cell<bool>,
    ) -> Result<Acquired, Error> {
        let (pool, origin) = (&self.pool, &request.target.origin);
        let version = self.version(request)?;
        let now = Instant::now();
        if version != HttpVersionPolicy::Http1Only
            && !fresh
            && let Some(connection) = pool.http2(origin, now)
        {
            return Ok(Acquired::Http2 { connection });
        }
        if version != HttpVersionPolicy::Http2PriorKnowledge
            && !fresh
            && let Some(connection) = pool.take(origin, now, self.is_repeatable(request), false)
        {
            return Ok(Acquired::Http1 { connection, reused: true });
        }
        let limit = request.connect_timeout.or(pool.options.connect_timeout);
        let mut limit = timeout::deadline_after(limit);
        let open = pin!(async {
            let opened = stream::open(origin, &pool.options, version).await?;
            if !opened.http2 {
                let connection = Connection::new(opened.io, opened.remote);
                return Ok(Acquired::Http1 { connection, reused: false });
            }
            // Concurrent requests may each have opened a connection. The first one is kept.
            if !fresh && let Some(connection) = pool.http2(origin, Instant::now()) {
                return Ok(Acquired::Http2 { connection });
            }
            let connection = http2::Connection::new(opened).await?;
            pool.keep_http2(origin, connection.clone(), Instant::now());
            Ok(Acquired::Http2 { connection })
        });
        connecting.set(true);
        let opened = within(&mut limit, open).await;
        connecting.set(false);
        if let Some(Ok(_)) = opened {
            request.has_waited(now.elapsed());
        }
        opened.unwrap_or_else(|| {
            Err(timed_out_connecting(request.target, "raise the connect timeout, or check the address")
                .while_connecting())
        })
    }

    fn response(
        &self,
        request: &TransportRequest<'_>,
        connection: Box<Connection>,
        received: Received,
        permit: Option<Permit>,
    ) -> TransportResponse {
        let Received { head, raw, body, first_byte, written, upload, keep } = received;
        let remote_addr = Some(connection.remote);
        let body = match body {
            Ok(bytes) => {
                if keep && upload.is_none() {
                    self.pool.put(&request.target.origin, connection, first_byte);
                }
                ResponseBody::whole(bytes)
            }
            Err(decoder) => {
                let mut body = ResponseBody::arriving(Http1Body {
                    connection: Some(connection),
                    decoder,
                    upload,
                    keep,
                    pool: Rc::clone(&self.pool),
                    target: Rc::clone(request.target),
                    method: request.method.clone(),
                    permit,
                    low_water: request.read_timeout.is_none().then(LowWater::default),
                });
                limit_body(&mut body, request);
                body
            }
        };
        TransportResponse {
            version: head.version,
            status: head.status,
            headers: LazyHeaders::from_head(raw, head.special),
            body,
            first_byte,
            bytes_out: written,
            head_bytes: head.length as u64,
            remote_addr,
        }
    }
}

/// Sets the timeouts of a body that is still arriving.
fn limit_body(body: &mut ResponseBody, request: &TransportRequest<'_>) {
    body.set_deadline(request.deadline.map(Deadline::new));
    body.set_read_timeout(request.read_timeout);
}

fn timed_out_connecting(target: &Target, hint: &'static str) -> Error {
    let what = format!("connecting to {} timed out", target.authority);
    Error::new(ErrorKind::Timeout, what).with_hint(hint)
}
