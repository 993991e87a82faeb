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
