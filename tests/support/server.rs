//! A server on a free port that keeps what reached it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};

/// A request that reached the server.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When its head had been read.
    pub at: Instant,
    /// Its path.
    pub path: String,
    /// Its header `Authorization`.
    pub authorization: Option<String>,
}

/// Answers until it is dropped. The first part of a path says how:
/// `/ok/...` with 200, `/fail/...` with 500, `/hold/...` with 200 once [`Server::release`] was called,
/// `/loop/...` with a redirect to itself, `/fail-at/N/...` with 500 to the N-th request and 200 to all others,
/// `/bear/N/...` after [`SERVICE`] with 200, or with 503 where more than N are under way.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    arrivals: Mutex<Vec<Arrival>>,
    released: watch::Sender<bool>,
    under_way: AtomicUsize,
}

/// How long `/bear` takes.
pub const SERVICE: Duration = Duration::from_millis(100);

impl Shared {
    fn arrivals(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Starts a server on a thread of its own.
    ///
    /// # Panics
    ///
    /// When the system gives no port.
    #[expect(clippy::new_without_default, reason = "a server that starts is no default value")]
    pub fn new() -> Server {
        let shared = Arc::new(Shared {
            arrivals: Mutex::default(),
            released: watch::Sender::new(false),
            under_way: AtomicUsize::new(0),
        });
        let (stop, mut stopped) = watch::channel(false);
        let (told, address) = std::sync::mpsc::channel();
        let state = shared.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                told.send(listener.local_addr().expect("an address")).expect("the test waits for it");
                let app = Router::new().fallback(answer).with_state(state);
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

    /// All that arrived so far, in order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.shared.arrivals().clone()
    }

    /// How many requests arrived so far.
    pub fn served(&self) -> u64 {
        self.shared.arrivals().len() as u64
    }

    /// How many requests arrived so far for each path.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for arrival in self.shared.arrivals().iter() {
            *counts.entry(arrival.path.clone()).or_default() += 1;
        }
        counts
    }

    /// Lets the requests go that are held, and holds none any more.
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

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let number = {
        let mut arrivals = shared.arrivals();
        arrivals.push(Arrival { at: Instant::now(), path: path.clone(), authorization });
        arrivals.len()
    };
    let mut parts = path.split('/').skip(1);
    let fails = match parts.next() {
        Some("fail") => true,
        Some("fail-at") => parts.next().and_then(|at| at.parse().ok()) == Some(number),
        Some("bear") => {
            let borne: usize = parts.next().and_then(|number| number.parse().ok()).unwrap_or(0);
            // Refused requests take as long but no place, so the share that is refused does not depend on how requests arrive.
            let place = |taken| (taken < borne).then_some(taken + 1);
            let fits = shared.under_way.fetch_update(Ordering::SeqCst, Ordering::SeqCst, place).is_ok();
            tokio::time::sleep(SERVICE).await;
            if fits {
                shared.under_way.fetch_sub(1, Ordering::SeqCst);
            }
            !fits
        }
        Some("hold") => {
            // The sender lives as long as the server.
            let _ = shared.released.subscribe().wait_for(|released| *released).await;
            false
        }
        _ => false,
    };
    if path.starts_with("/loop/") {
        return (StatusCode::FOUND, [("location", path)]).into_response();
    }
    match fails {
        true => (StatusCode::INTERNAL_SERVER_ERROR, "broken").into_response(),
        false => Json(json!({ "result": "OK" })).into_response(),
    }
}
