//! TLS after the handshake.

use std::{
    io::{self, Read as _, Write as _},
    pin::Pin,
    task::Poll,
};

use tokio::io::AsyncWrite as _;

use super::{
    pairs::{Server, connect, exchange, read_request},
    *,
};

/// Sends a request over TLS to a server that answers. Returns its result.
async fn answered(answer: impl FnOnce(&mut Server) + Send + 'static) -> Result<(Received, Box<Connection>), Error> {
    let (mut connection, mut server) = connect(true).await;
    let server = std::thread::spawn(move || {
        read_request(&mut server);
        answer(&mut server);
    });
    let received = exchange(&mut connection).await;
    server.join().unwrap();
    received.map(|received| (received, connection)).map_err(|failed| failed.error)
}

/// Reads everything until the server closes the connection.
async fn rest(connection: &mut Connection) -> io::Result<Vec<u8>> {
    let mut all = std::mem::take(&mut connection.buffer).to_vec();
    connection.io.read_to_end(&mut all).await.map(|_| all)
}

#[tokio::test]
async fn responses_are_read_from_many_records() {
    let body: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    let sent = body.clone();
    let (received, mut connection) = answered(move |server| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
        // The head takes two records.
        server.write_all(&head.as_bytes()[..20]).unwrap();
        server.write_all(&head.as_bytes()[20..]).unwrap();
        server.write_all(&sent).unwrap();
        server.tls.as_mut().unwrap().send_close_notify();
        server.flush().unwrap();
    })
    .await
    .unwrap();
    assert_eq!(received.head.status, StatusCode::OK);
    assert!(received.body.is_err(), "it cannot be whole");
    assert!(rest(&mut connection).await.unwrap() == body);
    assert_eq!(connection.io.read(&mut [0]).await.unwrap(), 0, "the end is final");
}

#[tokio::test]
async fn a_stream_that_ends_without_notice_is_an_error() {
    let (_, mut connection) =
        answered(|server| server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfew").unwrap())
            .await
            .unwrap();
    for _ in 0..2 {
        assert_eq!(rest(&mut connection).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn records_that_are_damaged_are_refused_with_an_alert() {
    let (mut connection, mut server) = connect(true).await;
    let server = std::thread::spawn(move || {
        read_request(&mut server);
        server.tcp.write_all(&[23, 3, 3, 0, 20].into_iter().chain([0; 20]).collect::<Vec<u8>>()).unwrap();
        let mut byte = [0];
        let alert = server.read(&mut byte).unwrap_err();
        alert.downcast::<rustls::Error>().unwrap()
    });
    let error = exchange(&mut connection).await.err().unwrap().error;
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error_text(&error).contains("decrypt"), "{}", error_text(&error));
    let alert = server.join().unwrap();
    assert_eq!(alert, rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac));
}

/// Returns an error with its sources.
fn error_text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn shutting_down_tells_the_server() {
    let (mut connection, mut server) = connect(true).await;
    let server = std::thread::spawn(move || {
        let mut all = Vec::new();
        server.read_to_end(&mut all).map(|_| all)
    });
    connection.io.write_all(b"last").await.unwrap();
    connection.io.shutdown().await.unwrap();
    assert_eq!(server.join().unwrap().unwrap(), b"last");
}

#[tokio::test]
async fn writes_wait_until_the_server_reads() {
    let (mut connection, mut server) = connect(true).await;
    let sent: Vec<u8> = (0..20_000_000_u32).map(|n| n as u8).collect();
    let (done, started) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        started.recv().unwrap();
        let mut all = vec![0; 20_000_000];
        server.read_exact(&mut all).unwrap();
        all
    });
    let mut written = 0;
    poll_fn(|cx| {
        // The buffers of the system are full at some time.
        while let Poll::Ready(more) = Pin::new(&mut connection.io).poll_write(cx, &sent[written..]) {
            written += more.unwrap();
            assert!(written < sent.len());
        }
        Poll::Ready(())
    })
    .await;
    done.send(()).unwrap();
    connection.io.write_all(&sent[written..]).await.unwrap();
    connection.io.flush().await.unwrap();
    assert!(server.join().unwrap() == sent);
}
