//! HTTP/2 by hyper: one connection to an origin, many requests on it.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Version, header};
use hyper::{
    body::{Body as _, Frame, Incoming, SizeHint},
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;

use super::stream::Opened;
use crate::http::{
    BoxError, Error, ErrorKind,
    wire::{Body, LazyHeaders, LocalByteStream, WireBody, WireRequest, WireResponse},
};

/// A handle on a connection; its clones share it.
#[derive(Clone)]
pub(crate) struct Client {
    sender: SendRequest<Outgoing>,
    remote: std::net::SocketAddr,
}

/// What became of a request that has no answer.
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// The server has not looked at the request: it can be sent again whatever its method.
    pub(crate) unprocessed: bool,
}

impl Client {
    pub(crate) async fn new(opened: Opened) -> Result<Self, Error> {
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(opened.io))
            .await
            .map_err(|error| Error::new(ErrorKind::Protocol, "the server does not speak HTTP/2").with_source(error))?;
        // It ends with the last handle, or with an error that each of its requests sees as well.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { sender, remote: opened.remote })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) async fn send(&mut self, request: &mut WireRequest<'_>) -> Result<WireResponse, Failed> {
        self.sender.ready().await.map_err(|error| Failed { error: failed(error), unprocessed: true })?;
        let (body, mut pump) = outgoing(request.body);
        let bytes_out = body.size_hint().exact().unwrap_or(0);
        let outgoing = head(request, body).map_err(|error| Failed { error, unprocessed: false })?;
        let mut answer = pin!(self.sender.send_request(outgoing));
        let answered = poll_fn(|cx| {
            if let Poll::Ready(Err(source)) = pump.poll(cx) {
                let message = format!("the body of the request failed: {source}");
                return Poll::Ready(Err(Failed {
                    error: Error::new(ErrorKind::Body, message).with_source(source),
                    unprocessed: false,
                }));
            }
            answer.as_mut().poll(cx).map_err(|error| {
                let unprocessed = is_unprocessed(&error);
                Failed { error: failed(error), unprocessed }
            })
        });
        let (parts, incoming) = answered.await?.into_parts();
        let first_byte = Instant::now();
        let head_bytes = parts.headers.iter().map(|(name, value)| (name.as_str().len() + value.len()) as u64).sum();
        let body = match incoming.is_end_stream() {
            true => WireBody::whole(Bytes::new()),
            false => WireBody::stream(read(incoming, pump), request.deadline),
        };
        Ok(WireResponse {
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

fn head(request: &WireRequest<'_>, body: Outgoing) -> Result<Request<Outgoing>, Error> {
    let target = request.target;
    let mut headers = request.headers.clone();
    let authority = match headers.remove(header::HOST) {
        Some(host) => String::from_utf8_lossy(host.as_bytes()).into_owned(),
        None => target.authority.clone(),
    };
    // Headers of one connection have no place in HTTP/2 (RFC 9113, 8.2.2).
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "content-length"] {
        headers.remove(name);
    }
    let scheme = if target.https { "https" } else { "http" };
    let mut built = Request::builder()
        .method(request.method.clone())
        .version(Version::HTTP_2)
        .uri(format!("{scheme}://{authority}{}", target.path_and_query))
        .body(body)
        .map_err(|error| Error::new(ErrorKind::Request, "the request cannot be written").with_source(error))?;
    *built.headers_mut() = headers;
    Ok(built)
}

fn read(incoming: Incoming, pump: Pump) -> impl futures_util::Stream<Item = Result<Bytes, Error>> {
    stream::unfold(Some((incoming, pump)), |state| async move {
        let (mut incoming, mut pump) = state?;
        loop {
            let frame = poll_fn(|cx| {
                // A body that fails after the answer has begun resets the stream; reading says so.
                let _ = pump.poll(cx);
                Pin::new(&mut incoming).poll_frame(cx)
            });
            match frame.await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Some((Ok(data), Some((incoming, pump)))),
                    Err(_trailers) => {}
                },
                Err(error) => return Some((Err(failed(error)), None)),
            }
        }
    })
}

fn failed(error: hyper::Error) -> Error {
    let (kind, message) = match reset(&error) {
        Some(h2) if h2.is_reset() => (ErrorKind::Closed, format!("the server gave the request up: {h2}")),
        Some(h2) if h2.is_go_away() => (ErrorKind::Closed, format!("the server closed the connection: {h2}")),
        Some(h2) if h2.is_io() => (ErrorKind::Closed, format!("the connection was lost: {h2}")),
        Some(h2) => (ErrorKind::Protocol, format!("the server's answer is not valid HTTP/2: {h2}")),
        None => (ErrorKind::Closed, format!("the connection was closed: {error}")),
    };
    Error::new(kind, message).with_source(error)
}

fn reset(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

fn is_unprocessed(error: &hyper::Error) -> bool {
    match reset(error) {
        Some(h2) => {
            h2.is_remote()
                && (h2.reason() == Some(h2::Reason::REFUSED_STREAM)
                    || (h2.is_go_away() && h2.reason() == Some(h2::Reason::NO_ERROR)))
        }
        None => error.is_canceled(),
    }
}

/// The body as hyper wants it, able to change threads. A stream of the session's own is pumped into it.
enum Outgoing {
    Whole(Bytes),
    Pumped { pieces: mpsc::Receiver<Result<Bytes, BoxError>>, length: Option<u64> },
}

enum Pump {
    Done,
    Running { stream: LocalByteStream, sender: tokio_util::sync::PollSender<Result<Bytes, BoxError>> },
}

fn outgoing(body: &mut Body) -> (Outgoing, Pump) {
    match body {
        Body::Empty => (Outgoing::Whole(Bytes::new()), Pump::Done),
        Body::Bytes(bytes) => (Outgoing::Whole(bytes.clone()), Pump::Done),
        Body::Stream { .. } => match std::mem::take(body) {
            Body::Stream { stream, length } => {
                let (sender, pieces) = mpsc::channel(1);
                let sender = tokio_util::sync::PollSender::new(sender);
                (Outgoing::Pumped { pieces, length }, Pump::Running { stream, sender })
            }
            _ => (Outgoing::Whole(Bytes::new()), Pump::Done),
        },
    }
}

impl Pump {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            let Self::Running { stream, sender } = self else { return Poll::Ready(Ok(())) };
            match sender.poll_reserve(cx) {
                Poll::Pending => return Poll::Pending,
                // Nobody listens: the request is over.
                Poll::Ready(Err(_)) => *self = Self::Done,
                Poll::Ready(Ok(())) => match stream.as_mut().poll_next(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(None) => *self = Self::Done,
                    Poll::Ready(Some(Ok(bytes))) => {
                        if sender.send_item(Ok(bytes)).is_err() {
                            *self = Self::Done;
                        }
                    }
                    Poll::Ready(Some(Err(error))) => {
                        let _ = sender.send_item(Err(error.to_string().into()));
                        *self = Self::Done;
                        return Poll::Ready(Err(error));
                    }
                },
            }
        }
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pumped { pieces, .. } => pieces.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pumped { length: Some(length), .. } => SizeHint::with_exact(*length),
            Self::Pumped { length: None, .. } => SizeHint::default(),
        }
    }
}
