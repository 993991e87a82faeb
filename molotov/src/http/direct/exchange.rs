//! One request and its response on an HTTP/1.1 connection, usually with one write and one read.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode};
use tokio_util::io::poll_read_buf;

use super::{
    blocks::{BLOCK, LARGE},
    channel::Waiting,
    connection::Connection,
    framing::{Decoded, Decoder, Framing, MAX_HEAD},
    head::{self, Head},
    malformed::Malformed,
    retry::{Failed, Retry},
    scratch::{Arena, Reader, SCRATCH, Scratch},
    turn::NotSent,
    upload::{self, ConnectionOptions, Upload, UploadError},
};
use crate::http::{
    Error, ErrorKind,
    request::TransportRequest,
    timeout::{self, ReadLimit},
    timer::{self, Deadline},
};

/// The maximum number of interim responses (1xx) before the final one.
const MAX_INTERIM: u32 = 64;

/// The maximum number of times that an incomplete head is parsed.
const MAX_PARSES: u32 = 64;

/// A response, with as much of its body as arrived together with its head.
pub(crate) struct Received {
    pub(crate) head: Head,
    pub(crate) raw: Bytes,
    /// The whole body, or the decoder for the rest of it.
    pub(crate) body: Result<Bytes, Decoder>,
    pub(crate) first_byte: Instant,
    /// Bytes of the request that were written so far.
    pub(crate) written: u64,
    /// What is still to be sent of the request.
    pub(crate) upload: Option<Box<Upload>>,
    /// Whether the connection can be used again after the body.
    pub(crate) keep: bool,
}

impl Connection {
    /// Sends a request and reads at least the head of its response. Fails at the deadline of the request.
    pub(crate) fn exchange<'a>(
        &'a mut self,
        request: &'a mut TransportRequest<'_>,
        keep_alive: bool,
    ) -> impl Future<Output = Result<Received, Failed>> + 'a {
        let mut exchange = Exchange::new(request.method);
        poll_fn(move |cx| {
            let polled = exchange.poll(self, request, keep_alive, cx);
            if polled.is_ready() {
                self.alarm.clear();
                return polled;
            }
            match exchange.poll_timeouts(self, request, cx) {
                Poll::Ready(error) => Poll::Ready(Err(Failed { error, retry: Retry::Never })),
                Poll::Pending => Poll::Pending,
            }
        })
    }
}

/// A request and the head of its response.
pub(crate) struct Exchange<'a> {
    method: &'a Method,
    stage: Stage,
    /// Whether the request asks to switch to another protocol.
    upgrade: bool,
    keep: bool,
    /// Bytes of the request that were written, without those of `upload`.
    written: u64,
    /// The size of the request if it is sent at the end of the turn, and it is not known yet what came of that.
    waiting: Option<usize>,
    upload: Option<Box<Upload>>,
    first_byte: Option<Instant>,
    interim: u32,
    /// How often an incomplete head was parsed.
    parses: u32,
    /// The error of a failed write. The server may have responded before it closed the connection.
    write_error: Option<io::Error>,
    /// The timers of short timeouts, which few requests have.
    timers: Option<Box<Timers>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// Nothing was sent.
    New,
    /// The head was sent.
    Sent,
    /// The response has not arrived at once, so that there are timers.
    Waiting,
}

#[derive(Default)]
struct Timers {
    deadline: Option<Deadline>,
    read_limit: Option<ReadLimit>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(method: &'a Method) -> Self {
        Self {
            method,
            stage: Stage::New,
            upgrade: false,
            keep: true,
            written: 0,
            waiting: None,
            upload: None,
            first_byte: None,
            interim: 0,
            parses: 0,
            write_error: None,
            timers: None,
        }
    }

    fn poll(
        &mut self,
        connection: &mut Connection,
        request: &mut TransportRequest<'_>,
        keep_alive: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Received, Failed>> {
        match self.stage {
            Stage::New => self.send(connection, request, keep_alive, cx)?,
            _ if self.waiting.is_some() => self.look_at_turn(connection, request)?,
            _ => {}
        }
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(result) = upload.poll(&mut connection.io, cx)
        {
            self.written = upload.written();
            self.upload = None;
            self.after_write(result)?;
        }
        loop {
            let step = SCRATCH.with_borrow_mut(|Scratch { input, reader, .. }| {
                let input = input.input();
                let is_plain = connection.io.plain().is_some();
                match poll_read_buf(Pin::new(&mut connection.io), cx, input) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.closed(is_plain, Some(error)))),
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.closed(is_plain, None))),
                    Poll::Ready(Ok(_)) => {}
                }
                // It came before the request, which must not be sent for the next response.
                if self.waiting.is_some() {
                    self.keep = false;
                }
                if self.first_byte.is_none() {
                    self.first_byte = Some(Instant::now());
                }
                Poll::Ready(self.receive(&mut connection.buffer, input, reader))
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

