//! How late scenarios start at a rate: what delays a start is part of its lag and its response time.

use futures_util::FutureExt;

use super::*;
use crate::{event::Event, metrics::Histogram, registry::Events};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Notes when scenarios start, and does this in each of them.
fn noting(starts: &Arc<Mutex<Vec<Instant>>>, work: fn()) -> Body {
    let starts = starts.clone();
    Box::new(move |_| {
        starts.lock().unwrap().push(Instant::now());
        work();
        Box::pin(async { Ok(()) })
    })
}

/// A rate of 20/s with a single thread.
fn args(duration: Duration, workers: usize) -> Args {
    let given = Options { workers: Some(workers), ..Options::default() };
    Args { rate: Some("20/s".parse().unwrap()), duration, workers, threads: Some(1), given, ..Args::default() }
}

/// The sum of the lags of these starts. The first has this lag.
fn lags(starts: &Mutex<Vec<Instant>>, first: Duration) -> Duration {
    let starts = starts.lock().unwrap();
    let lag = |(number, start): (usize, &Instant)| (*start - starts[0] + first).saturating_sub(ms(50) * number as u32);
    starts.iter().enumerate().map(lag).sum()
}

/// Asserts that the sum of these times is at least the expected one. The first start is a moment late, and the others with it.
#[track_caller]
fn assert_sum(what: &str, times: &Histogram, expected: Duration) {
    let sum = times.mean() * times.count() as u32;
    let most = expected + ms(200) * times.count() as u32;
    assert!((expected..most).contains(&(sum + ms(20))), "the sum of the {what} is {sum:?}, not {expected:?}");
}

/// Sleeps for 100 ms at one kind of event.
struct SlowListener(fn(&Event<'_>) -> bool, Origin);

impl Events for SlowListener {
    fn origin(&self) -> &Origin {
        &self.1
    }

    fn handle<'a>(&'a self, event: &'a Event<'a>) -> LocalBoxFuture<'a, crate::Result> {
        let time = if (self.0)(event) { ms(100) } else { Duration::ZERO };
        tokio::time::sleep(time).map(Ok).boxed_local()
    }
}

/// Runs scenarios that do nothing, with a worker and a listener. Returns the results, and when the scenarios started.
fn listen(at: fn(&Event<'_>) -> bool) -> (Summary, Arc<Mutex<Vec<Instant>>>) {
    let starts = Arc::default();
    let mut registry = Registry::new();
    let one = scenario("one", 1.0, noting(&starts, || ()));
    registry.add_events(SlowListener(at, one.origin.clone()));
    registry.add_scenario(one);
    let (summary, _) = execute(Plan::new(args(ms(1_000), 1), &registry).unwrap());
    (summary, starts)
}

#[test]
fn start_lags_include_listeners_after_a_scenario() {
    let (summary, starts) = listen(|event| matches!(event, Event::ScenarioSuccess { .. }));
    let (row, expected) = (&summary.snapshot.scenarios["one"], lags(&starts, Duration::ZERO));
    assert!(expected > ms(1_500), "each scenario delays the next: {expected:?}");
    assert_sum("lags", &summary.snapshot.all_starts().lag, expected);
    assert_sum("response times", &row.latency, expected);
    assert_sum("service times", &row.service, Duration::ZERO);
}

#[test]
fn response_times_include_listeners_before_a_scenario() {
    let (summary, starts) = listen(|event| matches!(event, Event::ScenarioStart { .. }));
    let (row, expected) = (&summary.snapshot.scenarios["one"], lags(&starts, ms(100)));
    assert_sum("response times", &row.latency, expected);
    assert_sum("service times", &row.service, Duration::ZERO);
}

/// Four workers take turns to block their thread.
#[test]
fn start_lags_include_blocked_threads() {
    let starts = Arc::default();
    let body = noting(&starts, || std::thread::sleep(ms(100)));
    let (summary, _) = execute(plan(args(ms(1_500), 4), [scenario("one", 1.0, body)]));
    let (row, expected) = (&summary.snapshot.scenarios["one"], lags(&starts, Duration::ZERO));
    assert!(expected > ms(1_000), "{expected:?}");
    assert_sum("lags", &summary.snapshot.all_starts().lag, expected);
    let service = ms(100) * row.service.count() as u32;
    assert_sum("response times", &row.latency, expected + service);
    assert_sum("service times", &row.service, service);
}
