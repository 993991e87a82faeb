//! Load tests at a steady rate, against services with known response times.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::{
    Output, SERVICE, Server,
    freezing::{FreezingServer, Times},
    load_test::LoadTestProgram,
    server::Arrival,
};

/// The rate of the load, per second.
const RATE: usize = 200;
/// How long the load lasts: one period of a service that freezes every 10 s.
const LASTS: usize = 10;
/// How long the service is frozen.
const FROZEN: Duration = Duration::from_secs(2);
/// The largest relative error of a percentile.
const TOLERANCE: f64 = 0.05;

/// When each scenario of a run received its response, from its own clock.
fn received(output: &Output) -> Times {
    let time = |line: &String| {
        let [number, process, nanos] = line.strip_prefix("received ")?.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos.parse().ok()?);
        Some(((number.parse().ok()?, process.parse().ok()?), at))
    };
    output.journal.iter().filter_map(time).collect()
}

/// The times from the planned starts until `times`, in order.
fn since_the_planned_starts(report: &Value, times: &Times) -> Vec<Duration> {
    let started = report["started"].as_str().and_then(|at| humantime::parse_rfc3339(at).ok()).expect("a start");
    // The report has whole milliseconds.
    let planned = |start: usize| started + Duration::from_micros(500) + Duration::from_secs(start as u64) / RATE as u32;
    let mut times: Vec<Duration> =
        (times.values().enumerate()).map(|(start, at)| at.duration_since(planned(start)).unwrap_or_default()).collect();
    times.sort_unstable();
    times
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

/// Runs `browse` against a service that freezes after this time. Returns the output, the report and the server.
fn run_with_a_freeze(
    test: &LoadTestProgram,
    name: &str,
    from: Duration,
    line: &str,
) -> (Output, Value, FreezingServer) {
    let server = FreezingServer::new(from, FROZEN);
    let line = format!("-s browse --threads 1 --report {name}.json -d {LASTS} {line}");
    let output = test.program_at(&line, &server.url()).env("DO", "number").run();
    assert_eq!(output.code, Some(0), "{line}: {output:#?}");
    let report = crate::report(&test.read(&format!("{name}.json")));
    (output, report, server)
}

/// Asserts that every percentile of the response times at a rate is the one that the plan and the freeze make, and that a closed
/// loop hides the freeze.
///
/// # Panics
///
/// Panics if they are not.
pub fn freezes_are_in_the_response_times(test: &LoadTestProgram) {
    let check = |name: &str, from: Duration, line: &str| {
        let (output, report, server) = run_with_a_freeze(test, name, from, &format!("--rate {RATE}/s {line}"));
        assert_eq!(report["totals"]["successes"], RATE * LASTS, "{line}: {:#}", report["scenarios"][0]);
        let (answered, received) = (server.answers(), received(&output));
        assert!(answered.keys().eq(received.keys()), "{line}: a request was sent again, or a note is missing");
        let mut deliveries: Vec<_> = (answered.values().zip(received.values()))
            .map(|(answered, received)| received.duration_since(*answered).unwrap_or_default())
            .collect();
        deliveries.sort_unstable();
        let delivery = at_percent(&deliveries, 50);
        assert!(delivery < SERVICE.mul_f64(TOLERANCE), "{line}: responses take {delivery:?} to the scenario");
        // A response arrives when the service has sent it, and before the scenario has read it. On a busy machine, the difference
        // can be large.
        let [answered, received] = [answered, received].map(|times| since_the_planned_starts(&report, &times));
        let wrong: Vec<_> = (1..=99)
            .map(|percent| {
                let [least, most] = [&answered, &received].map(|times| at_percent(times, percent));
                (percent, percentile(&report, "latency_ms", percent), least, most)
            })
            .filter(|(_, measured, least, most)| {
                *measured < least.mul_f64(1.0 - TOLERANCE) || *measured > most.mul_f64(1.0 + TOLERANCE)
            })
            .collect();
        assert!(wrong.is_empty(), "{line}: percentiles, as measured, and the range that is right: {wrong:?}");
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
            let service = check("few", third, "-w 40");
            assert!(
                service < Duration::from_millis(500),
                "service times hide the freeze from scenarios that wait: {service:?}"
            );
        });
        threads.spawn(|| {
            // About as many requests: each worker sends one in 150 ms.
            let line = format!("-w {} --delay 50ms -c", 3 * RATE / 20);
            let (output, report, _) = run_with_a_freeze(test, "closed", fourth, &line);
            let p95 = percentile(&report, "latency_ms", 95);
            assert!(p95 < Duration::from_millis(500), "a closed loop has 30 slow responses in about 1,600: {p95:?}");
            let text = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            let (_, notice) =
                text.split_once("The service stalled once, for ").unwrap_or_else(|| panic!("{output:#?}"));
            let length: f64 = notice.split(' ').next().and_then(|length| length.parse().ok()).expect("a length");
            assert!((1.8..=2.2).contains(&length), "{notice}");
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

/// Asserts that a run whose workers were not set up in time says so in one sentence.
///
/// # Panics
///
/// Panics if it does not.
pub fn slow_setups_are_the_limit(test: &LoadTestProgram) {
    let check = |name: &str, line: &str| {
        let server = Server::new();
        let line = format!("--rate 20/s -d 1 -c --report {name}.json {line}");
        let output = test.program(&line, &server, "").env("DO", "slow-setup").run();
        assert_eq!((output.code, server.served()), (Some(0), 0), "{line}: {output:#?}");
        let text = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let cause = "because 20 starts waited for workers in `setup` or `setup_session`: make these fixtures faster";
        assert_eq!(text.matches(cause).count(), 1, "{line}: {output:#?}");
        let report = crate::report(&test.read(&format!("{name}.json")));
        assert_eq!(report["starts"]["limited_by"], "setup", "{line}");
    };
    thread::scope(|threads| {
        threads.spawn(|| check("one", ""));
        threads.spawn(|| check("two", "-p 2 -w 3"));
        threads.spawn(|| check("drop", "--when-busy drop"));
    });
}
