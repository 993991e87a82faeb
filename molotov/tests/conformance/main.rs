//! Both transports against a server that misbehaves on demand: they behave alike, and do not hang or panic.
//!
//! Some differences remain. The tests name them:
//! - hyper, in the `reqwest` transport, accepts a length together with chunks. The direct transport rejects it.
//! - If a reused connection closes without a response, the direct transport sends idempotent requests again on a new
//!   connection. hyper does so only if nothing was written.
//! - The kind of error for a broken response may differ: `closed`, `body` or `protocol`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../cases/mod.rs"]
mod cases;
mod deadlines;
mod generated;
mod hostile;
mod retries;
mod server;
mod tls;
mod websocket;

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use molotov::{
    ErrorKind,
    session::{Redirect, RequestBody, Session, SessionOptions, Transport},
};
use server::{Server, Upload};
use tokio::sync::mpsc;

const BOTH: [Transport; 2] = [Transport::Direct, Transport::Reqwest];

fn options(transport: Transport) -> SessionOptions {
    SessionOptions::new().transport(transport).timeout(Duration::from_secs(10))
}

fn session(transport: Transport) -> Session {
    Session::new(options(transport)).unwrap()
}

async fn get(session: &Session, url: &str) -> Result<(u16, Bytes), ErrorKind> {
    let response = session.get(url).send().await.map_err(|error| error.kind())?;
    let status = response.status().as_u16();
    Ok((status, response.bytes().await.map_err(|error| error.kind())?))
}

#[tokio::test]
async fn responses_are_read_with_any_framing() {
    let server = Server::start().await;
    for transport in BOTH {
        let session = session(transport);
        for (path, status, body) in [
            ("/", 200, "ok"),
            ("/chunked", 200, "hello world"),
            ("/no-length", 200, "until the end"),
            ("/slow-head", 200, "ok"),
            ("/1.0", 200, "old"),
            ("/1.0-kept", 200, "old"),
            ("/1.0-kept", 200, "old"),
            ("/100", 200, "ok"),
            ("/103", 200, "ok"),
            ("/204", 204, ""),
            ("/304", 304, ""),
            ("/no-location", 302, "ok"),
            ("/closes-after", 200, "ok"),
            ("/says-close", 200, "ok"),
            ("/", 200, "ok"),
        ] {
            let answer = get(&session, &server.url(path)).await;
            assert_eq!(answer, Ok((status, Bytes::from_static(body.as_bytes()))), "{transport:?} {path}");
        }
        let head = session.head(server.url("/head")).send().await.unwrap();
        assert_eq!(head.content_length(), Some(500));
        assert_eq!(head.bytes().await.unwrap(), "");
        assert_eq!(get(&session, &server.url("/")).await, Ok((200, "ok".into())), "{transport:?} after HEAD");
    }
}

#[tokio::test]
async fn broken_responses_are_errors_of_the_right_kind() {
    use ErrorKind::{Body, Closed, Decode, Protocol};
    let server = Server::start().await;
    let cases: [(&str, &[ErrorKind]); 14] = [
        ("/half-body", &[Body]),
        ("/half-chunk", &[Body]),
        ("/reset-in-body", &[Body]),
        ("/no-answer", &[Closed]),
        ("/reset-before", &[Closed]),
        ("/half-head", &[Closed]),
        ("/endless-head", &[Protocol]),
        ("/garbage", &[Protocol]),
        ("/two-lengths", &[Protocol]),
        ("/bad-chunk", &[Protocol, Body]),
        ("/negative-length", &[Protocol]),
        ("/overflowing-length", &[Protocol]),
        ("/length-and-chunked", &[Protocol]),
        ("/wrong-gzip", &[Decode]),
    ];
    for transport in BOTH {
        for (path, kinds) in cases {
            let lenient = transport == Transport::Reqwest && path == "/length-and-chunked";
            let before = Instant::now();
            let answer = get(&session(transport), &server.url(path)).await;
            assert!(before.elapsed() < Duration::from_secs(9), "{transport:?} {path} took all its time");
            match answer {
                Ok((200, body)) if lenient => assert_eq!(body, "ok"),
                Err(kind) => assert!(kinds.contains(&kind), "{transport:?} {path}: {kind:?}"),
                answer => panic!("{transport:?} {path}: {answer:?}"),
            }
        }
    }
}

#[tokio::test]
async fn huge_heads_are_read_up_to_a_limit() {
    let server = Server::start().await;
    for transport in BOTH {
        let response = session(transport).get(server.url("/huge-headers")).send().await.unwrap();
        assert_eq!(response.headers().get_all("x").iter().count(), 60, "{transport:?}");
    }
}

