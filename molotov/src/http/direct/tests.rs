//! The direct transport with real sockets.
#![allow(clippy::unwrap_used)]

mod http2;
mod idle;
mod large;
mod pairs;
mod tls;
mod turns;

use std::{cell::Cell, future::poll_fn, net::SocketAddr, rc::Rc, time::Duration, time::Instant};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;
use crate::http::{
    request::{Body, RequestHeaders},
    target::Target,
};

async fn send(direct: &DirectTransport, method: Method, url: &str, mut body: Body) -> Result<TransportResponse, Error> {
    let deadline = Some(Instant::now() + Duration::from_secs(20));
    send_until(direct, method, url, &mut body, deadline).await
}

async fn send_until(
    direct: &DirectTransport,
    method: Method,
    url: &str,
    body: &mut Body,
    deadline: Option<Instant>,
) -> Result<TransportResponse, Error> {
    send_within(direct, method, url, body, deadline, None).await
}

async fn send_within(
    direct: &DirectTransport,
    method: Method,
    url: &str,
    body: &mut Body,
    deadline: Option<Instant>,
    read_timeout: Option<Duration>,
) -> Result<TransportResponse, Error> {
    let target = Target::parse(url).unwrap();
    let headers = HeaderMap::new();
    let streamed = matches!(body, Body::Stream { .. });
    let request = TransportRequest {
        method: &method,
        target: &target,
        headers: RequestHeaders { own: &headers, defaults: None, cookies: None },
        body,
        streamed,
        now: Instant::now(),
        version: None,
        deadline,
        is_distant: false,
        connect_timeout: None,
        read_timeout,
        retried: &Cell::new(0),
        waited: &Cell::new(Duration::ZERO),
    };
    // As on the threads of a run.
    tokio::select! {
        biased;
        () = end_turns() => unreachable!("it does not end"),
        response = direct.execute(request) => response,
    }
}

async fn read(response: &mut TransportResponse) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    while let Some(chunk) = poll_fn(|cx| response.body.poll_chunk(cx)).await {
        all.extend_from_slice(&chunk?);
    }
    Ok(all)
}

/// Reads the head of a request.
async fn request(socket: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => seen.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(seen).unwrap()
}

/// A server that sends the nth list of responses on its nth connection, and then closes the connection.
async fn server(connections: Vec<Vec<&'static [u8]>>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/path?q=1", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answers in connections {
            let (mut socket, _) = listener.accept().await.unwrap();
            for answer in answers {
                requests.push(request(&mut socket).await);
                socket.write_all(answer).await.unwrap();
            }
        }
        requests
    });
    (url, task)
}

fn direct() -> DirectTransport {
    DirectTransport::new(Rc::default())
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn connections_are_reused() {
    let (url, requests) = server(vec![vec![OK, OK, OK]]).await;
    let direct = direct();
    for _ in 0..3 {
        let mut response = send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.body.take_whole().unwrap(), "ok");
    }
    let requests = requests.await.unwrap();
    let host = Target::parse(&url).unwrap().authority.clone();
    assert_eq!(requests[2], format!("GET /path?q=1 HTTP/1.1\r\nhost: {host}\r\n\r\n"));
}

#[tokio::test]
async fn only_requests_without_an_idle_connection_wait() {
    let (url, _served) = server(vec![vec![OK, OK, OK]]).await;
    let (direct, target, headers) = (direct(), Target::parse(&url).unwrap(), HeaderMap::new());
    for is_first in [true, false] {
        let waited = Cell::default();
        let request = TransportRequest {
            method: &Method::GET,
            target: &target,
            headers: RequestHeaders { own: &headers, defaults: None, cookies: None },
            body: &mut Body::Empty,
            streamed: false,
            version: None,
            now: Instant::now(),
            deadline: None,
            is_distant: false,
            connect_timeout: None,
            read_timeout: None,
            retried: &Cell::new(0),
            waited: &waited,
        };
        read(&mut direct.execute(request).await.unwrap()).await.unwrap();
        assert_eq!(!waited.get().is_zero(), is_first);
    }
}

