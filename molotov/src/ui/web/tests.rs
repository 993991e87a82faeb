//! Tests of the live page with browsers that are sockets.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use tokio::sync::watch;

use super::{
    super::Quiet,
    stream::{Content, Published},
    *,
};
use crate::{
    metrics::{Limits, Outcome, Recorder},
    run::Totals,
};

/// A run with a live page.
struct Run {
    address: SocketAddr,
    screen: Box<dyn Screen>,
    ended: u64,
}

impl Run {
    fn begin() -> Run {
        let listener = WebListener::bind(0.into()).unwrap();
        let address = listener.address;
        let mut screen = listener.over(Box::new(Quiet));
        screen.begin(&RunLimits::default());
        Run { address, screen, ended: 0 }
    }

    /// Measures this number of scenarios with the name `browse`.
    fn measure(&mut self, number: u64) {
        self.scenarios(&["browse".to_owned()], number);
    }

    /// Measures this number of scenarios with each of these names.
    fn scenarios(&mut self, names: &[String], number: u64) {
        let (recorder, millis) = (Recorder::new(Limits::default()), Duration::from_millis);
        for name in names {
            let id = recorder.scenario_id(name);
            (0..number).for_each(|n| recorder.scenario(id, Outcome::Ok, millis(n)));
        }
        self.ended += number * names.len() as u64;
        let elapsed = millis(self.ended);
        self.screen.measures(None, &Snapshot { until: elapsed, ..recorder.take() });
        let totals = Totals { elapsed, successes: self.ended, ..Totals::default() };
        self.screen.progress(&Progress { totals, workers: 1, processes: 1, ..Progress::default() });
    }

