//! The HTTP/1.1 reader compared with hyper's on generated responses that are split at random positions, and checked with
//! the corpus of the fuzzer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
#[path = "../../fuzz/fuzz_targets/pieces.rs"]
mod pieces;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use molotov::__private::h1::parse_response;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Reads a response with hyper. It arrives in these parts before the connection is closed.
fn by_hyper(pieces: Vec<Vec<u8>>) -> Result<(u16, Vec<u8>), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let (client, mut server) = tokio::io::duplex(1 << 20);
        let serving = tokio::spawn(async move {
            let mut request = [0; 1024];
            let _ = server.read(&mut request).await;
            for piece in pieces {
                // The client may have closed the connection.
                if server.write_all(&piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(client))
            .await
            .map_err(|error| error.to_string())?;
        let connection = tokio::spawn(connection);
        let request = hyper::Request::get("/").header("host", "x").body(Empty::<Bytes>::new()).unwrap();
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
            Ok((status, body.to_bytes().to_vec()))
        };
        let answer = answer.await;
        drop(sender);
        let _ = tokio::join!(serving, connection);
        answer
    })
}

fn by_us(bytes: &[u8], piece: usize) -> Result<(u16, Vec<u8>), String> {
    match parse_response(bytes, &Method::GET, piece, true)? {
        Some(parsed) if parsed.complete => Ok((parsed.status, parsed.body)),
        Some(_) => Err("the body is incomplete".to_owned()),
        None => Err("the head is incomplete".to_owned()),
    }
}

fn cut(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.sort_unstable();
    let mut from = 0;
    let mut pieces = Vec::new();
    for end in ends.into_iter().chain([bytes.len()]) {
        pieces.push(bytes[from..end].to_vec());
        from = end;
    }
    pieces
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

/// A response with any framing.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let status = prop::sample::select(vec![200_u16, 201, 204, 206, 301, 304, 404, 500, 599]);
    let header = "[A-Za-z][A-Za-z0-9-]{0,12}".prop_map(|name| format!("X-{name}"));
    let headers = prop::collection::vec((header, "[ -~]{0,30}"), 0..6);
    let interim = prop::collection::vec(prop::sample::select(vec![100_u16, 102, 103]), 0..2);
    let framing = prop_oneof![
        body().prop_map(|body| {
            let mut bytes = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
            bytes.extend(body);
            bytes
        }),
        (prop::collection::vec(body(), 0..4), "(;[a-z]{1,5}(=[a-z0-9]{1,5})?)?", prop::bool::ANY).prop_map(
            |(chunks, extension, trailer)| {
                let mut bytes = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    bytes.extend(format!("{:X}{extension}\r\n", chunk.len()).into_bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n");
                if trailer {
                    bytes.extend(b"X-Checksum: 1\r\n");
                }
                bytes.extend(b"\r\n");
                bytes
            }
        ),
        body().prop_map(|body| [b"Connection: close\r\n\r\n".to_vec(), body].concat()),
    ];
    (status, headers, interim, framing).prop_map(|(status, headers, interim, framing)| {
        let mut bytes = Vec::new();
        for status in interim {
            bytes.extend(format!("HTTP/1.1 {status} Wait\r\nlink: </x>\r\n\r\n").into_bytes());
        }
        bytes.extend(format!("HTTP/1.1 {status} Reason Phrase\r\n").into_bytes());
        for (name, value) in headers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        bytes.extend(framing);
        bytes
    })
}

proptest! {
    #![proptest_config(cases::config(400))]

    /// Both read a valid response alike, wherever it is split.
    #[test]
    fn valid_responses_are_read_as_by_hyper(
        bytes in response(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        piece in 1_usize..400,
    ) {
        let hyper = by_hyper(cut(&bytes, &cuts));
        prop_assert!(hyper.is_ok(), "{:?}", hyper);
        prop_assert_eq!(by_us(&bytes, piece), hyper);
    }

    /// A damaged response is rejected or read as by hyper. The reader is the stricter one.
    #[test]
    fn damaged_responses_are_rejected_or_read_as_by_hyper(
        bytes in response(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        keep in any::<prop::sample::Index>(),
        piece in 1_usize..400,
    ) {
        let mut bytes = bytes;
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if keep.index(4) == 0 {
            bytes.truncate(keep.index(bytes.len()));
        }
        if let Ok(ours) = by_us(&bytes, piece) {
            let hyper = by_hyper(vec![bytes.clone()]);
            prop_assert_eq!(Ok(ours), hyper, "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

/// The corpus is read alike in one part and in many.
#[test]
fn the_corpus_is_read_alike_in_parts() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/response");
    let mut files = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        pieces::check(&std::fs::read(file.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 10, "the corpus is there");
}
