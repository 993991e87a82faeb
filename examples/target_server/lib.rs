//! The small server for the examples. It counts requests by path.

mod chat;
mod echo;
mod storefront;

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use molotov::session::{Session, SessionOptions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The number of requests for each path.
pub type Counts = BTreeMap<String, u64>;

/// Counts the requests of a server. Clones share their counts.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<Mutex<Counts>>);

/// Returns the routes of the server.
fn router(counter: Counter) -> Router {
    Router::new()
        .route("/", get(|| async { Json(json!({"result": "OK"})) }))
        .route("/users/{id}", get(async |Path(id): Path<u64>| Json(json!({"id": id, "name": format!("user {id}")}))))
        .route("/cart", post(async |Json(item): Json<Value>| (StatusCode::CREATED, Json(json!({"added": item})))))
        .route("/headers", get(headers))
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/flaky", get(flaky))
        .route("/slow", get(slow))
        .route("/freezing", get(freezing))
        .route("/v1/chat/completions", post(chat::completion))
        .route("/chat", get(async |State(counter): State<Counter>, request: Request| echo::websocket(counter, request)))
        .layer(from_fn_with_state(counter.clone(), count))
        .route("/__counts", get(async |State(counter): State<Counter>| Json(counter.counts())))
        .with_state(counter.clone())
        .merge(storefront::router(counter))
}

impl Counter {
    fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, what: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(what) {
            Some(count) => *count += 1,
            None => drop(counts.insert(what.to_owned(), 1)),
        }
    }
}

async fn count(State(counter): State<Counter>, request: Request, next: Next) -> Response {
    counter.add(request.uri().path());
    next.run(request).await
}

/// Returns the headers of the request.
async fn headers(headers: HeaderMap) -> Json<BTreeMap<String, String>> {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Json(headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
}

/// Sets the cookie that `/me` requires.
async fn login() -> impl IntoResponse {
    ([(header::SET_COOKIE, "session=secret; Path=/")], Json(json!({"token": "t-123"})))
}

async fn me(headers: HeaderMap) -> Response {
    let cookie = headers.get(header::COOKIE).is_some_and(|cookie| cookie.as_bytes().starts_with(b"session=secret"));
    let token = headers.get(header::AUTHORIZATION).is_some_and(|token| token == "Bearer t-123");
    match cookie || token {
        true => Json(json!({"name": "ada"})).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// Fails on request: `/flaky?fail=true`.
async fn flaky(Query(query): Query<HashMap<String, String>>) -> Response {
    match query.get("fail").is_some_and(|fail| fail == "true") {
        true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        false => Json(json!({"result": "OK"})).into_response(),
    }
}

/// Takes 20 ms.
async fn slow() -> Json<Value> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Json(json!({"result": "OK"}))
}

/// Takes 50 ms, except that it sends no response during the last second of every five.
async fn freezing() -> Json<Value> {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let start = *START;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let since_the_last = start.elapsed().as_millis() % 5_000;
    if since_the_last >= 4_000 {
        tokio::time::sleep(Duration::from_millis(5_000 - since_the_last as u64)).await;
    }
    Json(json!({"result": "OK"}))
}

/// Serves HTTP until the task is dropped. `ready` gets the address that was bound.
///
/// # Errors
///
/// Returns an error if the address cannot be bound.
pub async fn serve(address: &str, counter: Counter, ready: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    ready(listener.local_addr()?);
    // Otherwise, a token waits until the client has acknowledged the head, which takes up to 40 ms.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, router(counter)).await
}

/// Serves a protocol of lines until the task is dropped: `echo TEXT` is answered by `OK TEXT`, any other command by `ERROR` and
/// the reason. Each line is counted as `lines`.
///
/// # Errors
///
/// Returns an error if the address cannot be bound.
pub async fn serve_lines(address: &str, counter: Counter, ready: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    ready(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let counter = counter.clone();
        tokio::spawn(async move {
            let (reader, mut writer) = stream.into_split();
            let mut lines = tokio::io::BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                counter.add("lines");
                let reply = match line.split_once(' ').unwrap_or((&line, "")) {
                    ("echo", text) => format!("OK {text}\n"),
                    (command, _) => format!("ERROR unknown command {command}\n"),
                };
                if writer.write_all(reply.as_bytes()).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// A target server in another process of this program. Dropping the value stops it.
#[derive(Debug)]
pub struct Target {
    child: Child,
    /// `http://` and the address.
    pub url: String,
    /// The address of the line protocol.
    pub lines: String,
}

/// Serves, if [`Target::start`] started this program as the target server. Call it first in `main`.
pub fn serve_if_asked() {
    if std::env::var_os(ASKED).is_none() {
        return;
    }
    // It ends when its standard input is closed, at the latest with the program that started it.
    std::thread::spawn(|| {
        let _ = io::stdin().lines().count();
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("an event loop");
    let counter = Counter::default();
    let served = runtime.block_on(async {
        tokio::try_join!(
            serve("127.0.0.1:0", counter.clone(), |address| println!("http {address}")),
            serve_lines("127.0.0.1:0", counter, |address| println!("lines {address}")),
        )
    });
    eprintln!("the target server ended: {served:?}");
    std::process::exit(1);
}

const ASKED: &str = "MOLOTOV_EXAMPLE_SERVES";

impl Target {
    /// Starts the server on free ports.
    ///
    /// # Errors
    ///
    /// Returns an error if the program cannot be started, or ends at once.
    pub fn start() -> io::Result<Target> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(ASKED, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (mut url, mut lines) = (None, None);
        for line in BufReader::new(output).lines() {
            let line = line?;
            match line.split_once(' ') {
                Some(("http", address)) => url = Some(format!("http://{address}")),
                Some(("lines", address)) => lines = Some(address.to_owned()),
                _ => {}
            }
            if url.is_some() && lines.is_some() {
                break;
            }
        }
        match (url, lines) {
            (Some(url), Some(lines)) => Ok(Target { child, url, lines }),
            _ => Err(io::Error::other("the target server ended before it listened")),
        }
    }

    /// Returns the number of requests for each path, of lines as `lines`, and of messages of WebSockets as `messages`.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not respond.
    pub fn counts(&self) -> io::Result<Counts> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let asked = runtime.block_on(async {
            let session = Session::new(SessionOptions::new())?;
            session.get(format!("{}/__counts", self.url)).send().await?.json().await
        });
        asked.map_err(io::Error::other)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the URL of the examples' target: `MOLOTOV_TARGET`, or `http://127.0.0.1:8080`.
pub fn target() -> &'static str {
    static TARGET: LazyLock<String> =
        LazyLock::new(|| std::env::var("MOLOTOV_TARGET").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned()));
    &TARGET
}

/// Returns a URL of the target.
pub fn at(path: &str) -> String {
    format!("{}{path}", target())
}