    /// Ends the run, and returns how long that takes.
    fn finish(mut self) -> Duration {
        let totals = Totals { successes: self.ended, elapsed: Duration::from_secs(9), ..Totals::default() };
        let started = Instant::now();
        self.screen.finish(&Summary { totals, ..Summary::default() });
        self.screen.flush(&mut || false);
        started.elapsed()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends a request, and returns the socket.
    fn send(&self, request: &str, host: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(format!("{request} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
        stream
    }

    /// Sends a request, and returns the head and the body of the response.
    fn ask(&self, request: &str) -> (String, String) {
        let mut response = String::new();
        self.send(request, "localhost").read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }

    /// Opens the page and its stream of events.
    fn view(&self) -> Viewer {
        let (_, page) = self.ask("GET /");
        let token = page.split_once("events?run=").unwrap().1.split_once('"').unwrap().0;
        Viewer(BufReader::new(self.send(&format!("GET /events?run={token}"), "localhost")))
    }
}

struct Viewer(BufReader<TcpStream>);

impl Viewer {
    /// Returns the data of the next event; `None` for the event `end`.
    fn next(&mut self) -> Option<serde_json::Value> {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream is closed without an end");
            match line.trim_end().split_once(':') {
                Some(("event", " end")) => return None,
                Some(("data", data)) => return Some(serde_json::from_str(data).unwrap()),
                _ => {}
            }
        }
    }

    /// Returns the data of the last event. Panics if the stream does not end.
    fn last(mut self) -> serde_json::Value {
        let mut last = None;
        while let Some(data) = self.next() {
            last = Some(data);
        }
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("\r\n0\r\n\r\n"), "{rest:?}");
        last.unwrap()
    }
}

/// The number of scenarios that succeeded, as the page shows it.
fn successes(data: &serde_json::Value) -> &str {
    data["banner"]["tiles"][0]["value"].as_str().unwrap()
}

#[test]
fn browsers_run_only_what_belongs_to_the_page() {
    let run = Run::begin();
    let (head, page) = run.ask("GET /");
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    let nonce = head.split_once("script-src 'nonce-").unwrap().1.split_once('\'').unwrap().0;
    assert_eq!(nonce.len(), 32, "{head}");
    let policy =
        format!("content-security-policy: default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'");
    for header in [&policy, "x-content-type-options: nosniff", "cache-control: no-store", "x-frame-options: deny"] {
        assert!(head.contains(header), "{header}: {head}");
    }
    assert!(page.starts_with("<!DOCTYPE html>"));
    for open in ["<style", "<script"] {
        let all = page.matches(open).count();
        let data = page.matches("<script type=\"application/json\"").count();
        assert!(page.matches(&format!("{open} nonce=\"{nonce}\"")).count() + data >= all, "{open}: {page}");
    }
    let (again, _) = run.ask("GET /");
    assert!(!again.contains(nonce), "each page has another nonce");
    run.finish();
}

#[test]
fn page_is_read_only() {
    let run = Run::begin();
    let status = |request: &str| run.ask(request).0.lines().next().unwrap().to_owned();
    for (request, expected) in [
        ("HEAD /", "http/1.1 200 ok"),
        ("POST /", "http/1.1 405 method not allowed"),
        ("DELETE /events", "http/1.1 405 method not allowed"),
        ("GET /etc/passwd", "http/1.1 404 not found"),
        ("GET /favicon.ico", "http/1.1 204 no content"),
        ("GET /events?run=another", "http/1.1 204 no content"),
        ("GET /events", "http/1.1 204 no content"),
    ] {
        assert_eq!(status(request), expected, "{request}");
    }
    let (head, body) = run.ask("HEAD /");
    assert!(head.contains("content-length: ") && body.is_empty(), "{head}");
    let mut refused = String::new();
    run.send("GET /", "evil.example").read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 403 Forbidden\r\n") && refused.contains("only to the names"), "{refused}");
    let (mut refused, head) = (String::new(), "localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image");
    run.send("GET /", head).read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 403 Forbidden\r\n") && refused.contains("other sites"), "{refused}");
    run.finish();
}

#[test]
fn children_do_not_hold_the_port() {
    let listener = WebListener::bind(0.into()).unwrap();
    let address = listener.address;
    let mut screen = listener.over(Box::new(Quiet));
    assert!(TcpListener::bind(address).is_err());
    screen.in_child();
    TcpListener::bind(address).unwrap();
}

#[test]
fn viewers_get_the_data_of_the_run_and_its_end() {
    let mut run = Run::begin();
    run.measure(3);
    let mut viewers = [run.view(), run.view()];
    for viewer in &mut viewers {
        assert_eq!(successes(&viewer.next().unwrap()), "3");
    }
    run.measure(4);
    let latecomer = run.view();
    for viewer in &mut viewers {
        // An update from before the measures may come first.
        let data = std::iter::from_fn(|| viewer.next()).find(|data| successes(data) != "3").unwrap();
        assert_eq!((successes(&data), &data["groups"][0]["rows"][0]["ok"]), ("7", &7.into()));
        assert_eq!(data["banner"]["state"], "running");
    }
    let address = run.address;
    run.finish();
    for viewer in viewers.into_iter().chain([latecomer]) {
        let last = viewer.last();
        assert_eq!((successes(&last), &last["seconds"]), ("7", &9.0.into()));
        assert_eq!(last["banner"]["state"], "passed");
    }
    assert!(TcpStream::connect(address).is_err(), "the page ends with the run");
}

#[test]
fn run_does_not_wait_for_browsers_without_a_request() {
    let run = Run::begin();
    let idle: Vec<_> = (0..server::CONNECTIONS + 9).map(|_| run.connect()).collect();
    let mut half = &idle[0];
    half.write_all(b"GET / HTT").unwrap();
    // Without the limits, the run would wait until requests time out.
    let took = run.finish();
    assert!(took < server::REQUEST_TIMEOUT, "{took:?}");
}

#[test]
fn run_ends_soon_if_a_viewer_does_not_read() {
    let mut run = Run::begin();
    // The page is larger than the buffers of the connection.
    run.scenarios(&(0..200).map(|n| format!("{n:0300}")).collect::<Vec<_>>(), 1);
    let mut viewer = run.connect();
    rustix::net::sockopt::set_socket_recv_buffer_size(&viewer, 4_096).unwrap();
    viewer.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut start = [0; 8];
    viewer.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1", "the request has arrived");
    run.measure(1);
    let took = run.finish();
    assert!((server::GRACE..server::REQUEST_TIMEOUT).contains(&took), "{took:?}");
    drop(viewer);
}

#[test]
fn abandoned_runs_have_no_verdict() {
    let mut run = Run::begin();
    run.measure(3);
    let mut viewer = run.view();
    assert_eq!(successes(&viewer.next().unwrap()), "3");
    // As after a panic.
    drop(run);
    let mut rest = String::new();
    viewer.0.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("event: end") && !rest.contains("\"passed\""), "{rest}");
    assert!(rest.ends_with("0\r\n\r\n"), "the stream is closed: {rest:?}");
}

