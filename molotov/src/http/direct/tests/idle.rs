//! Idle connections.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use super::*;

/// A server that keeps its connections open and counts those that the client has not closed.
struct Server {
    url: String,
    open: Arc<AtomicUsize>,
    /// The connection of the last request.
    latest: Arc<AtomicUsize>,
    close_others: watch::Sender<bool>,
}

impl Server {
    async fn start() -> Self {
        Self::over(None).await
    }

    async fn over(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/", listener.local_addr().unwrap().port());
        let (open, latest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (close_others, closing) = watch::channel(false);
        let server = Self { url, open, latest, close_others };
        let (open, latest) = (Arc::clone(&server.open), Arc::clone(&server.latest));
        tokio::spawn(async move {
            let mut id = 0;
            while let Ok((socket, _)) = listener.accept().await {
                id += 1;
                open.fetch_add(1, Ordering::SeqCst);
                let (open, latest, closing) = (Arc::clone(&open), Arc::clone(&latest), closing.clone());
                match tls.clone() {
                    None => tokio::spawn(serve(socket, id, open, latest, closing)),
                    Some(tls) => tokio::spawn(async move {
                        serve(tls.accept(socket).await.unwrap(), id, open, latest, closing).await;
                    }),
                };
            }
        });
        server
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    async fn get(&self, direct: &DirectTransport) {
        let mut response = send(direct, Method::GET, &self.url, Body::Empty).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
    }

    /// Sends concurrent requests, each on its own connection.
    async fn burst(&self, direct: &DirectTransport, requests: usize) {
        join_all((0..requests).map(|_| self.get(direct))).await;
    }

    /// Sends requests one after the other until the client has closed all but `connections` connections.
    async fn get_until_open(&self, direct: &DirectTransport, connections: usize) {
        let all_closed = async {
            while self.open() > connections {
                self.get(direct).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(5), all_closed).await.is_err() {
            panic!("{} connections are still open, not {connections}", self.open());
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: S,
    id: usize,
    open: Arc<AtomicUsize>,
    latest: Arc<AtomicUsize>,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        let head = tokio::select! {
            head = request(&mut socket) => head,
            () = close_requested(&mut closing, || latest.load(Ordering::SeqCst) == id) => {
                socket.shutdown().await.unwrap();
                // Reads until the client closes its end.
                let _ = socket.read_to_end(&mut Vec::new()).await;
                break;
            }
        };
        if head.is_empty() {
            break;
        }
        latest.store(id, Ordering::SeqCst);
        socket.write_all(OK).await.unwrap();
    }
    open.fetch_sub(1, Ordering::SeqCst);
}

/// Waits until the connection should close, which is never for the one that stays.
async fn close_requested(closing: &mut watch::Receiver<bool>, stays: impl Fn() -> bool) {
    if closing.wait_for(|close| *close).await.is_err() || stays() {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn connections_that_the_server_closed_are_closed() {
    let server = Server::start().await;
    let direct = direct();
    server.burst(&direct, 20).await;
    server.get(&direct).await;
    assert_eq!(server.open(), 20);
    server.close_others.send(true).unwrap();
    server.get_until_open(&direct, 1).await;
}

#[tokio::test]
async fn connections_under_tls_that_the_server_closed_are_closed() {
    let (acceptor, root) = tls_acceptor(&[]);
    let server = Server::over(Some(acceptor)).await;
    let direct = DirectTransport::new(Rc::new(trusting(&root)));
    server.burst(&direct, 20).await;
    server.get(&direct).await;
    assert_eq!(server.open(), 20);
    server.close_others.send(true).unwrap();
    server.get_until_open(&direct, 1).await;
}

#[tokio::test]
async fn expired_connections_are_closed() {
    let server = Server::start().await;
    let idle = Some(Duration::from_millis(50));
    let direct =
        DirectTransport::new(Rc::new(TransportOptions { pool_idle_timeout: idle, ..TransportOptions::default() }));
    server.burst(&direct, 20).await;
    server.get_until_open(&direct, 1).await;
}

#[tokio::test]
async fn idle_connections_are_limited() {
    let server = Server::start().await;
    let direct =
        DirectTransport::new(Rc::new(TransportOptions { pool_max_idle_per_host: 3, ..TransportOptions::default() }));
    server.burst(&direct, 20).await;
    server.get_until_open(&direct, 3).await;
    server.burst(&direct, 3).await;
    assert_eq!(server.open(), 3);
}

#[tokio::test]
async fn unused_origins_are_removed() {
    let server = Server::start().await;
    let port = Target::parse(&server.url).unwrap().origin.port;
    let idle = Some(Duration::from_millis(1));
    let mut options =
        TransportOptions { pool_idle_timeout: idle, max_connections: Some(1), ..TransportOptions::default() };
    for n in 0..200 {
        options.resolve.insert(format!("host-{n}.test"), vec![SocketAddr::from(([127, 0, 0, 1], 0))]);
    }
    let direct = DirectTransport::new(Rc::new(options));
    for n in 0..200 {
        send(&direct, Method::GET, &format!("http://host-{n}.test:{port}/"), Body::Empty).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    server.get(&direct).await;
    assert!(direct.pool.origins() <= 2, "{} origins", direct.pool.origins());
}
