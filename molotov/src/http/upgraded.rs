//! A connection that has left HTTP, after a response with status 101.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::permits::Permit;

/// A stream of a transport.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Unpin {
    /// Returns the local address, if it is known.
    fn local(&self) -> Option<SocketAddr>;
}

/// A connection that has left HTTP. It counts bytes, and notes when they arrive.
pub(crate) struct Upgraded {
    io: Box<dyn Connection>,
    /// Bytes that arrived together with the head of the response.
    buffer: BytesMut,
    remote: SocketAddr,
    /// Held until the connection is closed.
    _permit: Option<Permit>,
    received: u64,
    sent: u64,
    arrived: Instant,
}

impl Upgraded {
    /// Returns a connection from which `buffer` has been read already.
    pub(crate) fn new(
        io: impl Connection + 'static,
        buffer: BytesMut,
        remote: SocketAddr,
        permit: Option<Permit>,
    ) -> Self {
        Self { io: Box::new(io), buffer, remote, _permit: permit, received: 0, sent: 0, arrived: Instant::now() }
    }

    /// Returns the address of the server.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Returns the address of this end, if the connection is still open.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.io.local()
    }

    /// Returns the number of bytes that have been read.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns the number of bytes that have been written.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns when the latest bytes were read from the socket.
    pub(crate) fn arrived(&self) -> Instant {
        self.arrived
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.buffer.is_empty() {
            std::task::ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
            this.arrived = Instant::now();
        } else {
            let part = this.buffer.split_to(this.buffer.len().min(buffer.remaining()));
            buffer.put_slice(&part);
        }
        this.received += (buffer.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = std::task::ready!(Pin::new(&mut this.io).poll_write(cx, bytes))?;
        this.sent += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
