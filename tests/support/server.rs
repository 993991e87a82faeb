//! A server on a free port that records its requests.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

/// A request that the server received.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When its head was read.
    pub at: Instant,
    /// Its path.
    pub path: String,
    /// Its method.
    pub method: Method,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its `Authorization` header.
    pub authorization: Option<String>,
}

/// Serves requests until it is dropped. The first segment of the path selects the response:
///
/// - `/fail/...`: 500
/// - `/fail-at/N/...`: 500 for the N-th request, 200 for others
/// - `/hold/...`: 200, after [`Server::release`] is called
/// - `/loop/...`: a redirect to the same path
/// - `/bear/N/...`: 200 after [`SERVICE`], or 500 if more than N requests are in progress
/// - `/queue/N/...`: 200 after [`SERVICE`], for N requests at a time; others wait
/// - `/after/MS/...`: 200 after this time
/// - `/cold/MS/...`: 500 after 300 ms for requests in the first MS milliseconds from the first one, then 200
/// - others, such as `/ok/...`: 200
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    arrivals: Mutex<Vec<Arrival>>,
    released: watch::Sender<bool>,
    frozen: watch::Sender<bool>,
    in_progress: AtomicUsize,
    /// The slots of `/queue`.
    queue: OnceLock<Semaphore>,
}

/// The response time of `/bear`.
pub const SERVICE: Duration = Duration::from_millis(100);

impl Shared {
    fn arrivals(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Starts a server on its own thread.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    #[expect(clippy::new_without_default, reason = "it opens a port")]
    pub fn new() -> Server {
        let shared = Arc::new(Shared {
            arrivals: Mutex::default(),
            released: watch::Sender::new(false),
            frozen: watch::Sender::new(false),
            in_progress: AtomicUsize::new(0),
            queue: OnceLock::new(),
        });
        let (stop, mut stopped) = watch::channel(false);
        let (sender, address) = std::sync::mpsc::channel();
        let state = shared.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                sender.send(listener.local_addr().expect("an address")).expect("the test waits for it");
                let app = Router::new().fallback(respond).with_state(state);
                tokio::select! {
                    served = axum::serve(listener, app) => served.expect("the server serves"),
                    _ = stopped.changed() => {}
                }
            });
        });
        let address = address.recv().expect("the server has started");
        Server { address, shared, stop, thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests received so far, in order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.shared.arrivals().clone()
    }

    /// The number of requests received so far.
    pub fn served(&self) -> u64 {
        self.shared.arrivals().len() as u64
    }

    /// The number of requests received so far for each path.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for arrival in self.shared.arrivals().iter() {
            *counts.entry(arrival.path.clone()).or_default() += 1;
        }
        counts
    }

    /// Sends no response for this time, and returns how long it really was.
    pub fn freeze(&self, time: Duration) -> Duration {
        let started = Instant::now();
        self.shared.frozen.send_replace(true);
        thread::sleep(time);
        self.shared.frozen.send_replace(false);
        started.elapsed()
    }

    /// Responds to all held requests, and stops holding requests.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn respond(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let number = {
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
        let mut arrivals = shared.arrivals();
        arrivals.push(Arrival {
            at,
            path: path.clone(),
            method: head.method,
            headers: head.headers,
            body,
            authorization,
        });
        arrivals.len()
    };
    let mut parts = path.split('/').skip(1);
    let fails = match parts.next() {
        Some("fail") => true,
        Some("fail-at") => parts.next().and_then(|at| at.parse().ok()) == Some(number),
        Some("bear") => {
            let capacity: usize = parts.next().and_then(|number| number.parse().ok()).unwrap_or(0);
            // Failing requests take as long but use no capacity, so the failure ratio does not depend on the order of arrival.
            let place = |taken| (taken < capacity).then_some(taken + 1);
            let fits = shared.in_progress.fetch_update(Ordering::SeqCst, Ordering::SeqCst, place).is_ok();
            tokio::time::sleep(SERVICE).await;
            if fits {
                shared.in_progress.fetch_sub(1, Ordering::SeqCst);
            }
            !fits
        }
        Some("queue") => {
            let slots = parts.next().and_then(|number| number.parse().ok()).unwrap_or(1);
            // A semaphore is never closed.
            let _slot = shared.queue.get_or_init(|| Semaphore::new(slots)).acquire().await;
            tokio::time::sleep(SERVICE).await;
            false
        }
        Some("after") => {
            tokio::time::sleep(millis(parts.next())).await;
            false
        }
        Some("cold") => {
            let is_cold = shared.arrivals()[0].at.elapsed() < millis(parts.next());
            if is_cold {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            is_cold
        }
        Some("hold") => {
            // The sender lives as long as the server.
            let _ = shared.released.subscribe().wait_for(|released| *released).await;
            false
        }
        _ => false,
    };
    if *shared.frozen.borrow() {
        let _ = shared.frozen.subscribe().wait_for(|frozen| !frozen).await;
    }
    if path.starts_with("/loop/") {
        return (StatusCode::FOUND, [("location", path)]).into_response();
    }
    match fails {
        true => (StatusCode::INTERNAL_SERVER_ERROR, "broken").into_response(),
        false => Json(json!({ "result": "OK" })).into_response(),
    }
}

fn millis(text: Option<&str>) -> Duration {
    Duration::from_millis(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}
