//! What sessions report to their observer, and requests in their different forms.
#![allow(clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::LocalBoxFuture;
use http::{Method, StatusCode};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use url::Url;

use super::*;
use crate::{
    metrics::{OperationSample, Outcome},
    options::Args,
};

/// How long a listener takes for each event.
const LISTENING: Duration = Duration::from_millis(500);

/// A slow listener, and the samples.
#[derive(Default)]
struct Slow(RefCell<Vec<OperationSample<'static>>>);

impl Observer for Slow {
    fn has_listeners(&self) -> bool {
        true
    }

    fn is_cutting(&self) -> bool {
        false
    }

    fn sending<'a>(&'a self, _: &'a Session, _: &'a Request) -> LocalBoxFuture<'a, ()> {
        Box::pin(tokio::time::sleep(LISTENING))
    }

    fn received<'a>(&'a self, _: &'a Session, _: &'a Request, _: &'a Response) -> LocalBoxFuture<'a, ()> {
        Box::pin(tokio::time::sleep(LISTENING))
    }

    fn request_metric(&self, _: &Method, _: &Url) -> Option<String> {
        None
    }

    fn measured(&self, _: Option<&str>, _: &str, _: &str, _: Option<&str>, sample: OperationSample<'_>) {
        self.0.borrow_mut().push(OperationSample { status: None, ..sample });
    }
}

/// A server that redirects `/` twice, to a response whose body arrives after its head.
async fn redirecting(last: &'static str, body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = BufReader::new(socket);
        loop {
            let mut first = String::new();
            socket.read_line(&mut first).await.unwrap();
            let mut line = String::new();
            while socket.read_line(&mut line).await.unwrap() > 2 {
                line.clear();
            }
            let answer = match first.split(' ').nth(1) {
                Some("/") => "HTTP/1.1 302 Found\r\nlocation: /second\r\ncontent-length: 0\r\n\r\n",
                Some("/second") => "HTTP/1.1 302 Found\r\nlocation: /last\r\ncontent-length: 0\r\n\r\n",
                Some("/last") => last,
                _ => break,
            };
            socket.write_all(answer.as_bytes()).await.unwrap();
            if first.starts_with("GET /last") {
                tokio::task::yield_now().await;
                socket.write_all(body).await.unwrap();
            }
        }
    });
    url
}

#[tokio::test]
async fn time_in_listeners_does_not_count() {
    let plain = async |transport| {
        let url = redirecting("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok").await;
        send_with_slow_listener(transport, url).await;
    };
    let compressed = async || {
        let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 22\r\n\r\n";
        let gzip = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\xcf\x06\0G\xdd\xdcy\x02\0\0\0";
        send_with_slow_listener(Transport::Direct, redirecting(head, gzip).await).await;
    };
    tokio::join!(plain(Transport::Direct), plain(Transport::Reqwest), compressed());
}

async fn send_with_slow_listener(transport: Transport, url: String) {
    // Each listener takes longer than the timeout of the request.
    let options = SessionOptions::new().transport(transport).timeout(LISTENING * 3 / 4);
    let session = Session::new(options).unwrap();
    let observer = Rc::new(Slow::default());
    session.belong_to(Context::outside().with_observer(observer.clone()));
    let before = Instant::now();
    let body = session.get(url).send().await.unwrap().bytes().await;
    assert!(before.elapsed() >= 4 * LISTENING);
    let samples = observer.0.borrow();
    assert_eq!(samples.len(), 1);
    assert!(samples[0].total < LISTENING, "{transport:?}: {:?}", samples[0]);
    assert!(samples[0].first_byte.unwrap() < LISTENING, "{transport:?}: {:?}", samples[0]);
    assert_eq!(body.unwrap(), "ok", "{transport:?}");
}

/// How long a listener of operations takes.
const LISTENER: Duration = Duration::from_millis(200);

/// Counts operations, and takes its time for each event.
#[derive(Default)]
struct Counting {
    samples: RefCell<Vec<(String, OperationSample<'static>)>>,
    events: RefCell<Vec<String>>,
    cuts: Cell<bool>,
}

impl Observer for Counting {
    fn has_listeners(&self) -> bool {
        true
    }

    fn is_cutting(&self) -> bool {
        self.cuts.get()
    }

