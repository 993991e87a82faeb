//! WebSockets against a server that sends any bytes: the cases for clients of the Autobahn test suite (sections 1 to 7, 9 and 10),
//! and what else servers do.

use std::{future::Future, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use molotov::{
    ErrorKind,
    session::{Message, Session, SessionOptions, WebSocket},
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame of a client: opcode and payload.
type Frame = (u8, Vec<u8>);

/// The server's end of a connection.
struct Peer {
    stream: TcpStream,
    /// The head of the client's request.
    head: String,
}

impl Peer {
    async fn accept(listener: &TcpListener) -> Peer {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        Peer { stream, head: String::from_utf8(head).unwrap() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Accepts the handshake, with further headers.
    async fn switch(&mut self, more: &str) {
        let key = self.header("sec-websocket-key").unwrap();
        let key = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let accept = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()));
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-accept: {accept}\r\n{more}\r\n"
        );
        self.write(head.as_bytes()).await;
    }

    /// Writes, unless the client has closed the connection.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Reads a frame; `None` at the end of the connection.
    async fn read(&mut self) -> Option<Frame> {
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
    async fn read_all(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.read().await {
            frames.push(frame);
        }
        frames
    }
}

/// Returns a frame of the server, whose first byte has these bits.
fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
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
fn whole(opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    raw(0x80 | opcode, payload.as_ref())
}

/// Returns a fragment that is not the last one. Opcode 0 continues a message.
fn part(opcode: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    raw(opcode, payload.as_ref())
}

/// Returns the last fragment.
fn last(payload: impl AsRef<[u8]>) -> Vec<u8> {
    whole(0, payload)
}

fn closing(code: u16, reason: &str) -> Vec<u8> {
    whole(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

fn session() -> Session {
    Session::new(SessionOptions::new().timeout(Duration::from_secs(10))).unwrap()
}

/// Runs a server and a client on one connection, and returns the results of both.
async fn pair<A, B>(server: impl AsyncFnOnce(Peer) -> A, client: impl AsyncFnOnce(Session, String) -> B) -> (A, B) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/chat", listener.local_addr().unwrap());
    let both = async { tokio::join!(async { server(Peer::accept(&listener).await).await }, client(session(), url)) };
    within(both).await
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it hangs")
}

/// Sends back what arrives, as the clients of the test suite do. Returns the kind of the error and the close code.
async fn echo(socket: WebSocket) -> (Option<ErrorKind>, Option<u16>) {
    loop {
        match socket.recv().await {
            Ok(Some(message)) => {
                // The server may have closed the connection already.
                let _ = socket.send(message).await;
            }
            Ok(None) => return (None, socket.close_code()),
            Err(error) => return (Some(error.kind()), socket.close_code()),
        }
    }
}

/// How a case ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// The server's close frame, with this code, is confirmed.
    Closed(u16),
    /// The client fails the connection with this code.
    Failed(u16),
}
use End::{Closed, Failed};

/// Sends bytes to an echoing client, in writes of `chop` bytes, and checks what it sends back.
async fn case(id: &str, bytes: Vec<Vec<u8>>, chop: usize, expected: Vec<Frame>, end: End) {
    let bytes = bytes.concat();
    let (frames, result) = pair(
        async |mut peer| {
            peer.switch("").await;
            for part in bytes.chunks(chop) {
                peer.write(part).await;
                if chop < 100 {
                    tokio::task::yield_now().await;
                }
            }
            let mut frames = Vec::new();
            while let Some(frame) = peer.read().await {
                let is_close = frame.0 == CLOSE;
                frames.push(frame);
                if is_close {
                    break;
                }
            }
            frames
        },
        async |session, url| {
            let socket = session.websocket(url).max_message_size(32 << 20).connect().await.unwrap();
            echo(socket).await
        },
    )
    .await;
    let (mut frames, closes): (Vec<_>, Vec<_>) = frames.into_iter().partition(|(opcode, _)| *opcode != CLOSE);
    let codes: Vec<u16> = closes
        .iter()
        .map(|(_, payload)| payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]])))
        .collect();
    match end {
        Closed(code) => assert_eq!((result, codes), ((None, Some(code)), vec![code]), "{id}"),
        Failed(code) => {
            assert_eq!(result.1, Some(code), "{id}");
            assert_eq!(codes, [code], "{id}");
            // The standard does not say how much of what came before is answered.
            frames.truncate(expected.len());
        }
    }
    let short = |frames: &[Frame]| frames.iter().map(|(opcode, payload)| (*opcode, payload.len())).collect::<Vec<_>>();
    assert_eq!(short(&frames), short(&expected), "{id}");
    assert!(frames == expected, "{id}: the content differs");
}