#[tokio::test]
async fn the_longest_connect_timeout_is_accepted() {
    let (url, _) = server(vec![vec![OK]]).await;
    let direct = DirectTransport::new(Rc::new(TransportOptions {
        connect_timeout: Some(Duration::MAX),
        ..TransportOptions::default()
    }));
    assert_eq!(send(&direct, Method::GET, &url, Body::Empty).await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn connections_closed_while_idle_are_replaced() {
    let (url, requests) = server(vec![vec![OK], vec![OK]]).await;
    let direct = direct();
    for _ in 0..2 {
        let mut response = send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
    }
    assert_eq!(requests.await.unwrap().len(), 2);
}

#[tokio::test]
async fn requests_that_are_not_idempotent_are_not_retried() {
    // The server reads the second request, and closes the connection.
    let (url, requests) = server(vec![vec![OK, b""]]).await;
    let direct = direct();
    send(&direct, Method::POST, &url, Body::Empty).await.unwrap();
    let error = send(&direct, Method::POST, &url, Body::Empty).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert!(error.to_string().contains(&format!("(POST {url})")), "{error}");
    assert_eq!(requests.await.unwrap().len(), 2);
}

#[tokio::test]
async fn bodies_with_any_framing_are_read() {
    for (answer, body) in [
        (&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"[..], &b"abc"[..]),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", b"old"),
    ] {
        let (url, requests) = server(vec![vec![answer]]).await;
        let mut response = send(&direct(), Method::GET, &url, Body::Empty).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), body);
        assert!(response.body.is_end());
        requests.await.unwrap();
    }
}

#[tokio::test]
async fn truncated_and_malformed_responses_are_errors() {
    for (answer, kind) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"[..], ErrorKind::Body),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ErrorKind::Body),
        (b"HTTP/1.1 200", ErrorKind::Closed),
        (b"", ErrorKind::Closed),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", ErrorKind::Protocol),
        (b"SSH-2.0-OpenSSH\r\n", ErrorKind::Protocol),
        (b"HTTP/1.1 101 Switching\r\n\r\n", ErrorKind::Protocol),
    ] {
        let (url, _) = server(vec![vec![answer]]).await;
        let error = match send(&direct(), Method::GET, &url, Body::Empty).await {
            Ok(mut response) => read(&mut response).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), kind, "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn large_bodies_are_sent_and_received_concurrently() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    const SIZE: usize = 8 << 20;
    // An echo that responds before it has read the body, and never buffers more than a part.
    let echo = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        request(&mut socket).await;
        socket.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n").as_bytes()).await.unwrap();
        let (mut from, mut to) = socket.split();
        tokio::io::copy(&mut (&mut from).take(SIZE as u64), &mut to).await.unwrap();
        request(&mut socket).await;
        socket.write_all(OK).await.unwrap();
    });
    let direct = direct();
    let body = Bytes::from_iter((0..SIZE).map(|n| (n % 251) as u8));
    let mut response = send(&direct, Method::POST, &url, Body::Bytes(body.clone())).await.unwrap();
    assert!(read(&mut response).await.unwrap() == body);
    // The connection can be used again.
    let mut response = send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    echo.await.unwrap();
}

#[tokio::test]
async fn streams_are_sent_in_chunks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let head = request(&mut socket).await;
        let body = request(&mut socket).await;
        socket.write_all(OK).await.unwrap();
        (head, body)
    });
    let pieces = stream::iter(["hello ", "", "world"].map(|piece| Ok(Bytes::from(piece))));
    let body = Body::Stream { stream: Box::pin(pieces), length: None };
    send(&direct(), Method::PUT, &url, body).await.unwrap();
    let (head, body) = task.await.unwrap();
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    assert_eq!(body, "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
}

#[tokio::test]
async fn requests_to_silent_servers_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let error = send_until(&direct(), Method::GET, &url, &mut Body::Empty, deadline).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_connect(), "{error}");
}