#[tokio::test]
async fn requests_end_at_their_timeout() {
    let server = Server::start().await;
    for transport in BOTH {
        for path in ["/hang", "/hang-in-body"] {
            let before = Instant::now();
            let session = session(transport);
            let answer =
                async { session.get(server.url(path)).timeout(Duration::from_millis(100)).send().await?.bytes().await };
            let error = answer.await.unwrap_err();
            assert!(error.is_timeout(), "{transport:?} {path}: {error}");
            assert!(before.elapsed() >= Duration::from_millis(95) && before.elapsed() < Duration::from_secs(5));
        }
    }
}

#[tokio::test]
async fn retries_idempotent_requests_on_stale_connections() {
    for (method, replayed) in [("GET", true), ("PUT", true), ("POST", false)] {
        let server = Server::start().await;
        let session = session(Transport::Direct);
        let ask = async || {
            let method = http::Method::from_bytes(method.as_bytes()).unwrap();
            session.request(method, server.url("/stale")).body("x").send().await?.bytes().await
        };
        ask().await.unwrap();
        // The server has read the second request when it closes the connection, and may have processed it.
        let second = ask().await;
        assert_eq!(second.is_ok(), replayed, "{method}: {second:?}");
        if let Err(error) = second {
            assert_eq!(error.kind(), ErrorKind::Closed);
        }
        assert_eq!(server.received("/stale").len(), if replayed { 3 } else { 2 }, "{method}");
    }
}

#[tokio::test]
async fn connections_closed_while_idle_are_replaced() {
    let server = Server::start().await;
    for transport in BOTH {
        let session = session(transport);
        for _ in 0..10 {
            // A POST is not sent again, so it fails if a stale connection goes unnoticed.
            let response = session.post(server.url("/says-close")).body("x").send().await.unwrap();
            assert_eq!(response.bytes().await.unwrap(), "ok", "{transport:?}");
        }
    }
    assert_eq!(server.received("/says-close").len(), 20);
}

#[tokio::test]
async fn connections_are_reused_unless_bytes_follow_the_response() {
    for transport in BOTH {
        let server = Server::start().await;
        let session = session(transport);
        for _ in 0..1000 {
            assert_eq!(get(&session, &server.url("/")).await, Ok((200, "ok".into())));
        }
        assert_eq!((server.connections(), server.received("/").len()), (1, 1000), "{transport:?}");
        let extra = session.get(server.url("/extra")).send().await.unwrap();
        assert_eq!(extra.bytes().await.unwrap(), "ok", "{transport:?}");
        assert_eq!(get(&session, &server.url("/")).await, Ok((200, "ok".into())), "{transport:?}");

        let closing = Session::new(options(transport).keep_alive(false)).unwrap();
        let before = server.connections();
        for _ in 0..5 {
            get(&closing, &server.url("/told-to-close")).await.unwrap();
        }
        assert_eq!(server.connections() - before, 5, "{transport:?}");
        assert!(
            server.received("/told-to-close").iter().all(|seen| seen.headers["connection"] == "close"),
            "{transport:?}"
        );
    }
}

#[tokio::test]
async fn credentials_of_a_url_are_sent_as_basic_authorization() {
    const ADA: &str = "Basic YWRhOnBhNTU=";
    for transport in BOTH {
        let server = Server::start().await;
        let url = |path: &str| server.url(path).replace("http://", "http://ada:pa55@");
        let sent = |path: &str| server.received(path).pop().unwrap().headers.get("authorization").cloned();
        let session = Session::new(options(transport).bearer_auth("of-the-session")).unwrap();
        let response = session.get(url("/")).query(&[("a", "b")]).send().await.unwrap();
        assert_eq!(response.url().as_str(), server.url("/?a=b"), "{transport:?}");
        assert_eq!(sent("/?a=b").as_deref(), Some(ADA), "{transport:?}");
        // A header of the request replaces it, however it is set.
        session.get(url("/")).header("authorization", "Bearer own").send().await.unwrap();
        assert_eq!(sent("/").as_deref(), Some("Bearer own"), "{transport:?}");
        session.get(url("/")).basic_auth("eve", Some("s3cret")).send().await.unwrap();
        assert_eq!(sent("/").as_deref(), Some("Basic ZXZlOnMzY3JldA=="), "{transport:?}");
        // They are sent only to their origin, and a redirect may bring others.
        for (path, authorization) in
            [("/redirect/302", Some(ADA)), ("/cross", None), ("/to-eve", Some("Basic ZXZlOnMzY3JldA=="))]
        {
            let response = session.get(url(path)).send().await.unwrap();
            assert!(!response.url().as_str().contains('@'), "{}", response.url());
            assert_eq!(sent("/landed").as_deref(), authorization, "{transport:?} {path}");
        }
    }
}