fn end() -> Vec<u8> {
    closing(1000, "")
}

#[tokio::test]
async fn messages_of_all_sizes_are_echoed() {
    for (opcode, fill) in [(TEXT, b'*'), (BINARY, 0xfe)] {
        for (size, chop) in [
            (0, 1 << 20),
            (125, 1 << 20),
            (126, 1 << 20),
            (127, 1 << 20),
            (128, 1 << 20),
            (65535, 1 << 20),
            (65536, 1 << 20),
            (65536, 997),
            (1 << 20, 1 << 20),
            (4 << 20, 1 << 20),
        ] {
            let payload = vec![fill; size];
            let id = format!("1/9: opcode {opcode}, {size} bytes in {chop}");
            case(&id, vec![whole(opcode, &payload), end()], chop, vec![(opcode, payload)], Closed(1000)).await;
        }
        let payload = vec![fill; 1 << 20];
        for size in [64, 4096, 1 << 18] {
            let mut fragments: Vec<_> = payload.chunks(size).map(|chunk| part(0, chunk)).collect();
            fragments[0][0] = opcode;
            let at = fragments.len() - 1;
            fragments[at][0] |= 0x80;
            fragments.push(end());
            let id = format!("9.3/9.4/10: opcode {opcode}, fragments of {size} bytes");
            case(&id, fragments, 1 << 16, vec![(opcode, payload.clone())], Closed(1000)).await;
        }
    }
}

#[tokio::test]
async fn pings_are_answered_and_pongs_ignored() {
    let pong = |payload: &[u8]| (PONG, payload.to_vec());
    let many: Vec<_> = (0..10).map(|n| format!("payload-{n}")).collect();
    let pings: Vec<_> = many.iter().map(|payload| whole(PING, payload)).collect();
    let pongs: Vec<_> = many.iter().map(|payload| pong(payload.as_bytes())).collect();
    let (full, too_long) = ([0xfe; 125], [0xfe; 126]);
    case("2.1", vec![whole(PING, ""), end()], 999, vec![pong(b"")], Closed(1000)).await;
    case("2.2", vec![whole(PING, "Hello"), end()], 999, vec![pong(b"Hello")], Closed(1000)).await;
    case("2.3", vec![whole(PING, b"\x00\xff\xfe"), end()], 999, vec![pong(b"\x00\xff\xfe")], Closed(1000)).await;
    case("2.4", vec![whole(PING, full), end()], 999, vec![pong(&full)], Closed(1000)).await;
    case("2.5", vec![whole(PING, too_long)], 999, vec![], Failed(1002)).await;
    case("2.6", vec![whole(PING, full), end()], 1, vec![pong(&full)], Closed(1000)).await;
    case("2.7", vec![whole(PONG, ""), end()], 999, vec![], Closed(1000)).await;
    case("2.8", vec![whole(PONG, "unsolicited"), end()], 999, vec![], Closed(1000)).await;
    case("2.9", vec![whole(PONG, "unsolicited"), whole(PING, "ping"), end()], 999, vec![pong(b"ping")], Closed(1000))
        .await;
    for (id, chop) in [("2.10", 999), ("2.11", 1)] {
        case(id, [pings.clone(), vec![end()]].concat(), chop, pongs.clone(), Closed(1000)).await;
    }
}

