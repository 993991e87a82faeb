//! The `reqwest` transport: for proxies, and for clients of the user.

use std::{pin::pin, time::Instant};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue, header};

use super::{
    Error, ErrorKind,
    body::ResponseBody,
    dns,
    headers::LazyHeaders,
    options::TransportOptions,
    permits::Permits,
    proxy::Proxy,
    pump::{self, Outgoing},
    request::TransportRequest,
    response::TransportResponse,
    timeout,
    timer::{Deadline, within},
    tls,
    version::HttpVersionPolicy,
};

/// A transport with a `reqwest` client. The session handles redirects, cookies and decompression.
pub(crate) struct ReqwestTransport {
    client: reqwest::Client,
    keep_alive: bool,
    permits: Permits,
}

impl ReqwestTransport {
    /// Returns a transport with `client`, or with a new client that uses `proxies`.
    pub(crate) fn new(
        options: &TransportOptions,
        proxies: &[Proxy],
        client: Option<&reqwest::Client>,
    ) -> Result<ReqwestTransport, Error> {
        let (keep_alive, permits) = (options.keep_alive, options.permits());
        if let Some(client) = client {
            return Ok(ReqwestTransport { client: client.clone(), keep_alive, permits });
        }
        let tls = tls::config(&options.tls, options.http_version)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .redirect(reqwest::redirect::Policy::none())
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .retry(reqwest::retry::never())
            .local_address(options.local_address)
            .tcp_nodelay(options.tcp_nodelay)
            .pool_idle_timeout(options.pool_idle_timeout)
            .pool_max_idle_per_host(if keep_alive { options.pool_max_idle_per_host } else { 0 })
            .dns_resolver(dns::Resolver);
        if proxies.is_empty() {
            // Measurements must not depend on the proxies of the environment.
            builder = builder.no_proxy();
        }
        for proxy in proxies {
            builder = builder.proxy(proxy.to_reqwest()?);
        }
        for (host, addresses) in &options.resolve {
            builder = builder.resolve_to_addrs(host, addresses);
        }
        if let Some(timeout) = options.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        builder = match options.http_version {
            HttpVersionPolicy::Auto => builder,
            HttpVersionPolicy::Http1Only => builder.http1_only(),
            HttpVersionPolicy::Http2PriorKnowledge => builder.http2_prior_knowledge(),
        };
        let client = builder.build().map_err(|error| {
            Error::new(ErrorKind::Builder, "the `reqwest` client could not be created").with_source(error)
        })?;
        Ok(ReqwestTransport { client, keep_alive, permits })
    }

    pub(crate) async fn execute(&self, request: TransportRequest<'_>) -> Result<TransportResponse, Error> {
        let (method, url) = (request.method, &request.target.url);
        // The timeout of the client is not used: its timer does not fire while data keeps arriving.
        let mut deadline = request.deadline.map(Deadline::new);
        let late = || timeout::response_timeout().at(method, url);
        let unmeasured = std::cell::Cell::default();
        let waiting = self.permits.acquire(&request.target.origin, &unmeasured);
        let permit = within(&mut deadline, pin!(waiting)).await.ok_or_else(late)?;
        let mut headers = request.headers.to_map();
        let bytes_out = size(&headers) + request.target.path_and_query.len() as u64;
        if !self.keep_alive {
            headers.entry(header::CONNECTION).or_insert(HeaderValue::from_static("close"));
        }
        let mut built = self.client.request(method.clone(), url.clone()).headers(headers);
        let (body, mut pump) = pump::outgoing(request.body);
        built = match body {
            Outgoing::Whole(bytes) if bytes.is_empty() => built,
            Outgoing::Whole(bytes) => built.body(bytes),
            streamed => built.body(reqwest::Body::wrap(streamed)),
        };
        if let Some(version) = request.version {
            built = built.version(version);
        }
        let sending = pump.until(built.send(), request.read_timeout);
        let response = within(&mut deadline, pin!(sending)).await.ok_or_else(late)?;
        let response = response.map_err(|error| error.at(method, url))?;
        let response = response.map_err(|error| explain(error).at(method, url))?;
        let (first_byte, bytes_out) = (Instant::now(), bytes_out + pump.moved());
        let (version, status, remote_addr) = (response.version(), response.status(), response.remote_addr());
        let headers = response.headers().clone();
        let head_bytes = size(&headers);
        let body = match response.content_length() {
            // The length of the body itself: a response to HEAD has none, regardless of the header.
            Some(0) => ResponseBody::whole(Bytes::new()),
            _ => {
                let body = response.bytes_stream().map_err(explain);
                let mut body = ResponseBody::arriving(pump.while_reading(body, permit));
                body.set_deadline(deadline);
                body.set_read_timeout(request.read_timeout);
                body
            }
        };
        Ok(TransportResponse {
            version,
            status,
            headers: LazyHeaders::from_map(headers),
            body,
            first_byte,
            bytes_out,
            head_bytes,
            remote_addr,
        })
    }
}

/// Returns the size of headers in HTTP/1.1. `reqwest` does not report the size that was transferred.
fn size(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() as u64
}

/// Converts an error of `reqwest`, to the kind that the direct transport has for it.
fn explain(error: reqwest::Error) -> Error {
    let connecting = error.is_timeout() && error.is_connect();
    let (kind, what) = if connecting {
        (ErrorKind::Timeout, "connecting timed out")
    } else if error.is_timeout() {
        (ErrorKind::Timeout, "the request timed out")
    } else if error.is_connect() {
        match cause(&error) {
            Some(Cause::Tls) => (ErrorKind::Tls, "the TLS handshake failed"),
            Some(Cause::Dns) => (ErrorKind::Dns, "the host could not be resolved"),
            _ => (ErrorKind::Connect, "the connection could not be opened"),
        }
    } else if error.is_builder() {
        (ErrorKind::Builder, "the request could not be built")
    } else if error.is_body() || error.is_decode() {
        (ErrorKind::Body, "the body is incomplete")
    } else {
        match cause(&error) {
            Some(Cause::Malformed) => (ErrorKind::Protocol, "the server's response is not valid HTTP"),
            Some(Cause::Closed) => (ErrorKind::Closed, "the server closed the connection without a response"),
            _ => (ErrorKind::Request, "the request failed"),
        }
    };
    // The message has the URL already.
    let explained = Error::new(kind, what).with_source(error.without_url());
    if connecting { explained.while_connecting() } else { explained }
}

enum Cause {
    Tls,
    Dns,
    Malformed,
    Closed,
}

fn cause(error: &reqwest::Error) -> Option<Cause> {
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        if is_tls(error) {
            return Some(Cause::Tls);
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && matches!(io.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
        {
            return Some(Cause::Closed);
        }
        if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            if hyper.is_parse() {
                return Some(Cause::Malformed);
            }
            if hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed() {
                return Some(Cause::Closed);
            }
        }
        if error.to_string().contains("dns error") {
            return Some(Cause::Dns);
        }
        next = error.source();
    }
    None
}

/// The inner error of an I/O error is not its source, so it is checked separately.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<rustls::Error>()
        || (error.downcast_ref::<std::io::Error>()).and_then(|io| io.get_ref()).is_some_and(|inner| is_tls(inner))
}
