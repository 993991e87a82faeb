//! TLS on a connection for HTTP/1.1, after the handshake.

use std::{
    io::{self, BufRead as _, Read, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use rustls::ClientConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::turn;

/// A TLS stream that can send its requests at the end of a turn.
pub(super) struct Stream {
    tcp: turn::Stream,
    session: ClientConnection,
    /// Records that are sent before those of the session.
    rest: Bytes,
    /// Whether the last read took as many bytes as it could, so that there may be more.
    may_read_more: bool,
    /// The error of a read after others that had returned bytes.
    error: Option<io::Error>,
}

impl Stream {
    pub(super) fn new(stream: TlsStream<tokio::net::TcpStream>) -> Stream {
        let (tcp, session) = stream.into_inner();
        Stream { tcp: turn::Stream::new(tcp), session, rest: Bytes::new(), may_read_more: false, error: None }
    }

    /// Returns the stream that records are sent on.
    pub(super) fn tcp(&self) -> &turn::Stream {
        &self.tcp
    }

    /// Returns whether everything that was written has been sent.
    pub(super) fn is_flushed(&self) -> bool {
        self.rest.is_empty() && !self.session.wants_write()
    }

    /// Returns the stream that records are sent on, and what makes them.
    pub(super) fn split(&mut self) -> (&turn::Stream, Records<'_>) {
        (&self.tcp, Records(&mut self.session))
    }

    /// Keeps records that [`Records`] made, and sends them before any others, with the next write or flush.
    pub(super) fn send_first(&mut self, rest: Bytes) {
        self.rest = rest;
    }

    /// Sends all records.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.advance(sent);
        }
        while self.session.wants_write() {
            match self.session.write_tls(&mut Tcp { stream: &mut self.tcp, cx, may_read_more: false }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads records, and decrypts those that are complete. At the end of the stream, the session knows that it has ended.
    fn poll_records(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut tcp = Tcp { stream: &mut self.tcp, cx, may_read_more: false };
        match self.session.read_tls(&mut tcp) {
            Ok(_) => self.may_read_more = tcp.may_read_more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        }
        if let Err(error) = self.session.process_new_packets() {
            // The server learns why the connection is closed, if there is room for the alert.
            let _ = self.poll_send(cx);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(error) = this.error.take() {
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        loop {
            let mut reader = this.session.reader();
            match reader.fill_buf() {
                // The server has closed the stream.
                Ok([]) => return Poll::Ready(Ok(())),
                Ok(bytes) => {
                    let size = bytes.len().min(buffer.remaining());
                    buffer.put_slice(&bytes[..size]);
                    reader.consume(size);
                    if buffer.remaining() == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // This is returned again by the next read.
                Err(_) if buffer.filled().len() > before => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(error)),
            }
            let has_read = buffer.filled().len() > before;
            if has_read && !this.may_read_more {
                return Poll::Ready(Ok(()));
            }
            match this.poll_records(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Pending if has_read => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) if has_read => {
                    this.error = Some(error);
                    return Poll::Ready(Ok(()));
                }
                other => return other,
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        let written = this.session.writer().write(bytes)?;
        // Flushing sends what could not be sent now.
        match this.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // This does nothing the second time.
        this.session.send_close_notify();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

/// Makes records.
pub(super) struct Records<'a>(&'a mut ClientConnection);

impl Records<'_> {
    /// Encrypts bytes, and appends the records to `output`.
    pub(super) fn encrypt(&mut self, mut bytes: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        while !bytes.is_empty() {
            // The session takes a limited number of bytes until its records are taken.
            let taken = self.0.writer().write(bytes)?;
            bytes = &bytes[taken..];
            while self.0.wants_write() {
                self.0.write_tls(output)?;
            }
        }
        Ok(())
    }
}

/// The stream that records are sent on, as the session uses it.
struct Tcp<'a, 'b> {
    stream: &'a mut turn::Stream,
    cx: &'a mut Context<'b>,
    may_read_more: bool,
}

impl Read for Tcp<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buffer) {
            Poll::Ready(Ok(())) => {
                self.may_read_more = buffer.remaining() == 0;
                Ok(buffer.filled().len())
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Tcp<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.stream).poll_write(self.cx, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
