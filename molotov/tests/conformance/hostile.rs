//! Hostile servers: responses that are not quite HTTP, bodies without end, and everything else whose size a server chooses.

use std::time::{Duration, Instant};

use async_compression::tokio::bufread::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use bytes::Bytes;
use futures_util::FutureExt;
use molotov::{
    ErrorKind,
    session::{Session, Transport},
};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    BOTH, get, options,
    server::{Server, Step, send},
    session,
};

const TEXT: &str = "to be, or not to be, that is the question; ";

/// The names of codings in tests. `bare` is `deflate` without the header of zlib.
const CODINGS: [&str; 6] = ["gzip", "deflate", "bare", "br", "zstd", "gzip, br"];

pub(crate) fn encoded(text: &[u8], coding: &str) -> Vec<u8> {
    fn all(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut bytes = Vec::new();
        encoder.read_to_end(&mut bytes).now_or_never().unwrap().unwrap();
        bytes
    }
    match coding {
        "gzip" => all(GzipEncoder::new(text)),
        "deflate" => all(ZlibEncoder::new(text)),
        "bare" => all(DeflateEncoder::new(text)),
        "br" => all(BrotliEncoder::new(text)),
        "zstd" => all(ZstdEncoder::new(text)),
        "gzip, br" => encoded(&encoded(text, "gzip"), "br"),
        other => panic!("{other}"),
    }
}

fn chunk(data: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

fn chunked(headers: &str, data: &[u8]) -> Vec<Step> {
    let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{headers}\r\n");
    vec![send(head), send(chunk(data)), Step::Wait, send("0\r\n\r\n")]
}

/// Returns the steps of the server for a path of these tests.
pub(crate) fn script(path: &str) -> Option<Vec<Step>> {
    if let Some(nth) = path.strip_prefix("/accepted/") {
        return Some(vec![send(ACCEPTED[nth.parse::<usize>().unwrap()].1), Step::Close]);
    }
    if let Some(nth) = path.strip_prefix("/refused/") {
        return Some(vec![send(REFUSED[nth.parse::<usize>().unwrap()].1), Step::Close]);
    }
    if let Some(rest) = path.strip_prefix("/coded/") {
        let (coding, framing) = rest.split_once('/').unwrap();
        let coding = CODINGS[coding.parse::<usize>().unwrap()];
        let body = encoded(TEXT.repeat(50).as_bytes(), coding);
        let name = if coding == "bare" { "deflate" } else { coding };
        let headers = format!("content-encoding: {name}\r\n");
        return Some(match framing {
            "chunked" => chunked(&headers, &body),
            _ => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
                let (first, last) = body.split_at(body.len() - 1);
                vec![send(head), send(first), Step::Wait, send(last)]
            }
        });
    }
    if let Some(nth) = path.strip_prefix("/cookies/") {
        let mut headers = String::new();
        for n in 0..60 {
            headers += &format!("set-cookie: c{nth}-{n}={}; Path=/\r\n", "v".repeat(100));
        }
        return Some(chunked(&headers, b"ok"));
    }
    Some(match path {
        "/many-codings" => chunked(&format!("content-encoding: {}gzip\r\n", "deflate,".repeat(8000)), b"data"),
        "/endless" => vec![
            send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
            Step::Repeat(chunk(&[b'x'; 32 * 1024]), usize::MAX),
        ],
        "/bomb" => {
            let zeros = encoded(&vec![0; 1 << 20], "gzip");
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-encoding: gzip\r\n\r\n";
            vec![send(head), Step::Repeat(chunk(&zeros), usize::MAX)]
        }
        "/garbage-without-end" => {
            let data = encoded(TEXT.as_bytes(), "gzip");
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-encoding: gzip\r\n\r\n";
            vec![send(head), send(chunk(&data)), Step::Repeat(chunk(&[b'x'; 32 * 1024]), usize::MAX)]
        }
        "/large" => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", LARGE);
            vec![send(head), Step::Repeat(vec![b'x'; 1 << 20], LARGE >> 20)]
        }
        "/deep-json" => chunked("content-type: application/json\r\n", "[".repeat(500_000).as_bytes()),
        _ => return None,
    })
}

/// The size of a large body.
const LARGE: usize = 64 << 20;

