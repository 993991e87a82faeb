//! Timeouts against peers that never stop sending or reading.

use std::{
    cell::Cell,
    convert::Infallible,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use async_compression::tokio::bufread::GzipEncoder;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use molotov::session::{RequestBody, RequestBuilder, Session};
use tokio::io::AsyncReadExt;

use crate::{BOTH, options};

const TIMEOUT: Duration = Duration::from_millis(60);
/// Much longer than a timeout may be late, and much shorter than the peers keep sending.
const LATE: Duration = Duration::from_secs(2);
/// How long a peer keeps sending.
const ENDLESS: Duration = Duration::from_secs(4);

/// A server with threads, so that it floods its client regardless of the client's runtime.
fn peer(script: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, script) = (stream.unwrap(), script.clone());
            thread::spawn(move || {
                stream.set_write_timeout(Some(ENDLESS)).unwrap();
                stream.set_read_timeout(Some(ENDLESS)).unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        return;
                    }
                    head.extend(byte);
                }
                let head = String::from_utf8(head).unwrap();
                // The client closes the connection.
                let _ = script(head.split(' ').nth(1).unwrap(), &mut stream);
            });
        }
    });
    address
}

/// Writes until the client closes the connection.
fn flood(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> std::io::Result<()> {
    let before = Instant::now();
    while before.elapsed() < ENDLESS {
        stream.write_all(bytes)?;
        thread::sleep(pause);
    }
    Ok(())
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    GzipEncoder::new(bytes).read_to_end(&mut packed).await.unwrap();
    packed
}

/// Reads a response until its timeout.
async fn assert_timeout(what: &str, request: RequestBuilder) {
    let before = Instant::now();
    let answer = async {
        let mut response = request.timeout(TIMEOUT).send().await?;
        while response.chunk().await?.is_some() {
            assert!(before.elapsed() < LATE, "{what}: still reading after {:?}", before.elapsed());
        }
        Ok::<_, molotov::Error>(())
    };
    let error = answer.await.expect_err(what);
    let took = before.elapsed();
    assert!(error.is_timeout(), "{what}: {error}");
    assert!(took >= TIMEOUT - Duration::from_millis(2) && took < LATE, "{what}: {took:?}");
}

#[tokio::test]
async fn requests_time_out_while_a_response_keeps_arriving() {
    let member = gzip(&vec![0; 4_000_000]).await;
    // Compressed twice: a few bytes that become 2 GB.
    let twice = gzip(&member.repeat(500)).await;
    // Compressed twice, and empty.
    let nothing = gzip(&gzip(b"").await.repeat(300_000)).await;
    let address = peer(move |path, stream| {
        let kind = path.strip_prefix('/').unwrap();
        let coding = match kind {
            "gzip" => "content-encoding: gzip\r\n",
            "twice" | "nothing" => "content-encoding: gzip, gzip\r\n",
            _ => "",
        };
        let head = format!("HTTP/1.1 200 OK\r\n{coding}");
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
        let whole =
            |bytes: &[u8]| [format!("{head}content-length: {}\r\n\r\n", bytes.len()).as_bytes(), bytes].concat();
        match kind {
            "head" => {
                stream.write_all(format!("{head}x: ").as_bytes())?;
                flood(stream, b"y", Duration::from_millis(1))
            }
            "length" => {
                stream.write_all(format!("{head}content-length: {}\r\n\r\n", 1_u64 << 40).as_bytes())?;
                flood(stream, &[b'x'; 1 << 18], Duration::ZERO)
            }
            "close" => {
                stream.write_all(format!("{head}\r\n").as_bytes())?;
                flood(stream, &[b'x'; 1 << 18], Duration::ZERO)
            }
            "chunks" => {
                stream.write_all(chunked.as_bytes())?;
                flood(stream, &b"1\r\nx\r\n".repeat(10_000), Duration::ZERO)
            }
            "chunk-head" => {
                stream.write_all(format!("{chunked}1;").as_bytes())?;
                flood(stream, b"x", Duration::from_millis(1))
            }
            "gzip" => {
                stream.write_all(format!("{head}\r\n").as_bytes())?;
                flood(stream, &member, Duration::ZERO)
            }
            "twice" => stream.write_all(&whole(&twice)),
            "nothing" => stream.write_all(&whole(&nothing)),
            _ => unreachable!("{path}"),
        }
    });
    for transport in BOTH {
        for kind in ["head", "length", "close", "chunks", "chunk-head", "gzip", "twice", "nothing"] {
            let session = Session::new(options(transport)).unwrap();
            let url = format!("http://{address}/{kind}");
            assert_timeout(&format!("{transport:?} {kind}"), session.get(url)).await;
        }
    }
}

/// A body of a request that never ends, in parts of this size.
fn endless(piece: usize) -> RequestBody {
    let piece = Bytes::from(vec![b'x'; piece]);
    RequestBody::wrap_stream(stream::repeat_with(move || Ok::<_, Infallible>(piece.clone())))
}

#[tokio::test]
async fn requests_time_out_while_a_body_is_sent() {
    let address = peer(|path, stream| {
        if path == "/answers" {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhalf")?;
        }
        std::io::copy(stream, &mut std::io::sink()).map(drop)
    });
    for transport in BOTH {
        for (path, piece) in [("", 1 << 16), ("", 1), ("", 0), ("answers", 1 << 16), ("answers", 0)] {
            let session = Session::new(options(transport)).unwrap();
            let request = session.post(format!("http://{address}/{path}")).body(endless(piece));
            assert_timeout(&format!("{transport:?} pieces of {piece} to /{path}"), request).await;
        }
    }
}

/// A server for HTTP/2 without TLS. It floods its client in frames of 16 kB or 64 bytes, and reads all requests.
async fn http2_peer() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                if request.uri().path() == "/deaf" {
                    std::future::pending::<()>().await;
                }
                if request.uri().path() == "/reads" {
                    use http_body_util::BodyExt;
                    let mut body = request.into_body();
                    while let Some(Ok(_)) = body.frame().await {}
                    return Err("the client has gone");
                }
                let piece = Bytes::from(vec![b'x'; if request.uri().path() == "/small" { 64 } else { 1 << 14 }]);
                let pieces = stream::repeat_with(move || Ok::<_, Infallible>(Frame::data(piece.clone())));
                Ok(hyper::Response::new(StreamBody::new(pieces)))
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeouts_hold_over_http2() {
    let address = http2_peer().await;
    for transport in BOTH {
        for (path, piece) in [("large", None), ("small", None), ("reads", Some(1 << 14)), ("reads", Some(0))] {
            let session = Session::new(options(transport).http2_prior_knowledge()).unwrap();
            let mut request = session.post(format!("http://{address}/{path}"));
            if let Some(piece) = piece {
                request = request.body(endless(piece));
            }
            assert_timeout(&format!("{transport:?} {path} {piece:?}"), request).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_wait_for_servers_that_do_not_read() {
    const PIECE: usize = 1 << 16;
    // More than fits in socket buffers and the windows of HTTP/2.
    const HELD: usize = 16 << 20;
    let http1 = peer(|_, _| {
        thread::sleep(ENDLESS);
        Ok(())
    });
    let http2 = http2_peer().await;
    for transport in BOTH {
        for (name, address, options) in
            [("HTTP/1.1", http1, options(transport)), ("HTTP/2", http2, options(transport).http2_prior_knowledge())]
        {
            let taken = Rc::new(Cell::new(0));
            let counted = taken.clone();
            let pieces = stream::repeat_with(move || {
                counted.set(counted.get() + 1);
                Ok::<_, Infallible>(Bytes::from_static(&[b'x'; PIECE]))
            });
            let session = Session::new(options).unwrap();
            let request = session.post(format!("http://{address}/deaf")).body(RequestBody::wrap_stream(pieces));
            assert_timeout(&format!("{transport:?} over {name}"), request).await;
            assert!((1..HELD / PIECE).contains(&taken.get()), "{transport:?} over {name}: {}", taken.get());
        }
    }
}