#[tokio::test]
async fn reserved_bits_and_opcodes_fail_the_connection() {
    let hello = || (TEXT, b"Hello".to_vec());
    case("3.1", vec![raw(0x80 | 0x10 | TEXT, b"Hello")], 999, vec![], Failed(1002)).await;
    for (id, bits, chop) in [("3.2", 0x20, 999), ("3.3", 0x30, 999), ("3.4", 0x40, 1)] {
        let frames = vec![whole(TEXT, "Hello"), raw(0x80 | bits | TEXT, b"Hello"), whole(PING, "")];
        case(id, frames, chop, vec![hello()], Failed(1002)).await;
    }
    case("3.5", vec![raw(0x80 | 0x50 | BINARY, b"\x00\xff")], 999, vec![], Failed(1002)).await;
    case("3.6", vec![raw(0x80 | 0x60 | PING, b"Hello")], 999, vec![], Failed(1002)).await;
    case("3.7", vec![raw(0x80 | 0x70 | CLOSE, b"\x03\xe8")], 999, vec![], Failed(1002)).await;
    for opcode in (3..8).chain(11..16) {
        for payload in ["", "reserved opcode payload"] {
            let id = format!("4: opcode {opcode}, {payload:?}");
            case(&id, vec![whole(opcode, payload), whole(PING, "")], 999, vec![], Failed(1002)).await;
            let frames = vec![whole(TEXT, "Hello"), whole(opcode, payload)];
            case(&id, frames, 1, vec![hello()], Failed(1002)).await;
        }
    }
    case("a masked frame", vec![b"\x81\x82\x01\x02\x03\x04\x49\x6b".to_vec()], 999, vec![], Failed(1002)).await;
}

#[tokio::test]
async fn fragments_are_joined_and_control_frames_come_between() {
    let text = |text: &str| (TEXT, text.as_bytes().to_vec());
    case("5.1", vec![part(PING, "fragment1"), last("fragment2")], 999, vec![], Failed(1002)).await;
    case("5.2", vec![part(PONG, "fragment1"), last("fragment2")], 999, vec![], Failed(1002)).await;
    for (id, chop) in [("5.3", 999), ("5.5", 1)] {
        let frames = vec![part(TEXT, "fragment1"), last("fragment2"), end()];
        case(id, frames, chop, vec![text("fragment1fragment2")], Closed(1000)).await;
    }
    for (id, chop) in [("5.6", 999), ("5.8", 1)] {
        let frames = vec![part(TEXT, "fragment1"), whole(PING, "ping"), last("fragment2"), end()];
        case(id, frames, chop, vec![(PONG, b"ping".to_vec()), text("fragment1fragment2")], Closed(1000)).await;
    }
    for (id, first) in [("5.9", last("x")), ("5.12", part(0, "x"))] {
        case(id, vec![first, whole(TEXT, "Hello")], 999, vec![], Failed(1002)).await;
    }
    let frames = vec![part(TEXT, "fragment1"), last("fragment2"), part(0, "x"), part(TEXT, "y"), last("z")];
    case("5.15", frames, 999, vec![text("fragment1fragment2")], Failed(1002)).await;
    case("5.18", vec![part(TEXT, "fragment1"), whole(TEXT, "fragment2")], 999, vec![], Failed(1002)).await;
    for (id, chop) in [("5.19", 999), ("5.20", 1)] {
        let frames = vec![
            part(TEXT, "fragment1"),
            part(0, "fragment2"),
            whole(PING, "pongme 1"),
            part(0, "fragment3"),
            part(0, "fragment4"),
            whole(PING, "pongme 2"),
            last("fragment5"),
            end(),
        ];
        let expected = vec![
            (PONG, b"pongme 1".to_vec()),
            (PONG, b"pongme 2".to_vec()),
            text("fragment1fragment2fragment3fragment4fragment5"),
        ];
        case(id, frames, chop, expected, Closed(1000)).await;
    }
    let frames = vec![part(TEXT, ""), part(0, ""), last(""), part(TEXT, ""), part(0, "middle"), last(""), end()];
    case("6.1", frames, 999, vec![text(""), text("middle")], Closed(1000)).await;
}

#[tokio::test]
async fn text_must_be_utf_8() {
    let valid = [
        "Hello-µ@ßöäüàá-UTF-8!!",
        "κόσμε",
        "\0",
        "\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{ffff}\u{1fffe}",
    ];
    for text in valid {
        let bytes = text.as_bytes();
        let echoed = || vec![(TEXT, bytes.to_vec())];
        case(&format!("6.2: {text:?}"), vec![whole(TEXT, bytes), end()], 999, echoed(), Closed(1000)).await;
        // One byte in each fragment splits characters.
        let mut fragments = vec![part(TEXT, "")];
        fragments.extend(bytes.iter().map(|byte| part(0, [*byte])));
        fragments.extend([last(""), end()]);
        case(&format!("6.2.4: {text:?}"), fragments, 999, echoed(), Closed(1000)).await;
    }
    let invalid: [&[u8]; 24] = [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\x80",
        b"\xbf",
        b"\x80\xbf\x80",
        b"\xc0 \xc1 ",
        b"\xe0 ",
        b"\xf0 ",
        b"\xfc ",
        b"\xc0",
        b"\xe0\x80",
        b"\xf0\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfe",
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xc1\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xf4\x90\x80\x80",
    ];
    for bytes in invalid {
        case(&format!("6.3: {bytes:x?}"), vec![whole(TEXT, bytes)], 999, vec![], Failed(1007)).await;
        let fragments = vec![part(TEXT, &bytes[..1]), last(&bytes[1..])];
        case(&format!("6.4: {bytes:x?}"), fragments, 999, vec![], Failed(1007)).await;
    }
}

