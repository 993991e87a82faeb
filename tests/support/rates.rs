//! Load tests at a steady rate, against services with known response times.

use std::{thread, time::Duration};

use serde_json::Value;

use crate::{Output, Server, load_test::LoadTestProgram, server::Arrival};

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

/// Runs `browse` against a service that freezes. Returns the report, and the delay of the first request.
fn report(test: &LoadTestProgram, name: &str, line: &str) -> (Value, Duration) {
    let base = format!("/freezing/{}/{}", FREE.as_millis(), FROZEN.as_millis());
    let (_, report, server) = run(test, &base, name, &format!("-d {LASTS} {line}"));
    (report, delay_of_the_first(&server))
}

fn latency(report: &Value, histogram: &str, percentile: &str) -> Duration {
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
        for (percent, percentile) in PERCENTILES {
            let (measured, expected) = (latency(&report, "latency_ms", percentile), at_percent(&expected, percent));
            // After a freeze, a busy machine needs a moment for the hundreds of responses that are due at once.
            let moment = if name == "few" { 200 } else { 100 };
            let tolerance = expected.mul_f64(0.05).max(Duration::from_millis(moment));
            assert!(measured.abs_diff(expected) <= tolerance, "{line}: {percentile} is {measured:?}, not {expected:?}");
        }
        let p99 = latency(&report, "latency_ms", "p99");
        assert!(p99 > FROZEN.mul_f64(0.9), "{line}: {p99:?}");
        latency(&report, "service_ms", "p95")
    };
    thread::scope(|threads| {
        threads.spawn(|| _ = check("one", ""));
        threads.spawn(|| _ = check("two", "-p 2"));
        threads.spawn(|| {
            let service = check("few", "-w 20");
            assert!(
                service < Duration::from_millis(500),
                "service times hide the freeze from those that wait: {service:?}"
            );
        });
        threads.spawn(|| {
            // About as many requests: each worker sends one in 50 ms.
            let (report, _) = report(test, "closed", &format!("-w {} --delay 50ms", RATE / 20));
            let p95 = latency(&report, "latency_ms", "p95");
            assert!(p95 < Duration::from_millis(500), "a closed loop has 10 slow responses in about 1,000: {p95:?}");
        });
    });
}

/// Runs `browse` at a rate with these options against `base`. Returns the output, the report and the server.
fn run(test: &LoadTestProgram, base: &str, name: &str, line: &str) -> (Output, Value, Server) {
    let server = Server::new();
    let output = test.program(&format!("-s browse --report {name}.json {line}"), &server, base).run();
    assert_eq!(output.code, Some(0), "{line}: {output:#?}");
    let report = serde_json::from_str(&test.read(&format!("{name}.json"))).expect("JSON");
    (output, report, server)
}

/// Asserts that as many scenarios start as planned, when they are planned.
///
/// # Panics
///
/// Panics if they do not.
pub fn rates_are_kept(test: &LoadTestProgram) {
    let check = |name: &str, rate: u32, seconds: u32, line: &str| {
        let (_, report, server) = run(test, "", name, &format!("--rate {rate}/s -d {seconds} {line}"));
        assert_eq!(
            (server.served(), &report["totals"]["successes"]),
            (u64::from(rate * seconds), &(rate * seconds).into())
        );
        let arrivals = server.arrivals();
        // Relative to the median, because the first requests of a run take longer.
        let planned = |start: usize| arrivals[0].at + Duration::from_secs(start as u64) / rate;
        let delay = |(start, arrival): (usize, &Arrival)| {
            arrival.at.saturating_duration_since(planned(start)).as_secs_f64()
                - planned(start).saturating_duration_since(arrival.at).as_secs_f64()
        };
        let mut delays: Vec<f64> = arrivals.iter().enumerate().map(delay).collect();
        delays.sort_unstable_by(f64::total_cmp);
        let median = delays[delays.len() / 2];
        let late = delays.iter().filter(|delay| (*delay - median).abs() > 0.05).count();
        assert!(late <= arrivals.len() / 10, "{line}: {late} of {} requests arrived late", arrivals.len());
    };
    thread::scope(|threads| {
        threads.spawn(|| check("slow", 10, 2, ""));
        threads.spawn(|| check("fast", 500, 2, ""));
        threads.spawn(|| check("processes", 300, 2, "-p 2"));
    });
}

/// Asserts that a run says in one sentence that it had too few workers, and that starts wait or are dropped.
///
/// # Panics
///
/// Panics if it does not.
pub fn few_workers_are_the_limit(test: &LoadTestProgram) {
    let check = |name: &str, when_busy: &str| {
        // Each worker starts a scenario in 100 ms, since the starts are 20 ms apart.
        let line = format!("--rate 50/s -d 3 -w 2 --threads 1 --when-busy {when_busy} -c");
        let (output, report, server) = run(test, "/after/90", name, &line);
        let started = server.served();
        assert!((48..=68).contains(&started), "{line}: {started}");
        let text = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text.matches("because all 2 workers were busy").count(), 1, "{output:#?}");
        (report, text, started)
    };
    thread::scope(|threads| {
        threads.spawn(|| {
            let (report, output, started) = check("wait", "wait");
            assert!(output.contains(&format!("{} not started before the end", 150 - started)), "{output}");
            // The last of them were planned when a third of the time was over.
            let p95 = latency(&report, "latency_ms", "p95");
            assert!(p95 > Duration::from_millis(1_400), "{p95:?}");
        });
        threads.spawn(|| {
            let (report, output, started) = check("drop", "drop");
            assert!(output.contains(&format!("{} dropped", 150 - started)), "{output}");
            let p95 = latency(&report, "latency_ms", "p95");
            assert!(p95 < Duration::from_millis(400), "{p95:?}");
        });
    });
}