#[test]
fn page_has_a_row_for_each_agent_while_they_run() {
    let mut run = Run::begin();
    for (name, workers, number) in [("load-2", 7, 3), ("load-10", 9, 4), ("load-2", 5, 1)] {
        let agent = MemberLabel::Agent(name.into());
        let recorder = Recorder::new(Limits::default());
        let id = recorder.scenario_id("browse");
        (0..number).for_each(|_| recorder.scenario(id, Outcome::Ok, Duration::from_millis(3)));
        run.screen.workers(&agent, workers);
        run.screen.measures(Some(&agent), &recorder.take());
    }
    let mut viewer = run.view();
    run.measure(1);
    let data = viewer.next().unwrap();
    let table = data["custom"].as_array().unwrap().iter().find(|table| table["id"] == "agents").unwrap();
    let cell = |row: usize, column: usize| table["rows"][row][column]["text"].as_str().unwrap();
    assert_eq!([cell(0, 0), cell(0, 1), cell(0, 2)], ["load-2", "7", "4"]);
    assert_eq!([cell(1, 0), cell(1, 1), cell(1, 2)], ["load-10", "9", "4"]);
    run.finish();
}

#[test]
fn thresholds_without_measures_are_not_broken_yet() {
    let listener = WebListener::bind(0.into()).unwrap();
    let address = listener.address;
    let mut screen = listener.over(Box::new(Quiet));
    let thresholds = ["p95(browse) < 5s", "failures < 1%"].map(|text| text.parse().unwrap());
    screen.begin(&RunLimits { thresholds: thresholds.into(), ..RunLimits::default() });
    let run = Run { address, screen, ended: 0 };
    let mut viewer = run.view();
    let data = viewer.next().unwrap();
    assert_eq!(data["banner"]["sentence"], "The thresholds have no measures yet. No scenario has ended.");
    for row in data["tables"][0]["rows"].as_array().unwrap() {
        assert_eq!(row[2]["text"], "– no measures yet");
    }
    run.finish();
}

#[tokio::test]
async fn slow_viewers_miss_events_instead_of_collecting_them() {
    let published = |text: &'static str, last| Published { event: bytes::Bytes::from_static(text.as_bytes()), last };
    let updates = watch::Sender::default();
    let Content::Events(mut events) = Content::events(published("first", false), updates.subscribe()) else { panic!() };
    assert_eq!(events.next().await.unwrap(), "first");
    for text in ["second", "third", "fourth"] {
        updates.send_replace(published(text, false));
    }
    assert_eq!(events.next().await.unwrap(), "fourth");
    updates.send_replace(published("last", true));
    assert_eq!(events.next().await.unwrap(), "last");
    assert_eq!(events.next().await, None);
}

#[test]
fn taken_port_is_an_error_before_the_run() {
    let listener = WebListener::bind(0.into()).unwrap();
    let error = WebListener::bind(listener.address.into()).unwrap_err();
    let expected = format!(
        "cannot serve the live page at {}: the port is in use; choose another one, or 0 for a free one",
        listener.address
    );
    assert_eq!(error, expected);
    assert!(listener.is_loopback());
    let elsewhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let error = WebListener::bind(elsewhere.into()).unwrap_err();
    assert_eq!(error, "cannot serve the live page at 192.0.2.1:0: this machine does not have this address");
}

#[test]
fn load_tests_from_code_serve_the_page_too() {
    use crate::{LoadTest, LoadTestError, prelude::*};
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let view = async move |session: &Session| -> Result<()> {
        let page = session.get(format!("http://{address}/")).send().await?.error_for_status()?.text().await?;
        ensure!(page.contains("Running"), "{page}");
        Ok(())
    };
    let test = || LoadTest::new().without_fixtures().scenario("view", view).web(address);
    let error = test().run().unwrap_err();
    assert!(matches!(&error, LoadTestError::System(why) if why.contains("the port is in use")), "{error}");
    drop(taken);
    let report = test().run().unwrap();
    assert_eq!((report.successes(), report.failures()), (1, 0), "{report}");
}
