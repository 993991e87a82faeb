//! What a service that freezes does to the latencies of a load test at a steady rate.

use std::{path::Path, thread, time::Duration};

use crate::{Server, load_test::LoadTestProgram};

/// The rate of the load, per second.
const RATE: usize = 200;
/// The plan of the service: it responds for the first time, and freezes for the second.
const FREE: Duration = Duration::from_millis(4_000);
const FROZEN: Duration = Duration::from_millis(2_000);
/// How long the load lasts: one freeze, and a second after it.
const LASTS: usize = 7;

/// The percentiles of a JSON report, and the names that it gives them.
const PERCENTILES: [(f64, &str); 5] = [(50.0, "p50"), (75.0, "p75"), (90.0, "p90"), (95.0, "p95"), (99.0, "p99")];

/// The response time at each planned start: until the end of the freeze, if there is one. The service counts from the first request,
/// which arrives this long after its planned start.
fn expected(first: Duration) -> Vec<Duration> {
    let freeze = first + FREE..first + FREE + FROZEN;
    let at = |start: usize| Duration::from_secs(start as u64) / RATE as u32;
    let wait = |at: Duration| if freeze.contains(&at) { freeze.end - at } else { Duration::ZERO };
    let mut times: Vec<Duration> = (0..RATE * LASTS).map(|start| wait(at(start))).collect();
    times.sort_unstable();
    times
}

/// How long after its planned start the first request arrived, from the requests before the freeze: half of them arrive on time.
fn delay_of_the_first(server: &Server) -> Duration {
    let arrivals = server.arrivals();
    let free = RATE * FREE.as_secs() as usize / 2;
    let mut early: Vec<Duration> = (0..free)
        .map(|start| {
            (Duration::from_secs(start as u64) / RATE as u32).saturating_sub(arrivals[start].at - arrivals[0].at)
        })
        .collect();
    early.sort_unstable();
    early[free / 2]
}

fn at_percent(sorted: &[Duration], percent: f64) -> Duration {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Runs the scenario `browse` of a load test against a service that freezes, with these options. Returns the report, and the delay of the
/// first request.
fn report(test: &LoadTestProgram, name: &str, line: &str) -> (serde_json::Value, Duration) {
    let server = Server::new();
    let base = format!("/freezing/{}/{}", FREE.as_millis(), FROZEN.as_millis());
    let line = format!("-s browse -d {LASTS} --report {name}.json {line}");
    let output = test.program(&line, &server, &base).run();
    assert_eq!(output.code, Some(0), "{line}: {output:#?}");
    let text =
        std::fs::read_to_string(Path::new(&test.path()).join(format!("{name}.json"))).expect("the report exists");
    (serde_json::from_str(&text).expect("JSON"), delay_of_the_first(&server))
}

fn latency(report: &serde_json::Value, histogram: &str, percentile: &str) -> Duration {
    let scenario = &report["scenarios"][0];
    let millis = scenario[histogram][percentile].as_f64().unwrap_or_else(|| panic!("no {histogram} in {scenario:#}"));
    Duration::from_secs_f64(millis / 1e3)
}

/// Asserts that the response times at a rate are those that the plan and the freeze make, and that a closed loop hides them.
///
/// # Panics
///
/// Panics if they are not.
pub fn freezes_are_in_the_response_times(test: &LoadTestProgram) {
    let check = |name: &str, line: &str| {
        let (report, first) = report(test, name, &format!("--rate {RATE}/s {line}"));
        let expected = expected(first);
        assert_eq!(report["totals"]["successes"], RATE * LASTS, "{line}: {:#}", report["scenarios"][0]);
        for (percent, name) in PERCENTILES {
            let (measured, expected) = (latency(&report, "latency_ms", name), at_percent(&expected, percent));
            // Below the freeze, the time is that of a response.
            let tolerance = expected.mul_f64(0.05).max(Duration::from_millis(30));
            assert!(measured.abs_diff(expected) <= tolerance, "{line}: {name} is {measured:?}, not {expected:?}");
        }
        let p99 = latency(&report, "latency_ms", "p99");
        assert!(p99 > FROZEN.mul_f64(0.9), "{line}: {p99:?}");
    };
    thread::scope(|threads| {
        threads.spawn(|| check("one", ""));
        threads.spawn(|| check("two", "-p 2"));
        threads.spawn(|| {
            // About as many requests: each worker sends one in 50 ms.
            let (report, _) = report(test, "closed", &format!("-w {} --delay 50ms", RATE / 20));
            let p95 = latency(&report, "latency_ms", "p95");
            assert!(p95 < Duration::from_millis(500), "a closed loop has 10 slow responses in about 1,000: {p95:?}");
        });
    });
}
