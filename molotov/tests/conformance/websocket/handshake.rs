//! Handshakes: what requests contain, and which responses are refused.

use std::sync::Arc;

use molotov::{
    ErrorKind,
    session::{Session, SessionOptions},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{
    Peer, pair,
    peer::{CLOSE, TEXT, end, whole},
    session, within,
};
use crate::{server::Server, tls};

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
            let head = peer.acceptance("");
            peer.write(&[head, whole(TEXT, "first"), end()].concat()).await;
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
async fn websockets_need_the_direct_transport() {
    let options = SessionOptions::new().transport(molotov::session::Transport::Reqwest);
    let session = Session::new(options).unwrap();
    let error = session.websocket("ws://127.0.0.1:1/").connect().await.unwrap_err().to_string();
    assert!(error.starts_with("only the direct transport supports WebSockets"), "{error}");
    let error = session.websocket("wsx://127.0.0.1:1/").connect().await.unwrap_err().to_string();
    assert!(error.starts_with("the scheme `wsx`"), "{error}");
}

#[tokio::test]
async fn handshakes_follow_redirects() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for (status, location) in [
        (301, "/moved?room=7".to_owned()),
        (302, format!("http://{address}/moved?room=7")),
        (307, "moved?room=7".to_owned()),
        (308, "?room=7".to_owned()),
    ] {
        let server = async {
            let mut first = Peer::accept(&listener).await;
            let head = format!(
                "HTTP/1.1 {status} X\r\nlocation: {location}\r\nset-cookie: id=7\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            first.write(head.as_bytes()).await;
            drop(first);
            let mut second = Peer::accept(&listener).await;
            second.switch("").await;
            second.write(&end()).await;
            second.read_all().await;
            second.head.to_lowercase()
        };
        let client = async {
            let socket = session().websocket(format!("ws://{address}/chat")).subprotocols(["a"]).await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), None);
            socket.send("late").await.unwrap_err().to_string()
        };
        let (head, error) = within(async { tokio::join!(server, client) }).await;
        let path = if status == 308 { "/chat?room=7" } else { "/moved?room=7" };
        assert!(head.starts_with(&format!("get {path} http/1.1\r\n")), "{status}: {head}");
        for line in ["upgrade: websocket", "sec-websocket-protocol: a", "cookie: id=7"] {
            assert!(head.lines().any(|known| known == line), "{status}: no {line} in {head}");
        }
        assert!(error.contains(&format!("ws://{address}{path}")), "{error}");
    }
    let server = Server::start().await;
    let error = session().websocket(server.url("/loop")).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error}");
    let error = session().websocket(server.url("/redirect/302")).connect().await.unwrap_err();
    assert!(error.to_string().starts_with("the server refused the WebSocket with 200 OK"), "{error}");
}

#[tokio::test]
async fn handshakes_over_tls_ask_for_http_1() {
    let authority = tls::Authority::new();
    for (protocols, accepted) in [(vec![], true), (vec!["h2", "http/1.1"], true), (vec!["h2"], false)] {
        let mut config = tls::config(authority.sign("shop.test", false), None);
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { return Vec::new() };
            let mut peer = Peer::over(stream).await;
            peer.switch("").await;
            let mut frames = Vec::new();
            while let Some((opcode, payload)) = peer.read().await {
                peer.write(&whole(opcode, &payload)).await;
                frames.push((opcode, payload));
                if opcode == CLOSE {
                    break;
                }
            }
            frames
        };
        let client = async {
            let options = SessionOptions::new().resolve("shop.test", address).add_root_certificate(authority.root());
            let socket = Session::new(options).unwrap().websocket("wss://shop.test/chat").connect().await?;
            let large = "x".repeat(100_000);
            assert_eq!(socket.request(large.as_str()).await?, large.as_str());
            socket.close(1000, "").await?;
            assert_eq!(socket.close_code(), Some(1000));
            Ok::<_, molotov::Error>(())
        };
        let (frames, result) = within(async { tokio::join!(server, client) }).await;
        if accepted {
            result.unwrap();
            assert_eq!(frames.iter().map(|(_, payload)| payload.len()).collect::<Vec<_>>(), [100_000, 2]);
        } else {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
            assert!(error.to_string().contains("HTTP/1.1"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_was_not_offered_is_refused() {
    for (header, what) in [
        ("sec-websocket-extensions: permessage-deflate\r\n", "the extension `permessage-deflate`"),
        ("sec-websocket-protocol: chat.v3\r\n", "the subprotocol `chat.v3`"),
    ] {
        let (frames, ()) = pair(
            async |mut peer| {
                peer.switch(header).await;
                peer.write(&whole(TEXT, "hello")).await;
                peer.read_all().await
            },
            async |session, url| {
                let error = session.websocket(url).subprotocols(["chat.v2"]).connect().await.unwrap_err();
                let text = format!("the server's handshake is invalid: it chose {what}, which was not offered");
                assert!(error.to_string().starts_with(&text), "{error}");
            },
        )
        .await;
        assert_eq!(frames, []);
    }
}