/// Each coding, with and without a length, and with a late end of the framing.
#[tokio::test]
async fn connections_are_reused_after_bodies_with_any_coding() {
    for transport in BOTH {
        let server = Server::start().await;
        let session = session(transport);
        let expected = Bytes::from(TEXT.repeat(50));
        for (nth, coding) in CODINGS.iter().enumerate() {
            for framing in ["length", "chunked"] {
                for _ in 0..3 {
                    let answer = get(&session, &server.url(&format!("/coded/{nth}/{framing}"))).await;
                    assert_eq!(answer, Ok((200, expected.clone())), "{transport:?} {coding} {framing}");
                }
                assert_eq!(server.connections(), 1, "{transport:?} {coding} {framing}");
            }
        }
    }
}

#[tokio::test]
async fn the_number_of_codings_is_limited() {
    let server = Server::start().await;
    for transport in BOTH {
        let url = server.url("/many-codings");
        let error = session(transport).get(&url).send().await.unwrap().bytes().await.unwrap_err();
        assert!(error.is_decode() && error.to_string().contains("8001 content codings"), "{transport:?}: {error}");
        // Dropping the response without reading it does not panic.
        let unread = session(transport).get(&url).send().await.unwrap();
        assert_eq!(unread.status(), 200, "{transport:?}");
    }
}

#[tokio::test]
async fn endless_bodies_fail_at_the_limit() {
    let server = Server::start().await;
    for transport in BOTH {
        let session = Session::new(options(transport).max_body(16 << 20)).unwrap();
        for path in ["/endless", "/bomb"] {
            for buffered in [false, true] {
                let response = session.get(server.url(path)).send().await.unwrap();
                let read = if buffered { response.buffered().await } else { response.bytes().await };
                let error = read.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TooLarge, "{transport:?} {path}: {error}");
                assert!(error.to_string().contains("`max_body`, which is 16777216 bytes"), "{error}");
            }
            // Reading in parts is limited only by the timeout.
            let request = session.get(server.url(path)).timeout(Duration::from_millis(300));
            let before = Instant::now();
            let mut response = request.send().await.unwrap();
            let end = loop {
                match response.chunk().await {
                    Ok(Some(_)) => {}
                    end => break end,
                }
            };
            assert!(end.is_err_and(|error| error.is_timeout()), "{transport:?} {path}");
            assert!(before.elapsed() < Duration::from_secs(3), "{transport:?} {path}: {:?}", before.elapsed());
        }
    }
    for transport in BOTH {
        let answer = get(&session(transport), &server.url("/garbage-without-end")).await;
        assert_eq!(answer, Ok((200, TEXT.into())), "{transport:?}: what follows the data is ignored");
    }
    let exact = Session::new(options(Transport::Direct).max_body(2)).unwrap();
    assert_eq!(get(&exact, &server.url("/")).await, Ok((200, "ok".into())));
    let small = Session::new(options(Transport::Direct).max_body(1)).unwrap();
    assert_eq!(get(&small, &server.url("/")).await, Err(ErrorKind::TooLarge));
}

/// Returns the memory of this process, in bytes. `VmRSS` is the current value, `VmHWM` the maximum.
#[cfg(target_os = "linux")]
pub(crate) fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn large_bodies_are_in_memory_once() {
    let server = Server::start().await;
    let before = memory("VmRSS:");
    for buffered in [true, false] {
        let response = session(Transport::Direct).get(server.url("/large")).send().await.unwrap();
        let body = if buffered { response.buffered().await } else { response.bytes().await };
        assert_eq!(body.unwrap().len(), LARGE);
        let more = memory("VmHWM:") - before;
        assert!(more < LARGE + LARGE / 4, "{} MB for {} MB, buffered: {buffered}", more >> 20, LARGE >> 20);
    }
}

#[tokio::test]
async fn nesting_of_json_is_limited() {
    let server = Server::start().await;
    for transport in BOTH {
        let response = session(transport).get(server.url("/deep-json")).send().await.unwrap();
        let error = response.json::<serde_json::Value>().await.unwrap_err();
        assert!(error.is_decode(), "{transport:?}: {error}");
    }
}

#[tokio::test]
async fn cookies_of_a_server_are_limited() {
    for transport in BOTH {
        let server = Server::start().await;
        let session = session(transport);
        for nth in 0..30 {
            get(&session, &server.url(&format!("/cookies/{nth}"))).await.unwrap();
        }
        get(&session, &server.url("/")).await.unwrap();
        let sent = server.received("/")[0].headers["cookie"].clone();
        assert!(sent.len() < 64 * 1024, "{transport:?}: {} bytes", sent.len());
        // The newest cookies remain.
        assert_eq!(sent.split("; ").filter(|cookie| cookie.starts_with("c29-")).count(), 60, "{transport:?}");
    }
}

