//! Generated responses for sessions with real sockets: redirects, cookies, framings, codings, and damaged bytes.
//!
//! `MOLOTOV_CASES=100000 cargo nextest run -p molotov -E 'test(generated::) + binary(reader)'` runs more cases than CI.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use molotov::session::{Session, SessionOptions, Transport};
use proptest::prelude::*;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use crate::{
    BOTH, cases,
    hostile::encoded,
    server::{Received, request},
};

/// The timeout of requests. The end of the connection ends each response, so none reaches it.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum size of a body, in bytes.
const MAX_BODY: u64 = 1 << 20;

/// The response to a request, in the parts to send.
#[derive(Debug, Clone)]
struct Sent {
    pieces: Vec<Vec<u8>>,
    closes: bool,
}

/// A server that sends the next response for each request, and repeats the last one.
#[derive(Clone, Default)]
struct Replay(Arc<Mutex<(VecDeque<Sent>, Vec<Received>)>>);

impl Replay {
    fn start(runtime: &Runtime) -> (Replay, SocketAddr) {
        let replay = Replay::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = replay.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        (replay, address)
    }

    async fn serve(self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut buffer = Vec::new();
        while let Ok(Some((_, seen))) = request(&mut stream, &mut buffer).await {
            let sent = {
                let (responses, requests) = &mut *self.0.lock().unwrap();
                requests.push(seen);
                if responses.len() > 1 { responses.pop_front() } else { responses.front().cloned() }
            };
            let Some(sent) = sent else { return };
            for piece in &sent.pieces {
                // The client may have closed the connection.
                if stream.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            if sent.closes {
                let _ = stream.shutdown().await;
                return;
            }
        }
    }
}

/// The result of a session with these responses.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    status: u16,
    body: Vec<u8>,
    redirects: usize,
}

/// Sends a request with a new session, and checks that it ends in time and with limited memory.
fn ask(
    runtime: &Runtime,
    (replay, address): &(Replay, SocketAddr),
    responses: &[Sent],
    transport: Transport,
) -> (Result<Got, String>, Vec<Received>) {
    *replay.0.lock().unwrap() = (responses.iter().cloned().collect(), Vec::new());
    let options = SessionOptions::new().transport(transport).timeout(TIMEOUT).max_body(MAX_BODY);
    let session = Session::new(options).unwrap();
    let before = Instant::now();
    let got = runtime.block_on(async {
        let response = session.get(format!("http://{address}/")).send().await?;
        let (status, redirects) = (response.status().as_u16(), response.history().len());
        let body = response.bytes().await?;
        assert!(body.len() as u64 <= MAX_BODY);
        Ok::<_, molotov::http::Error>(Got { status, body: body.to_vec(), redirects })
    });
    assert!(before.elapsed() < TIMEOUT + Duration::from_secs(1), "{:?}: {got:?}", before.elapsed());
    (got.map_err(|error| format!("{error:?}")), replay.0.lock().unwrap().1.clone())
}

/// A response, and its meaning.
#[derive(Debug, Clone)]
struct TestResponse {
    status: u16,
    head: Vec<u8>,
    framed: Vec<u8>,
    body: Vec<u8>,
    cookies: Vec<(String, Option<String>)>,
    closes: bool,
    cuts: Vec<prop::sample::Index>,
}

impl TestResponse {
    fn sent(&self) -> Sent {
        let bytes = [&self.head[..], &self.framed].concat();
        let mut ends: Vec<usize> =
            self.cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([bytes.len()]).collect();
        ends.sort_unstable();
        let mut from = 0;
        let mut pieces = Vec::new();
        for end in ends {
            pieces.push(bytes[from..end].to_vec());
            from = end;
        }
        Sent { pieces, closes: self.closes }
    }
}

/// The framing of a body.
#[derive(Debug, Clone)]
enum Framing {
    Length { twice: bool },
    Chunked { size: usize, padding: String, trailer: bool },
    Close,
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        any::<bool>().prop_map(|twice| Framing::Length { twice }),
        (1_usize..300, "0{0,20}", any::<bool>()).prop_map(|(size, padding, trailer)| Framing::Chunked {
            size,
            padding,
            trailer
        }),
        Just(Framing::Close),
    ]
}

fn codings() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["gzip", "deflate", "bare", "br", "zstd"]), 0..3)
}

