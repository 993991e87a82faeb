//! WebSockets of scenarios, measured.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role},
    },
};

use super::*;
use crate::session::{Session, websocket_accept_key};

/// What the server has counted.
#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    closed: AtomicU64,
}

/// Starts a server that echoes messages. A message `close N` closes the WebSocket with the code N, `leave` closes the connection,
/// `break` sends a broken frame, and `news` is followed by another message.
fn serve() -> (SocketAddr, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let counted = counts.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, counted.clone()));
            }
        });
    });
    (address, counts)
}

async fn converse(mut stream: TcpStream, counts: Arc<Counts>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    if head.starts_with("GET /refused") {
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await.ok()?;
        return None;
    }
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "))?;
    let accept = websocket_accept_key(key);
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    counts.accepted.fetch_add(1, Ordering::SeqCst);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else {
            if message.is_close() {
                counts.closed.fetch_add(1, Ordering::SeqCst);
            }
            continue;
        };
        counts.received.fetch_add(1, Ordering::SeqCst);
        if let Some(code) = text.strip_prefix("close ") {
            let code = code.parse::<u16>().ok()?.into();
            socket.close(Some(CloseFrame { code, reason: "as asked".into() })).await.ok()?;
            continue;
        }
        match text.as_str() {
            "leave" => return None,
            "break" => {
                socket.get_mut().write_all(b"\xff\x00").await.ok()?;
                continue;
            }
            "news" => {
                socket.send(Message::text("another message")).await.ok()?;
                counts.sent.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        socket.send(Message::Text(text)).await.ok()?;
        counts.sent.fetch_add(1, Ordering::SeqCst);
    }
    Some(())
}

/// Returns a scenario with a session.
fn with_session<F>(name: &str, body: impl Fn(Session) -> F + Send + Sync + 'static) -> TestScenario
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    let run = move |slots: &Slots| {
        let running = slots.borrow::<Session>().map(|session| body(session.clone()));
        async move { running?.await }
    };
    let scenario = scenario(name, 1.0, Box::new(move |slots| Box::pin(run(slots))));
    TestScenario { needs: || vec![Need::of::<Session>(false)], ..scenario }
}

type Row<'a> = (&'a str, u64, u64, Vec<(&'a str, u64)>);

/// Returns name, successes, failures and statuses of all rows.
fn rows(summary: &Summary) -> Vec<Row<'_>> {
    (summary.snapshot.requests.iter())
        .map(|(name, stats)| {
            let statuses = stats.statuses.iter().map(|(status, count)| (&**status, *count)).collect();
            (&**name, stats.counts.ok, stats.counts.failed, statuses)
        })
        .collect()
}

#[test]
fn connections_messages_and_answers_are_measured() {
    let (address, counts) = serve();
    let chat = with_session("chat", move |session| async move {
        let socket = session.websocket(format!("ws://{address}/rooms/42")).connect().await?;
        for n in 0..5 {
            let reply = socket.request(format!("message {n}")).name("echo").await?;
            assert_eq!(reply, format!("message {n}").as_str());
        }
        socket.send("news").await?;
        assert_eq!(socket.recv().await?.unwrap(), "another message");
        assert_eq!(socket.recv().await?.unwrap(), "news");
        assert!(socket.ping().await? > Duration::ZERO);
        socket.close(1000, "done").await?;
        Ok(())
    });
    let args = Args { workers: 4, threads: Some(2), max_runs: Some(5), ..Args::default() };
    let (summary, _) = execute(plan(args, [chat]));
    assert_eq!((summary.totals.successes, summary.totals.failures), (20, 0));
    assert_eq!(
        rows(&summary),
        [
            ("WS close /rooms/{n}", 20, 0, vec![("1000", 20)]),
            ("WS connect /rooms/{n}", 20, 0, vec![("101", 20)]),
            ("WS echo", 100, 0, vec![]),
            ("WS ping /rooms/{n}", 20, 0, vec![]),
        ]
    );
    let snapshot = &summary.snapshot;
    assert_eq!(snapshot.counters["WS /rooms/{n} sent"], 120);
    assert_eq!(snapshot.counters["WS /rooms/{n} received"], 140);
    assert_eq!((counts.received.load(Ordering::SeqCst), counts.sent.load(Ordering::SeqCst)), (120, 140));
    assert_eq!((counts.accepted.load(Ordering::SeqCst), counts.closed.load(Ordering::SeqCst)), (20, 20));
    let session = &snapshot.values["WS /rooms/{n} session"];
    assert!(session.count() == 20 && session.max() < 5.0 && session.min() > 0.0, "{session:?}");
    let connect = &snapshot.requests["WS connect /rooms/{n}"];
    assert_eq!(connect.connect.count(), 20);
    // `message N` in a frame, with a mask if the client sends it.
    let echo = &snapshot.requests["WS echo"];
    assert_eq!((echo.bytes_out, echo.bytes_in), (100 * (2 + 4 + 9), 100 * (2 + 9)));
    assert!(connect.bytes_out > 20 * 100 && connect.bytes_in > 20 * 100, "{connect:?}");
}

#[test]
fn failures_have_the_code_that_ended_the_connection() {
    let (address, _) = serve();
    let all = with_session("all", move |session| async move {
        let connect =
            async |path: &str| session.websocket(format!("ws://{address}/{path}")).name(path.to_owned()).await;
        let error = connect("refused").await.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(403));
        for code in [1000, 1001, 1008, 1011, 4000] {
            let socket = connect("server").await?;
            socket.send(format!("close {code}")).await?;
            assert_eq!(socket.recv().await?, None);
            assert_eq!((socket.close_code(), socket.close_reason().as_deref()), (Some(code), Some("as asked")));
        }
        let socket = connect("lost").await?;
        socket.send("leave").await?;
        assert!(socket.recv().await.is_err());
        let socket = connect("broken").await?;
        assert!(socket.request("break").name("break").await.is_err());
        connect("client").await?.close(4000, "").await?;
        connect("dropped").await?;
        Ok(())
    });
    let (summary, _) = execute(plan(Args { single_run: true, ..Args::default() }, [all]));
    assert_eq!((summary.totals.successes, summary.totals.failures), (1, 0));
    assert_eq!(
        rows(&summary),
        [
            ("WS break", 0, 1, vec![]),
            ("WS close broken", 0, 1, vec![("1002", 1)]),
            ("WS close client", 1, 0, vec![("4000", 1)]),
            ("WS close dropped", 1, 0, vec![("1000", 1)]),
            ("WS close lost", 0, 1, vec![("1006", 1)]),
            ("WS close server", 2, 3, vec![("1000", 1), ("1001", 1), ("1008", 1), ("1011", 1), ("4000", 1)]),
            ("WS connect broken", 1, 0, vec![("101", 1)]),
            ("WS connect client", 1, 0, vec![("101", 1)]),
            ("WS connect dropped", 1, 0, vec![("101", 1)]),
            ("WS connect lost", 1, 0, vec![("101", 1)]),
            ("WS connect refused", 0, 1, vec![("403", 1)]),
            ("WS connect server", 5, 0, vec![("101", 5)]),
        ]
    );
}

