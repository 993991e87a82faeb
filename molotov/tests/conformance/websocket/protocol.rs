//! The cases for clients of the Autobahn test suite: sections 1 to 7, 9 and 10.

use molotov::{ErrorKind, session::WebSocket};

use super::{
    pair,
    peer::{BINARY, CLOSE, Frame, PING, PONG, TEXT, closing, end, last, part, raw, whole},
};

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
async fn fragments_are_joined_around_control_frames() {
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