#[tokio::test]
async fn close_frames_are_confirmed_with_their_code() {
    let text = || (TEXT, b"Hello".to_vec());
    case("7.1.1", vec![whole(TEXT, "Hello"), end()], 999, vec![text()], Closed(1000)).await;
    case("7.1.2", vec![end(), end()], 999, vec![], Closed(1000)).await;
    case("7.1.3", vec![end(), whole(PING, "")], 999, vec![], Closed(1000)).await;
    case("7.1.4", vec![end(), whole(TEXT, "Hello")], 999, vec![], Closed(1000)).await;
    case("7.1.5", vec![part(TEXT, "fragment1"), end(), last("fragment2")], 999, vec![], Closed(1000)).await;
    let large = vec![b'*'; 256 * 1024];
    let frames = vec![whole(TEXT, &large), whole(TEXT, "Hello"), end(), whole(PING, "")];
    case("7.1.6", frames, 1 << 20, vec![(TEXT, large), text()], Closed(1000)).await;
    case("7.3.1", vec![whole(CLOSE, "")], 999, vec![], Closed(1005)).await;
    case("7.3.2", vec![whole(CLOSE, "a")], 999, vec![], Failed(1002)).await;
    case("7.3.4", vec![closing(1000, "Hello World!")], 999, vec![], Closed(1000)).await;
    case("7.3.5", vec![closing(1000, &"*".repeat(123))], 999, vec![], Closed(1000)).await;
    case("7.3.6", vec![closing(1000, &"*".repeat(124))], 999, vec![], Failed(1002)).await;
    case("7.5.1", vec![whole(CLOSE, b"\x03\xe8\xce\xba\xed\xa0\x80")], 999, vec![], Failed(1007)).await;
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        case(&format!("7.7: {code}"), vec![closing(code, "")], 999, vec![], Closed(code)).await;
    }
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535] {
        case(&format!("7.9: {code}"), vec![closing(code, "")], 999, vec![], Failed(1002)).await;
    }
}

#[tokio::test]
async fn errors_say_how_the_connection_ended() {
    for (bytes, code, kind, text) in [
        (vec![], 1006, ErrorKind::Closed, "the server closed the connection without closing the WebSocket"),
        (part(TEXT, "frag"), 1006, ErrorKind::Closed, "the server closed the connection without closing the WebSocket"),
        (
            whole(3, ""),
            1002,
            ErrorKind::Protocol,
            "the server broke the WebSocket protocol: a frame has the unknown opcode 3",
        ),
        (whole(TEXT, b"\xff"), 1007, ErrorKind::Protocol, "the server sent text that is not UTF-8"),
        (
            whole(TEXT, "123456"),
            1009,
            ErrorKind::TooLarge,
            "a message is larger than `max_message_size`, which is 5 bytes",
        ),
    ] {
        let (frames, ()) = pair(
            async |mut peer| {
                peer.switch("").await;
                peer.write(&bytes).await;
                if code == 1006 { Vec::new() } else { peer.read_all().await }
            },
            async |session, url| {
                let socket = session.websocket(&url).max_message_size(5).connect().await.unwrap();
                for _ in 0..2 {
                    let error = socket.recv().await.unwrap_err();
                    assert_eq!((error.kind(), socket.close_code()), (kind, Some(code)));
                    assert!(error.to_string().starts_with(text), "{error}");
                    assert!(error.to_string().contains(&url), "{error}");
                }
                assert_eq!(socket.send("more").await.unwrap_err().kind(), kind);
            },
        )
        .await;
        let codes: Vec<_> = frames.iter().map(|(_, payload)| u16::from_be_bytes([payload[0], payload[1]])).collect();
        assert_eq!(codes, if code == 1006 { vec![] } else { vec![code] });
    }
}

