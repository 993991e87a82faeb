//! Streams of events from real servers: their measures, the times of events, and the ends of streams.
#![allow(clippy::unwrap_used)]

mod servers;
mod standard;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, future::LocalBoxFuture, stream};
use http::Method;
use tokio::runtime::{Builder, LocalOptions};
use url::Url;

use self::servers::{End, Script};
use super::*;
use crate::{
    metrics::{OperationSample, Outcome},
    session::{Context, Observer, Request, Session, SessionOptions, Transport},
};

/// The samples and steps of a run.
#[derive(Default)]
struct Recorded {
    samples: RefCell<Vec<(Option<String>, OperationSample<'static>)>>,
    steps: RefCell<Vec<(String, Outcome, Duration)>>,
    cuts: Cell<bool>,
}

impl Recorded {
    fn outcomes(&self) -> Vec<Outcome> {
        self.samples.borrow().iter().map(|(_, sample)| sample.outcome).collect()
    }

    fn names(&self) -> Vec<String> {
        self.steps.borrow().iter().map(|(name, ..)| name.clone()).collect()
    }
}

impl Observer for Recorded {
    fn has_listeners(&self) -> bool {
        false
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

    fn request_metric(&self, _: &Method, _: &Url) -> Option<String> {
        None
    }

    fn measured(&self, group: Option<&str>, _: &str, _: &str, _: Option<&str>, sample: OperationSample<'_>) {
        let sample = OperationSample { status: None, ..sample };
        self.samples.borrow_mut().push((group.map(str::to_owned), sample));
    }

    fn step(&self, name: &str, outcome: Outcome, took: Duration) {
        self.steps.borrow_mut().push((name.to_owned(), outcome, took));
    }
}

/// Runs a scenario as the engine does: with an observer, on a runtime that can spawn local tasks.
fn run<T>(options: SessionOptions, scenario: impl AsyncFnOnce(&Session, &Rc<Recorded>) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
    runtime.block_on(async {
        let session = Session::new(options).unwrap();
        let recorded = Rc::new(Recorded::default());
        session.belong_to(Context::outside().with_observer(recorded.clone()));
        scenario(&session, &recorded).await
    })
}

/// Events with the numbers from 0, one every `gap`.
fn numbered(count: u32, gap: Duration) -> Vec<(Duration, Vec<u8>)> {
    (0..count).map(|n| (gap * (n + 1), format!("id: {n}\ndata: {n}\n\n").into_bytes())).collect()
}

/// Takes all events, slower than they arrive, and returns how late they were stamped, in order.
fn lateness(options: SessionOptions, script: Script) -> Vec<Duration> {
    let gap = Duration::from_millis(8);
    let (url, server) = script.events(numbered(24, gap)).serve();
    let (received, steps, outcomes) = run(options, async |session, recorded| {
        let mut events = session.get(url).name("feed").send().await.unwrap().events().unwrap();
        let mut received = Vec::new();
        while let Some(event) = events.next().await.unwrap() {
            assert_eq!(event.data(), received.len().to_string());
            assert_eq!(event.id(), event.data());
            received.push((event.received_at(), event.since_start()));
            if received.len() % 4 == 0 {
                // A scenario that is slower than the server.
                tokio::time::sleep(gap * 5).await;
            }
        }
        (received, recorded.steps.take(), recorded.outcomes())
    });
    let written = server.join().unwrap();
    assert_eq!(received.len(), written.len());
    assert!(received.iter().zip(&written).all(|((at, _), written)| at >= written), "an event came before it was sent");
    let mut late: Vec<_> = received.iter().zip(&written).map(|((at, _), written)| *at - *written).collect();
    late.sort();
    // The rows are the differences of these times.
    assert_eq!(steps[0], ("feed first event".to_owned(), Outcome::Ok, received[0].1));
    for (step, pair) in steps[1..].iter().zip(received.windows(2)) {
        assert_eq!(*step, ("feed between events".to_owned(), Outcome::Ok, pair[1].0 - pair[0].0));
        assert_eq!(pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
    }
    assert_eq!(steps.len(), received.len());
    assert_eq!(outcomes, [Outcome::Ok]);
    late
}

#[test]
fn events_have_the_time_at_which_they_arrived() {
    let reqwest = || SessionOptions::new().transport(Transport::Reqwest);
    let prior_knowledge = || SessionOptions::new().http2_prior_knowledge();
    type Case = (fn() -> SessionOptions, fn() -> Script);
    let cases: [Case; 4] = [
        (SessionOptions::new, Script::http1),
        (SessionOptions::new, Script::gzip),
        (reqwest, Script::http1),
        (prior_knowledge, Script::http2),
    ];
    for (number, (options, script)) in cases.into_iter().enumerate() {
        // A busy machine delays some of the events, or all of a stream.
        let mut tries = Vec::new();
        while tries.last().is_none_or(|late: &Vec<Duration>| late[5] >= Duration::from_micros(4500)) {
            assert!(tries.len() < 4, "events are stamped late in case {number}: {tries:?}");
            tries.push(lateness(options(), script()));
        }
    }
}

#[test]
fn a_cut_stream_is_a_failure_that_says_what_had_come() {
    for (script, message) in [
        (Script::http1(), "the server closed the connection within the body"),
        (Script::http2(), "the server reset the request"),
    ] {
        let is_http2 = script.is_http2();
        let (url, server) = script.events(numbered(3, Duration::from_millis(10))).end(End::Cut).serve();
        let options = SessionOptions::new();
        let options = if is_http2 { options.http2_prior_knowledge() } else { options };
        run(options, async |session, recorded| {
            let mut events = session.get(url).send().await.unwrap().events().unwrap();
            for n in 0..3 {
                assert_eq!(events.next().await.unwrap().unwrap().data(), n.to_string());
            }
            let error = events.next().await.unwrap_err().to_string();
            assert!(error.contains(message) && error.contains("after 3 events, the last one 0.0"), "{error}");
            assert!(events.next().await.unwrap().is_none(), "the error comes once");
            assert_eq!(recorded.outcomes(), [Outcome::Failed]);
            let [first, between] = ["GET / first event", "GET / between events"];
            assert_eq!(recorded.names(), [first, between, between]);
        });
        server.join().unwrap();
    }
}

#[test]
fn a_stream_that_times_out_says_what_had_come() {
    let (url, _) = Script::http1().events(numbered(1, Duration::ZERO)).end(End::Wait).serve();
    run(SessionOptions::new(), async |session, recorded| {
        let request = session.get(url).timeout(Duration::from_millis(100));
        let mut events = request.send().await.unwrap().events().unwrap();
        events.next().await.unwrap().unwrap();
        let error = events.next().await.unwrap_err();
        assert!(error.is_timeout() && error.to_string().contains("the body timed out after 1 event, 0.0"), "{error}");
        assert_eq!(recorded.outcomes(), [Outcome::Failed]);
    });
    let (url, _) = Script::http1().end(End::Wait).serve();
    run(SessionOptions::new().read_timeout(Duration::from_millis(50)), async |session, _| {
        let mut events = session.get(url).send().await.unwrap().events().unwrap();
        let error = events.next().await.unwrap_err().to_string();
        assert!(error.contains("within the read timeout before the first event"), "{error}");
    });
}

#[test]
fn leaving_a_stream_ends_its_request_at_once() {
    for (cuts, outcome) in [(false, Outcome::Ok), (true, Outcome::Interrupted)] {
        let (url, server) = Script::http1().events(numbered(2, Duration::ZERO)).end(End::Wait).serve();
        run(SessionOptions::new(), async |session, recorded| {
            let mut events = session.get(url).send().await.unwrap().events().unwrap();
            events.next().await.unwrap().unwrap();
            assert_eq!(recorded.outcomes(), []);
            recorded.cuts.set(cuts);
            drop(events);
            assert_eq!(recorded.outcomes(), [outcome]);
            assert_eq!(recorded.names(), ["GET / first event"], "an event that the scenario did not take counts");
        });
        // It waits until the client has closed the connection.
        server.join().unwrap();
    }
}

#[test]
fn the_end_of_a_stream_is_a_success_and_keeps_the_connection() {
    let (url, server) = Script::http1().events(numbered(2, Duration::ZERO)).responses(2).serve();
    run(SessionOptions::new(), async |session, recorded| {
        for n in 1..=2 {
            let mut events = session.get(&*url).send().await.unwrap().events().unwrap();
            while events.next().await.unwrap().is_some() {}
            assert!(events.next().await.unwrap().is_none());
            assert_eq!(recorded.outcomes(), vec![Outcome::Ok; n]);
        }
        assert_eq!(recorded.steps.borrow().len(), 4);
    });
    server.join().unwrap();
}

#[test]
fn rows_of_events_belong_to_the_group_of_their_request() {
    let (url, _) = Script::http1().events(numbered(2, Duration::ZERO)).serve();
    run(SessionOptions::new(), async |session, recorded| {
        let streaming = async {
            let mut events = session.get(url).send().await?.events()?;
            while events.next().await?.is_some() {}
            Ok(())
        };
        session.context().group("checkout", streaming).await.unwrap();
        let names = ["checkout / GET / first event", "checkout / GET / between events", "checkout"];
        assert_eq!(recorded.names(), names);
        assert_eq!(recorded.samples.borrow()[0].0.as_deref(), Some("checkout"));
    });
}

/// A unit test of a scenario may run on a runtime that cannot spawn local tasks.
#[tokio::test]
async fn events_can_be_read_outside_a_run() {
    let (url, server) = Script::http1().events(numbered(3, Duration::from_millis(5))).serve();
    let session = Session::new(SessionOptions::new()).unwrap();
    let mut events = session.get(url).send().await.unwrap().events().unwrap();
    let mut times = Vec::new();
    while let Some(event) = events.next().await.unwrap() {
        times.push(event.since_start());
    }
    assert!(times.is_sorted() && times[2] >= Duration::from_millis(15), "{times:?}");
    server.join().unwrap();
}

#[tokio::test]
async fn responses_without_events_are_refused() {
    for (head, message) in [
        ("200 OK\r\ncontent-type: text/html", "the status is 200 OK, and the content type is `text/html` (GET http"),
        ("200 OK", "the status is 200 OK, and there is no content type (GET http"),
        ("503 Busy\r\ncontent-type: text/event-stream", "the status is 503 Service Unavailable (GET http"),
        ("204 No Content", "the status is 204 No Content"),
    ] {
        let (url, _) = Script::http1().head(head).serve();
        let session = Session::new(SessionOptions::new()).unwrap();
        let error = session.get(url).send().await.unwrap().events().unwrap_err();
        assert!(error.to_string().contains(message), "{head}: {error}");
        assert!(error.status().is_some(), "{head}");
    }
    for kind in ["text/event-stream", "Text/Event-Stream ;charset=utf-8"] {
        let (url, _) = Script::http1().head(&format!("200 OK\r\ncontent-type: {kind}")).serve();
        let session = Session::new(SessionOptions::new()).unwrap();
        let mut events = session.get(url).send().await.unwrap().events().unwrap();
        assert!(events.next().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn events_have_the_limit_of_bodies() {
    let large = format!("data: 1\n\ndata: {}\n\n", "x".repeat(2000));
    let (url, _) = Script::http1().events(vec![(Duration::ZERO, large.into_bytes())]).serve();
    let session = Session::new(SessionOptions::new().max_body(1000)).unwrap();
    let mut events = session.get(url).send().await.unwrap().events().unwrap();
    events.next().await.unwrap().unwrap();
    let error = events.next().await.unwrap_err().to_string();
    assert!(
        error.contains("an event is larger than `max_body` after 1 event") && error.ends_with(": raise `max_body`")
    );
}

#[test]
fn events_that_wait_for_the_scenario_are_limited() {
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(b"data: 0123456789\n\n")));
    let read = Rc::new(Cell::new(0));
    let counted = {
        let read = read.clone();
        endless.inspect(move |_| read.set(read.get() + 1))
    };
    let reader = reader_of(counted);
    let mut cx = task::Context::from_waker(Waker::noop());
    assert!(reader.poll(&mut cx).is_pending());
    let waiting = read.get();
    assert!(waiting < 256 * 1024 / 16, "{waiting} events wait");
    assert!(reader.poll(&mut cx).is_pending());
    assert_eq!(read.get(), waiting);
    // Each event that is taken makes room for another one.
    for n in 1..=3 {
        assert!(matches!(reader.poll_take(&mut cx), Poll::Ready(Ok(Some(_)))));
        assert!(reader.poll(&mut cx).is_pending());
        assert_eq!(read.get(), waiting + n);
    }
    reader.close();
    assert!(reader.poll(&mut cx).is_ready());
}

#[test]
fn the_data_of_an_event_can_be_json() {
    let reader = reader_of(stream::iter([Ok(Bytes::from_static(b"event: price\ndata: {\"cents\":\ndata: 5}\n\n"))]));
    let mut cx = task::Context::from_waker(Waker::noop());
    assert!(reader.poll(&mut cx).is_ready());
    let Poll::Ready(Ok(Some(event))) = reader.poll_take(&mut cx) else { panic!("there is no event") };
    assert_eq!(event.json::<serde_json::Value>().unwrap()["cents"], 5);
    let error = event.json::<Vec<u8>>().unwrap_err();
    assert!(error.is_decode());
    let expected =
        "the data of the event `price` is not the expected JSON; it starts with `{\\\"cents\\\":\\n5}` (http://";
    assert!(error.to_string().starts_with(expected), "{error}");
}

fn reader_of(body: impl Stream<Item = Result<Bytes, Error>> + 'static) -> Reader {
    let target = crate::http::target::Target::parse("http://127.0.0.1/").unwrap();
    Reader::new(Box::pin(body), NonZeroUsize::MAX, target)
}
