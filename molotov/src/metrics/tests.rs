//! Tests of the recorder together with its snapshots: they are exact and bounded, and recording does not allocate.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;

use super::*;

fn sample(micros: u64) -> OperationSample<'static> {
    OperationSample {
        outcome: Outcome::Ok,
        status: Some(Status::Code(200)),
        connect: None,
        first_byte: Some(Duration::from_micros(micros / 2)),
        total: Duration::from_micros(micros),
        bytes_in: 10,
        bytes_out: 3,
        retried: 2,
    }
}

fn error(at: u64, kind: &str) -> ErrorSample<'_> {
    ErrorSample {
        kind,
        message: "it broke",
        place: Some("src/lib.rs:7"),
        scenario: "browse",
        detail: None,
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(at),
    }
}

/// Everything except health, which depends on the machine.
fn measured(snapshot: Snapshot) -> Snapshot {
    Snapshot { health: Health { lag: snapshot.health.lag, ..Health::default() }, ..snapshot }
}

/// One call of a recorder.
#[derive(Debug, Clone)]
enum Act {
    /// By protocol, name and outcome.
    Operation(u8, u8, u8, u64),
    Scenario(u8, u64),
    PlannedScenario(u8, u64),
    Start(u8, u64),
    Step(u8, u64),
    Error(u64, u8),
    Lag(u64),
    Take,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let latency = (0u32..34, 0u64..1 << 34).prop_map(|(bits, value)| value & ((1 << bits) - 1));
    let act = (0..8, 0u8..4, 0u8..4, 0u8..5, latency).prop_map(|(act, protocol, name, status, latency)| match act {
        0 => Act::Operation(protocol, name, status, latency),
        1 => Act::Scenario(name, latency),
        2 => Act::Step(name, latency),
        3 => Act::Error(latency, name),
        4 => Act::Lag(latency),
        5 => Act::PlannedScenario(name, latency),
        6 => Act::Start(status, latency),
        _ => Act::Take,
    });
    proptest::collection::vec(act, 0..200)
}

// `GET` is a protocol, too, so that two protocols meet in `GET /`.
const NAMES: [&str; 4] = ["browse", "/", "GET /", "GET /{n}"];

fn outcome(status: u8) -> Outcome {
    [Outcome::Ok, Outcome::Ok, Outcome::Failed, Outcome::Failed, Outcome::Interrupted][usize::from(status)]
}

fn act(recorder: &Recorder, act: &Act, taken: &mut Vec<Snapshot>) {
    match *act {
        Act::Operation(protocol, name, status, latency) => {
            let outcome = outcome(status);
            let code = [Some(200), Some(304), Some(503), None, None][usize::from(status)].map(Status::Code);
            let text = [Some("OK"), Some("200"), Some("ERROR"), None, None][usize::from(status)].map(Status::Text);
            let status = if protocol == 0 { code } else { text };
            let protocol = ["HTTP", "LINE", "", "GET"][usize::from(protocol)];
            let connect = (latency % 3 == 0).then(|| Duration::from_micros(latency / 4));
            let sample = OperationSample { outcome, status, connect, ..sample(latency) };
            recorder.operation(protocol, NAMES[usize::from(name)], &sample);
        }
        Act::Scenario(name, latency) => {
            let id = recorder.scenario_id(NAMES[usize::from(name)]);
            recorder.scenario(id, outcome(name), Duration::from_micros(latency));
        }
        Act::PlannedScenario(name, latency) => {
            let id = recorder.scenario_id(NAMES[usize::from(name)]);
            let (lag, took) = (Duration::from_micros(latency / 3), Duration::from_micros(latency));
            recorder.planned_scenario(id, outcome(name), lag, took);
        }
        Act::Start(what, lag) => {
            let id = recorder.stream_id(NAMES[usize::from(what % 2)]);
            let lag = Duration::from_micros(lag);
            recorder.start(
                id,
                match what {
                    0 | 1 => StartSample::Started { lag, waited_for: (what == 0).then_some(WaitedFor::Setup) },
                    2 | 3 => StartSample::Dropped(WaitedFor::BusyWorkers),
                    _ => StartSample::Unstarted(None),
                },
            );
        }
        Act::Step(name, latency) => {
            recorder.step(NAMES[usize::from(name)], outcome(name), Duration::from_micros(latency));
        }
        Act::Error(at, name) => recorder.error(error(at, NAMES[usize::from(name)])),
        Act::Lag(late) => recorder.lag(Duration::from_micros(late)),
        Act::Take => taken.push(recorder.take()),
    }
}