#[tokio::test]
async fn refusals_have_their_status_and_body() {
    for (head, status, text) in [
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\nno entry\n",
            Some(403),
            "the server refused the WebSocket with 403 Forbidden: `no entry` (GET http://",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            Some(200),
            "the server refused the WebSocket with 200 OK (GET http://",
        ),
        (
            "HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: AA==\r\n\r\n",
            Some(101),
            "the server's handshake is invalid: its `Sec-WebSocket-Accept` does not belong to the key",
        ),
        (
            "HTTP/1.1 101 X\r\nconnection: upgrade\r\n\r\n",
            Some(101),
            "the server's handshake is invalid: its header `Upgrade` is not `websocket`",
        ),
        ("", None, "the server closed the connection without a response"),
    ] {
        let ((), ()) = pair(
            async |mut peer| {
                peer.write(head.as_bytes()).await;
            },
            async |session, url| {
                let error = session.websocket(url).connect().await.unwrap_err();
                assert_eq!(error.status().map(|status| status.as_u16()), status, "{error}");
                assert!(error.to_string().starts_with(text), "{error}");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn handshakes_have_headers_cookies_and_subprotocols() {
    let (head, ()) = pair(
        async |mut peer| {
            peer.switch("sec-websocket-protocol: chat.v1\r\nx-server: yes\r\n").await;
            assert_eq!(peer.read().await, Some((TEXT, b"{\"id\":7}".to_vec())));
            peer.write(&whole(TEXT, "{\"id\":8}")).await;
            peer.read_all().await;
            peer.head.to_lowercase()
        },
        async |_, url| {
            let http = url.replace("ws://", "http://");
            let options = SessionOptions::new().header("x-tenant", "acme").cookie(http, "id=1");
            let session = Session::new(options).unwrap();
            let socket = session
                .websocket(&url)
                .header("origin", "http://a.test")
                .bearer_auth("token")
                .subprotocols(["chat.v2", "chat.v1"])
                .connect()
                .await
                .unwrap();
            assert_eq!(socket.subprotocol(), Some("chat.v1"));
            assert_eq!(socket.headers()["x-server"], "yes");
            socket.send_json(&serde_json::json!({"id": 7})).await.unwrap();
            let reply: serde_json::Value = socket.recv_json().await.unwrap().unwrap();
            assert_eq!(reply["id"], 8);
        },
    )
    .await;
    assert!(head.starts_with("get /chat http/1.1\r\n"), "{head}");
    for line in [
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-protocol: chat.v2,chat.v1",
        "origin: http://a.test",
        "authorization: bearer token",
        "x-tenant: acme",
        "cookie: id=1",
    ] {
        assert!(head.lines().any(|known| known == line), "no {line} in {head}");
    }
}

#[tokio::test]
async fn messages_that_arrive_with_the_handshake_are_received() {
    let (_, ()) = pair(
        async |mut peer| {
            let key = peer.header("sec-websocket-key").unwrap();
            let key = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
            let accept = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()));
            let head = format!(
                "HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
            );
            peer.write(&[head.into_bytes(), whole(TEXT, "first"), end()].concat()).await;
            peer.read_all().await
        },
        async |session, url| {
            let socket = session.websocket(url).await.unwrap();
            assert_eq!(socket.recv().await.unwrap().unwrap(), "first");
            assert_eq!(socket.recv().await.unwrap(), None);
            assert_eq!(socket.close_code(), Some(1000));
        },
    )
    .await;
}

#[tokio::test]
async fn one_future_sends_while_another_receives() {
    const MESSAGES: usize = 2000;
    let payload = "x".repeat(1000);
    let (received, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            let mut received = 0;
            loop {
                match peer.read().await.unwrap() {
                    (CLOSE, payload) => {
                        peer.write(&whole(CLOSE, payload)).await;
                        return received;
                    }
                    (opcode, payload) => {
                        received += 1;
                        peer.write(&whole(opcode, payload)).await;
                    }
                }
            }
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            let send = async {
                for _ in 0..MESSAGES {
                    socket.send(payload.as_str()).await?;
                }
                socket.close(1000, "done").await
            };
            let receive = async {
                let mut received = 0;
                while let Some(message) = socket.recv().await? {
                    assert_eq!(message, payload.as_str());
                    received += 1;
                }
                Ok::<_, molotov::Error>(received)
            };
            let ((), received) = tokio::try_join!(send, receive).unwrap();
            assert_eq!((received, socket.close_code()), (MESSAGES, Some(1000)));
        },
    )
    .await;
    assert_eq!(received, MESSAGES);
}

