//! The direct transport opens its own connections, and implements HTTP/1.1.

mod body;
mod connection;
mod exchange;
mod framing;
mod head;
#[cfg(feature = "http2")]
mod http2;
#[cfg(not(feature = "http2"))]
#[path = "http2/absent.rs"]
mod http2;
mod malformed;
mod parse;
mod pool;
mod retry;
mod stream;
#[cfg(test)]
mod tests;
mod upload;

use std::{cell::Cell, future::poll_fn, rc::Rc, task::Poll, time::Instant};

use http::{Method, Version};

pub use self::parse::{Parsed, parse_response};
use self::{
    body::Http1Body,
    connection::Connection,
    exchange::Received,
    pool::Pool,
    retry::{Retry, is_idempotent},
};
use super::{
    Error, ErrorKind,
    body::ResponseBody,
    headers::LazyHeaders,
    options::TransportOptions,
    permits::Permit,
    request::{Body, TransportRequest},
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
    Http1 { connection: Connection, reused: bool },
    Http2 { connection: http2::Connection },
}

impl DirectTransport {
    pub(crate) fn new(options: Rc<TransportOptions>) -> Self {
        Self { pool: Pool::new(options) }
    }

    /// Sends a request and reads at least the head of its response.
    pub(crate) async fn execute(&self, mut request: TransportRequest<'_>) -> Result<TransportResponse, Error> {
        let (method, target) = (request.method, request.target);
        let mut deadline = request.deadline.map(Deadline::new);
        let connecting = Cell::new(false);
        let result = match within(&mut deadline, self.run(&mut request, &connecting)).await {
            Some(result) => result,
            None if connecting.get() => Err(timed_out_connecting(target, "raise the timeout, or check the address")),
            None => Err(timeout::response_timeout()),
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

    async fn run(
        &self,
        request: &mut TransportRequest<'_>,
        connecting: &Cell<bool>,
    ) -> Result<TransportResponse, Error> {
        if *request.method == Method::CONNECT {
            return Err(Error::new(ErrorKind::Request, "sessions do not support the method CONNECT"));
        }
        let origin = &request.target.origin;
        let mut permit = self.pool.permits.acquire(origin, request.waited).await;
        let replayable = !matches!(request.body, Body::Stream { .. });
        let repeatable = replayable && self.pool.options.retry && is_idempotent(request.method);
        let may_retry = |retry| match retry {
            Retry::Never => false,
            Retry::IfIdempotent => repeatable,
            Retry::Always => replayable,
        };
        let (mut fresh, mut sent) = (false, false);
        loop {
            let acquired = self.acquire(request, repeatable, fresh, connecting).await?;
            if sent {
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
                    Ok(response) => return Ok(response),
                    Err(failed) => {
                        if may_retry(failed.retry) {
                            self.pool.drop_http2(origin);
                        }
                        failed
                    }
                },
            };
            if fresh || !may_retry(failed.retry) {
                return Err(failed.error);
            }
            (fresh, sent) = (true, failed.retry == Retry::IfIdempotent);
        }
    }

    /// Takes a connection from the pool, or opens one. With `fresh`, it always opens one.
    async fn acquire(
        &self,
        request: &TransportRequest<'_>,
        repeatable: bool,
        fresh: bool,
        connecting: &Cell<bool>,
    ) -> Result<Acquired, Error> {
        let (pool, origin) = (&self.pool, &request.target.origin);
        let version = match request.version {
            Some(Version::HTTP_2) if !cfg!(feature = "http2") => {
                return Err(Error::new(ErrorKind::Builder, missing("HTTP/2 is not supported", "http2")));
            }
            Some(Version::HTTP_2) => HttpVersionPolicy::Http2PriorKnowledge,
            Some(Version::HTTP_09 | Version::HTTP_3) => {
                return Err(Error::new(ErrorKind::Request, "this version of HTTP is not supported")
                    .with_hint("use HTTP/1.0, 1.1 or 2"));
            }
            Some(_) => HttpVersionPolicy::Http1Only,
            None => pool.options.http_version,
        };
        let now = Instant::now();
        if version != HttpVersionPolicy::Http1Only
            && !fresh
            && let Some(connection) = pool.http2(origin, now)
        {
            return Ok(Acquired::Http2 { connection });
        }
        if version != HttpVersionPolicy::Http2PriorKnowledge && !fresh {
            let idle = poll_fn(|cx| Poll::Ready(pool.take(origin, now, repeatable, cx))).await;
            if let Some(connection) = idle {
                return Ok(Acquired::Http1 { connection, reused: true });
            }
        }
        let limit = request.connect_timeout.or(pool.options.connect_timeout);
        let mut limit = timeout::deadline_after(limit);
        let open = async {
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
        };
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
        connection: Connection,
        received: Received,
        permit: Option<Permit>,
    ) -> TransportResponse {
        let Received { head, raw, body, first_byte, upload, keep } = received;
        let (remote_addr, bytes_out) = (Some(connection.remote), upload.written);
        let body = match body {
            Ok(bytes) => {
                if keep && upload.is_done() {
                    self.pool.put(&request.target.origin, connection, first_byte);
                }
                ResponseBody::whole(bytes)
            }
            Err(decoder) => ResponseBody::arriving(Http1Body {
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
        TransportResponse {
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