proptest! {
    /// The result does not depend on how the work is divided among shards, takes and folds, or on the order of merging.
    #[test]
    fn snapshots_merge_to_what_one_recorder_saw(acts in acts(), shards in 1usize..4) {
        let tight = Limits { buckets: 0, ..Limits::default() };
        let spread: Vec<Recorder> = (0..shards).map(|_| Recorder::new(tight)).collect();
        let alone = Recorder::new(Limits::default());
        let mut taken = Vec::new();
        for (index, one) in acts.iter().enumerate() {
            act(&spread[index % shards], one, &mut taken);
            if !matches!(one, Act::Take) {
                act(&alone, one, &mut Vec::new());
            }
        }
        taken.extend(spread.iter().map(Recorder::take));

        let expected = measured(alone.take());
        let merge = |parts: &mut dyn Iterator<Item = &Snapshot>| {
            let mut merged = Snapshot::default();
            parts.for_each(|part| merged.merge(part));
            measured(merged)
        };
        prop_assert_eq!(&merge(&mut taken.iter()), &expected);
        prop_assert_eq!(&merge(&mut taken.iter().rev()), &expected);

        let text = serde_json::to_string(&expected).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Snapshot>(&text).unwrap(), &expected);
    }
}

#[test]
fn service_times_differ_from_latencies_only_at_a_rate() {
    let recorder = Recorder::new(Limits::default());
    let (closed, open) = (recorder.scenario_id("closed"), recorder.scenario_id("open"));
    let ms = Duration::from_millis;
    recorder.scenario(closed, Outcome::Ok, ms(3));
    recorder.planned_scenario(open, Outcome::Ok, ms(20), ms(3));
    recorder.planned_scenario(open, Outcome::Interrupted, ms(20), ms(90));
    let rows = recorder.take().scenarios;
    let times = |name: &str| (rows[name].latency.max(), rows[name].service_times().max(), rows[name].service.count());
    assert_eq!(times("closed"), (ms(3), ms(3), 0));
    assert_eq!(times("open"), (ms(23), ms(3), 1));
}

#[test]
fn requests_that_waited_for_a_connection_are_counted_apart() {
    let recorder = Recorder::new(Limits::default());
    for (outcome, connect) in [(Outcome::Ok, Some(7)), (Outcome::Ok, None), (Outcome::Interrupted, Some(9))] {
        let connect = connect.map(Duration::from_millis);
        recorder.operation(HTTP, "GET /", &OperationSample { outcome, connect, ..sample(9_000) });
    }
    let row = &recorder.take().requests["GET /"];
    assert_eq!((row.latency.count(), row.connect.count(), row.connect.max()), (2, 1, Duration::from_millis(7)));
}

