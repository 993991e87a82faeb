//! One request and its response on an HTTP/1.1 connection, usually with one write and one read.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode, header};
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    connection::{Connection, SCRATCH},
    framing::{Decoder, Framing, MAX_HEAD},
    head::{self, Head},
    malformed::Malformed,
    retry::{Failed, Retry},
    upload::{self, Upload, UploadError},
};
use crate::http::{
    Error, ErrorKind,
    request::{Body, TransportRequest},
    timeout::{self, ReadLimit},
    timer,
};

/// The maximum number of interim responses (1xx) before the final one.
const MAX_INTERIM: usize = 64;

/// The maximum number of times that an incomplete head is parsed.
const MAX_PARSES: usize = 64;

/// A response, with as much of its body as arrived together with its head.
pub(crate) struct Received {
    pub(crate) head: Head,
    pub(crate) raw: Bytes,
    /// The whole body, or the decoder for the rest of it.
    pub(crate) body: Result<Bytes, Decoder>,
    pub(crate) first_byte: Instant,
    pub(crate) upload: Upload,
    /// Whether the connection can be used again after the body.
    pub(crate) keep: bool,
}

impl Connection {
    /// Sends a request and reads at least the head of its response.
    pub(crate) async fn exchange(
        &mut self,
        request: &mut TransportRequest<'_>,
        keep_alive: bool,
    ) -> Result<Received, Failed> {
        let mut exchange = Exchange::new(request.method, request.headers.contains_key(header::UPGRADE));
        let mut limit = request.read_timeout.map(ReadLimit::new);
        poll_fn(|cx| {
            let polled = exchange.poll(self, request, keep_alive, cx);
            // The server need not respond while the request is being sent.
            if polled.is_pending()
                && let Some(limit) = &mut limit
                && exchange.upload.as_ref().is_some_and(Upload::is_done)
                && limit.poll(cx).is_ready()
            {
                return Poll::Ready(Err(Failed { error: timeout::read_timeout(), retry: Retry::Never }));
            }
            polled
        })
        .await
    }
}