    fn sending<'a>(&'a self, _: &'a Session, _: &'a Request) -> LocalBoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn received<'a>(&'a self, _: &'a Session, _: &'a Request, _: &'a Response) -> LocalBoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn operation_started<'a>(&'a self, operation: &'a Operation) -> LocalBoxFuture<'a, ()> {
        self.events.borrow_mut().push(format!("> {}", operation.name()));
        Box::pin(tokio::time::sleep(LISTENER))
    }

    fn operation_ended<'a>(
        &'a self,
        operation: &'a Operation,
        outcome: Outcome,
        elapsed: Duration,
    ) -> LocalBoxFuture<'a, ()> {
        assert!(elapsed < LISTENER, "{elapsed:?}");
        self.events.borrow_mut().push(format!("< {} {:?} {outcome:?}", operation.name(), operation.status()));
        Box::pin(tokio::time::sleep(LISTENER))
    }

    fn request_metric(&self, _: &Method, _: &Url) -> Option<String> {
        None
    }

    fn measured(&self, _: Option<&str>, protocol: &str, name: &str, _: Option<&str>, sample: OperationSample<'_>) {
        self.samples.borrow_mut().push((format!("{protocol} {name}"), OperationSample { status: None, ..sample }));
    }
}

#[tokio::test]
async fn operations_are_recorded_once_however_they_end() {
    let observer = Rc::new(Counting::default());
    let context = Context::outside().with_observer(observer.clone());
    let mut fine = context.operation("LINE", "fine").await;
    fine.set_status("OK");
    fine.mark_first_byte();
    fine.add_sent(5);
    fine.add_received(7);
    fine.add_received(1);
    assert_eq!(fine.finish(Some(3)).await, Some(3));
    assert!(context.operation("LINE", "failed".to_owned()).await.finish(Err::<(), _>("no")).await.is_err());
    drop(context.operation("LINE", "dropped").await);
    observer.cuts.set(true);
    drop(context.operation("LINE", "cut").await);
    // Cancelled before its clock has started: there is nothing to measure.
    assert!(tokio::time::timeout(LISTENER / 2, context.operation("LINE", "early")).await.is_err());

    let samples = observer.samples.take();
    let ended: Vec<_> = samples.iter().map(|(name, sample)| (&**name, sample.outcome)).collect();
    let (ok, failed, interrupted) = (Outcome::Ok, Outcome::Failed, Outcome::Interrupted);
    assert_eq!(
        ended,
        [("LINE fine", ok), ("LINE failed", failed), ("LINE dropped", failed), ("LINE cut", interrupted)]
    );
    let fine = samples[0].1;
    assert_eq!((fine.bytes_out, fine.bytes_in, fine.first_byte.is_some()), (5, 8, true));
    assert!(samples.iter().all(|(_, sample)| sample.total < LISTENER), "{samples:?}");
    let events = observer.events.take();
    let expected =
        ["> fine", "< fine Some(\"OK\") Ok", "> failed", "< failed None Failed", "> dropped", "> cut", "> early"];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn operations_outside_a_run_measure_nothing() {
    assert!(Context::outside().operation("LINE", "echo").await.finish(true).await);
}

#[tokio::test]
async fn awaiting_a_request_sends_it() {
    let url = redirecting("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok").await;
    let session = Session::new(SessionOptions::new()).unwrap();
    // No annotation states the error of the block.
    let step = async {
        let response = session.get(url).await?;
        Ok(response.text().await?)
    };
    assert_eq!(Context::outside().try_measure("step", step).await.unwrap(), "ok");
    let failed = Context::outside().try_measure("step", async { Ok(session.get("nowhere").await?.status()) }).await;
    assert!(failed.unwrap_err().to_string().contains("nowhere"));
}

#[tokio::test]
async fn built_requests_can_be_changed_copied_and_executed_by_any_session() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://ada:secret@{}/start", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = BufReader::new(socket);
            let mut text = String::new();
            while !text.ends_with("\r\n\r\nbody") {
                let read = socket.fill_buf().await.unwrap();
                text.push_str(std::str::from_utf8(read).unwrap());
                let read = read.len();
                socket.consume(read);
            }
            socket.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
            seen.push(text);
        }
        seen
    });
    let session = Session::new(SessionOptions::new()).unwrap();
    let builder = session.post(&url).header("x-mine", "1").body("body");
    let mut request = builder.try_clone().unwrap().build().unwrap();
    let other = request.url().join("/other?n=1").unwrap();
    request.set_url(other).unwrap();
    *request.method_mut() = Method::PUT;
    request.headers_mut().insert("x-mine", "2".parse().unwrap());
    assert_eq!((request.method(), request.url().path()), (&Method::PUT, "/other"));
    assert_eq!(request.body(), Some(&b"body"[..]));
    assert!(!format!("{request:?}").contains("secret"));
    let elsewhere = Session::new(SessionOptions::new().header("x-default", "yes")).unwrap();
    assert_eq!(elsewhere.execute(request.try_clone().unwrap()).await.unwrap().status(), 204);
    assert_eq!(builder.send().await.unwrap().status(), 204);
    let seen = server.await.unwrap();
    assert!(seen[0].starts_with("PUT /other?n=1 HTTP/1.1\r\n") && seen[0].contains("x-mine: 2\r\n"), "{}", seen[0]);
    assert!(seen[0].contains("x-default: yes\r\n") && seen[0].contains("authorization: Basic "), "{}", seen[0]);
    assert!(seen[1].starts_with("POST /start HTTP/1.1\r\n") && seen[1].contains("x-mine: 1\r\n"), "{}", seen[1]);
    assert!(!seen[1].contains("x-default"), "{}", seen[1]);

    let stream = || RequestBody::wrap_stream(futures_util::stream::empty::<Result<Vec<u8>, std::io::Error>>());
    assert!(session.post(&url).body(stream()).try_clone().is_none());
    assert!(session.post(&url).body(stream()).build().unwrap().try_clone().is_none());
    assert!(session.get("nowhere").try_clone().is_none());
    assert!(session.get("nowhere").build().unwrap_err().to_string().contains("nowhere"));
}