#[tokio::test]
async fn refused_connections_are_connect_errors() {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = send(&direct(), Method::GET, &format!("http://{address}/"), Body::Empty).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    assert!(error.to_string().contains("is the server listening there?"), "{error}");
}

/// Returns an acceptor for a TLS server on `localhost`, and its root certificate.
fn tls_acceptor(alpn: &[&[u8]]) -> (tokio_rustls::TlsAcceptor, crate::http::Certificate) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let root = crate::http::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    (tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config)), root)
}

/// A TLS server by hyper that accepts `connections` connections and responds with the version of HTTP.
async fn tls_server(alpn: &[&[u8]], connections: usize) -> (String, crate::http::Certificate) {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let (acceptor, root) = tls_acceptor(alpn);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        for _ in 0..connections {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(socket).await else { continue };
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let answer = hyper::service::service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                use http_body_util::BodyExt;
                let version = format!("{:?} ", request.version()).into_bytes();
                let body = request.into_body().collect().await?.to_bytes();
                let body = http_body_util::Full::new(Bytes::from([&version[..], &body].concat()));
                Ok::<_, hyper::Error>(hyper::Response::new(body))
            });
            let io = TokioIo::new(stream);
            tokio::spawn(async move {
                if http2 {
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(io, answer)
                        .await
                        .ok();
                } else {
                    hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await.ok();
                }
            });
        }
    });
    (url, root)
}

fn trusting(root: &crate::http::Certificate) -> TransportOptions {
    let mut options = TransportOptions::default();
    options.tls.roots.push(root.clone());
    options.tls.builtin_roots = false;
    options
}

#[tokio::test]
async fn tls_negotiates_the_version() {
    for (alpn, said) in
        [(&[&b"h2"[..], b"http/1.1"][..], "HTTP/2.0 "), (&[b"http/1.1"], "HTTP/1.1 "), (&[], "HTTP/1.1 ")]
    {
        let (url, root) = tls_server(alpn, 1).await;
        let direct = DirectTransport::new(Rc::new(trusting(&root)));
        for _ in 0..3 {
            let mut response = send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
            assert_eq!(read(&mut response).await.unwrap(), said.as_bytes());
        }
        let pieces = stream::iter(["a", "b"].map(|piece| Ok(Bytes::from(piece))));
        let body = Body::Stream { stream: Box::pin(pieces), length: None };
        let mut response = send(&direct, Method::POST, &url, body).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), format!("{said}ab").as_bytes());
    }
}

#[tokio::test]
async fn certificates_are_verified_by_default() {
    let (url, root) = tls_server(&[], 8).await;
    let by_address = url.replace("localhost", "127.0.0.1");
    let (_, other) = tls_server(&[], 0).await;

    let refused = DirectTransport::new(Rc::new(trusting(&other)));
    let error = send(&refused, Method::GET, &url, Body::Empty).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Tls && error.is_connect(), "{error}");

    let named = DirectTransport::new(Rc::new(trusting(&root)));
    let error = send(&named, Method::GET, &by_address, Body::Empty).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");

    let mut options = trusting(&root);
    options.tls.accept_invalid_hostnames = true;
    let any_name = DirectTransport::new(Rc::new(options));
    send(&any_name, Method::GET, &by_address, Body::Empty).await.unwrap();

    let mut options = trusting(&other);
    options.tls.accept_invalid_certs = true;
    let unchecked = DirectTransport::new(Rc::new(options));
    send(&unchecked, Method::GET, &url, Body::Empty).await.unwrap();
}

#[tokio::test]
async fn concurrent_connections_are_limited() {
    let (url, requests) = server(vec![vec![OK, OK, OK]]).await;
    let direct =
        DirectTransport::new(Rc::new(TransportOptions { max_connections: Some(1), ..TransportOptions::default() }));
    let one = || async { send(&direct, Method::GET, &url, Body::Empty).await.unwrap().status };
    assert_eq!(tokio::join!(one(), one(), one()), (StatusCode::OK, StatusCode::OK, StatusCode::OK));
    assert_eq!(requests.await.unwrap().len(), 3);
}