#[tokio::test]
async fn redirects_change_the_method_as_in_browsers() {
    let server = Server::start().await;
    for transport in BOTH {
        for (status, method, then, body) in [
            (301, "GET", "GET", ""),
            (301, "POST", "GET", ""),
            (302, "POST", "GET", ""),
            (302, "PUT", "PUT", "data"),
            (303, "PUT", "GET", ""),
            (303, "HEAD", "HEAD", ""),
            (307, "POST", "POST", "data"),
            (308, "POST", "POST", "data"),
        ] {
            let server = Server::start().await;
            let method = http::Method::from_bytes(method.as_bytes()).unwrap();
            let sent = if matches!(method, http::Method::GET | http::Method::HEAD) { "" } else { "data" };
            let mut request = session(transport).request(method.clone(), server.url(&format!("/redirect/{status}")));
            if !sent.is_empty() {
                request = request.header("content-type", "text/plain").body(sent);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.url().path(), "/landed", "{transport:?} {status} {method}");
            assert_eq!(response.history().len(), 1);
            assert_eq!(response.history()[0].status(), status);
            let landed = &server.received("/landed")[0];
            assert_eq!((landed.method.as_str(), landed.body.as_slice()), (then, body.as_bytes()), "{status} {method}");
            assert_eq!(landed.headers.contains_key("content-type"), !body.is_empty(), "{status} {method}");
        }
        let session = session(transport);
        assert_eq!(get(&session, &server.url("/loop")).await, Err(ErrorKind::Redirect));
        assert_eq!(get(&session, &server.url("/to-nowhere")).await, Err(ErrorKind::Redirect));
        let relative = session.get(server.url("/relative/a")).send().await.unwrap();
        assert_eq!((relative.url().path(), relative.url().query()), ("/relative/b", Some("x=1")));
        let not_followed = Session::new(options(transport).redirect(Redirect::none())).unwrap();
        assert_eq!(get(&not_followed, &server.url("/redirect/302")).await.unwrap().0, 302);
    }
    assert_eq!(server.received("/loop").len(), 22, "eleven for each transport: one, and ten redirects");
}

#[tokio::test]
async fn secrets_are_not_sent_to_other_servers() {
    for transport in BOTH {
        let server = Server::start().await;
        let options = options(transport).bearer_auth("default").resolve("localhost", server.address);
        let session = Session::new(options).unwrap();
        let request = session.post(server.url("/cross")).header("cookie", "id=1").header("x-own", "1").body("data");
        request.send().await.unwrap();
        let first = &server.received("/cross")[0];
        assert!(first.headers.contains_key("authorization") && first.headers.contains_key("cookie"));
        let landed = &server.received("/landed")[0];
        assert!(!landed.headers.contains_key("authorization") && !landed.headers.contains_key("cookie"), "{landed:?}");
        assert_eq!((landed.headers["x-own"].as_str(), landed.body.as_slice()), ("1", &b"data"[..]));
        assert!(landed.headers["host"].starts_with("localhost:"), "{landed:?}");
    }
}

