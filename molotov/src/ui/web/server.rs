//! The server of the live page.

use std::{
    convert::Infallible,
    fs::File,
    io::Read,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    WebListener,
    cached::{Cached, UPDATE_PERIOD},
    host::{self, Hosts},
    live_run::LiveRun,
    page::{self, Template},
    stream::{Content, Published},
    write_timeout::WriteTimeout,
};

/// The most connections. Others are closed at once, so that the page cannot take the open files of the run.
pub(super) const CONNECTIONS: usize = 64;
/// How long a connection may take to send a request.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the events of the run are added up.
const TICK: Duration = Duration::from_millis(250);
/// How long a connection may write nothing of what a viewer has to read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long viewers may take to read the last data.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// Memory for what a viewer has not read, in bytes: in this process, and in the system.
const BUFFER: usize = 64 << 10;
const SYSTEM_BUFFER: usize = 64 << 10;

/// Serves the page until `finished` is notified.
pub(super) fn run(listener: WebListener, run: LiveRun, finished: &Notify) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve(listener, run, finished)));
    if let Err(error) = served {
        tracing::warn!("cannot serve the live page: {error}");
    }
}

struct Server {
    hosts: Hosts,
    state: Mutex<State>,
    /// What is sent to all viewers.
    updates: watch::Sender<Published>,
    /// Tells this run from others that were served at the same address.
    token: String,
}

struct State {
    run: LiveRun,
    page: Cached<Template>,
    event: Cached<Published>,
}

async fn serve(listener: WebListener, run: LiveRun, finished: &Notify) -> std::io::Result<()> {
    let WebListener { socket, address } = listener;
    let socket = TcpListener::from_std(socket)?;
    let state = State { run, page: Cached::new(UPDATE_PERIOD), event: Cached::new(UPDATE_PERIOD) };
    let (hosts, state, token) = (Hosts::of(address), Mutex::new(state), random());
    let server = Arc::new(Server { hosts, state, updates: watch::Sender::default(), token });
    let (ended, ending) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = finished.notified() => break,
            _ = ticks.tick() => {
                while connections.try_join_next().is_some() {}
                if server.updates.receiver_count() > 0 {
                    server.event();
                } else {
                    server.with_state(|_| ());
                }
            }
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) if connections.len() < CONNECTIONS => {
                    connections.spawn(answer(server.clone(), stream, ending.clone()));
                }
                Ok(_) => {}
                // There may be no free descriptor.
                Err(_) => sleep(TICK).await,
            }
        }
    }
    drop((socket, ending));
    server.updates.send_replace(server.with_state(|State { run, .. }| match run.has_ended() {
        true => page::event(run.summary(), true),
        // As after a panic. It is unknown how the run ended.
        false => Published::default(),
    }));
    drop((server, ended));
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

/// Answers the request of a connection. At the end of the run, does not wait for a request.
async fn answer(server: Arc<Server>, stream: TcpStream, mut ending: watch::Receiver<()>) {
    // Without these settings, the page is only slower or takes more memory.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SYSTEM_BUFFER);
    let stream = WriteTimeout::new(stream, WRITE_TIMEOUT);
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        let response = server.respond(&request);
        async { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT).keep_alive(false).max_buf_size(BUFFER);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = &mut connection => {}
        _ = ending.changed() => if asked.load(Ordering::Relaxed) {
            let _ = connection.await;
        },
    }
}

impl Server {
    /// Calls a function with the run up to now.
    fn with_state<T>(&self, take: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.run.catch_up();
        take(&mut state)
    }

    /// Returns the last event. Publishes a new one if it is due.
    fn event(&self) -> Published {
        self.with_state(|State { run, event, .. }| {
            event.get(|| {
                let ended = run.has_ended();
                let published = page::event(run.summary(), ended);
                self.updates.send_replace(published.clone());
                published
            })
        })
    }

    fn respond(&self, request: &Request<Incoming>) -> Response<Content> {
        if !self.hosts.allow(request) {
            return plain(StatusCode::FORBIDDEN, self.hosts.names());
        }
        if host::is_embedded_elsewhere(request) {
            return plain(StatusCode::FORBIDDEN, "Pages of other sites cannot request this page.\n");
        }
        let is_head = request.method() == Method::HEAD;
        if !is_head && request.method() != Method::GET {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are supported.\n");
            response.headers_mut().insert("allow", HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/" => {
                let nonce = random();
                let page = self.with_state(|State { run, page, .. }| {
                    page.get(|| {
                        let placeholder = format!("nonce{}", random());
                        Template::new(page::page(run.summary(), &placeholder, &self.token), &placeholder)
                    })
                });
                let mut response =
                    respond(StatusCode::OK, "text/html; charset=utf-8", Content::parts(page.with_nonce(&nonce)));
                let policy = format!(
                    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
                     img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                );
                if let Ok(policy) = HeaderValue::from_str(&policy) {
                    response.headers_mut().insert("content-security-policy", policy);
                }
                response
            }
            // A page of an earlier run at the same address; this status ends its stream.
            "/events" if request.uri().query() != Some(&format!("run={}", self.token)) => {
                plain(StatusCode::NO_CONTENT, "")
            }
            "/events" => {
                let content = match is_head {
                    true => Content::whole(""),
                    false => Content::events(self.event(), self.updates.subscribe()),
                };
                respond(StatusCode::OK, "text/event-stream", content)
            }
            // Browsers ask for it.
            "/favicon.ico" => plain(StatusCode::NO_CONTENT, ""),
            _ => plain(StatusCode::NOT_FOUND, "There is only the page `/`.\n"),
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Content> {
    respond(status, "text/plain; charset=utf-8", Content::whole(text))
}

fn respond(status: StatusCode, kind: &'static str, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    for (name, value) in [
        ("content-type", kind),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Returns 32 hexadecimal digits that no other program can guess.
fn random() -> String {
    let mut bytes = [0; 16];
    // Every Unix system has this device. Without it, the scripts of the page do not run.
    let read = File::open("/dev/urandom").and_then(|mut device| device.read_exact(&mut bytes));
    match read {
        Ok(()) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(_) => String::new(),
    }
}