#[tokio::test]
async fn concurrent_requests_get_their_own_answers() {
    let (_, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            let asked = [peer.read().await.unwrap(), peer.read().await.unwrap(), peer.read().await.unwrap()];
            peer.write(&whole(TEXT, "news")).await;
            // In reverse.
            for (opcode, payload) in asked.into_iter().rev() {
                peer.write(&whole(opcode, payload)).await;
            }
            peer.write(&end()).await;
            peer.read_all().await
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            let ask = |text: &'static str| socket.request(text).matching(move |answer| *answer == text).send();
            let (one, two, three, news) = tokio::join!(ask("1"), ask("2"), ask("3"), socket.recv());
            assert_eq!((one.unwrap(), two.unwrap(), three.unwrap()), ("1".into(), "2".into(), "3".into()));
            assert_eq!(news.unwrap(), Some(Message::from("news")));
            assert_eq!(socket.recv().await.unwrap(), None);
            let error = socket.request("late").await.unwrap_err().to_string();
            assert!(error.starts_with("the server closed the WebSocket with code 1000"), "{error}");
        },
    )
    .await;
}

#[tokio::test]
async fn pings_measure_until_their_pong() {
    let (_, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            let (opcode, payload) = peer.read().await.unwrap();
            assert_eq!(opcode, PING);
            peer.write(&[whole(TEXT, "before"), whole(PONG, "other")].concat()).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
            peer.write(&whole(PONG, payload)).await;
            peer.read_all().await
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            let took = socket.ping().await.unwrap();
            assert!(took >= Duration::from_millis(29), "{took:?}");
            assert_eq!(socket.recv().await.unwrap().unwrap(), "before");
        },
    )
    .await;
}

#[tokio::test]
async fn scenarios_choose_code_and_reason() {
    let (frames, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            let frame = peer.read().await.unwrap();
            peer.write(&[whole(TEXT, "late"), whole(CLOSE, &frame.1)].concat()).await;
            frame
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            for (code, reason) in [(1005, ""), (999, ""), (1000, &*"x".repeat(124))] {
                assert!(socket.close(code, reason).await.unwrap_err().is_builder());
            }
            socket.close(4001, "enough").await.unwrap();
            assert_eq!((socket.close_code(), socket.close_reason().as_deref()), (Some(4001), Some("enough")));
            assert_eq!(socket.recv().await.unwrap().unwrap(), "late");
            assert_eq!(socket.recv().await.unwrap(), None);
            socket.close(1000, "").await.unwrap();
            let error = socket.send("more").await.unwrap_err().to_string();
            assert!(error.starts_with("the scenario closed the WebSocket with code 4001: enough"), "{error}");
        },
    )
    .await;
    assert_eq!(frames, (CLOSE, b"\x0f\xa1enough".to_vec()));
}

#[tokio::test]
async fn dropped_websockets_are_closed() {
    let (frames, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            peer.read_all().await
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            socket.send("hello").await.unwrap();
        },
    )
    .await;
    assert_eq!(frames, [(TEXT, b"hello".to_vec()), (CLOSE, b"\x03\xe8".to_vec())]);
}

#[tokio::test]
async fn servers_that_do_not_answer_time_out() {
    let (_, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            peer.read_all().await
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            let error = socket.request("hello").timeout(Duration::from_millis(20)).await.unwrap_err();
            assert!(error.is_timeout(), "{error}");
            assert!(!socket.is_closed());
        },
    )
    .await;
}

#[tokio::test]
async fn websockets_need_the_direct_transport() {
    let options = SessionOptions::new().transport(molotov::session::Transport::Reqwest);
    let session = Session::new(options).unwrap();
    let error = session.websocket("ws://127.0.0.1:1/").connect().await.unwrap_err().to_string();
    assert!(error.starts_with("only the direct transport supports WebSockets"), "{error}");
    let error = session.websocket("wsx://127.0.0.1:1/").connect().await.unwrap_err().to_string();
    assert!(error.starts_with("the scheme `wsx`"), "{error}");
}