#[tokio::test]
async fn cookies_belong_to_a_worker() {
    for transport in BOTH {
        let server = Server::start().await;
        let session = session(transport);
        let response = session.get(server.url("/set-cookie")).send().await.unwrap();
        assert_eq!(response.cookies().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        session.get(server.url("/next")).send().await.unwrap();
        assert_eq!(server.received("/next")[0].headers.get("cookie").map(String::as_str), Some("a=1"));
        let other = Session::new(options(transport).cookie(server.url("/"), "c=3")).unwrap();
        other.get(server.url("/next")).send().await.unwrap();
        assert_eq!(server.received("/next")[1].headers.get("cookie").map(String::as_str), Some("c=3"));
    }
}

#[tokio::test]
async fn bodies_are_sent_whole_or_streamed_until_a_response_ends_them() {
    for transport in BOTH {
        let server = Server::start().await;
        let session = session(transport);
        let large = "x".repeat(3_000_000);
        let parts = || stream::iter(["hello", " ", "", "world"].map(Ok::<_, std::io::Error>));
        session.post(server.url("/a")).body(large.clone()).send().await.unwrap();
        session.post(server.url("/a")).body(RequestBody::wrap_stream(parts())).send().await.unwrap();
        session.post(server.url("/a")).body(RequestBody::sized_stream(11, parts())).send().await.unwrap();
        session.post(server.url("/a")).json(&serde_json::json!({"a": 1})).send().await.unwrap();
        session.post(server.url("/a")).form(&[("a", "b c"), ("d", "ä&")]).send().await.unwrap();
        let seen = server.received("/a");
        assert!(seen[0].body == large.as_bytes(), "{transport:?}");
        assert_eq!(seen[1].headers.get("transfer-encoding").map(String::as_str), Some("chunked"));
        assert_eq!((seen[1].body.as_slice(), seen[2].body.as_slice()), (&b"hello world"[..], &b"hello world"[..]));
        assert_eq!(seen[2].headers["content-length"], "11");
        assert_eq!(
            (seen[3].body.as_slice(), seen[3].headers["content-type"].as_str()),
            (&br#"{"a":1}"#[..], "application/json")
        );
        assert_eq!(seen[4].body, b"a=b+c&d=%C3%A4%26");
        let wrong = session.post(server.url("/b")).body(RequestBody::sized_stream(12, parts())).send().await;
        assert!(wrong.is_err(), "{transport:?}: a body that is shorter than stated");
    }
    // A response before the end of the body ends the upload.
    for transport in BOTH {
        let server = Server::start().await;
        let large = "x".repeat(20_000_000);
        let response = session(transport).post(server.url("/early-answer")).body(large).send().await.unwrap();
        assert_eq!(response.status(), 413, "{transport:?}");
    }
}

/// A body with the parts that the test sends. It ends when the test drops the sender.
fn growing() -> (mpsc::UnboundedSender<&'static str>, RequestBody) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let parts = stream::unfold(receiver, async |mut receiver: mpsc::UnboundedReceiver<&'static str>| {
        Some((Ok::<_, std::io::Error>(receiver.recv().await?), receiver))
    });
    (sender, RequestBody::wrap_stream(parts))
}

#[tokio::test]
async fn bodies_are_sent_while_the_response_is_read() {
    let server = Server::start().await;
    for transport in BOTH {
        let (sender, body) = growing();
        sender.send("first").unwrap();
        let mut response = session(transport).post(server.url("/echo")).body(body).send().await.unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "first", "{transport:?}");
        sender.send("second").unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "second", "{transport:?}");
        drop(sender);
        assert_eq!(response.chunk().await.unwrap(), None, "{transport:?}");
        assert_eq!(server.upload().await, Upload::Complete(11), "{transport:?}");
    }
}

#[tokio::test]
async fn incomplete_bodies_do_not_look_complete() {
    let server = Server::start().await;
    for transport in BOTH {
        // The response ends, or is dropped, before the body.
        for path in ["/answers-first", "/echo"] {
            let (sender, body) = growing();
            sender.send("first").unwrap();
            let response = session(transport).post(server.url(path)).body(body).send().await.unwrap();
            assert_eq!(response.status(), 200);
            if path == "/answers-first" {
                assert_eq!(response.bytes().await.unwrap(), "ok", "{transport:?}");
            } else {
                drop(response);
            }
            assert_eq!(server.upload().await, Upload::CutShort, "{transport:?} {path}");
        }
    }
}

#[tokio::test]
async fn secrets_stay_with_their_server_when_caches_are_full() {
    for transport in BOTH {
        let server = Server::start().await;
        let session = session(transport);
        let request = session.post(server.url("/redirect/307")).bearer_auth("secret").body("data");
        for n in 0..5000 {
            let _ = session.get(format!("http://host-{n}.test/"));
        }
        request.send().await.unwrap();
        assert!(server.received("/landed")[0].headers.contains_key("authorization"), "{transport:?}");
    }
}

#[tokio::test]
async fn responses_without_body_hold_no_permit() {
    for transport in BOTH {
        let server = Server::start().await;
        let limited = Session::new(options(transport).max_connections(1).timeout(Duration::from_secs(2))).unwrap();
        let head = limited.head(server.url("/head")).send().await.unwrap();
        let empty = limited.get(server.url("/204")).send().await.unwrap();
        assert_eq!(get(&limited, &server.url("/")).await, Ok((200, "ok".into())), "{transport:?}");
        drop((head, empty));
    }
}

