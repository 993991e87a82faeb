//! One HTTP/1.1 connection: a request out, its response in, at the price of one write and one read.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, StatusCode, header};
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    Failed,
    framing::{Decoder, Framing},
    head::{self, Head, Malformed},
    pool::Pool,
    stream::Io,
    upload::{self, Upload, UploadError},
};
use crate::http::{
    Error, ErrorKind,
    permits::Permit,
    target::Target,
    timer,
    wire::{self, Body, ReadLimit, Seen, WireRequest},
};

/// Interim responses (1xx) accepted before the final one.
const MAX_INTERIM: usize = 64;

/// How often a head is parsed before it is complete.
const MAX_GLANCES: usize = 64;

/// What all connections of a thread read into and write from; a connection itself keeps bytes only while
/// a response is incomplete, so an idle one costs next to nothing.
struct Scratch {
    output: Vec<u8>,
    input: Box<[u8]>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { output: Vec::with_capacity(4096), input: vec![0; 64 * 1024].into() });
}

pub(crate) struct Connection {
    pub(crate) io: Io,
    pub(crate) remote: SocketAddr,
    buffer: BytesMut,
}

/// A response as far as it had arrived together with its head.
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) raw: Bytes,
    /// The whole body, or else what is needed to read on.
    pub(crate) body: Result<Bytes, Decoder>,
    pub(crate) first_byte: Instant,
    pub(crate) upload: Upload,
    /// Whether another request may follow once the body has been read.
    pub(crate) keep: bool,
}

impl Connection {
    pub(crate) fn new(io: Io, remote: SocketAddr) -> Self {
        Self { io, remote, buffer: BytesMut::new() }
    }

    /// Sends a request and reads at least the head of its response.
    pub(crate) async fn exchange(&mut self, request: &mut WireRequest<'_>, keep_alive: bool) -> Result<Answer, Failed> {
        let mut exchange = Exchange::new(request.method, request.headers.contains_key(header::UPGRADE));
        let mut limit = request.read_timeout.map(ReadLimit::new);
        poll_fn(|cx| {
            let polled = exchange.poll(self, request, keep_alive, cx);
            // No answer is due while the request is being sent.
            if polled.is_pending()
                && let Some(limit) = &mut limit
                && exchange.upload.as_ref().is_some_and(Upload::is_done)
                && limit.poll(cx).is_ready()
            {
                return Poll::Ready(Err(Failed { error: wire::read_timeout(), seen: Seen::Yes }));
            }
            polled
        })
        .await
    }
}