#[test]
fn records_scenarios_requests_and_steps_separately() {
    let recorder = Recorder::new(Limits::default());
    let browse = recorder.scenario_id("browse");
    assert_eq!(recorder.clone().scenario_id("browse"), browse);
    recorder.scenario(browse, Outcome::Ok, Duration::from_millis(9));
    recorder.scenario(browse, Outcome::Interrupted, Duration::from_millis(900));
    recorder.operation(HTTP, "GET /", &sample(4000));
    recorder.operation(
        HTTP,
        "GET /",
        &OperationSample { outcome: Outcome::Failed, status: Some(Status::Code(500)), ..sample(6000) },
    );
    recorder.operation(
        HTTP,
        "GET /",
        &OperationSample { outcome: Outcome::Failed, status: None, first_byte: None, ..sample(8000) },
    );
    recorder.step("checkout", Outcome::Ok, Duration::from_millis(2));

    let snapshot = recorder.take();
    let browse = &snapshot.scenarios["browse"];
    assert_eq!(browse.counts, Counts { ok: 1, failed: 0, interrupted: 1 });
    assert_eq!(browse.latency.max(), Duration::from_millis(9), "interrupted scenarios have no latency");
    let get = &snapshot.requests["GET /"];
    assert_eq!(get.counts, Counts { ok: 1, failed: 2, interrupted: 0 });
    assert_eq!((get.bytes_in, get.bytes_out, get.retried), (30, 9, 6));
    assert_eq!(get.statuses, BTreeMap::from([("200".into(), 1), ("500".into(), 1)]));
    assert_eq!((get.latency.count(), get.first_byte.count()), (3, 2));
    assert_eq!(get.latency.mean(), Duration::from_micros(6000));
    assert_eq!(snapshot.steps["checkout"].counts.ok, 1);
    assert_eq!(snapshot.totals().total(), 2);
    assert!(!snapshot.names_exceeded);

    assert_eq!(measured(recorder.take()), Snapshot::default(), "a second `take` returns nothing");
    recorder.operation(HTTP, "GET /", &sample(1));
    assert_eq!(recorder.take().requests["GET /"].statuses, BTreeMap::from([("200".into(), 1)]));
}

#[test]
fn operations_of_all_protocols_have_rows() {
    let recorder = Recorder::new(Limits::default());
    let line = |status| OperationSample { status: Some(Status::Text(status)), first_byte: None, ..sample(4000) };
    recorder.operation("LINE", "echo", &line("OK"));
    recorder.operation("LINE", "echo", &OperationSample { outcome: Outcome::Failed, ..line("ERROR") });
    recorder.operation(HTTP, "GET /", &sample(4000));
    recorder.operation("", "nameless", &line("OK"));
    let snapshot = recorder.take();
    assert_eq!(snapshot.requests.keys().map(|name| &**name).collect::<Vec<_>>(), ["GET /", "LINE echo", "nameless"]);
    let echo = &snapshot.requests["LINE echo"];
    assert_eq!(echo.counts, Counts { ok: 1, failed: 1, interrupted: 0 });
    assert_eq!(echo.statuses, BTreeMap::from([("ERROR".into(), 1), ("OK".into(), 1)]));
    assert_eq!((echo.bytes_in, echo.latency.count(), echo.first_byte.count()), (20, 2, 0));
    let protocols: Vec<_> = snapshot.requests.values().map(|stats| stats.protocol.as_deref()).collect();
    assert_eq!(protocols, [Some("HTTP"), Some("LINE"), Some("")]);
}

#[test]
fn a_row_of_several_protocols_has_none() {
    let rows = |protocol| {
        let recorder = Recorder::new(Limits { names: 1, ..Limits::default() });
        ["a", "b"].iter().for_each(|name| recorder.operation(protocol, name, &sample(1)));
        recorder
    };
    let both = rows("LINE");
    both.operation(HTTP, "GET /", &sample(1));
    assert_eq!(both.take().requests["other"].protocol, None);
    let (line, http) = (rows("LINE").take(), rows(HTTP).take());
    assert_eq!(line.requests["other"].protocol.as_deref(), Some("LINE"));
    for (mut one, two) in [(line.clone(), &http), (http.clone(), &line)] {
        one.merge(two);
        assert_eq!(one.requests["other"].protocol, None);
        one.merge(two);
        assert_eq!(one.requests["other"].protocol, None);
    }
}