#[tokio::test]
async fn requests_go_through_the_proxy_that_applies_to_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut lines = BufReader::new(socket).lines();
        let mut head = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
            head.push(line);
        }
        let mut socket = lines.into_inner();
        socket.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
        head
    });
    let direct = redirecting("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok").await;
    let other = Proxy::https("http://127.0.0.1:9");
    let proxy_for_http = Proxy::http(format!("http://{address}")).basic_auth("ada", "secret").no_proxy("127.0.0.1");
    let session = Session::new(SessionOptions::new().proxy(other).proxy(proxy_for_http)).unwrap();
    assert_eq!(session.get("http://shop.example/cart").send().await.unwrap().status(), 204);
    assert_eq!(session.get(direct).send().await.unwrap().status(), 200);
    let head = proxy.await.unwrap();
    assert_eq!(head[0], "GET http://shop.example/cart HTTP/1.1");
    assert!(
        head.iter().any(|line| line.eq_ignore_ascii_case("proxy-authorization: Basic YWRhOnNlY3JldA==")),
        "{head:?}"
    );

    let wrong = Session::new(SessionOptions::new().proxy(Proxy::all("no proxy")));
    assert!(wrong.unwrap_err().to_string().contains("the proxy cannot be used"));
}

/// The name of a check, and its result.
type CheckResult = (String, Result<(), Option<String>>);

/// The names of requests with their outcomes, the tags, and the checks.
#[derive(Default)]
struct Outcomes {
    requests: RefCell<Vec<(String, Outcome)>>,
    tags: RefCell<Vec<String>>,
    checks: RefCell<Vec<CheckResult>>,
}

impl Observer for Outcomes {
    fn has_listeners(&self) -> bool {
        false
    }

    fn is_cutting(&self) -> bool {
        false
    }

    fn sending<'a>(&'a self, _: &'a Session, _: &'a Request) -> LocalBoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn received<'a>(&'a self, _: &'a Session, _: &'a Request, _: &'a Response) -> LocalBoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn request_metric(&self, _: &Method, _: &Url) -> Option<String> {
        None
    }

    fn measured(&self, group: Option<&str>, _: &str, name: &str, _: Option<&str>, sample: OperationSample<'_>) {
        let name = group.map(|group| format!("{group}: {name}")).unwrap_or_else(|| name.to_owned());
        self.requests.borrow_mut().push((name, sample.outcome));
    }

    fn tagged(&self, tag: &str, _: &str, _: OperationSample<'_>) {
        self.tags.borrow_mut().push(tag.to_owned());
    }

    fn checked(&self, name: &str, _: &str, result: Result<(), Option<String>>, _: &dyn Fn() -> Option<String>) {
        self.checks.borrow_mut().push((name.to_owned(), result));
    }
}

