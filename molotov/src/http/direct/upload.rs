//! Sends a request: the head and a small body in one write, a larger body while the response is being read.

use std::{
    io::{self, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Version, header};
use tokio::io::AsyncWrite;

use crate::http::{
    BoxError, length,
    request::{Body, LocalByteStream, TransportRequest, encode},
    timer,
};

/// Bodies up to this size are sent together with the head.
const SMALL: usize = 16 * 1024;

/// Why a request could not be sent.
pub(crate) enum UploadError {
    Io(io::Error),
    Body(BoxError),
}

/// The part of a request that was not sent with its head. Most requests have none.
pub(crate) struct Upload {
    /// The part that is being written.
    part: Bytes,
    rest: Rest,
    written: u64,
    deadline: Option<Instant>,
}

enum Rest {
    Bytes(Bytes),
    Stream { stream: LocalByteStream, left: Option<u64> },
    Flush,
    Done,
}

/// What came of sending the head.
pub(crate) struct Started {
    pub(crate) written: u64,
    /// What is still to be sent.
    pub(crate) rest: Option<Box<Upload>>,
}

/// Writes the head, which may contain a small body. Takes the body from the request if it is a stream.
pub(crate) fn start(
    io: &mut (impl AsyncWrite + Unpin),
    cx: &mut Context<'_>,
    head: &[u8],
    body: &mut Body,
    deadline: Option<Instant>,
) -> Result<Started, UploadError> {
    let sent = match Pin::new(&mut *io).poll_write(cx, head) {
        Poll::Ready(sent) => sent.map_err(UploadError::Io)?,
        Poll::Pending => 0,
    };
    let written = sent as u64;
    let rest = match body {
        Body::Empty => Rest::Flush,
        Body::Bytes(bytes) if bytes.len() <= SMALL => Rest::Flush,
        Body::Bytes(bytes) => Rest::Bytes(bytes.clone()),
        Body::Stream { .. } => match std::mem::take(body) {
            Body::Stream { stream, length } => Rest::Stream { stream, left: length },
            _ => Rest::Flush,
        },
    };
    if sent == head.len() && matches!(rest, Rest::Flush) {
        // Plain streams have nothing to flush, and most flushes of others do not wait.
        match Pin::new(io).poll_flush(cx) {
            Poll::Ready(flushed) => {
                flushed.map_err(UploadError::Io)?;
                return Ok(Started { written, rest: None });
            }
            Poll::Pending => {}
        }
    }
    let part = Bytes::copy_from_slice(&head[sent..]);
    Ok(Started { written, rest: Some(Box::new(Upload { part, rest, written, deadline })) })
}

impl Upload {
    /// The rest of a request that was partly written with its body.
    pub(crate) fn rest(written: usize, rest: Bytes, deadline: Option<Instant>) -> Box<Upload> {
        Box::new(Upload { part: rest, rest: Rest::Flush, written: written as u64, deadline })
    }

    /// Extends the deadline.
    pub(crate) fn postpone_deadline(&mut self, time: Duration) {
        self.deadline = self.deadline.and_then(|deadline| deadline.checked_add(time));
    }

    /// Returns how many bytes were written, with those of the head.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Sends as much as possible. Returns `Ready` when everything was sent.
    pub(crate) fn poll(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), UploadError>> {
        loop {
            while !self.part.is_empty() {
                let sent = ready!(Pin::new(&mut *io).poll_write(cx, &self.part)).map_err(UploadError::Io)?;
                if sent == 0 {
                    return Poll::Ready(Err(UploadError::Io(io::ErrorKind::WriteZero.into())));
                }
                self.written += sent as u64;
                let _ = self.part.split_to(sent);
            }
            match &mut self.rest {
                Rest::Bytes(bytes) => {
                    self.part = std::mem::take(bytes);
                    self.rest = Rest::Flush;
                }
                // A stream that is always ready would keep the deadline from being checked.
                Rest::Stream { .. } if timer::has_passed(self.deadline, cx) => return Poll::Pending,
                Rest::Stream { stream, left } => match stream.as_mut().poll_next(cx) {
                    Poll::Pending => {
                        // Written bytes must not wait for the next part.
                        let _ = Pin::new(&mut *io).poll_flush(cx).map_err(UploadError::Io)?;
                        return Poll::Pending;
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(UploadError::Body(error))),
                    Poll::Ready(Some(Ok(bytes))) if bytes.is_empty() => {}
                    Poll::Ready(Some(Ok(bytes))) => match left {
                        Some(_) => {
                            length::count(left, bytes.len() as u64).map_err(UploadError::Body)?;
                            self.part = bytes;
                        }
                        None => {
                            let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                            chunk.extend_from_slice(&bytes);
                            chunk.extend_from_slice(b"\r\n");
                            self.part = chunk.into();
                        }
                    },
                    Poll::Ready(None) => {
                        match left {
                            None => self.part = Bytes::from_static(b"0\r\n\r\n"),
                            Some(0) => {}
                            Some(_) => return Poll::Ready(Err(UploadError::Body(length::wrong_length("shorter")))),
                        }
                        self.rest = Rest::Flush;
                    }
                },
                Rest::Flush => {
                    ready!(Pin::new(&mut *io).poll_flush(cx)).map_err(UploadError::Io)?;
                    self.rest = Rest::Done;
                }
                Rest::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// What the head of a request says about its connection.
pub(crate) struct ConnectionOptions {
    /// Whether the connection can be kept.
    pub(crate) keep: bool,
    /// Whether the connection may switch to another protocol.
    pub(crate) upgrade: bool,
}

/// Returns whether [`head`] encodes the body too.
pub(crate) fn is_whole(body: &Body) -> bool {
    match body {
        Body::Empty => true,
        Body::Bytes(bytes) => bytes.len() <= SMALL,
        Body::Stream { .. } => false,
    }
}

/// Encodes the head of a request, and a small body.
pub(crate) fn head(out: &mut Vec<u8>, request: &TransportRequest<'_>, keep_alive: bool) -> ConnectionOptions {
    out.extend_from_slice(request.method.as_str().as_bytes());
    let options = match request.headers.encoded_defaults() {
        Some((defaults, own)) if keep_alive && request.version != Some(Version::HTTP_10) => {
            out.extend_from_slice(request.target.encoded());
            own.iter().for_each(|(name, value)| encode(out, name, value));
            out.extend_from_slice(defaults);
            if let Some(cookies) = request.headers.cookies {
                encode(out, &header::COOKIE, cookies);
            }
            ConnectionOptions { keep: true, upgrade: false }
        }
        _ => lines(out, request, keep_alive),
    };
    let length = match &*request.body {
        Body::Empty if [Method::POST, Method::PUT, Method::PATCH].contains(request.method) => Some(0),
        Body::Empty => None,
        Body::Bytes(bytes) => Some(bytes.len() as u64),
        Body::Stream { length, .. } => {
            if length.is_none() {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            }
            *length
        }
    };
    if let Some(length) = length {
        // Writing to a vector cannot fail.
        let _ = write!(out, "content-length: {length}\r\n");
    }
    out.extend_from_slice(b"\r\n");
    if let Body::Bytes(bytes) = &*request.body
        && bytes.len() <= SMALL
    {
        out.extend_from_slice(bytes);
    }
    options
}

/// Encodes the rest of the request line, and the headers except those that frame the body.
fn lines(out: &mut Vec<u8>, request: &TransportRequest<'_>, keep_alive: bool) -> ConnectionOptions {
    let target = request.target;
    let old = request.version == Some(Version::HTTP_10);
    let (mut named, mut connection) = (false, false);
    let mut options = ConnectionOptions { keep: keep_alive && !old, upgrade: false };
    out.push(b' ');
    out.extend_from_slice(target.path_and_query.as_bytes());
    out.extend_from_slice(if old { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" });
    // It comes first (RFC 9112, section 3.2).
    request.headers.for_each(|name, value| {
        if *name == header::HOST && !std::mem::replace(&mut named, true) {
            encode(out, name, value);
        }
    });
    if !named {
        out.extend_from_slice(b"host: ");
        out.extend_from_slice(target.authority.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    request.headers.for_each(|name, value| {
        if *name == header::HOST || *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING {
            return;
        }
        if *name == header::CONNECTION {
            connection = true;
            options.keep &= !value.as_bytes().to_ascii_lowercase().windows(5).any(|word| word == b"close");
        }
        options.upgrade |= *name == header::UPGRADE;
        encode(out, name, value);
    });
    if !keep_alive && !connection {
        out.extend_from_slice(b"connection: close\r\n");
    }
    options
}
