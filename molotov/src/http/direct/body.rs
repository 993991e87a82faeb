//! The body of an HTTP/1.1 response that did not arrive together with its head.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::Method;
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    connection::{Connection, SCRATCH},
    framing::Decoder,
    pool::Pool,
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
}

impl BodySource for Http1Body {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
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
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(sent) = upload.poll(&mut connection.io, cx)
        {
            self.upload = None;
            // The server has responded, and may not want the rest of the request.
            self.keep &= sent.is_ok();
        }
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
                        Err(malformed) => Err(malformed.into()),
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
            && self.upload.is_none()
        {
            self.pool.put(&self.target.origin, connection, Instant::now());
        }
        self.permit = None;
    }
}
