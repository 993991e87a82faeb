//! Requests that are sent again: which ones, how often, and how the report counts them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use molotov::{
    LoadTest, Report,
    session::{Session, Transport},
};

use crate::{BOTH, options};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Reads a request without a body. Returns `false` at the end of the connection.
fn read_request(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => seen.extend(byte),
            _ => return false,
        }
    }
    true
}

/// A server that responds to the first request of each connection, and closes the connection after the second one.
fn server_that_drops_every_second_request() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    thread::spawn({
        let seen = seen.clone();
        move || {
            for stream in listener.incoming() {
                let (mut stream, seen) = (stream.unwrap(), seen.clone());
                thread::spawn(move || {
                    for answer in [OK, b""] {
                        if !read_request(&mut stream) {
                            return;
                        }
                        seen.fetch_add(1, Ordering::Relaxed);
                        stream.write_all(answer).unwrap();
                    }
                });
            }
        }
    });
    (address, seen)
}

async fn run(transport: Transport, retry: bool, method: http::Method, address: SocketAddr) -> Report {
    let scenario = async move |session: &Session| -> molotov::Result<()> {
        let request = session.request(method.clone(), format!("http://{address}/")).name("kept");
        // Failures are counted.
        if let Ok(response) = request.send().await {
            let _ = response.bytes().await;
        }
        Ok(())
    };
    let test = LoadTest::new().variable("transport", transport).variable("retry", retry);
    test.scenario("all", scenario).max_runs(40).run_async().await.unwrap()
}

#[tokio::test]
async fn the_report_counts_all_requests_that_the_server_received() {
    for transport in BOTH {
        for (method, retry) in [("GET", true), ("GET", false), ("POST", true)] {
            let what = format!("{transport:?} {method} {retry}");
            let (address, seen) = server_that_drops_every_second_request();
            let report = run(transport, retry, method.parse().unwrap(), address).await;
            let row = report.request("kept").unwrap();
            let (ok, failed, retried) = (row.successes(), row.failures(), row.retried());
            assert_eq!(ok + failed, 40, "{what}");
            assert_eq!(ok + failed + retried, seen.load(Ordering::Relaxed), "{what}");
            let retries = transport == Transport::Direct && retry && method == "GET";
            assert_eq!((retried, failed), if retries { (39, 0) } else { (0, 20) }, "{what}");
            let table = report.to_string();
            assert_eq!(table.contains("were sent again"), retries, "{table}");
            let json = molotov::report::json(report.summary());
            assert!(json.contains(&format!(r#""retried":{retried}"#)), "{json}");
        }
    }
}

#[tokio::test]
async fn connections_that_were_reset_are_replaced() {
    for method in ["GET", "POST"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answered, resets) = mpsc::channel::<()>();
        let (reset, done) = mpsc::channel::<()>();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                assert!(read_request(&mut stream));
                stream.write_all(OK).unwrap();
                resets.recv().unwrap();
                rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
                drop(stream);
                reset.send(()).unwrap();
            }
        });
        let session = Session::new(options(Transport::Direct).retry(false)).unwrap();
        for _ in 0..2 {
            let request = session.request(method.parse().unwrap(), format!("http://{address}/"));
            assert_eq!(request.send().await.unwrap().bytes().await.unwrap(), "ok", "{method}");
            // The runtime does not run meanwhile, so the next request does not know about the reset.
            answered.send(()).unwrap();
            done.recv().unwrap();
        }
    }
}

/// An HTTP/2 server that writes frames. On its first connection, it ends the first request in this way. It responds to all
/// others.
fn http2_server(gives_up: &'static [u8]) -> (SocketAddr, Arc<Mutex<Vec<u32>>>) {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    thread::spawn({
        let requests = requests.clone();
        move || {
            for (nth, stream) in listener.incoming().enumerate() {
                let (mut stream, requests) = (stream.unwrap(), requests.clone());
                thread::spawn(move || -> std::io::Result<()> {
                    stream.read_exact(&mut [0; 24])?;
                    stream.write_all(SETTINGS)?;
                    loop {
                        let mut head = [0; 9];
                        stream.read_exact(&mut head)?;
                        let [a, b, c, kind, _, id @ ..] = head;
                        stream.read_exact(&mut vec![0; u32::from_be_bytes([0, a, b, c]) as usize])?;
                        if kind != 1 {
                            continue;
                        }
                        requests.lock().unwrap().push(u32::from_be_bytes(id));
                        match nth {
                            0 => stream.write_all(gives_up)?,
                            // `:status: 200`, and no body.
                            _ => stream.write_all(&[&[0, 0, 1, 1, 5], &id[..], &[0x88]].concat())?,
                        }
                    }
                });
            }
        }
    });
    (address, requests)
}

#[tokio::test]
async fn http2_requests_that_were_not_processed_are_sent_again() {
    const REFUSED_STREAM: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
    const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (what, gives_up) in [("REFUSED_STREAM", REFUSED_STREAM), ("GOAWAY", GOAWAY)] {
        for transport in BOTH {
            for (method, retry) in [("GET", true), ("GET", false), ("POST", true)] {
                let (address, requests) = http2_server(gives_up);
                let session = Session::new(options(transport).http2_prior_knowledge().retry(retry)).unwrap();
                let request = session.request(method.parse().unwrap(), format!("http://{address}/"));
                let answer = request.send().await.map(|response| response.status().as_u16());
                let retries = transport == Transport::Direct && retry && method == "GET";
                let requests = requests.lock().unwrap().len();
                assert_eq!(requests, if retries { 2 } else { 1 }, "{what} {transport:?} {method} {retry}");
                match answer {
                    Ok(status) => assert!(retries && status == 200),
                    Err(error) => assert!(!retries, "{what}: {error}"),
                }
            }
        }
    }
}
