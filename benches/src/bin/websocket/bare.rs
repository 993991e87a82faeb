//! Clients that do nothing else: a task for each connection, on one thread.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt, future::join_all};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Barrier,
    task::{LocalSet, spawn_local},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::{MESSAGE, Measured, Plan};

/// Runs the clients.
pub(crate) fn run(plan: Plan, url: &str) -> Measured {
    let address = url.trim_start_matches("http://").trim_end_matches("/chat").to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
    let latencies = LocalSet::new().block_on(&runtime, async {
        let connected = Rc::new(Barrier::new(plan.connections));
        let clients =
            (0..plan.connections).map(|number| spawn_local(client(plan, number, address.clone(), connected.clone())));
        join_all(clients).await
    });
    let mut latencies: Vec<Duration> =
        latencies.into_iter().flat_map(|client| client.expect("no panic").expect("a connection")).collect();
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() as f64 * share) as usize).min(latencies.len() - 1)];
    let count = latencies.len() as u64;
    Measured { sent: count, received: count, p50: at(0.5), p99: at(0.99), max: at(1.0) }
}

/// Returns the latencies of a connection.
async fn client(
    plan: Plan,
    number: usize,
    address: String,
    connected: Rc<Barrier>,
) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let head = format!(
        "GET /chat HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    connected.wait().await;
    let start = Instant::now();
    let mut latencies = Vec::with_capacity(plan.messages as usize);
    for message in 0..plan.messages {
        tokio::time::sleep_until(plan.time(start, number, message).into()).await;
        let sent = Instant::now();
        socket.send(Message::text(MESSAGE)).await?;
        let answer = socket.next().await.ok_or("the server closed the connection")??;
        latencies.push(sent.elapsed());
        assert_eq!(answer, Message::text(MESSAGE));
    }
    socket.close(None).await?;
    Ok(latencies)
}
