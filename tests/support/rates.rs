//! Load tests at a steady rate, against services with known response times.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Output, Server,
    load_test::LoadTestProgram,
    server::{Arrival, SPACING},
};

/// The rate of the load, per second.
const RATE: usize = 200;
/// How long the load lasts: one period of a service that freezes every 10 s.
const LASTS: usize = 10;
/// How long the service is frozen.
const FROZEN: Duration = Duration::from_secs(2);
/// Response times are measured at least this exactly if the machine is not busy.
const MOMENT: Duration = Duration::from_millis(20);

/// The `number`th planned start, from the start of the run.
fn planned(number: usize) -> Duration {
    Duration::from_secs(number as u64) / RATE as u32
}

/// The response times that follow from the plan and the freeze, in order. The service counts from the first request, and sends
/// its waiting responses one after the other.
fn expected(from: Duration) -> Vec<Duration> {
    let mut free = Duration::ZERO;
    let mut times: Vec<Duration> = (0..RATE * LASTS)
        .map(|start| {
            let at = free.max(planned(start));
            let at = if (from..from + FROZEN).contains(&at) { from + FROZEN } else { at };
            free = at + SPACING;
            at - planned(start)
        })
        .collect();
    times.sort_unstable();
    times
}

/// The times from the planned starts to the responses of the server, in order. Half of the requests before the freeze arrive on
/// time.
fn answered(server: &Server, from: Duration) -> Vec<Duration> {
    let arrivals = server.arrivals();
    let since = |time: Instant| time - arrivals[0].at;
    let free = RATE * from.as_millis() as usize / 1_000;
    let mut early: Vec<Duration> =
        (0..free).map(|start| planned(start).saturating_sub(since(arrivals[start].at))).collect();
    early.sort_unstable();
    let first = early[free / 2];
    let mut answers: Vec<Instant> = arrivals.iter().filter_map(|arrival| arrival.answered).collect();
    answers.sort_unstable();
    let mut times: Vec<Duration> =
        answers.iter().enumerate().map(|(start, at)| (since(*at) + first).saturating_sub(planned(start))).collect();
    times.sort_unstable();
    times
}

/// How late the server was, because the machine was busy with other programs: the 99th percentile. The load test is as late.
fn lateness(server: &Server) -> Duration {
    let late = |arrival: &Arrival| Some(arrival.answered?.saturating_duration_since(arrival.due?));
    let mut late: Vec<Duration> = server.arrivals().iter().filter_map(late).collect();
    late.sort_unstable();
    at_percent(&late, 99)
}

fn at_percent(sorted: &[Duration], percent: u64) -> Duration {
    let rank = (sorted.len() as u64 * percent).div_ceil(100) as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// A percentile of a histogram of the report's scenario, from its buckets.
fn percentile(report: &Value, histogram: &str, percent: u64) -> Duration {
    let histogram = &report["scenarios"][0][histogram];
    let rank = (histogram["count"].as_u64().expect("a count") * percent).div_ceil(100);
    let mut below = 0;
    let bucket = histogram["buckets"].as_array().expect("buckets").iter().find(|bucket| {
        below += bucket[1].as_u64().expect("a count");
        below >= rank
    });
    Duration::from_secs_f64(bucket.and_then(|bucket| bucket[0].as_f64()).expect("a bucket with the rank") / 1e3)
}

/// Runs `browse` against a service that freezes after this time. Returns the report and the server.
fn report(test: &LoadTestProgram, name: &str, from: Duration, line: &str) -> (Value, Server) {
    let base = format!("/freezing/{}/{}", from.as_millis(), (from + FROZEN).as_millis());
    let (_, report, server) = run(test, &base, name, &format!("-d {LASTS} {line}"));
    (report, server)
}

/// Asserts that every percentile of the response times at a rate is the one that the plan and the freeze make, and that a closed
/// loop hides the freeze.
///
/// # Panics
///
/// Panics if they are not.
pub fn freezes_are_in_the_response_times(test: &LoadTestProgram) {
    let check = |name: &str, from: Duration, line: &str| {
        let (report, server) = report(test, name, from, &format!("--rate {RATE}/s {line}"));
        assert_eq!(report["totals"]["successes"], RATE * LASTS, "{line}: {:#}", report["scenarios"][0]);
        let (expected, answered) = (expected(from), answered(&server, from));
        let moment = MOMENT + 3 * lateness(&server);
        for percent in 1..=99 {
            let measured = percentile(&report, "latency_ms", percent);
            let assert_near = |of: &[Duration]| {
                let right = at_percent(of, percent);
                let tolerance = right.mul_f64(0.05).max(moment);
                assert!(
                    measured.abs_diff(right) <= tolerance,
                    "{line}: p{percent} is {measured:?}, not {right:?} ({moment:?})"
                );
            };
            assert_near(&answered);
            // Few workers of a slow program take longer to make up for the freeze than the service does.
            if !line.contains("-w") {
                assert_near(&expected);
            }
        }
        let p99 = percentile(&report, "latency_ms", 99);
        assert!(p99 > FROZEN.mul_f64(0.9), "{line}: {p99:?}");
        percentile(&report, "service_ms", 95)
    };
    // The service recovers from one freeze after the other, so that the machine is not busy with all of them at once.
    let [first, second, third, fourth] = [1_000, 2_500, 4_000, 5_500].map(Duration::from_millis);
    thread::scope(|threads| {
        threads.spawn(|| _ = check("one", first, ""));
        threads.spawn(|| _ = check("two", second, "-p 2"));
        threads.spawn(|| {
            let service = check("few", third, "-w 20");
            assert!(
                service < Duration::from_millis(500),
                "service times hide the freeze from scenarios that wait: {service:?}"
            );
        });
        threads.spawn(|| {
            // About as many requests: each worker sends one in 50 ms.
            let (report, _) = report(test, "closed", fourth, &format!("-w {} --delay 50ms", RATE / 20));
            let p95 = percentile(&report, "latency_ms", 95);
            assert!(p95 < Duration::from_millis(500), "a closed loop has 10 slow responses in about 1,600: {p95:?}");
        });
    });
}

/// Runs `browse` at a rate with these options against `base`. Returns the output, the report and the server.
fn run(test: &LoadTestProgram, base: &str, name: &str, line: &str) -> (Output, Value, Server) {
    let server = Server::new();
    let output = test.program(&format!("-s browse --report {name}.json {line}"), &server, base).run();
    assert_eq!(output.code, Some(0), "{line}: {output:#?}");
    let report = crate::report(&test.read(&format!("{name}.json")));
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
            let p95 = percentile(&report, "latency_ms", 95);
            assert!(p95 > Duration::from_millis(1_400), "{p95:?}");
        });
        threads.spawn(|| {
            let (report, output, started) = check("drop", "drop");
            assert!(output.contains(&format!("{} dropped", 150 - started)), "{output}");
            let p95 = percentile(&report, "latency_ms", 95);
            assert!(p95 < Duration::from_millis(400), "{p95:?}");
        });
    });
}
