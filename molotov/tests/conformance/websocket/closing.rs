//! How connections end, and what errors say of it.

use molotov::ErrorKind;

use super::{
    pair,
    peer::{CLOSE, TEXT, part, whole},
};

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
