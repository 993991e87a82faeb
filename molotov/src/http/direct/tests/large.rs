//! Large bodies, which are read when they have arrived.

use std::{
    io::{Read as _, Write as _},
    net,
    pin::pin,
    task::Poll,
};

use bytes::BytesMut;
use tokio::{
    task::{coop::consume_budget, yield_now},
    time::{sleep, timeout},
};

use super::*;

const SIZE: usize = 100 * 1024;

/// The head of a large response.
fn head() -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")
}

/// A large response of which only the first byte has arrived, and the server's end of its connection.
struct Begun {
    direct: DirectTransport,
    url: String,
    response: TransportResponse,
    body: BytesMut,
    server: net::TcpStream,
}

impl Begun {
    async fn new(read_timeout: Option<Duration>) -> Begun {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut server, _) = listener.accept().unwrap();
            receive(&mut server);
            server.write_all(format!("{}x", head()).as_bytes()).unwrap();
            server
        });
        let direct = direct();
        let response = send_within(&direct, Method::GET, &url, &mut Body::Empty, None, read_timeout).await.unwrap();
        let mut begun = Begun { direct, url, response, body: BytesMut::new(), server: server.join().unwrap() };
        assert!(!begun.is_pending().await);
        assert_eq!(begun.body, "x");
        begun
    }

    /// Polls for the next part once. Returns whether it has not arrived.
    async fn is_pending(&mut self) -> bool {
        let polled = poll_fn(|cx| Poll::Ready(self.response.body.poll_append(cx, &mut self.body))).await;
        assert!(!matches!(polled, Poll::Ready(Some(Err(_)) | None)), "{polled:?}");
        polled.is_pending()
    }

    /// Sends a part, and lets the runtime notice it.
    async fn arrive(&mut self, size: usize) {
        self.server.write_all(&vec![b'x'; size]).unwrap();
        sleep(Duration::from_millis(2)).await;
    }

    /// Reads the rest of the body.
    async fn end(&mut self) -> Result<(), Error> {
        let all = async {
            while let Some(length) = poll_fn(|cx| self.response.body.poll_append(cx, &mut self.body)).await {
                length?;
            }
            Ok(())
        };
        timeout(Duration::from_secs(20), all).await.expect("the task is woken")
    }
}

/// Receives the head of a request.
fn receive(server: &mut net::TcpStream) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_parts_of_a_large_body_are_read_together() {
    let mut begun = Begun::new(None).await;
    assert!(begun.is_pending().await);
    for _ in 0..9 {
        begun.arrive(10_000).await;
        assert!(begun.is_pending().await);
    }
    begun.arrive(SIZE - 90_001).await;
    assert!(!begun.is_pending().await);
    assert_eq!(begun.body.len(), SIZE);
    assert!(begun.body.iter().all(|&byte| byte == b'x'));
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_large_body() {
    let mut begun = Begun::new(None).await;
    assert!(begun.is_pending().await);
    begun.arrive(SIZE - 1).await;
    begun.end().await.unwrap();
    let Begun { direct, url, mut server, .. } = begun;
    let server = std::thread::spawn(move || {
        receive(&mut server);
        server.write_all(OK).unwrap();
        server
    });
    let mut response = send(&direct, Method::GET, &url, Body::Empty).await.unwrap();
    assert_eq!(response.body.take_whole().unwrap(), "ok");
    server.join().unwrap();
}

#[tokio::test]
async fn a_part_that_is_read_early_does_not_delay_the_rest() {
    let mut begun = Begun::new(None).await;
    begun.arrive(10_000).await;
    // The runtime lets other tasks run, although there is something to read.
    let pending = poll_fn(|cx| {
        while pin!(consume_budget()).poll(cx).is_ready() {}
        Poll::Ready(begun.response.body.poll_append(cx, &mut begun.body).is_pending())
    });
    assert!(pending.await);
    yield_now().await;
    assert!(!begun.is_pending().await, "the part is there");
    assert!(begun.is_pending().await);
    // The task would also be woken if there were no room for more.
    for _ in 1..10 {
        begun.arrive(10_000).await;
    }
    begun.arrive(SIZE - 100_001).await;
    begun.end().await.unwrap();
    assert_eq!(begun.body.len(), SIZE);
}

#[tokio::test]
async fn a_large_body_can_be_read_in_parts_after_an_attempt_to_read_all_of_it() {
    let mut begun = Begun::new(None).await;
    assert!(begun.is_pending().await);
    begun.arrive(1000).await;
    let part = poll_fn(|cx| begun.response.body.poll_chunk(cx));
    let part = timeout(Duration::from_secs(20), part).await.expect("the task is woken").unwrap().unwrap();
    assert_eq!(part.len(), 1000);
}

#[tokio::test]
async fn each_part_of_a_large_body_counts_for_a_read_timeout() {
    let mut begun = Begun::new(Some(Duration::from_secs(20))).await;
    assert!(begun.is_pending().await);
    for _ in 0..3 {
        begun.arrive(10_000).await;
        assert!(!begun.is_pending().await);
        assert!(begun.is_pending().await);
    }
}

#[tokio::test]
async fn a_large_body_that_ends_early_is_an_error_at_once() {
    let mut begun = Begun::new(None).await;
    assert!(begun.is_pending().await);
    begun.arrive(50_000).await;
    begun.server.shutdown(net::Shutdown::Write).unwrap();
    let error = begun.end().await.unwrap_err();
    assert!(error.to_string().contains("within the body"), "{error}");
    assert_eq!(begun.response.body.received(), 50_001);
}