/// One request and the head of its response.
pub(crate) struct Exchange<'a> {
    method: &'a Method,
    /// The request asks for another protocol.
    upgrade: bool,
    upload: Option<Upload>,
    first_byte: Option<Instant>,
    interim: usize,
    /// How often an incomplete head was looked at.
    glances: usize,
    keep: bool,
    /// Writing failed; the server may have answered before it closed.
    broken: Option<io::Error>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(method: &'a Method, upgrade: bool) -> Self {
        Self { method, upgrade, upload: None, first_byte: None, interim: 0, glances: 0, keep: true, broken: None }
    }

    fn poll(
        &mut self,
        connection: &mut Connection,
        request: &mut WireRequest<'_>,
        keep_alive: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Answer, Failed>> {
        if self.upload.is_none() {
            let begun = SCRATCH.with_borrow_mut(|scratch| {
                self.keep = upload::head(&mut scratch.output, request, keep_alive);
                let upload = self.upload.insert(Upload::new(request.body, request.deadline));
                upload.begin(&mut connection.io, cx, &scratch.output)
            });
            self.sent(begun)?;
        }
        if let Some(upload) = &mut self.upload
            && !upload.is_done()
            && let Poll::Ready(result) = upload.poll(&mut connection.io, cx)
        {
            self.sent(result)?;
        }
        loop {
            let step = SCRATCH.with_borrow_mut(|scratch| {
                let mut input = ReadBuf::new(&mut scratch.input);
                match Pin::new(&mut connection.io).poll_read(cx, &mut input) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.lost(Some(error)))),
                    Poll::Ready(Ok(())) if input.filled().is_empty() => return Poll::Ready(Err(self.lost(None))),
                    Poll::Ready(Ok(())) => {}
                }
                if self.first_byte.is_none() {
                    self.first_byte = Some(Instant::now());
                }
                Poll::Ready(self.take(&mut connection.buffer, input.filled()))
            });
            match step {
                Poll::Pending => return Poll::Pending,
                // Most heads come in one read, and need not look at the clock.
                Poll::Ready(Ok(None)) if timer::has_passed(request.deadline, cx) => return Poll::Pending,
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(answer))) => return Poll::Ready(Ok(answer)),
                Poll::Ready(Err(failed)) => return Poll::Ready(Err(failed)),
            }
        }
    }

    /// A failed write is kept until reading fails too; a failed body ends the request.
    fn sent(&mut self, result: Result<(), UploadError>) -> Result<(), Failed> {
        match result {
            Ok(()) => Ok(()),
            Err(UploadError::Io(error)) => {
                self.broken = Some(error);
                self.keep = false;
                if let Some(upload) = &mut self.upload {
                    upload.stop();
                }
                Ok(())
            }
            Err(UploadError::Body(source)) => Err(Failed {
                error: Error::new(ErrorKind::Body, format!("the body of the request failed: {source}"))
                    .with_source(source),
                seen: Seen::Yes,
            }),
        }
    }

    fn lost(&mut self, error: Option<io::Error>) -> Failed {
        let message = match self.first_byte {
            None => "the server closed the connection without an answer",
            Some(_) => "the server closed the connection within the head of its answer",
        };
        let mut closed = Error::new(ErrorKind::Closed, message).with_hint("look at the server's log");
        if let Some(source) = error.or(self.broken.take()) {
            closed = closed.with_source(source);
        }
        let seen = match &self.upload {
            _ if self.first_byte.is_some() || self.interim > 0 => Seen::Yes,
            Some(upload) if upload.is_unsent() => Seen::No,
            _ => Seen::Maybe,
        };
        Failed { error: closed, seen }
    }

    /// Goes on with what has just been read; `None` when more is needed.
    pub(crate) fn take(&mut self, buffer: &mut BytesMut, fresh: &[u8]) -> Result<Option<Answer>, Failed> {
        if buffer.is_empty() {
            let (answer, used) = self.parse(fresh)?;
            buffer.extend_from_slice(&fresh[used..]);
            return Ok(answer);
        }
        let seen = buffer.len();
        buffer.extend_from_slice(fresh);
        if buffer.len() <= head::MAX_HEAD && !head::has_empty_line(&buffer[seen.saturating_sub(2)..]) {
            // It cannot be complete. After a whole line it is looked at nevertheless, since it may be malformed, but not
            // as often as a server chooses to send lines.
            if self.glances >= MAX_GLANCES || memchr::memchr(b'\n', fresh).is_none() {
                return Ok(None);
            }
            self.glances += 1;
        }
        let (answer, used) = self.parse(buffer)?;
        buffer.advance(used);
        if buffer.is_empty() {
            *buffer = BytesMut::new();
        }
        Ok(answer)
    }

    /// Reads one final response, or nothing; how many bytes are done with.
    fn parse(&mut self, bytes: &[u8]) -> Result<(Option<Answer>, usize), Failed> {
        let mut start = 0;
        loop {
            let rest = &bytes[start..];
            let Some(mut head) = head::parse(rest, self.method).map_err(malformed)? else {
                if rest.is_empty() {
                    self.first_byte = None;
                } else {
                    self.first_byte.get_or_insert_with(Instant::now);
                }
                return Ok((None, start));
            };
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                if !self.upgrade {
                    return Err(malformed(Malformed("it switches to a protocol nobody asked for")));
                }
                head.framing = Framing::Close;
                head.keep_alive = false;
            } else if head.status.is_informational() {
                self.interim += 1;
                if self.interim > MAX_INTERIM {
                    return Err(malformed(Malformed("more than 64 interim responses come before it")));
                }
                start += head.length;
                // The answer's own first byte counts, not that of what came before it.
                self.first_byte = None;
                continue;
            }
            let (mut raw, body, used) = body(rest, &head).map_err(malformed)?;
            if head.folded {
                let mut unfolded = Vec::from(raw);
                head::unfold(&mut unfolded);
                raw = unfolded.into();
            }
            let upload = self.upload.take().unwrap_or_else(|| Upload::new(&mut Body::Empty, None));
            let answer = Answer {
                keep: self.keep && head.keep_alive,
                head,
                raw,
                body,
                first_byte: self.first_byte.unwrap_or_else(Instant::now),
                upload,
            };
            return Ok((Some(answer), start + used));
        }
    }
}