#[test]
fn statuses_are_bounded_and_masked() {
    let recorder = Recorder::new(Limits::default());
    let record = |status: &str| {
        recorder.operation("LINE", "echo", &OperationSample { status: Some(Status::Text(status)), ..sample(1) });
    };
    (0..300).for_each(|n| record(&format!("http://h/?token={n}")));
    record(&"é".repeat(100));
    (0..300).for_each(|n| record(&format!("ERROR {n}")));
    let mut snapshot = recorder.take();
    let statuses = &snapshot.requests["LINE echo"].statuses;
    assert_eq!(statuses["http://h/?token=***"], 300);
    assert_eq!(statuses[&*"é".repeat(50)], 1);
    assert_eq!((statuses["other"], statuses.len()), (202, 101), "{statuses:?}");
    (300..600).for_each(|n| record(&format!("ERROR {n}")));
    snapshot.merge(&recorder.take());
    let statuses = &snapshot.requests["LINE echo"].statuses;
    assert!(statuses.len() <= 101, "{statuses:?}");
    assert_eq!(statuses.values().sum::<u64>(), 901);
}

#[test]
fn names_are_bounded_and_nothing_is_lost() {
    let [a, b] = [0, 300].map(|first| {
        let recorder = Recorder::new(Limits::default());
        (first..first + 600).for_each(|name| recorder.operation(HTTP, &format!("GET /{name}"), &sample(100)));
        recorder.take()
    });
    assert!(a.names_exceeded);
    assert_eq!(a.requests.len(), 501);
    assert_eq!(a.requests["other"].counts.ok, 100);
    let mut merged = a.clone();
    merged.merge(&b);
    assert_eq!(merged.requests.len(), 501);
    assert_eq!(merged.requests.values().map(|stats| stats.counts.ok).sum::<u64>(), 1200);
}

#[test]
fn recording_allocates_nothing_once_names_are_known() {
    let recorder = Recorder::new(Limits::default());
    let names: Vec<String> = (0..20).map(|name| format!("GET /{name}")).collect();
    let browse = recorder.scenario_id("browse");
    let second = || {
        for (index, name) in names.iter().cycle().take(5000).enumerate() {
            recorder.operation(HTTP, name, &sample(index as u64 * 997));
            recorder.operation("LINE", name, &OperationSample { status: Some(Status::Text("OK")), ..sample(7) });
            recorder.step("checkout", Outcome::Ok, Duration::from_micros(index as u64));
            recorder.scenario(browse, Outcome::Failed, Duration::from_millis(index as u64));
            recorder.error(error(7, "timeout"));
            recorder.lag(Duration::from_micros(3));
        }
    };
    second();
    recorder.take();
    let steady = allocation_counter::measure(second);
    assert_eq!(steady.count_total, 0);
    let counted = allocation_counter::measure(|| drop(recorder.take()));
    assert!(counted.count_total > 0, "allocations are counted");
}

/// 500 names, each with latencies from a microsecond to an hour.
#[test]
fn all_measures_stay_under_fifty_megabytes() {
    let limits = Limits::default();
    let recorder = Recorder::new(limits);
    let names: Vec<String> = (0..500).map(|name| format!("GET /some/path/{name}")).collect();
    let mut total = Snapshot::default();
    let mut largest = 0;
    // Exponents with a prime step fill the buckets evenly; each name has its own phase.
    for round in 0..5u64 {
        for (index, name) in names.iter().enumerate() {
            for step in 0..60u64 {
                let exponent = ((round * 60 + step) * 7919 + index as u64 * 104_729) % 100_003;
                recorder.operation(HTTP, name, &sample((exponent as f64 / 100_003.0 * 31.7).exp2() as u64));
            }
        }
        largest = largest.max(recorder.memory() + total.memory());
        total.merge(&recorder.take());
        largest = largest.max(recorder.memory() + total.memory());
    }
    assert_eq!(total.requests.values().map(|stats| stats.counts.ok).sum::<u64>(), 500 * 60 * 5);
    assert!(largest < 25 << 20, "{largest} bytes");

    // A run of any length, with all buckets filled: by 700 million requests, and by 90 billion.
    for (each, most) in [(60, 24 << 20), (8000, 47 << 20)] {
        let full = Histogram::pack((0..23_552).map(|bucket| (bucket, each)), 0, 0, 0);
        let all = full.memory() * 2 * names.len();
        assert!(all < most, "{all} bytes with {each} in each bucket");
    }
}