/// A request and the head of its response.
pub(crate) struct Exchange<'a> {
    method: &'a Method,
    /// Whether the request asks to switch to another protocol.
    upgrade: bool,
    upload: Option<Upload>,
    first_byte: Option<Instant>,
    interim: usize,
    /// How often an incomplete head was parsed.
    parses: usize,
    keep: bool,
    /// The error of a failed write. The server may have responded before it closed the connection.
    write_error: Option<io::Error>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(method: &'a Method, upgrade: bool) -> Self {
        Self { method, upgrade, upload: None, first_byte: None, interim: 0, parses: 0, keep: true, write_error: None }
    }

    fn poll(
        &mut self,
        connection: &mut Connection,
        request: &mut TransportRequest<'_>,
        keep_alive: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Received, Failed>> {
        if self.upload.is_none() {
            let started = SCRATCH.with_borrow_mut(|scratch| {
                self.keep = upload::head(&mut scratch.output, request, keep_alive);
                let upload = self.upload.insert(Upload::new(request.body, request.deadline));
                upload.start(&mut connection.io, cx, &scratch.output)
            });
            self.after_write(started)?;
        }
        if let Some(upload) = &mut self.upload
            && !upload.is_done()
            && let Poll::Ready(result) = upload.poll(&mut connection.io, cx)
        {
            self.after_write(result)?;
        }
        loop {
            let step = SCRATCH.with_borrow_mut(|scratch| {
                let mut input = ReadBuf::new(&mut scratch.input);
                match Pin::new(&mut connection.io).poll_read(cx, &mut input) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.closed(Some(error)))),
                    Poll::Ready(Ok(())) if input.filled().is_empty() => return Poll::Ready(Err(self.closed(None))),
                    Poll::Ready(Ok(())) => {}
                }
                if self.first_byte.is_none() {
                    self.first_byte = Some(Instant::now());
                }
                Poll::Ready(self.receive(&mut connection.buffer, input.filled()))
            });
            match step {
                Poll::Pending => return Poll::Pending,
                // Most heads arrive in one read, and need no look at the clock.
                Poll::Ready(Ok(None)) if timer::has_passed(request.deadline, cx) => return Poll::Pending,
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(response))) => return Poll::Ready(Ok(response)),
                Poll::Ready(Err(failed)) => return Poll::Ready(Err(failed)),
            }
        }
    }

    /// Remembers a failed write until reading fails too. A failed body ends the request.
    fn after_write(&mut self, result: Result<(), UploadError>) -> Result<(), Failed> {
        match result {
            Ok(()) => Ok(()),
            Err(UploadError::Io(error)) => {
                self.write_error = Some(error);
                self.keep = false;
                if let Some(upload) = &mut self.upload {
                    upload.stop();
                }
                Ok(())
            }
            Err(UploadError::Body(source)) => Err(Failed {
                error: Error::new(ErrorKind::Body, format!("the body of the request failed: {source}"))
                    .with_source(source),
                retry: Retry::Never,
            }),
        }
    }

    fn closed(&mut self, read_error: Option<io::Error>) -> Failed {
        let message = match self.first_byte {
            None => "the server closed the connection without a response",
            Some(_) => "the server closed the connection within the head of its response",
        };
        let mut error = Error::new(ErrorKind::Closed, message).with_hint("look at the server's log");
        if let Some(source) = read_error.or(self.write_error.take()) {
            error = error.with_source(source);
        }
        let retry = match &self.upload {
            _ if self.first_byte.is_some() || self.interim > 0 => Retry::Never,
            Some(upload) if upload.is_unsent() => Retry::Always,
            _ => Retry::IfIdempotent,
        };
        Failed { error, retry }
    }

    /// Processes bytes that were read. Returns `None` if the response needs more of them.
    pub(crate) fn receive(&mut self, buffer: &mut BytesMut, fresh: &[u8]) -> Result<Option<Received>, Failed> {
        if buffer.is_empty() {
            let (response, used) = self.parse(fresh)?;
            buffer.extend_from_slice(&fresh[used..]);
            return Ok(response);
        }
        let known = buffer.len();
        buffer.extend_from_slice(fresh);
        if buffer.len() <= MAX_HEAD && !head::has_empty_line(&buffer[known.saturating_sub(2)..]) {
            // The head is incomplete. It is still parsed after each line, because it may be malformed, but not more often
            // than the limit, because the server chooses how many lines it sends.
            if self.parses >= MAX_PARSES || memchr::memchr(b'\n', fresh).is_none() {
                return Ok(None);
            }
            self.parses += 1;
        }
        let (response, used) = self.parse(buffer)?;
        buffer.advance(used);
        if buffer.is_empty() {
            *buffer = BytesMut::new();
        }
        Ok(response)
    }

    /// Parses one final response, if it is there, and returns how many bytes were consumed.
    fn parse(&mut self, bytes: &[u8]) -> Result<(Option<Received>, usize), Failed> {
        let mut start = 0;
        loop {
            let rest = &bytes[start..];
            let Some(mut head) = head::parse(rest, self.method)? else {
                if rest.is_empty() {
                    self.first_byte = None;
                } else {
                    self.first_byte.get_or_insert_with(Instant::now);
                }
                return Ok((None, start));
            };
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                if !self.upgrade {
                    return Err(Malformed("it switches to a protocol that was not requested").into());
                }
                head.framing = Framing::Close;
                head.keep_alive = false;
            } else if head.status.is_informational() {
                self.interim += 1;
                if self.interim > MAX_INTERIM {
                    return Err(Malformed("more than 64 interim responses come before it").into());
                }
                start += head.length;
                // The first byte of the final response counts, not that of an interim one.
                self.first_byte = None;
                continue;
            }
            let (mut raw, body, used) = body(rest, &head)?;
            if head.folded {
                let mut unfolded = Vec::from(raw);
                head::unfold(&mut unfolded);
                raw = unfolded.into();
            }
            let upload = self.upload.take().unwrap_or_else(|| Upload::new(&mut Body::Empty, None));
            let response = Received {
                keep: self.keep && head.keep_alive,
                head,
                raw,
                body,
                first_byte: self.first_byte.unwrap_or_else(Instant::now),
                upload,
            };
            return Ok((Some(response), start + used));
        }
    }
}

type Split = (Bytes, Result<Bytes, Decoder>, usize);

/// Separates head and body, with a single copy if both are complete.
fn body(bytes: &[u8], head: &Head) -> Result<Split, Malformed> {
    let available = bytes.len() - head.length;
    match head.framing {
        Framing::Length(length) if length <= available as u64 => {
            // It is at most the number of bytes in memory, so it fits a usize.
            let end = head.length + length as usize;
            let mut raw = Bytes::copy_from_slice(&bytes[..end]);
            let body = if length == 0 { Bytes::new() } else { raw.split_off(head.length) };
            Ok((raw, Ok(body), end))
        }
        Framing::Chunked if available > 0 => {
            let mut decoder = Decoder::new(Framing::Chunked);
            let mut all = BytesMut::with_capacity(bytes.len());
            all.extend_from_slice(&bytes[..head.length]);
            let mut at = head.length;
            while at < bytes.len() && !decoder.is_end() {
                let decoded = decoder.decode(&bytes[at..])?;
                all.extend_from_slice(&bytes[at..][decoded.data]);
                at += decoded.consumed;
            }
            let mut raw = all.freeze();
            let body = raw.split_off(head.length);
            if decoder.is_end() {
                return Ok((raw, Ok(body), at));
            }
            // This is rare: the body is incomplete, and is decoded again from its start.
            Ok((raw, Err(Decoder::new(Framing::Chunked)), head.length))
        }
        framing => Ok((Bytes::copy_from_slice(&bytes[..head.length]), Err(Decoder::new(framing)), head.length)),
    }
}
