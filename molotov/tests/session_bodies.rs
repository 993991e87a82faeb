//! Bodies of responses: read in every way, empty ones that claim to be compressed, failures that say where.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use molotov::session::{Session, SessionOptions, Transport};
use std::io;

const BOTH: [Transport; 2] = [Transport::Direct, Transport::Reqwest];

fn session(transport: Transport) -> Session {
    Session::new(SessionOptions::new().transport(transport)).unwrap()
}

async fn server() -> SocketAddr {
    let parts = |parts: &'static [&'static str]| {
        stream::iter(parts).then(|part| async move {
            tokio::task::yield_now().await;
            Ok::<_, io::Error>(Bytes::from_static(part.as_bytes()))
        })
    };
    let router = Router::new()
        .route("/parts", get(move || async move { Body::from_stream(parts(&["{\"a\":", " [1, 2]", "}"])) }))
        .route(
            "/empty/{coding}",
            get(move |coding: axum::extract::Path<String>| async move {
                ([("content-encoding", coding.0)], Body::from_stream(parts(&[])))
            }),
        )
        .route(
            "/breaks",
            get(|| async {
                let broken = stream::iter([Ok(Bytes::from_static(b"begin")), Err(io::Error::other("enough"))]);
                Body::from_stream(broken.then(|part| async {
                    tokio::task::yield_now().await;
                    part
                }))
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn a_body_may_be_looked_at_and_read_after() {
    let address = server().await;
    for transport in BOTH {
        let send = || async { session(transport).get(format!("http://{address}/parts")).send().await.unwrap() };
        let whole = "{\"a\": [1, 2]}";
        let response = send().await;
        assert_eq!(response.buffered().await.unwrap(), whole);
        assert_eq!(response.buffered().await.unwrap(), whole);
        assert_eq!(response.json::<serde_json::Value>().await.unwrap()["a"][1], 2);
        let streamed: Vec<Bytes> = send().await.bytes_stream().try_collect().await.unwrap();
        assert_eq!(streamed.concat(), whole.as_bytes());
        let mut response = send().await;
        let mut read = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            read.extend_from_slice(&chunk);
        }
        assert_eq!((read, response.text().await.unwrap()), (whole.into(), String::new()));
    }
}

#[tokio::test]
async fn an_empty_body_is_empty_however_it_is_compressed() {
    let address = server().await;
    for transport in BOTH {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let response = session(transport).get(format!("http://{address}/empty/{coding}")).send().await.unwrap();
            let body = response.bytes().await;
            assert!(body.as_ref().is_ok_and(Bytes::is_empty), "{transport:?} {coding}: {body:?}");
        }
    }
}

#[tokio::test]
async fn a_broken_body_says_where_it_came_from() {
    let address = server().await;
    for transport in BOTH {
        let url = format!("http://{address}/breaks");
        let send = || async { session(transport).get(&url).send().await.unwrap() };
        let whole = send().await.bytes().await.unwrap_err();
        let streamed = send().await.bytes_stream().try_collect::<Vec<_>>().await.unwrap_err();
        let kept = send().await;
        let looked = kept.buffered().await.unwrap_err();
        let after = kept.bytes().await.unwrap_err();
        for (how, error) in [("bytes", whole), ("stream", streamed), ("buffered", looked), ("after", after)] {
            assert_eq!(error.url().map(|url| url.path()), Some("/breaks"), "{transport:?} {how}: {error}");
        }
    }
}

/// Returns bytes in which each has a different neighborhood.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// A server that keeps its connections, and answers `/FRAMING/SIZE/CUT` in two parts: `CUT` bytes of the response, and the rest.
async fn large_server() -> SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                loop {
                    let Ok(length @ 1..) = stream.read(&mut request).await else { return };
                    let line = String::from_utf8_lossy(&request[..length]).into_owned();
                    let mut parts = line.split([' ', '/']).skip(2);
                    let framing = parts.next().unwrap();
                    let [size, cut] = [(); 2].map(|()| parts.next().unwrap().parse::<usize>().unwrap());
                    let body = pattern(size);
                    let mut response = match framing {
                        "length" => format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes(),
                        "chunked" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
                        _ => b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(),
                    };
                    if framing == "chunked" {
                        for chunk in body.chunks(9_000) {
                            response.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                            response.extend_from_slice(chunk);
                            response.extend_from_slice(b"\r\n");
                        }
                        response.extend_from_slice(b"0\r\n\r\n");
                    } else {
                        response.extend_from_slice(&body);
                    }
                    let (first, rest) = response.split_at(cut.min(response.len()));
                    for part in [first, rest] {
                        if stream.write_all(part).await.is_err() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                    if framing == "close" {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn large_bodies_arrive_unchanged_in_any_parts() {
    let address = large_server().await;
    let session = session(Transport::Direct);
    for size in [16_383, 16_384, 65_000, 100_000, 262_144, 262_145, 700_000] {
        let whole = pattern(size);
        for framing in ["length", "chunked", "close"] {
            for cut in [1, 70, 1_000, 30_000, 90_000, 262_144, 1 << 20] {
                let url = format!("http://{address}/{framing}/{size}/{cut}");
                let read = session.get(&url).send().await.unwrap().bytes().await.unwrap();
                assert!(read == whole, "{url}");
                let mut response = session.get(&url).send().await.unwrap();
                // What was read so far is kept while more is read.
                let mut chunks = Vec::new();
                while let Some(chunk) = response.chunk().await.unwrap() {
                    chunks.push(chunk);
                }
                assert!(chunks.concat() == whole && read == whole, "{url}");
            }
        }
    }
}
