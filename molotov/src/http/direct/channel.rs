//! The stream of an HTTP/1.1 connection, with or without TLS.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

#[cfg(feature = "tls")]
use super::{scratch::SCRATCH, tls};
use super::{stream::Io, turn};
use crate::http::upgraded::Connection;

/// A stream that can send its requests at the end of a turn.
pub(crate) enum Channel {
    Plain(turn::Stream),
    #[cfg(feature = "tls")]
    Tls(Box<tls::Stream>),
}

/// A request that waits for the end of the turn.
pub(super) struct Waiting<T> {
    /// What encoding it returned.
    pub(super) encoded: T,
    /// Its size in bytes.
    pub(super) size: usize,
}

impl Channel {
    #[cfg(feature = "tls")]
    pub(super) fn new(io: Io) -> Channel {
        match io {
            Io::Left(stream) => Self::Plain(turn::Stream::new(stream)),
            Io::Right(stream) => Self::Tls(Box::new(tls::Stream::new(*stream))),
        }
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn new(io: Io) -> Channel {
        Self::Plain(turn::Stream::new(io))
    }

    /// Returns the stream if it has no TLS.
    pub(super) fn plain(&self) -> Option<&turn::Stream> {
        match self {
            Self::Plain(stream) => Some(stream),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
        }
    }

    /// Returns the TCP stream. With TLS, it carries records.
    pub(super) fn tcp(&self) -> &turn::Stream {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.tcp(),
        }
    }

    /// Lets a request that is made `now` wait for the end of the turn. Its bytes are those that `encode` appends. Returns `None` if
    /// the request is to be sent at once. The task is woken if the request cannot be sent as a whole.
    pub(super) fn send_later<T>(
        &mut self,
        cx: &Context<'_>,
        now: Instant,
        encode: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> Option<io::Result<Waiting<T>>> {
        match self {
            Self::Plain(stream) => stream.send_later(cx, now, |output| {
                let start = output.len();
                let encoded = encode(output);
                Ok(Waiting { encoded, size: output.len() - start })
            }),
            #[cfg(feature = "tls")]
            Self::Tls(stream) if !stream.is_flushed() => None,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                let (tcp, mut records) = stream.split();
                tcp.send_later(cx, now, |output| {
                    SCRATCH.with_borrow_mut(|scratch| {
                        scratch.output.clear();
                        let encoded = encode(&mut scratch.output);
                        records.encrypt(&scratch.output, output)?;
                        Ok(Waiting { encoded, size: scratch.output.len() })
                    })
                })
            }
        }
    }

    /// Returns what came of a request that waits, once it does not wait any more.
    pub(super) fn sent(&self) -> Option<Result<(), Box<turn::NotSent>>> {
        self.tcp().sent()
    }

    /// Returns the rest of a request, of which `unsent` was not sent at the end of the turn. With TLS, these bytes are records: the
    /// stream keeps them until it is flushed, and the rest is empty.
    pub(super) fn rest(&mut self, unsent: Bytes) -> Bytes {
        match self {
            Self::Plain(_) => unsent,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                stream.send_first(unsent);
                Bytes::new()
            }
        }
    }

    /// Returns whether the server has closed the connection, or sent something unexpected. This needs no system call unless
    /// the runtime knows that the connection is readable.
    #[cfg_attr(not(feature = "tls"), allow(unused_variables, reason = "only TLS needs it"))]
    pub(crate) fn is_stale(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0];
        match self {
            Self::Plain(stream) => {
                let read = stream.with(|stream| stream.try_read(&mut byte));
                !matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            // There may be session tickets to read.
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_ready(),
        }
    }

    /// Returns whether the server has closed the connection, with a system call.
    pub(crate) fn is_closed(&self) -> bool {
        use rustix::net::{RecvFlags, recv};
        let mut byte = [0_u8];
        let peek = |stream: &mut TcpStream| recv(stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        match self.tcp().with(peek) {
            // With TLS, there may be session tickets to read.
            Ok((_, read)) => read == 0 || self.plain().is_some(),
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }
}

impl Connection for Channel {
    fn local(&self) -> Option<SocketAddr> {
        self.tcp().with(|stream| stream.local_addr()).ok()
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
