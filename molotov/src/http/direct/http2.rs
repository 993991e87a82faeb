//! HTTP/2 connections, by hyper. All requests to an origin share a connection.

use std::{
    pin::Pin,
    task::{Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{Request, Version, header};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{
    retry::{Failed, Retry},
    stream::Opened,
};
use crate::http::{
    Error, ErrorKind,
    body::ResponseBody,
    headers::LazyHeaders,
    permits::Permit,
    pump::{self, Outgoing},
    request::TransportRequest,
    response::TransportResponse,
};

/// A handle to a connection. Its clones share the connection.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: SendRequest<Outgoing>,
    remote: std::net::SocketAddr,
}

impl Connection {
    pub(crate) async fn new(opened: Opened) -> Result<Self, Error> {
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(opened.io)).await.map_err(|error| {
            Error::new(ErrorKind::Protocol, "the server does not support HTTP/2").with_source(error)
        })?;
        // The task ends with the last handle, or with an error that each request on the connection returns too.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { sender, remote: opened.remote })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request. Takes the permit if the body of the response is still arriving.
    pub(crate) async fn send(
        &mut self,
        request: &mut TransportRequest<'_>,
        permit: &mut Option<Permit>,
    ) -> Result<TransportResponse, Failed> {
        self.sender.ready().await.map_err(|error| Failed { error: failed(error), retry: Retry::Always })?;
        let (body, mut pump) = pump::outgoing(request.body);
        let outgoing = head(request, body).map_err(|error| Failed { error, retry: Retry::Never })?;
        let response = pump.until(self.sender.send_request(outgoing), request.read_timeout).await;
        let response = response.map_err(|error| Failed { error, retry: Retry::Never })?;
        let (parts, incoming) = match response {
            Ok(response) => response.into_parts(),
            Err(error) => {
                let retry = retry(&error);
                return Err(Failed { error: failed(error), retry });
            }
        };
        let (first_byte, bytes_out) = (Instant::now(), pump.moved());
        let head_bytes = parts.headers.iter().map(|(name, value)| (name.as_str().len() + value.len()) as u64).sum();
        let body = match incoming.is_end_stream() {
            true => ResponseBody::whole(Bytes::new()),
            false => ResponseBody::arriving(pump.while_reading(data(incoming), permit.take())),
        };
        Ok(TransportResponse {
            version: Version::HTTP_2,
            status: parts.status,
            headers: LazyHeaders::from_map(parts.headers),
            body,
            first_byte,
            bytes_out,
            head_bytes,
            remote_addr: Some(self.remote),
        })
    }
}

fn head(request: &TransportRequest<'_>, body: Outgoing) -> Result<Request<Outgoing>, Error> {
    let target = request.target;
    let mut headers = request.headers.to_map();
    let authority = match headers.remove(header::HOST) {
        Some(host) => String::from_utf8_lossy(host.as_bytes()).into_owned(),
        None => target.authority.clone(),
    };
    // HTTP/2 does not allow headers about the connection (RFC 9113, 8.2.2).
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "content-length"] {
        headers.remove(name);
    }
    let scheme = if target.https { "https" } else { "http" };
    let mut built = Request::builder()
        .method(request.method.clone())
        .version(Version::HTTP_2)
        .uri(format!("{scheme}://{authority}{}", target.path_and_query))
        .body(body)
        .map_err(|error| Error::new(ErrorKind::Request, "the request is invalid").with_source(error))?;
    *built.headers_mut() = headers;
    Ok(built)
}

/// Returns the parts of a body, without trailers.
fn data(mut incoming: Incoming) -> impl Stream<Item = Result<Bytes, Error>> {
    stream::poll_fn(move |cx| {
        loop {
            match ready!(Pin::new(&mut incoming).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Poll::Ready(Some(Ok(data))),
                    Err(_trailers) => {}
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(failed(error)))),
                None => return Poll::Ready(None),
            }
        }
    })
}

fn failed(error: hyper::Error) -> Error {
    let (kind, message) = match reset(&error) {
        Some(h2) if h2.is_reset() => (ErrorKind::Closed, format!("the server reset the request: {h2}")),
        Some(h2) if h2.is_go_away() => (ErrorKind::Closed, format!("the server closed the connection: {h2}")),
        Some(h2) if h2.is_io() => (ErrorKind::Closed, format!("the connection was lost: {h2}")),
        Some(h2) => (ErrorKind::Protocol, format!("the server's response is not valid HTTP/2: {h2}")),
        None => (ErrorKind::Closed, format!("the connection was closed: {error}")),
    };
    Error::new(kind, message).with_source(error)
}

fn reset(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

fn retry(error: &hyper::Error) -> Retry {
    let Some(h2) = reset(error) else { return if error.is_canceled() { Retry::Always } else { Retry::Never } };
    let refused = h2.reason() == Some(h2::Reason::REFUSED_STREAM);
    let goodbye = h2.is_go_away() && h2.reason() == Some(h2::Reason::NO_ERROR);
    if h2.is_remote() && (refused || goodbye) { Retry::IfIdempotent } else { Retry::Never }
}
