use std::{
    io::{self, Read as _},
    net,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
};

use tokio::{net::TcpStream, task::yield_now};

use super::{
    super::{
        channel::Channel,
        turn::{NotSent, Stream},
    },
    pairs::{connect, exchange, read_request},
    *,
};

/// Connects to a server, and returns both ends.
async fn pair() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (stream, listener.accept().unwrap().0)
}

/// Lets bytes wait for the end of the turn. Returns whether they do.
fn send_later(stream: &Stream, bytes: &[u8]) -> bool {
    let cx = Context::from_waker(Waker::noop());
    stream
        .send_later(&cx, Instant::now(), |output| {
            output.extend_from_slice(bytes);
            Ok(())
        })
        .is_some()
}

fn push(output: &mut Vec<u8>) -> io::Result<()> {
    output.push(b'x');
    Ok(())
}

fn received(server: &mut net::TcpStream, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    server.read_exact(&mut bytes).unwrap();
    bytes
}

/// Runs a test on a thread with turns.
async fn in_turns<T>(test: impl Future<Output = T>) -> T {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let turns = tokio::task::spawn_local(end_turns());
            yield_now().await;
            let result = test.await;
            turns.abort();
            result
        })
        .await
}

#[tokio::test]
async fn requests_are_sent_at_the_end_of_the_turn() {
    in_turns(async {
        let [(one, mut first), (two, mut second)] = [pair().await, pair().await];
        let [one, two] = [Stream::new(one), Stream::new(two)];
        assert!(send_later(&one, b"one") && send_later(&two, b"second"));
        assert!(one.sent().is_none() && two.sent().is_none());
        first.set_nonblocking(true).unwrap();
        assert_eq!(first.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        first.set_nonblocking(false).unwrap();
        yield_now().await;
        assert!(matches!((one.sent(), two.sent()), (Some(Ok(())), Some(Ok(())))));
        assert_eq!((received(&mut first, 3), received(&mut second, 6)), (b"one".to_vec(), b"second".to_vec()));
        assert!(one.sent().is_none(), "it is returned once");
    })
    .await;
}

#[tokio::test]
async fn a_long_turn_sends_before_its_end() {
    in_turns(async {
        let mut streams = Vec::new();
        for _ in 0..16 {
            let (stream, server) = pair().await;
            streams.push((Stream::new(stream), server));
        }
        let (last, others) = streams.split_last_mut().unwrap();
        assert!(others.iter().all(|(stream, _)| send_later(stream, b"few") && stream.sent().is_none()));
        assert!(send_later(&last.0, b"enough"));
        assert!(matches!(last.0.sent(), Some(Ok(()))));
        for (stream, server) in others {
            assert!(matches!(stream.sent(), Some(Ok(()))));
            assert_eq!(received(server, 3), b"few");
        }
        assert_eq!(received(&mut last.1, 6), b"enough");
    })
    .await;
}

#[tokio::test]
async fn a_turn_that_is_blocked_sends_before_its_end() {
    in_turns(async {
        let [(one, _first), (two, _second)] = [pair().await, pair().await];
        let [one, two] = [Stream::new(one), Stream::new(two)];
        let cx = Context::from_waker(Waker::noop());
        let now = Instant::now();
        for (stream, now, sent) in [(&one, now, false), (&two, now + Duration::from_millis(1), true)] {
            assert!(stream.send_later(&cx, now, push).is_some());
            assert!([&one, &two].into_iter().all(|stream| stream.sent().is_some() == sent));
        }
    })
    .await;
}

#[tokio::test]
async fn requests_are_sent_at_once_after_a_turn_with_few() {
    in_turns(async {
        let (stream, mut server) = pair().await;
        let stream = Stream::new(stream);
        // At first, all workers start.
        for (requests, waits) in [(7, true), (3, false), (4, false), (3, false), (5, false), (1, true), (1, false)] {
            assert!((0..requests).all(|_| send_later(&stream, b"x") == waits), "{requests}");
            yield_now().await;
            // A turn without requests does not count.
            yield_now().await;
        }
        assert_eq!(received(&mut server, 2), b"xx");
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_dropped_is_not_sent() {
    in_turns(async {
        let (stream, mut server) = pair().await;
        let stream = Stream::new(stream);
        assert!(send_later(&stream, b"dropped"));
        drop(stream);
        yield_now().await;
        assert_eq!(server.read_to_end(&mut Vec::new()).unwrap(), 0);
    })
    .await;
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_task_is_woken_only_if_its_request_was_not_sent() {
    in_turns(async {
        let [(broken, _server), (good, _other)] = [pair().await, pair().await];
        rustix::net::shutdown(&broken, rustix::net::Shutdown::Write).unwrap();
        let [broken, good] = [Stream::new(broken), Stream::new(good)];
        let woken = [Arc::<Woken>::default(), Arc::default()];
        for (stream, woken) in [&broken, &good].into_iter().zip(&woken) {
            let waker = Waker::from(woken.clone());
            let cx = Context::from_waker(&waker);
            assert!(stream.send_later(&cx, Instant::now(), push).is_some());
        }
        yield_now().await;
        assert_eq!(woken.map(|woken| woken.0.load(Ordering::Relaxed)), [1, 0]);
        let Some(Err(not_sent)) = broken.sent() else { panic!("it was sent") };
        assert!(matches!(*not_sent, NotSent::Failed(error) if error.kind() == io::ErrorKind::BrokenPipe));
        assert!(matches!(good.sent(), Some(Ok(()))));
    })
    .await;
}

#[tokio::test]
async fn requests_are_sent_at_once_on_threads_without_turns() {
    let (stream, _server) = pair().await;
    let stream = Stream::new(stream);
    assert!(!send_later(&stream, b"not sent"));
    in_turns(async {}).await;
    assert!(!send_later(&stream, b"not sent"), "turns end with their task");
}

#[tokio::test]
async fn the_last_requests_are_sent_when_turns_end() {
    let (stream, mut server) = pair().await;
    let stream = Stream::new(stream);
    in_turns(async { assert!(send_later(&stream, b"last")) }).await;
    assert!(matches!(stream.sent(), Some(Ok(()))));
    assert_eq!(received(&mut server, 4), b"last");
}

#[tokio::test]
async fn a_request_that_cannot_be_encoded_is_not_sent() {
    in_turns(async {
        let (stream, mut server) = pair().await;
        let stream = Stream::new(stream);
        let cx = Context::from_waker(Waker::noop());
        let failed = stream.send_later(&cx, Instant::now(), |output| {
            output.push(b'-');
            Err::<(), _>(io::ErrorKind::InvalidData.into())
        });
        assert_eq!(failed.unwrap().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(stream.sent().is_none());
        assert!(send_later(&stream, b"next"));
        yield_now().await;
        assert!(matches!(stream.sent(), Some(Ok(()))));
        assert_eq!(received(&mut server, 4), b"next");
    })
    .await;
}

#[tokio::test]
async fn bytes_are_sent_after_a_request_that_waits() {
    in_turns(async {
        let (stream, mut server) = pair().await;
        stream.writable().await.unwrap();
        let mut stream = Stream::new(stream);
        assert!(send_later(&stream, b"first"));
        stream.write_all(b"second").await.unwrap();
        assert!(matches!(stream.sent(), Some(Ok(()))));
        assert_eq!(received(&mut server, 11), b"firstsecond");
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_not_kept_if_the_response_came_before_the_request() {
    for tls in [false, true] {
        in_turns(async {
            let (mut connection, mut server) = connect(tls).await;
            io::Write::write_all(&mut server, OK).unwrap();
            poll_fn(|cx| connection.io.tcp().with(|tcp| tcp.poll_read_ready(cx))).await.unwrap();
            let received = exchange(&mut connection).await.ok().unwrap();
            assert!(!received.keep && received.written == 0, "TLS: {tls}");
            drop(connection);
            yield_now().await;
            assert_eq!(server.tcp.read_to_end(&mut Vec::new()).unwrap(), 0, "the request is not sent");
        })
        .await;
    }
}

/// Fills the buffers of a connection with other bytes. Returns how many.
fn fill(channel: &Channel) -> usize {
    let (mut filled, block) = (0, [b'-'; 4096]);
    loop {
        match channel.tcp().with(|stream| stream.try_write(&block)) {
            Ok(written) => filled += written,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return filled;
            }
        }
    }
}

#[tokio::test]
async fn a_request_for_which_there_is_no_room_is_sent_later() {
    for tls in [false, true] {
        in_turns(async {
            let (mut connection, mut server) = connect(tls).await;
            let filled = fill(&connection.io);
            assert!(filled > 0);
            let answered = std::thread::spawn(move || {
                received(&mut server.tcp, filled);
                let first = read_request(&mut server);
                io::Write::write_all(&mut server, OK).unwrap();
                let second = read_request(&mut server);
                io::Write::write_all(&mut server, OK).unwrap();
                [first, second]
            });
            let responses = [exchange(&mut connection).await, exchange(&mut connection).await];
            for (response, request) in
                responses.map(|response| response.ok().unwrap()).into_iter().zip(answered.join().unwrap())
            {
                assert!(response.head.status == StatusCode::OK && response.keep);
                assert!(request.starts_with("GET /full HTTP/1.1\r\n"), "{request}");
                assert_eq!(response.written, request.len() as u64);
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_request_over_tls_waits_for_the_end_of_the_turn() {
    in_turns(async {
        let (mut connection, mut server) = connect(true).await;
        let cx = Context::from_waker(Waker::noop());
        let text = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
        let later = connection.io.send_later(&cx, Instant::now(), |output| output.extend_from_slice(text.as_bytes()));
        assert_eq!(later.unwrap().unwrap().size, text.len());
        server.tcp.set_nonblocking(true).unwrap();
        assert_eq!(server.tcp.peek(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        server.tcp.set_nonblocking(false).unwrap();
        yield_now().await;
        assert!(matches!(connection.io.sent(), Some(Ok(()))));
        assert_eq!(read_request(&mut server), text);
    })
    .await;
}
