//! WebSockets against a server that sends any bytes.

mod autobahn;
mod closing;
mod handshake;
mod messages;
mod peer;
mod protocol;

use std::{future::Future, time::Duration};

use molotov::session::{Session, SessionOptions};
use tokio::net::TcpListener;

use self::peer::Peer;

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
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes less than 20 s")
}