/// The properties of a response, except its body and framing.
#[derive(Debug, Clone)]
struct Properties {
    interim: usize,
    line_end: &'static str,
    headers: Vec<(String, String)>,
    folded: bool,
    cookies: Vec<(String, Option<String>)>,
    garbage: bool,
}

fn properties() -> impl Strategy<Value = Properties> {
    let line_end = prop::sample::select(vec!["\r\n", "\r\n", "\n"]);
    let headers = prop::collection::vec(("x-[a-z]{1,8}", "[!-~]([ -~]{0,20}[!-~])?"), 0..5);
    // An empty value removes the cookie.
    let cookies = prop::collection::vec(("[a-e]", prop::option::weighted(0.8, "[a-z0-9]{1,8}")), 0..4);
    (0_usize..3, line_end, headers, prop::bool::weighted(0.2), cookies, prop::bool::weighted(0.2)).prop_map(
        |(interim, line_end, headers, folded, cookies, garbage)| Properties {
            interim,
            line_end,
            headers,
            folded,
            cookies,
            garbage,
        },
    )
}

/// A valid response, though not always by the standard. With a `location`, it is a redirect.
fn response(status: u16, location: Option<String>) -> impl Strategy<Value = TestResponse> {
    let body = prop::collection::vec(any::<u8>(), 0..400);
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (body, codings(), framing(), properties(), cuts).prop_map(move |(body, codings, framing, properties, cuts)| {
        let end = properties.line_end;
        let mut head = format!("HTTP/1.1 103 Early Hints{end}link: </x>{end}{end}").repeat(properties.interim);
        write!(head, "HTTP/1.1 {status} Reason Phrase{end}").unwrap();
        for (name, value) in &properties.headers {
            write!(head, "{name}: {value}{end}").unwrap();
        }
        if properties.folded {
            write!(head, "x-folded: one{end}\ttwo{end}   three{end}").unwrap();
        }
        for (name, value) in &properties.cookies {
            let value = value.clone().unwrap_or_else(|| "; Max-Age=0".to_owned());
            write!(head, "set-cookie: {name}={value}; Path=/{end}").unwrap();
        }
        if let Some(location) = &location {
            write!(head, "location: {location}{end}").unwrap();
        }
        let mut coded = body.clone();
        let mut names = Vec::new();
        for coding in &codings {
            coded = encoded(&coded, coding);
            names.push(if *coding == "bare" { "deflate" } else { coding });
        }
        if !names.is_empty() {
            write!(head, "content-encoding: {}{end}", names.join(", ")).unwrap();
            if properties.garbage {
                coded.extend_from_slice(b"\0\0garbage");
            }
        }
        let mut framed = Vec::new();
        match &framing {
            Framing::Length { twice } => {
                write!(head, "content-length: {}{end}", coded.len()).unwrap();
                if *twice {
                    write!(head, "content-length: {0}, {0}{end}", coded.len()).unwrap();
                }
                framed = coded;
            }
            Framing::Chunked { size, padding, trailer } => {
                write!(head, "transfer-encoding: chunked{end}").unwrap();
                for chunk in coded.chunks(*size) {
                    framed.extend_from_slice(format!("{padding}{:x}\r\n", chunk.len()).as_bytes());
                    framed.extend_from_slice(chunk);
                    framed.extend_from_slice(b"\r\n");
                }
                framed.extend_from_slice(if *trailer { b"0\r\nx-trailer: 1\r\n\r\n" } else { b"0\r\n\r\n" });
            }
            Framing::Close => framed = coded,
        }
        head += end;
        let closes = matches!(framing, Framing::Close);
        TestResponse { status, head: head.into_bytes(), framed, body, cookies: properties.cookies, closes, cuts }
    })
}

/// Redirects and their final response.
fn chain() -> impl Strategy<Value = Vec<TestResponse>> {
    let redirect = (prop::sample::select(vec![301_u16, 302, 303, 307, 308]), "(/[a-z]{1,5}){1,2}(\\?q=[a-z]{1,3})?")
        .prop_flat_map(|(status, location)| response(status, Some(location)));
    let last = prop::sample::select(vec![200_u16, 201, 404, 500]).prop_flat_map(|status| response(status, None));
    (prop::collection::vec(redirect, 0..4), last).prop_map(|(mut chain, last)| {
        chain.push(last);
        chain
    })
}

/// The cookies that are sent after these responses.
fn cookies(responses: &[TestResponse]) -> Option<String> {
    let mut jar = BTreeMap::new();
    for (name, value) in responses.iter().flat_map(|response| &response.cookies) {
        match value {
            Some(value) => jar.insert(name, value),
            None => jar.remove(name),
        };
    }
    let pairs: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some(pairs.join("; ")).filter(|pairs| !pairs.is_empty())
}

