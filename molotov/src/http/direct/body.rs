//! The body of an HTTP/1.1 response that did not arrive together with its head.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::Method;
use tokio_util::io::poll_read_buf;

use super::{
    blocks::{BLOCK, LARGE},
    connection::Connection,
    framing::Decoder,
    low_water::LowWater,
    pool::Pool,
    scratch::SCRATCH,
    upload::Upload,
};
use crate::http::{Error, ErrorKind, body::BodySource, permits::Permit, target::Target, upgraded::Upgraded};

/// The body of an HTTP/1.1 response that is still arriving.
///
/// It owns its connection, and returns it to the pool at its end. Dropping it before that closes the connection.
pub(crate) struct Http1Body {
    pub(crate) connection: Option<Box<Connection>>,
    pub(crate) decoder: Decoder,
    /// What is still to be sent of the request.
    pub(crate) upload: Option<Box<Upload>>,
    pub(crate) keep: bool,
    pub(crate) pool: Rc<Pool>,
    pub(crate) target: Rc<Target>,
    pub(crate) method: Method,
    pub(crate) permit: Option<Permit>,
    /// `None` if the time of each part matters.
    pub(crate) low_water: Option<LowWater>,
}

impl BodySource for Http1Body {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let polled = self.poll_data(cx);
        self.after(polled)
    }

    fn appends(&self, received: usize) -> bool {
        self.decoder.remaining().is_some_and(|remaining| remaining.saturating_add(received as u64) <= BLOCK as u64)
    }

    fn poll_append(&mut self, cx: &mut Context<'_>, body: &mut BytesMut) -> Poll<Option<Result<usize, Error>>> {
        let polled = self.poll_appended(cx, body);
        self.after(polled)
    }

    fn postpone_deadline(&mut self, time: Duration) {
        if let Some(upload) = &mut self.upload {
            upload.postpone_deadline(time);
        }
    }

    fn take_upgraded(&mut self) -> Option<Upgraded> {
        let Connection { io, remote, buffer, .. } = *self.connection.take()?;
        Some(Upgraded::new(io, buffer, remote, self.permit.take()))
    }
}

impl Http1Body {
    /// Ends the body after its last part or an error.
    fn after<T>(&mut self, polled: Poll<Option<Result<T, Error>>>) -> Poll<Option<Result<T, Error>>> {
        match polled {
            Poll::Ready(Some(Ok(part))) => {
                if self.decoder.is_end() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(part)))
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

    /// Continues to send the request.
    fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let (Some(connection), Some(upload)) = (&mut self.connection, &mut self.upload)
            && let Poll::Ready(sent) = upload.poll(&mut connection.io, cx)
        {
            self.upload = None;
            // The server has responded, and may not want the rest of the request.
            self.keep &= sent.is_ok();
        }
    }

    /// Reads the next part into the place where the body is kept.
    fn poll_appended(&mut self, cx: &mut Context<'_>, body: &mut BytesMut) -> Poll<Option<Result<usize, Error>>> {
        self.poll_upload(cx);
        let (Some(connection), Some(remaining)) = (&mut self.connection, self.decoder.remaining()) else {
            return Poll::Ready(None);
        };
        let remaining = usize::try_from(remaining).unwrap_or(usize::MAX);
        let known = body.len();
        let buffer = &mut connection.buffer;
        if body.is_empty() && !buffer.is_empty() && buffer.len() <= remaining {
            *body = std::mem::take(buffer);
        } else {
            if body.capacity() - known < remaining {
                let mut whole = SCRATCH.with_borrow_mut(|scratch| scratch.input.buffer(known + remaining));
                whole.extend_from_slice(body);
                *body = whole;
            }
            if buffer.is_empty() {
                match poll_read_buf(Pin::new(&mut connection.io), cx, &mut (&mut *body).limit(remaining)) {
                    Poll::Pending => {
                        if let (Some(low_water), Some(stream)) = (&mut self.low_water, connection.io.plain())
                            && (remaining >= LARGE || low_water.is_raised())
                        {
                            stream.with(|stream| low_water.raise(stream, remaining));
                        }
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(incomplete(Some(error))))),
                    Poll::Ready(Ok(0)) => return Poll::Ready(Some(Err(incomplete(None)))),
                    Poll::Ready(Ok(_)) => {}
                }
            } else {
                body.extend_from_slice(&buffer.split_to(buffer.len().min(remaining)));
            }
        }
        let decoded = self.decoder.decode(&body[known..]);
        Poll::Ready(Some(decoded.map(|decoded| decoded.consumed).map_err(Error::from)))
    }

    /// Has the task woken for each part again.
    fn reset_low_water(&mut self) -> io::Result<()> {
        match (&mut self.low_water, self.connection.as_ref().and_then(|connection| connection.io.plain())) {
            (Some(low_water), Some(stream)) => stream.with(|stream| low_water.reset(stream)),
            _ => Ok(()),
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.poll_upload(cx);
        if let Err(error) = self.reset_low_water() {
            return Poll::Ready(Some(Err(incomplete(Some(error)))));
        }
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        loop {
            if self.decoder.is_end() {
                return Poll::Ready(None);
            }
            if !connection.buffer.is_empty() {
                let decoded = match self.decoder.decode(&connection.buffer) {
                    Ok(decoded) => decoded,
                    Err(malformed) => return Poll::Ready(Some(Err(malformed.into()))),
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
                let input = scratch.input.input();
                match poll_read_buf(Pin::new(&mut connection.io), cx, input) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(incomplete(Some(error)))),
                    Poll::Ready(Ok(0)) if self.decoder.close() => return Poll::Ready(Ok(None)),
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(incomplete(None))),
                    Poll::Ready(Ok(_)) => {}
                }
                if input.len() >= LARGE {
                    // It stays in its block.
                    connection.buffer = input.split();
                    return Poll::Ready(Ok(Some(Bytes::new())));
                }
                Poll::Ready(match self.decoder.decode(input) {
                    Ok(decoded) => {
                        connection.buffer.extend_from_slice(&input[decoded.consumed..]);
                        Ok(Some(Bytes::copy_from_slice(&input[decoded.data])))
                    }
                    Err(malformed) => Err(malformed.into()),
                })
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
        self.keep &= self.reset_low_water().is_ok();
        if let Some(connection) = self.connection.take()
            && self.keep
            && self.upload.is_none()
        {
            self.pool.put(&self.target.origin, connection, Instant::now());
        }
        self.permit = None;
    }
}

fn incomplete(source: Option<io::Error>) -> Error {
    let error = Error::new(ErrorKind::Body, "the server closed the connection within the body");
    let error = match source {
        Some(source) => error.with_source(source),
        None => error,
    };
    error.with_hint("look at the server's log")
}
