//! The server of the live page.

use std::{
    convert::Infallible,
    fs::File,
    io::Read,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
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
    WebListener, host,
    live_run::LiveRun,
    page,
    stream::{Content, Published},
};

/// The most connections. Others are closed at once, so that the page cannot take the open files of the run.
pub(super) const CONNECTIONS: usize = 64;
/// How long a connection may take to send a request.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the events of the run are added up.
const TICK: Duration = Duration::from_millis(250);
/// The shortest time between two updates of a page.
const UPDATE_PERIOD: Duration = Duration::from_secs(1);
/// The time until the next update, as a multiple of the CPU time that an update took: updates take half a percent of a core.
const PAUSE: u32 = 200;
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
    address: SocketAddr,
    run: Mutex<LiveRun>,
    /// What is sent to all viewers.
    updates: watch::Sender<Published>,
    /// Tells this run from others that were served at the same address.
    token: String,
}

async fn serve(listener: WebListener, run: LiveRun, finished: &Notify) -> std::io::Result<()> {
    let WebListener { socket, address } = listener;
    let socket = TcpListener::from_std(socket)?;
    let server = Arc::new(Server { address, run: Mutex::new(run), updates: watch::Sender::default(), token: random() });
    let (ended, ending) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_update = Instant::now();
    loop {
        tokio::select! {
            () = finished.notified() => break,
            _ = ticks.tick() => {
                while connections.try_join_next().is_some() {}
                let started = Instant::now();
                let is_due = started >= next_update && server.updates.receiver_count() > 0;
                if is_due {
                    let before = cpu_time();
                    server.updates.send_replace(server.update());
                    next_update = started + UPDATE_PERIOD.max(cpu_time().saturating_sub(before) * PAUSE);
                } else {
                    server.with_run(|_| ());
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
    // Without a summary, as after a panic, it is unknown how the run ended.
    let has_ended = server.with_run(|run| run.has_ended());
    server.updates.send_replace(if has_ended { server.update() } else { Published::default() });
    drop((server, ended));
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    Ok(())
}

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// Answers the request of a connection. At the end of the run, does not wait for a request.
async fn answer(server: Arc<Server>, stream: TcpStream, mut ending: watch::Receiver<()>) {
    // Without these settings, the page is only slower or takes more memory.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&stream, SYSTEM_BUFFER);
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
    fn with_run<T>(&self, take: impl FnOnce(&mut LiveRun) -> T) -> T {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.catch_up();
        take(&mut run)
    }

    fn update(&self) -> Published {
        self.with_run(|run| {
            let ended = run.has_ended();
            page::event(run.summary(), ended)
        })
    }

    fn respond(&self, request: &Request<Incoming>) -> Response<Content> {
        if !host::is_allowed(request, self.address) {
            let why = "This page answers only to the names localhost, 127.0.0.1 and [::1].\n";
            return plain(StatusCode::FORBIDDEN, why);
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
                let text = self.with_run(|run| page::page(run.summary(), &nonce, &self.token));
                let mut response = respond(StatusCode::OK, "text/html; charset=utf-8", Content::whole(text));
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
                    false => Content::events(self.update(), self.updates.subscribe()),
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
