//! The server's end of a connection, which sends any bytes, and the frames of both ends.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};

pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// A frame of a client: opcode and payload.
pub(super) type Frame = (u8, Vec<u8>);

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// The server's end of a connection.
pub(super) struct Peer {
    stream: Box<dyn Stream>,
    /// The head of the client's request.
    pub(super) head: String,
}

impl Peer {
    pub(super) async fn accept(listener: &TcpListener) -> Peer {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer::over(stream).await
    }

    /// Reads the handshake of a client.
    pub(super) async fn over(stream: impl Stream + 'static) -> Peer {
        let mut stream: Box<dyn Stream> = Box::new(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        Peer { stream, head: String::from_utf8(head).unwrap() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the response that accepts the handshake, with further headers.
    pub(super) fn acceptance(&self, more: &str) -> Vec<u8> {
        let key = self.header("sec-websocket-key").unwrap();
        let key = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let accept = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()));
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-accept: {accept}\r\n{more}\r\n"
        )
        .into_bytes()
    }

    /// Accepts the handshake, with further headers.
    pub(super) async fn switch(&mut self, more: &str) {
        let head = self.acceptance(more);
        self.write(&head).await;
    }

    /// Writes, unless the client has closed the connection.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Reads a frame; `None` at the end of the connection.
    pub(super) async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.ok()?;
        assert_eq!(head[0] & 0x70, 0, "reserved bits");
        assert_ne!(head[0] & 0x80, 0, "clients do not fragment");
        assert_ne!(head[1] & 0x80, 0, "frames of clients are masked");
        let length = match head[1] & 0x7f {
            126 => self.stream.read_u16().await.ok()?.into(),
            127 => self.stream.read_u64().await.ok()?,
            length => length.into(),
        };
        let mut mask = [0; 4];
        self.stream.read_exact(&mut mask).await.ok()?;
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= mask[at % 4]);
        Some((head[0] & 0x0f, payload))
    }

    /// Reads frames until the connection ends.
    pub(super) async fn read_all(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.read().await {
            frames.push(frame);
        }
        frames
    }
}

/// Returns a frame of the server, whose first byte has these bits.
pub(super) fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=65535 => {
            frame.push(126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// Returns a whole message, or a control frame.
pub(super) fn whole(opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    raw(0x80 | opcode, payload.as_ref())
}

/// Returns a fragment that is not the last one. Opcode 0 continues a message.
pub(super) fn part(opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    raw(opcode, payload.as_ref())
}

/// Returns the last fragment.
pub(super) fn last(payload: impl AsRef<[u8]>) -> Vec<u8> {
    whole(0, payload)
}

pub(super) fn closing(code: u16, reason: &str) -> Vec<u8> {
    whole(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

pub(super) fn end() -> Vec<u8> {
    closing(1000, "")
}