/// A server that answers each request with the status in its path.
async fn answering() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = BufReader::new(socket);
        let mut line = String::new();
        while socket.read_line(&mut line).await.unwrap_or(0) > 0 {
            let status =
                line.split('/').nth(1).and_then(|path| path.split([' ', '?']).next()).unwrap_or("500").to_owned();
            while !line.ends_with("\r\n\r\n") {
                socket.read_line(&mut line).await.unwrap();
            }
            line.clear();
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

async fn observed(options: SessionOptions) -> (Session, Rc<Outcomes>, String) {
    let session = Session::new(options).unwrap();
    let outcomes = Rc::new(Outcomes::default());
    session.belong_to(Context::outside().with_observer(outcomes.clone()));
    (session, outcomes, answering().await)
}

#[tokio::test]
async fn expected_statuses_decide_whether_requests_fail() {
    use Outcome::{Failed, Ok};
    let (session, outcomes, url) = observed(SessionOptions::new()).await;
    let get = |status: u16| session.get(format!("{url}/{status}")).name(status.to_string());
    get(404).send().await.unwrap();
    get(404).expect(404).send().await.unwrap();
    get(200).expect(404).send().await.unwrap();
    get(429).expect([200, 429]).send().await.unwrap();
    get(204).expect(200..=299).send().await.unwrap();
    get(302).expect(200..=299).redirect(Redirect::none()).send().await.unwrap();
    get(503).expect_any().send().await.unwrap();
    let requests = outcomes.requests.take();
    assert_eq!(
        requests.iter().map(|(_, outcome)| *outcome).collect::<Vec<_>>(),
        [Failed, Ok, Failed, Ok, Ok, Failed, Ok],
        "{requests:?}"
    );
}

#[tokio::test]
async fn sessions_have_expected_statuses() {
    let (session, outcomes, url) = observed(SessionOptions::new().expect([200, 404])).await;
    session.get(format!("{url}/404")).send().await.unwrap();
    session.get(format!("{url}/204")).send().await.unwrap();
    session.get(format!("{url}/204")).expect(StatusCode::NO_CONTENT).send().await.unwrap();
    let requests: Vec<_> = outcomes.requests.take().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(requests, [Outcome::Ok, Outcome::Failed, Outcome::Ok]);
}

#[tokio::test]
async fn requests_have_groups_tags_and_checks() {
    let (session, outcomes, url) = observed(SessionOptions::new()).await;
    let context = session.context().clone();
    let sent = context.group("checkout", async {
        let get = session.get(format!("{url}/200?token=secret")).name("pay").tag("region", "eu").tag("plan", 2);
        let response = get.send().await?;
        assert!(response.check("found", |response| response.status() == 200));
        assert!(!response.check("cached", |response| response.headers().get("etag").is_some()));
        assert!(!response.check("small", |_| Err::<(), _>("too large")));
        Ok(())
    });
    sent.await.unwrap();
    assert_eq!(outcomes.requests.take(), [("checkout: pay".to_owned(), Outcome::Ok)]);
    assert_eq!(outcomes.tags.take(), ["region=eu", "plan=2"]);
    let checks = outcomes.checks.take();
    let address = url.trim_start_matches("http://");
    let response = format!("GET http://{address}/200?token=***: 200 OK");
    assert_eq!(checks[0], ("found".to_owned(), Ok(())));
    assert_eq!(checks[1], ("cached".to_owned(), Err(Some(response.clone()))));
    assert_eq!(checks[2], ("small".to_owned(), Err(Some(format!("too large ({response})")))));
}

/// A server that responds to each request with its head, and sets the cookie `b=2`.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let mut lines = BufReader::new(socket).lines();
            let mut head = String::new();
            while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
                head += &line;
                head.push('\n');
            }
            let answer = "HTTP/1.1 200 OK\r\nset-cookie: b=2\r\nconnection: close\r\ncontent-length:";
            let answer = format!("{answer} {}\r\n\r\n{head}", head.len());
            lines.into_inner().write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