    /// Sends the request, or lets it wait for the end of the turn.
    fn send(
        &mut self,
        connection: &mut Connection,
        request: &mut TransportRequest<'_>,
        keep_alive: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), Failed> {
        self.stage = Stage::Sent;
        if upload::is_whole(request.body)
            && let Some(later) =
                connection.io.send_later(cx, request.now, |output| upload::head(output, request, keep_alive))
        {
            return match later {
                Ok(Waiting { encoded: options, size }) => {
                    (self.keep, self.upgrade, self.waiting) = (options.keep, options.upgrade, Some(size));
                    self.look_at_turn(connection, request)
                }
                Err(error) => self.after_write(Err(UploadError::Io(error))),
            };
        }
        let started = SCRATCH.with_borrow_mut(|Scratch { output, .. }| {
            output.clear();
            ConnectionOptions { keep: self.keep, upgrade: self.upgrade } = upload::head(output, request, keep_alive);
            upload::start(&mut connection.io, cx, output, request.body, request.deadline)
        });
        match started {
            Ok(started) => (self.written, self.upload) = (started.written, started.rest),
            Err(error) => self.after_write(Err(error))?,
        }
        Ok(())
    }

    /// Notes what was sent at the end of the turn.
    fn look_at_turn(&mut self, connection: &mut Connection, request: &TransportRequest<'_>) -> Result<(), Failed> {
        let Some(sent) = connection.io.sent() else { return Ok(()) };
        let size = self.waiting.take().unwrap_or_default();
        match sent.map_err(|not_sent| *not_sent) {
            Ok(()) => self.written = size as u64,
            Err(NotSent::Full(unsent)) => {
                let rest = connection.io.rest(unsent);
                self.upload = Some(Upload::rest(size - rest.len(), rest, request.deadline));
            }
            Err(NotSent::Failed(error)) => self.after_write(Err(UploadError::Io(error)))?,
        }
        Ok(())
    }