#[test]
fn forced_stops_interrupt_websockets() {
    let (address, counts) = serve();
    let waits = with_session("waits", move |session| async move {
        let socket = session.websocket(format!("ws://{address}/")).connect().await?;
        let _ = socket.request("hello").matching(|_| false).await;
        Ok(())
    });
    let args = Args { workers: 3, duration: Duration::from_millis(300), force_shutdown: true, ..Args::default() };
    let (summary, _) = execute(plan(args, [waits]));
    let interrupted: Vec<_> = (summary.snapshot.requests.iter())
        .map(|(name, stats)| (&**name, stats.counts.ok, stats.counts.failed, stats.counts.interrupted))
        .collect();
    assert_eq!(
        interrupted,
        [("WS close /", 0, 0, 3), ("WS connect /", 3, 0, 0), ("WS request /", 0, 0, 3)],
        "{:?}",
        counts.accepted
    );
}

#[test]
fn groups_have_their_own_rows_of_websockets() {
    let (address, _) = serve();
    let grouped = with_session("grouped", move |session| async move {
        let context = session.context().clone();
        let socket =
            context.group("join", async { Ok(session.websocket(format!("ws://{address}/")).connect().await?) }).await?;
        context.group("talk", async { Ok(socket.request("hello").await?) }).await?;
        socket.send("more").await?;
        socket.recv().await?;
        socket.close(1000, "").await?;
        Ok(())
    });
    let (summary, _) = execute(plan(Args { single_run: true, ..Args::default() }, [grouped]));
    let names: Vec<_> = summary.snapshot.requests.keys().map(|name| &**name).collect();
    assert_eq!(names, ["join / WS close /", "join / WS connect /", "talk / WS request /"]);
}