/// A change to the bytes of a response.
#[derive(Debug, Clone)]
enum Damage {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, &'static [u8]),
    Remove(prop::sample::Index, usize),
    Truncate(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let fragments: Vec<&[u8]> = vec![
        b"\r",
        b"\n",
        b"\0",
        b" ",
        b"\r\n",
        b"\r\n\r\n",
        b"\n ",
        b"content-length: 3\r\n",
        b"content-length : 3\r\n",
        b"content-length: 99999999999999999999\r\n",
        b"transfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked, gzip\r\n",
        b"content-encoding: gzip, br, deflate, gzip, br, zstd\r\n",
        b"connection: close\r\n",
        b"set-cookie: a=b; Domain=example.com\r\n",
        b"set-cookie: =; Max-Age=99999999999999999999\r\n",
        b"location: http://[\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"ffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"\x1f\x8b",
    ];
    let at = any::<prop::sample::Index>;
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        3 => (at(), prop::sample::select(fragments)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        2 => (at(), 1_usize..20).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => at().prop_map(Damage::Truncate),
    ]
}

fn damaged(mut response: TestResponse, damages: &[Damage]) -> TestResponse {
    let mut bytes = [std::mem::take(&mut response.head), std::mem::take(&mut response.framed)].concat();
    for damage in damages {
        match damage {
            Damage::Replace(at, byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Damage::Replace(..) => {}
            Damage::Insert(at, fragment) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, fragment.iter().copied());
            }
            Damage::Remove(at, count) => {
                let at = at.index(bytes.len() + 1);
                bytes.drain(at..bytes.len().min(at + count));
            }
            Damage::Truncate(at) => bytes.truncate(at.index(bytes.len() + 1)),
        }
    }
    response.framed = bytes;
    // The response is now complete or broken.
    response.closes = true;
    response
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Checks that memory does not grow with the number of responses.
#[cfg(target_os = "linux")]
fn check_memory(before: usize) {
    let more = crate::hostile::memory("VmHWM:").saturating_sub(before);
    assert!(more < 200 << 20, "{} MB more than at the beginning", more >> 20);
}

#[cfg(target_os = "linux")]
fn memory() -> usize {
    crate::hostile::memory("VmRSS:")
}

#[cfg(not(target_os = "linux"))]
fn check_memory(_: usize) {}

#[cfg(not(target_os = "linux"))]
fn memory() -> usize {
    0
}

/// A valid response has the same, expected meaning with both transports, after redirects and with all cookies.
#[test]
fn valid_responses_have_the_expected_meaning() {
    let (runtime, before) = (runtime(), memory());
    let server = Replay::start(&runtime);
    proptest!(cases::config(100), |(chain in chain())| {
        let responses: Vec<_> = chain.iter().map(TestResponse::sent).collect();
        let (last, redirects) = chain.split_last().unwrap();
        let expected = Got { status: last.status, body: last.body.clone(), redirects: redirects.len() };
        for transport in BOTH {
            let (got, seen) = ask(&runtime, &server, &responses, transport);
            prop_assert_eq!(got.as_ref(), Ok(&expected), "{:?}", transport);
            let sent = seen.last().and_then(|seen| seen.headers.get("cookie").cloned());
            prop_assert_eq!(sent, cookies(redirects), "{:?}", transport);
        }
    });
    check_memory(before);
}

/// The direct transport rejects a damaged response, or reads it as hyper does. It is the stricter one.
#[test]
fn damaged_responses_are_rejected_or_read_as_by_hyper() {
    let (runtime, before) = (runtime(), memory());
    let server = Replay::start(&runtime);
    proptest!(cases::config(200), |(chain in chain(), damages in prop::collection::vec(damage(), 1..4))| {
        let mut responses: Vec<_> = chain.iter().map(TestResponse::sent).collect();
        let last = damaged(chain.last().unwrap().clone(), &damages);
        *responses.last_mut().unwrap() = last.sent();
        let (ours, _) = ask(&runtime, &server, &responses, Transport::Direct);
        let (hyper, _) = ask(&runtime, &server, &responses, Transport::Reqwest);
        if ours.is_ok() {
            prop_assert_eq!(ours, hyper, "{:?}", String::from_utf8_lossy(&last.framed));
        }
    });
    check_memory(before);
}
