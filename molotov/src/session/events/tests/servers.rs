//! A server that sends events at known times.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use async_compression::tokio::write::GzipEncoder;
use bytes::Bytes;
use http::Response;
use tokio::io::AsyncWriteExt;

/// How the last response ends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    Normal,
    /// The server closes the connection in the middle of the body.
    Cut,
    /// The server sends nothing else until the client closes the connection.
    Wait,
}

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Http1,
    Gzip,
    Http2,
}

/// What a server sends.
pub(super) struct Script {
    protocol: Protocol,
    head: String,
    /// Pieces of the body, with the time after the head.
    pieces: Vec<(Duration, Vec<u8>)>,
    end: End,
    responses: usize,
}

impl Script {
    pub(super) fn http1() -> Script {
        Script::new(Protocol::Http1, "200 OK\r\ncontent-type: text/event-stream")
    }

    /// HTTP/1.1 with a compressed body.
    pub(super) fn gzip() -> Script {
        Script::new(Protocol::Gzip, "200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip")
    }

    pub(super) fn http2() -> Script {
        Script::new(Protocol::Http2, "")
    }

    fn new(protocol: Protocol, head: &str) -> Script {
        Script { protocol, head: head.to_owned(), pieces: Vec::new(), end: End::Normal, responses: 1 }
    }

    pub(super) fn is_http2(&self) -> bool {
        self.protocol == Protocol::Http2
    }

    /// Sets the status and the headers.
    pub(super) fn head(mut self, head: &str) -> Script {
        head.clone_into(&mut self.head);
        self
    }

    pub(super) fn events(mut self, pieces: Vec<(Duration, Vec<u8>)>) -> Script {
        self.pieces = pieces;
        self
    }

    pub(super) fn end(mut self, end: End) -> Script {
        self.end = end;
        self
    }

    /// Responds this many times on one connection.
    pub(super) fn responses(mut self, responses: usize) -> Script {
        self.responses = responses;
        self
    }

    /// Serves one connection on its own thread, which returns when it wrote each piece of the last response.
    pub(super) fn serve(self) -> (String, JoinHandle<Vec<Instant>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            match self.protocol {
                Protocol::Http2 => self.serve_http2(stream),
                Protocol::Http1 | Protocol::Gzip => self.serve_http1(stream),
            }
        });
        (url, server)
    }

    fn serve_http1(mut self, mut stream: TcpStream) -> Vec<Instant> {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        if self.protocol == Protocol::Gzip {
            compress(&mut self.pieces);
        }
        let mut written = Vec::new();
        for _ in 0..self.responses {
            read_head(&mut stream);
            write!(stream, "HTTP/1.1 {}\r\ntransfer-encoding: chunked\r\n\r\n", self.head).unwrap();
            let start = Instant::now();
            written.clear();
            for (at, piece) in &self.pieces {
                let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
                sleep_until(start + *at);
                written.push(Instant::now());
                stream.write_all(&chunk).unwrap();
            }
            if self.end == End::Normal {
                stream.write_all(b"0\r\n\r\n").unwrap();
            }
        }
        if self.end == End::Wait {
            match stream.read(&mut [0]) {
                Ok(read) => assert_eq!(read, 0, "the client sends something"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
            }
        }
        written
    }

    fn serve_http2(self, stream: TcpStream) -> Vec<Instant> {
        stream.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            // The connection has to be polled for anything to be sent.
            let connection = tokio::spawn(async move { while connection.accept().await.is_some() {} });
            let head = Response::builder().header("content-type", "text/event-stream").body(()).unwrap();
            let mut body = respond.send_response(head, false).unwrap();
            let start = Instant::now();
            let mut written = Vec::new();
            for (at, piece) in self.pieces {
                // The timer of the runtime is late by up to a millisecond.
                tokio::task::spawn_blocking(move || sleep_until(start + at)).await.unwrap();
                written.push(Instant::now());
                body.send_data(Bytes::from(piece), false).unwrap();
            }
            match self.end {
                End::Normal => body.send_data(Bytes::new(), true).unwrap(),
                End::Cut | End::Wait => {
                    // A reset overtakes data that has not been sent.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    body.send_reset(h2::Reason::INTERNAL_ERROR);
                }
            }
            let _ = tokio::time::timeout(Duration::from_secs(10), connection).await;
            written
        })
    }
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
}

fn sleep_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

/// Compresses pieces as one stream, in which each piece is flushed.
fn compress(pieces: &mut [(Duration, Vec<u8>)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut encoder = GzipEncoder::new(Vec::new());
        let last = pieces.len() - 1;
        for (n, (_, piece)) in pieces.iter_mut().enumerate() {
            encoder.write_all(piece).await.unwrap();
            if n == last {
                encoder.shutdown().await.unwrap()
            } else {
                encoder.flush().await.unwrap()
            }
            *piece = std::mem::take(encoder.get_mut());
        }
    });
}