/// Responses that deviate from the standard but are unambiguous.
const ACCEPTED: [(&str, &str); 11] = [
    ("bare line feeds", "HTTP/1.1 200 OK\nx: a b\ncontent-length: 2\n\nok"),
    ("bare and whole line ends", "HTTP/1.1 200 OK\r\nx: a b\ncontent-length: 2\r\n\nok"),
    ("a folded header", "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok"),
    ("a header folded by a tab and a bare line feed", "HTTP/1.1 200 OK\r\nx: a\n\tb\r\ncontent-length: 2\r\n\r\nok"),
    ("the same length in two headers", "HTTP/1.1 200 OK\r\nx: a b\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok"),
    ("the same length twice in one header", "HTTP/1.1 200 OK\r\nx: a b\r\ncontent-length: 2, 2\r\n\r\nok"),
    ("no reason", "HTTP/1.1 200\r\nx: a b\r\ncontent-length: 2\r\n\r\nok"),
    (
        "a chunk size with zeros before it",
        "HTTP/1.1 200 OK\r\nx: a b\r\ntransfer-encoding: chunked\r\n\r\n00000000000000000002\r\nok\r\n0\r\n\r\n",
    ),
    (
        "a chunk size with spaces after it",
        "HTTP/1.1 200 OK\r\nx: a b\r\ntransfer-encoding: chunked\r\n\r\n2  \r\nok\r\n0  \r\n\r\n",
    ),
    ("no length and no chunks", "HTTP/1.1 200 OK\r\nx: a b\r\n\r\nok"),
    ("a byte that is no ASCII in a header", "HTTP/1.1 200 OK\r\ny: \u{e4}\r\nx: a b\r\ncontent-length: 2\r\n\r\nok"),
];

/// Responses that two parsers could interpret differently: one sees the end where another sees data.
const REFUSED: [(&str, &str); 20] = [
    ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!"),
    ("two lengths in one header", "HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nok!"),
    (
        "a length and chunks",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    ("a signed length", "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok"),
    ("a length that is no number", "HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok"),
    ("a length that is folded", "HTTP/1.1 200 OK\r\ncontent-length:\r\n 2\r\n\r\nok"),
    ("chunks that are folded", "HTTP/1.1 200 OK\r\ntransfer-encoding:\r\n chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    (
        "chunked twice",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    ("another transfer coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("a space before a colon", "HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok"),
    ("a header without a colon", "HTTP/1.1 200 OK\r\nx\r\ncontent-length: 2\r\n\r\nok"),
    ("a bare carriage return", "HTTP/1.1 200 OK\r\nx: a\rcontent-length: 2\r\n\r\nok"),
    ("a zero byte in a header", "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\nok"),
    ("a continuation of the status line", "HTTP/1.1 200 OK\r\n x: a\r\ncontent-length: 2\r\n\r\nok"),
    ("a space before a chunk size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n 2\r\nok\r\n0\r\n\r\n"),
    ("a chunk size with a prefix", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n"),
    (
        "a chunk line that ends with a bare line feed",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n",
    ),
    ("a chunk longer than its size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok!\r\n0\r\n\r\n"),
    (
        "a chunk size that is too large",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000000000000002\r\nok\r\n0\r\n\r\n",
    ),
];

#[tokio::test]
async fn unambiguous_responses_are_accepted() {
    let server = Server::start().await;
    for transport in BOTH {
        for (nth, (what, _)) in ACCEPTED.iter().enumerate() {
            let response = session(transport).get(server.url(&format!("/accepted/{nth}"))).send().await;
            let response = response.unwrap_or_else(|error| panic!("{transport:?} {what}: {error}"));
            let x = response.headers()["x"].to_str().unwrap().split_whitespace().collect::<Vec<_>>();
            assert_eq!(x, ["a", "b"], "{transport:?} {what}");
            assert_eq!(response.bytes().await.unwrap(), "ok", "{transport:?} {what}");
        }
    }
}

/// Only the direct transport: hyper accepts some of these.
#[tokio::test]
async fn ambiguous_responses_are_rejected() {
    let server = Server::start().await;
    for (nth, (what, _)) in REFUSED.iter().enumerate() {
        let answer = get(&session(Transport::Direct), &server.url(&format!("/refused/{nth}"))).await;
        assert_eq!(answer, Err(ErrorKind::Protocol), "{what}");
    }
}