    /// Returns the error of a timeout that has expired, and otherwise has the task woken when one expires.
    fn poll_timeouts(
        &mut self,
        connection: &mut Connection,
        request: &TransportRequest<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Error> {
        let is_first = std::mem::replace(&mut self.stage, Stage::Waiting) != Stage::Waiting;
        match request.deadline {
            Some(at) if request.is_distant => {
                // Most requests wait once, long before the deadline.
                if !is_first && Instant::now() >= at {
                    return Poll::Ready(timeout::response_timeout());
                }
                connection.alarm.set(at, cx);
            }
            Some(at) => {
                let deadline = self.timers.get_or_insert_default().deadline.get_or_insert_with(|| Deadline::new(at));
                if deadline.poll(cx).is_ready() {
                    return Poll::Ready(timeout::response_timeout());
                }
            }
            None => {}
        }
        // The server need not respond while the request is being sent.
        if let Some(limit) = request.read_timeout
            && self.upload.is_none()
        {
            let limit = self.timers.get_or_insert_default().read_limit.get_or_insert_with(|| ReadLimit::new(limit));
            return limit.poll(cx).map(|()| timeout::read_timeout());
        }
        Poll::Pending
    }

    /// Remembers a failed write until reading fails too. A failed body ends the request.
    fn after_write(&mut self, result: Result<(), UploadError>) -> Result<(), Failed> {
        match result {
            Ok(()) => Ok(()),
            Err(UploadError::Io(error)) => {
                self.write_error = Some(error);
                self.keep = false;
                Ok(())
            }
            Err(UploadError::Body(source)) => Err(Failed {
                error: Error::new(ErrorKind::Body, format!("the body of the request failed: {source}"))
                    .with_source(source),
                retry: Retry::Never,
            }),
        }
    }

    fn closed(&mut self, is_plain: bool, read_error: Option<io::Error>) -> Failed {
        let message = match self.first_byte {
            None => "the server closed the connection without a response",
            Some(_) => "the server closed the connection within the head of its response",
        };
        let mut error = Error::new(ErrorKind::Closed, message).with_hint("look at the server's log");
        if let Some(source) = read_error.or(self.write_error.take()) {
            error = error.with_source(source);
        }
        let written = self.upload.as_ref().map_or(self.written, |upload| upload.written());
        let retry = if self.first_byte.is_some() || self.interim > 0 {
            Retry::Never
        } else if written == 0 && (is_plain || self.waiting.is_some()) {
            Retry::Always
        } else {
            // TLS may have sent bytes that it does not count as written.
            Retry::IfIdempotent
        };
        Failed { error, retry }
    }

    /// Processes bytes that were read. Returns `None` if the response needs more of them.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut BytesMut,
        fresh: &mut BytesMut,
        reader: &mut Reader,
    ) -> Result<Option<Received>, Failed> {
        if buffer.is_empty() {
            let parsed = self.parse(fresh, reader);
            if !fresh.is_empty()
                && let Ok(response) = &parsed
            {
                keep_rest(response.as_ref(), fresh, buffer);
            }
            return parsed;
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
        let parsed = self.parse(buffer, reader);
        if buffer.is_empty() {
            *buffer = BytesMut::new();
        }
        parsed
    }

    /// Parses one final response, if it is there, and takes it from the bytes.
    #[inline]
    fn parse(&mut self, bytes: &mut BytesMut, reader: &mut Reader) -> Result<Option<Received>, Failed> {
        loop {
            let Some(mut head) = reader.heads.parse(bytes, self.method)? else {
                if bytes.is_empty() {
                    self.first_byte = None;
                } else {
                    self.first_byte.get_or_insert_with(Instant::now);
                }
                return Ok(None);
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
                bytes.advance(head.length);
                // The first byte of the final response counts, not that of an interim one.
                self.first_byte = None;
                continue;
            }
            let (mut raw, body) = body(bytes, &head, &mut reader.arena)?;
            if head.folded {
                let mut unfolded = Vec::from(raw);
                head::unfold(&mut unfolded);
                raw = unfolded.into();
            }
            let upload = self.upload.take();
            let response = Received {
                written: upload.as_ref().map_or(self.written, |upload| upload.written()),
                keep: self.keep && head.keep_alive,
                head,
                raw,
                body,
                first_byte: self.first_byte.unwrap_or_else(Instant::now),
                upload,
            };
            return Ok(Some(response));
        }
    }
}

/// Moves what was read after the head, or an incomplete head, from the block to the connection.
#[cold]
fn keep_rest(response: Option<&Received>, fresh: &mut BytesMut, buffer: &mut BytesMut) {
    if fresh.len() < LARGE {
        buffer.extend_from_slice(fresh);
        return;
    }
    // If the rest of the body fits the block, it is read there as well.
    let remaining = match response {
        Some(Received { body: Err(decoder), .. }) => decoder.remaining().unwrap_or(0),
        _ => 0,
    };
    let size = if remaining <= BLOCK as u64 { fresh.len().max(remaining as usize) } else { fresh.len() };
    let others = fresh.split_off(size.min(fresh.capacity()));
    *buffer = std::mem::replace(fresh, others);
}

/// The head, and the whole body or the decoder for the rest of it.
type Split = (Bytes, Result<Bytes, Decoder>);

/// Separates head and body. A small body is copied once, together with its head. A large one stays in its block.
fn body(bytes: &mut BytesMut, head: &Head, arena: &mut Arena) -> Result<Split, Malformed> {
    let available = bytes.len() - head.length;
    match head.framing {
        Framing::Length(length) if length <= available as u64 => {
            // It is at most the number of bytes in memory, so it fits a usize.
            let length = length as usize;
            if length >= LARGE {
                let raw = take_head(bytes, head, arena);
                return Ok((raw, Ok(bytes.split_to(length).freeze())));
            }
            let end = head.length + length;
            let mut raw = arena.copy(&bytes[..end]);
            consume(bytes, end);
            let body = if length == 0 { Bytes::new() } else { raw.split_off(head.length) };
            Ok((raw, Ok(body)))
        }
        Framing::Chunked if available >= LARGE => {
            let raw = take_head(bytes, head, arena);
            Ok((raw, join_chunks(bytes)?.ok_or_else(|| Decoder::new(Framing::Chunked))))
        }
        Framing::Chunked if available > 0 => {
            let mut decoder = Decoder::new(Framing::Chunked);
            let mut at = head.length;
            let mut raw = arena.build(bytes.len(), |all| {
                all.extend_from_slice(&bytes[..head.length]);
                while at < bytes.len() && !decoder.is_end() {
                    let decoded = decoder.decode(&bytes[at..])?;
                    all.extend_from_slice(&bytes[at..][decoded.data]);
                    at += decoded.consumed;
                }
                Ok(())
            })?;
            let body = raw.split_off(head.length);
            if decoder.is_end() {
                consume(bytes, at);
                return Ok((raw, Ok(body)));
            }
            // This is rare: the body is incomplete, and is decoded again from its start.
            bytes.advance(head.length);
            Ok((raw, Err(Decoder::new(Framing::Chunked))))
        }
        framing => Ok((take_head(bytes, head, arena), Err(Decoder::new(framing)))),
    }
}

fn take_head(bytes: &mut BytesMut, head: &Head, arena: &mut Arena) -> Bytes {
    let raw = arena.copy(&bytes[..head.length]);
    consume(bytes, head.length);
    raw
}

/// Removes bytes from the start. If these are all, the same place can be read into again.
fn consume(bytes: &mut BytesMut, size: usize) {
    if size == bytes.len() {
        bytes.clear();
    } else {
        bytes.advance(size);
    }
}

/// Takes a chunked body from the bytes, and removes its framing in place. Returns `None` if the body is incomplete.
fn join_chunks(bytes: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
    let (mut decoder, mut end) = (Decoder::new(Framing::Chunked), 0);
    while end < bytes.len() && !decoder.is_end() {
        end += decoder.decode(&bytes[end..])?.consumed;
    }
    if !decoder.is_end() {
        return Ok(None);
    }
    let mut body = bytes.split_to(end);
    let (mut decoder, mut at, mut length) = (Decoder::new(Framing::Chunked), 0, 0);
    while at < end {
        let Decoded { consumed, data } = decoder.decode(&body[at..])?;
        let size = data.len();
        body.copy_within(at + data.start..at + data.end, length);
        (at, length) = (at + consumed, length + size);
    }
    body.truncate(length);
    Ok(Some(body.freeze()))
}