type Split = (Bytes, Result<Bytes, Decoder>, usize);

/// Cuts head and body out of the bytes read, with one copy where all is here.
fn body(bytes: &[u8], head: &Head) -> Result<Split, Malformed> {
    let available = bytes.len() - head.length;
    match head.framing {
        Framing::Length(length) if length <= available as u64 => {
            // It fits what is in memory, so it fits a usize.
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
            // Rare: more is to come, and the reader of the body starts from its beginning.
            Ok((raw, Err(Decoder::new(Framing::Chunked)), head.length))
        }
        framing => Ok((Bytes::copy_from_slice(&bytes[..head.length]), Err(Decoder::new(framing)), head.length)),
    }
}

fn malformed(Malformed(what): Malformed) -> Failed {
    let error = Error::new(ErrorKind::Protocol, format!("the server's answer is not valid HTTP: {what}"));
    Failed { error, seen: Seen::Yes }
}

impl Connection {
    /// Whether nothing is left over from the last response.
    pub(crate) fn is_clean(&self) -> bool {
        self.buffer.is_empty()
    }
}

/// A body still arriving. It owns its connection and gives it back at the end; dropped before, it closes it.
pub(crate) struct H1Body {
    pub(crate) connection: Option<Connection>,
    pub(crate) decoder: Decoder,
    pub(crate) upload: Upload,
    pub(crate) keep: bool,
    pub(crate) pool: Rc<Pool>,
    pub(crate) target: Rc<Target>,
    pub(crate) method: Method,
    pub(crate) permit: Option<Permit>,
}

impl H1Body {
    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let polled = self.poll_data(cx);
        match polled {
            Poll::Ready(Some(Ok(bytes))) => {
                if self.decoder.is_end() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.connection = None;
                self.permit = None;
                Poll::Ready(Some(Err(error.at(&self.method, &self.target.url))))
            }
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        if !self.upload.is_done()
            && let Poll::Ready(Err(_)) = self.upload.poll(&mut connection.io, cx)
        {
            // The server answers already and need not want the rest of the request.
            self.upload.stop();
            self.keep = false;
        }
        loop {
            if self.decoder.is_end() {
                return Poll::Ready(None);
            }
            if !connection.buffer.is_empty() {
                let decoded = match self.decoder.decode(&connection.buffer) {
                    Ok(decoded) => decoded,
                    Err(what) => return Poll::Ready(Some(Err(malformed(what).error))),
                };
                let taken = connection.buffer.split_to(decoded.consumed).freeze();
                if connection.buffer.is_empty() {
                    connection.buffer = BytesMut::new();
                }
                if !decoded.data.is_empty() {
                    return Poll::Ready(Some(Ok(taken.slice(decoded.data))));
                }
                continue;
            }
            let step = SCRATCH.with_borrow_mut(|scratch| {
                let mut input = ReadBuf::new(&mut scratch.input);
                let closed = match Pin::new(&mut connection.io).poll_read(cx, &mut input) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => Some(Some(error)),
                    Poll::Ready(Ok(())) if input.filled().is_empty() => Some(None),
                    Poll::Ready(Ok(())) => None,
                };
                let Some(closed) = closed else {
                    let input = input.filled();
                    return Poll::Ready(match self.decoder.decode(input) {
                        Ok(decoded) => {
                            connection.buffer.extend_from_slice(&input[decoded.consumed..]);
                            Ok(Some(Bytes::copy_from_slice(&input[decoded.data])))
                        }
                        Err(what) => Err(malformed(what).error),
                    });
                };
                if closed.is_none() && self.decoder.close() {
                    return Poll::Ready(Ok(None));
                }
                let mut error = Error::new(ErrorKind::Body, "the server closed the connection within the body");
                if let Some(source) = closed {
                    error = error.with_source(source);
                }
                Poll::Ready(Err(error.with_hint("look at the server's log")))
            });
            match step {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(Some(bytes))) if bytes.is_empty() => {}
                Poll::Ready(Ok(Some(bytes))) => return Poll::Ready(Some(Ok(bytes))),
                Poll::Ready(Ok(None)) => {
                    self.keep = false;
                    return Poll::Ready(None);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn finish(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.keep
            && self.upload.is_done()
        {
            self.pool.give(&self.target.origin, connection, Instant::now());
        }
        self.permit = None;
    }
}