async fn sent(request: RequestBuilder) -> String {
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn paths_are_added_to_the_base_url() {
    let server = echo().await;
    let session = Session::new(SessionOptions::new().base_url(format!("{server}/api/"))).unwrap();
    let head = sent(session.get("/cart?page=1").query(&[("q", "a b")])).await;
    assert!(head.starts_with("GET /api/cart?page=1&q=a+b HTTP/1.1\n"), "{head}");
    let head = sent(session.get(format!("{server}/cart"))).await;
    assert!(head.starts_with("GET /cart HTTP/1.1\n"), "{head}");
    // The host of the run replaces that of `setup`.
    let args = Args { host: Some(server.parse().unwrap()), ..Args::default() };
    let options = SessionOptions::new().base_url("http://127.0.0.1:1").with_args(&args);
    let head = sent(Session::new(options).unwrap().get("/cart")).await;
    assert!(head.starts_with("GET /cart HTTP/1.1\n"), "{head}");

    let without = Session::new(SessionOptions::new()).unwrap();
    assert_eq!(
        without.get("/cart").send().await.unwrap_err().to_string(),
        "`/cart` has no host: pass `--host http://127.0.0.1:8080`, or set `SessionOptions::base_url` in `setup`"
    );
    assert!(without.get("cart").send().await.unwrap_err().to_string().contains("begin a path with a slash"));
    let invalid = Session::new(SessionOptions::new().base_url("127.0.0.1:8080")).unwrap_err();
    assert_eq!(invalid.to_string(), "the base URL is invalid: the scheme is missing: `http://127.0.0.1:8080`");
}

#[tokio::test]
async fn headers_and_cookies_of_the_run_are_defaults() {
    let server = echo().await;
    let args = Args {
        host: Some(server.parse().unwrap()),
        header: ["X-Run: 1", "X-Both: run", "User-Agent: run"].map(|header| header.parse().unwrap()).to_vec(),
        cookie: ["a=1", "b=1"].map(|cookie| cookie.parse().unwrap()).to_vec(),
        ..Args::default()
    };
    let options = SessionOptions::new().header("x-both", "session").cookie("/", "mine=3").with_args(&args);
    let session = Session::new(options).unwrap();
    let head = sent(session.get("/")).await;
    for line in ["\nx-run: 1\n", "\nx-both: session\n", "\nuser-agent: run\n", "\ncookie: a=1; b=1; mine=3\n"] {
        assert!(head.contains(line), "{line}: {head}");
    }
    // The server has set `b=2`.
    let head = sent(session.get("/").header("x-run", "request")).await;
    assert!(head.contains("\nx-run: request\n") && !head.contains("x-run: 1"), "{head}");
    let cookies = head.lines().find_map(|line| line.strip_prefix("cookie: a=1; ")).unwrap();
    assert!(["b=2; mine=3", "mine=3; b=2"].contains(&cookies), "{head}");
    let head = sent(session.get("/").header("cookie", "only=this")).await;
    assert!(head.contains("\ncookie: only=this\n"), "{head}");
}

/// A plain GET allocates nothing if its body is dropped or read as bytes, and the futures of requests are small.
#[test]
fn plain_requests_allocate_nothing() {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|read| read > 0) {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nServer: test\r\n\r\nbody").unwrap();
        }
    });
    let session = Session::new(SessionOptions::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let send = |requests: usize| {
        runtime.block_on(async {
            for number in 0..requests {
                let response = session.get(url.as_str()).send().await.unwrap();
                assert_eq!(response.status(), 200);
                if number % 2 == 0 {
                    assert_eq!(response.bytes().await.unwrap(), "body");
                }
            }
        });
    };
    // This opens the connection and fills the caches.
    send(10);
    let counted = allocation_counter::measure(|| send(100));
    // The runtime may allocate now and then.
    assert!(counted.count_total < 5, "{counted:?}");

    let future = session.get(url.as_str()).send();
    assert!(size_of_val(&future) <= 1024, "{} bytes", size_of_val(&future));
}

#[test]
fn large_bodies_are_read_into_memory_that_is_used_again() {
    use std::io::{Read, Write};

    const SIZE: usize = 100 * 1024;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").into_bytes();
        response.resize(response.len() + SIZE, b'x');
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|read| read > 0) {
            let (first, rest) = response.split_at(40_000);
            stream.write_all(first).unwrap();
            std::thread::yield_now();
            stream.write_all(rest).unwrap();
        }
    });
    let session = Session::new(SessionOptions::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let send = |requests: u64| {
        runtime.block_on(async {
            for _ in 0..requests {
                let response = session.get(url.as_str()).send().await.unwrap();
                assert_eq!(response.bytes().await.unwrap().len(), SIZE);
            }
        });
    };
    send(10);
    let counted = allocation_counter::measure(|| send(100));
    assert!(counted.bytes_total < 100 * 4096, "{counted:?}");
}
