//! A service that freezes once, and records when it answers.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::SERVICE;

/// The shortest time between two answers. A debug build cannot read hundreds of answers at once. It makes 32.5 % of the response
/// times in a test of 10 s at 200/s longer than [`SERVICE`], so that no percentile is at the edge.
const SPACING: Duration = Duration::from_micros(1_923);

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"result\":\"OK\"}";

/// Answers each request after [`SERVICE`], except while it is frozen. Afterwards, it answers waiting requests in their order. Each
/// request has a header `start` with its number in its process, and the ID of that process.
pub(crate) struct FreezingServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    /// When it freezes, from the first request on, and for how long.
    from: Duration,
    frozen: Duration,
    state: Mutex<State>,
}

/// Times of requests, by the number of the request in its process and the ID of that process. They are in the order of the planned
/// starts, since each of `n` processes starts every `n`th scenario.
pub(crate) type Times = BTreeMap<(usize, u32), SystemTime>;

#[derive(Default)]
struct State {
    /// When the first request was read.
    first: Option<SystemTime>,
    /// When the next answer may be sent.
    free: Option<SystemTime>,
    answers: Times,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns for how long the request waits that has just been read.
    fn wait(&self) -> Duration {
        let (state, now) = (&mut *self.state(), SystemTime::now());
        let first = *state.first.get_or_insert(now);
        let due = (now + SERVICE).max(state.free.unwrap_or(now));
        let end = first + self.from + self.frozen;
        let due = if (first + self.from..end).contains(&due) { end } else { due };
        state.free = Some(due + SPACING);
        due.duration_since(now).unwrap_or_default()
    }
}

impl FreezingServer {
    /// Starts a server on its own thread, which freezes this long after its first request.
    pub(crate) fn new(from: Duration, frozen: Duration) -> FreezingServer {
        let shared = Arc::new(Shared { from, frozen, state: Mutex::default() });
        let (stop, mut stopped) = watch::channel(false);
        let (sender, address) = std::sync::mpsc::channel();
        let state = shared.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                sender.send(listener.local_addr().expect("an address")).expect("the test waits for it");
                loop {
                    tokio::select! {
                        accepted = listener.accept() => {
                            let (stream, _) = accepted.expect("a connection");
                            tokio::spawn(serve(stream, state.clone()));
                        }
                        _ = stopped.changed() => break,
                    }
                }
            });
        });
        let address = address.recv().expect("the server has started");
        FreezingServer { address, shared, stop, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// When it sent its answers.
    pub(crate) fn answers(&self) -> Times {
        self.shared.state().answers.clone()
    }
}

impl Drop for FreezingServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers the requests of a connection until the client closes it.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    loop {
        // A client sends its next request after the answer, so the end of the head is the last that it sends.
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let wait = shared.wait();
        let sender = sender(&String::from_utf8_lossy(&request)).expect("a header with the number and the process");
        request.clear();
        tokio::time::sleep(wait).await;
        // The answer arrives while it is sent.
        shared.state().answers.insert(sender, SystemTime::now());
        stream.write_all(ANSWER).await?;
    }
}

/// The number of a request and the process that sent it.
fn sender(head: &str) -> Option<(usize, u32)> {
    let (number, process) = head.lines().find_map(|line| line.strip_prefix("start: "))?.split_once(' ')?;
    Some((number.parse().ok()?, process.parse().ok()?))
}
