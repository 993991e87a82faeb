//! HTTP/2 over plain TCP, with a server that observes each stream.

use futures_util::StreamExt;
use h2::server::SendResponse;
use http::Response;
use tokio::sync::mpsc;

use super::*;

fn prior_knowledge() -> TransportOptions {
    TransportOptions { http_version: HttpVersionPolicy::Http2PriorKnowledge, ..TransportOptions::default() }
}

/// The end of an upload, as the server sees it.
#[derive(Debug, PartialEq)]
enum Upload {
    /// The stream ended normally, after this many bytes.
    Ended(usize),
    Reset,
}

/// A server that responds to each stream by its path, and reports how uploads end.
async fn server() -> (String, mpsc::UnboundedReceiver<Upload>, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (uploads, seen) = mpsc::unbounded_channel();
    let (connections, accepted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = connections.send(());
            let uploads = uploads.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                while let Some(Ok((request, answer))) = connection.accept().await {
                    tokio::spawn(serve(request, answer, uploads.clone()));
                }
            });
        }
    });
    (url, seen, accepted)
}

async fn serve(
    request: http::Request<h2::RecvStream>,
    mut answer: SendResponse<Bytes>,
    uploads: mpsc::UnboundedSender<Upload>,
) {
    let hangs = request.uri().path() == "/hangs";
    let mut body = answer.send_response(Response::new(()), !hangs).unwrap();
    if hangs {
        body.send_data("half".into(), false).unwrap();
    }
    let mut upload = request.into_body();
    let mut size = 0;
    let end = loop {
        match upload.data().await {
            None => break Upload::Ended(size),
            Some(Err(_)) => break Upload::Reset,
            Some(Ok(data)) => {
                size += data.len();
                upload.flow_control().release_capacity(data.len()).unwrap();
            }
        }
    };
    let _ = uploads.send(end);
    if hangs {
        // Waits until the client resets the stream.
        let _ = poll_fn(|cx| body.poll_reset(cx)).await;
    }
}

#[tokio::test]
async fn requests_hold_their_permit_until_their_body_ends() {
    let (url, ..) = server().await;
    let direct = DirectTransport::new(Rc::new(TransportOptions { max_connections: Some(1), ..prior_knowledge() }));
    let held = send(&direct, Method::GET, &format!("{url}/hangs"), Body::Empty).await.unwrap();
    let soon = Some(Instant::now() + Duration::from_millis(50));
    let second = send_until(&direct, Method::GET, &url, &mut Body::Empty, soon).await;
    assert!(second.is_err_and(|error| error.is_timeout()), "a second request went out beside the first");
    drop(held);
    // A body that has ended holds no permit, read or not.
    let ended = send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
    send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
    drop(ended);
}

#[tokio::test]
async fn incomplete_uploads_do_not_look_complete() {
    let (url, mut seen, _) = server().await;
    let direct = DirectTransport::new(Rc::new(prior_knowledge()));
    let unfinished = || {
        let pieces = stream::iter([Ok(Bytes::from("hello"))]).chain(stream::pending());
        Body::Stream { stream: Box::pin(pieces), length: None }
    };
    // The response ends before the request.
    send(&direct, Method::POST, &url, unfinished()).await.unwrap();
    assert_eq!(seen.recv().await, Some(Upload::Reset));
    // The response is dropped before its end.
    let mut response = send(&direct, Method::POST, &format!("{url}/hangs"), unfinished()).await.unwrap();
    assert_eq!(poll_fn(|cx| response.body.poll_chunk(cx)).await.unwrap().unwrap(), "half");
    drop(response);
    assert_eq!(seen.recv().await, Some(Upload::Reset));
    // A stream with its stated length ends normally, and a shorter one does not.
    let whole = |length| Body::Stream { stream: Box::pin(stream::iter([Ok(Bytes::from("hello"))])), length };
    send(&direct, Method::POST, &format!("{url}/hangs"), whole(Some(5))).await.unwrap();
    assert_eq!(seen.recv().await, Some(Upload::Ended(5)));
    let short = send(&direct, Method::POST, &format!("{url}/hangs"), whole(Some(6))).await;
    let broken = match short {
        Ok(_) => seen.recv().await == Some(Upload::Reset),
        Err(error) => error.kind() == ErrorKind::Body,
    };
    assert!(broken, "a body that is shorter than stated");
}

#[tokio::test]
async fn idle_connections_expire() {
    let (url, _, mut accepted) = server().await;
    let idle = Some(Duration::from_millis(30));
    let direct = DirectTransport::new(Rc::new(TransportOptions { pool_idle_timeout: idle, ..prior_knowledge() }));
    let mut running = send(&direct, Method::GET, &format!("{url}/hangs"), Body::Empty).await.unwrap();
    assert_eq!(poll_fn(|cx| running.body.poll_chunk(cx)).await.unwrap().unwrap(), "half");
    accepted.recv().await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(5), accepted.recv()).await.is_ok(), "no second connection");
    // A request on the expired connection is not interrupted.
    let more = poll_fn(|cx| running.body.poll_chunk(cx));
    assert!(tokio::time::timeout(Duration::from_millis(50), more).await.is_err(), "the running request has ended");
}

#[tokio::test]
async fn unused_origins_are_removed() {
    let (url, ..) = server().await;
    let port = Target::parse(&url).unwrap().origin.port;
    let idle = Some(Duration::from_millis(1));
    let mut options = TransportOptions { pool_idle_timeout: idle, ..prior_knowledge() };
    options.resolve.insert("elsewhere.test".into(), vec![SocketAddr::from(([127, 0, 0, 1], 0))]);
    let direct = DirectTransport::new(Rc::new(options));
    send(&direct, Method::GET, &format!("http://elsewhere.test:{port}/"), Body::Empty).await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
    assert_eq!(direct.pool.origins(), 1);
}