#[tokio::test]
async fn concurrent_requests_are_limited() {
    for transport in BOTH {
        let server = Server::start().await;
        let limited = Session::new(options(transport).max_connections(2)).unwrap();
        let requests = (0..20).map(|_| async { get(&limited, &server.url("/slow-head")).await.unwrap() });
        assert_eq!(futures_util::future::join_all(requests).await.len(), 20);
        assert!(server.connections() <= 2, "{transport:?}: {} connections", server.connections());
        // Waiting for a permit is part of the timeout.
        let held = limited.get(server.url("/hang-in-body")).send().await.unwrap();
        let other = limited.get(server.url("/hang-in-body")).send().await.unwrap();
        let third = limited.get(server.url("/")).timeout(Duration::from_millis(50)).send().await;
        assert!(third.is_err_and(|error| error.is_timeout()), "{transport:?}");
        drop((held, other));
        assert_eq!(get(&limited, &server.url("/")).await, Ok((200, "ok".into())), "{transport:?}");
    }
}

#[molotov::setup]
async fn over() -> molotov::Result<SessionOptions> {
    let options = SessionOptions::new().transport(molotov::get_var("transport").unwrap());
    Ok(options.retry(molotov::get_var("retry").unwrap_or(true)))
}

/// Valid, broken, redirected, partly read, dropped before the response: each call of `send` is one request in the report.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_measured_once() {
    // How often each path is requested. `/no-answer` and the second `/stale` use a reused connection; see above.
    let paths =
        ["/", "/chunked", "/no-answer", "/reset-before", "/half-head", "/half-body", "/reset-in-body", "/garbage"]
            .into_iter()
            .chain(["/wrong-gzip", "/says-close", "/redirect/302", "/stale", "/hang", "/hang-in-body", "/204"])
            .map(|path| (path, if path == "/stale" { 3 } else { 1 }))
            .collect::<Vec<_>>();
    for transport in BOTH {
        let server = Server::start().await;
        let (at, asked) = (server.clone(), paths.clone());
        let scenario = async move |session: &Session| -> molotov::Result<()> {
            for &(path, times) in &asked {
                for _ in 0..times {
                    // Only paths that hang reach the timeout, even on a slow machine.
                    let timeout = Duration::from_millis(if path.starts_with("/hang") { 300 } else { 10_000 });
                    let request = session.get(at.url(path)).name(path).timeout(timeout);
                    // Other tests check the error.
                    if let Ok(response) = request.send().await {
                        let _ = response.bytes().await;
                    }
                }
            }
            // Dropped before the response, and before its body.
            let dropped = session.get(at.url("/hang")).name("dropped").send();
            assert!(tokio::time::timeout(Duration::from_millis(50), dropped).await.is_err());
            drop(session.get(at.url("/hang-in-body")).name("half").send().await?);
            Ok(())
        };
        let report = molotov::LoadTest::new()
            .variable("transport", transport)
            .scenario("all", scenario)
            .max_runs(1)
            .run_async()
            .await
            .unwrap();
        assert_eq!((report.successes(), report.failures()), (1, 0), "{report}");
        for &(path, times) in &paths {
            assert_eq!(report.request(path).map_or(0, |row| row.count()), times, "{transport:?} {path}");
            let retried = report.request(path).map_or(0, |row| row.retried());
            let repeated = transport == Transport::Direct && ["/no-answer", "/stale"].contains(&path);
            assert_eq!(retried, u64::from(repeated), "{transport:?} {path}");
            let given_up = path.starts_with("/hang");
            let served = times + retried + u64::from(given_up);
            assert_eq!(server.received(path).len() as u64, served, "{transport:?} {path}");
        }
        assert_eq!(report.request("half").map_or(0, |row| row.count()), 1, "{transport:?}");
        assert!(report.request("dropped").is_none_or(|row| row.count() <= 1), "{transport:?}");
    }
}

/// A listener whose queue is full does not complete connections.
#[tokio::test]
async fn timeouts_while_connecting_are_reported_as_such() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(connection)) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        queued.push(connection);
    }
    let url = format!("http://{address}/");
    for transport in BOTH {
        let options = options(transport).connect_timeout(Duration::from_millis(100));
        let error = Session::new(options).unwrap().get(&url).send().await.unwrap_err();
        assert!(error.is_timeout() && error.is_connect(), "{transport:?}: {error:?}");
        assert!(error.to_string().starts_with("connecting "), "{transport:?}: {error}");
    }
    // The total timeout expires first.
    let request = session(Transport::Direct).get(&url).timeout(Duration::from_millis(100));
    let error = request.send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(error.to_string().starts_with(&format!("connecting to {address} timed out")), "{error}");
}
