//! The reports of a run whose scenarios start at a rate.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use super::{csv, json, text::table};
use crate::{
    load::{Levels, Load, Model, OpenModel, Stream},
    metrics::{HTTP, Health, Limits, OperationSample, Outcome, Recorder, Snapshot, StartSample, Status, WaitedFor},
    options::{Arrivals, Rate, WhenBusy},
    run::{Summary, Timeline, Totals},
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn stream(scenario: Option<&str>, rate: Levels, when_busy: WhenBusy) -> Stream {
    let model = Model::Open(OpenModel { rate, arrivals: Arrivals::Even, when_busy, workers: 40, seed: 7 });
    Stream { scenario: scenario.map(str::to_owned), model }
}

/// A plan of 100/s to 300/s over ten seconds, with another scenario at 20/s beside it.
pub(crate) fn load() -> Load {
    let per_second = |starts: f64| Rate::per_second(starts).micros_per_hour();
    let rising = Levels::default().then(ms(4_000), per_second(100.0), per_second(300.0));
    let rising = rising.then(ms(6_000), per_second(300.0), per_second(300.0));
    let steady = Levels::constant(per_second(20.0), ms(10_000));
    Load { streams: vec![stream(None, rising, WhenBusy::Wait), stream(Some("audit"), steady, WhenBusy::Drop)] }
}

/// What happened in a second of that plan: in the seconds 6 and 7, the service was frozen for most of the time.
pub(crate) fn second(number: u64) -> Snapshot {
    let recorder = Recorder::new(Limits::default());
    let (all, audit) = (recorder.stream_id(""), recorder.stream_id("audit"));
    let (browse, audited) = (recorder.scenario_id("browse"), recorder.scenario_id("audit"));
    let load = load();
    let starts = load.starts_before(ms(number * 1_000)) - load.starts_before(ms((number - 1) * 1_000));
    for n in 0..starts {
        let frozen = (6..=7).contains(&number);
        let (lag, took) =
            if frozen { (ms(2 * n), ms(40 + n)) } else { (Duration::from_micros(150 + n), ms(12 + n % 9)) };
        if n % 16 == 0 {
            match frozen && n % 32 == 0 {
                true => recorder.start(audit, StartSample::Dropped(WaitedFor::BusyWorkers)),
                false => {
                    recorder.start(audit, StartSample::Started { lag: ms(1), waited_for: None });
                    recorder.planned_scenario(audited, Outcome::Ok, ms(1), took);
                }
            }
            continue;
        }
        recorder.start(all, StartSample::Started { lag, waited_for: frozen.then_some(WaitedFor::BusyWorkers) });
        recorder.planned_scenario(browse, Outcome::Ok, lag, took);
        let request = OperationSample {
            outcome: Outcome::Ok,
            status: Some(Status::Code(200)),
            connect: (n % 100 == 1).then(|| ms(2)),
            first_byte: Some(took / 2),
            total: took - ms(1),
            bytes_in: 1_200,
            bytes_out: 180,
            retried: 0,
        };
        recorder.operation(HTTP, "GET /", &request);
    }
    if number == 10 {
        (0..7).for_each(|_| recorder.start(all, StartSample::Unstarted(None)));
    }
    Snapshot { until: ms(number * 1_000), health: Health::default(), ..recorder.take() }
}

/// A run with that plan, of which the first two seconds were the warm-up.
pub(crate) fn open_summary() -> Summary {
    let (load, mut timeline, mut warm_up, mut snapshot) =
        (load(), Timeline::default(), Snapshot::default(), Snapshot::default());
    timeline.warm_up(ms(2_000));
    for n in 1..=10 {
        let measures = Snapshot { warm_up: n <= 2, ..second(n) };
        if measures.warm_up { &mut warm_up } else { &mut snapshot }.merge(&measures);
        timeline.add(&measures);
        timeline.planned(ms(n * 1_000), load.starts_before(ms(n * 1_000)));
        timeline.tick(ms(n * 1_000), 40);
    }
    timeline.end(ms(10_000));
    snapshot.health = Health::default();
    Summary {
        version: "0.1.0".to_owned(),
        totals: Totals {
            elapsed: ms(10_300),
            warm_up: ms(2_000),
            successes: snapshot.totals().ok,
            ..Totals::default()
        },
        workers: 40,
        processes: 2,
        load: Arc::new(load),
        planned_time: ms(8_000),
        warm_up: Some(Box::new(warm_up)),
        snapshot,
        timeline,
        ..Summary::default()
    }
}

#[test]
fn table_shows_the_plan_and_both_times() {
    let summary = open_summary();
    insta::assert_snapshot!("open_80", table(&summary, 80, false));
    insta::assert_snapshot!("open_120", table(&summary, 120, false));
    insta::assert_snapshot!("open_160", table(&summary, 160, false));
}

#[test]
fn table_of_one_rate_has_one_row_of_starts() {
    let mut summary = open_summary();
    Arc::get_mut(&mut summary.load).unwrap().streams.truncate(1);
    summary.snapshot.starts.remove("audit");
    summary.snapshot.scenarios.remove("audit");
    insta::assert_snapshot!("one_rate_80", table(&summary, 80, false));
}

#[test]
fn narrow_tables_keep_the_number_of_starts() {
    let table = table(&open_summary(), 40, false);
    let head = table.lines().find(|line| line.starts_with("Starts")).unwrap();
    assert!(head.contains("started") && !head.contains("late"), "{table}");
}

#[test]
fn tables_of_rates_fit_every_width() {
    let summary = open_summary();
    for width in 40..170 {
        let table = table(&summary, width, false);
        let widest = table.lines().map(super::layout::width).max().unwrap();
        assert!(widest <= width, "{widest} columns of {width}:\n{table}");
        assert!(table.contains("asked/s") && table.contains("response time") || width < 60, "{width}:\n{table}");
    }
}

/// Removes the distributions, which are long.
fn without_buckets(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|name, _| name != "buckets");
            fields.values_mut().for_each(without_buckets);
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(without_buckets),
        _ => {}
    }
}

#[test]
fn json_has_the_plan_the_starts_and_both_times() {
    let mut report: serde_json::Value = serde_json::from_str(&json(&open_summary())).unwrap();
    without_buckets(&mut report);
    let timeline = report["timeline"].take();
    let sum = |name: &str| {
        let of_the_run = timeline.as_array().unwrap().iter().filter(|point| point["warm_up"] == false);
        of_the_run.map(|point| point["starts"][name].as_u64().unwrap()).sum::<u64>()
    };
    for name in ["started", "late", "dropped"] {
        assert_eq!(report["starts"][name], sum(name), "{name}");
    }
    report["timeline"] = timeline[5].clone();
    insta::assert_snapshot!("open_json", serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn csv_has_columns_about_starts() {
    insta::assert_snapshot!("open_csv", csv(&open_summary()));
}

#[cfg(feature = "html-report")]
#[test]
fn page_shows_the_plan_and_both_times() {
    let page = super::html(&open_summary());
    for part in [
        "<h2 id=\"starts-title\">Starts</h2>",
        "2.0 s of them warm-up, not counted",
        "Starts a second, asked and achieved",
        "Response and service time of scenarios",
        "Start lag",
        "response time</th>",
        "service time</th>",
        "Scenarios started at 305.0/s instead of 307.5/s",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let total = page.split("<th scope=\"row\">Total</th>").nth(1).unwrap();
    assert!(total.starts_with("<td>307.5</td><td>305.0</td><td>2,467</td><td>2,440</td>"), "{}", &total[..200]);
    // All but the distribution of latencies are over time.
    let charts = page.matches("role=\"img\"").count();
    assert_eq!(
        (charts, page.matches("<rect class=\"warm-up\"").count()),
        (10, 9),
        "the warm-up is greyed in each chart over time"
    );

    let mut closed = open_summary();
    (closed.load, closed.warm_up) = (Arc::default(), None);
    assert!(!super::html(&closed).contains("id=\"starts\""));
}

#[cfg(feature = "html-report")]
#[test]
fn page_shows_the_steps_of_a_search() {
    use crate::run::{Capacity, LoadUnit, SearchEnd, SizingResult, SizingStep, StepVerdict, ThresholdResult};
    let step = |load: f64, actual: &str, verdict| SizingStep {
        load,
        rates: [("chat".to_owned(), 10.0)].into(),
        time: ms(5_200),
        started: load,
        ended: load,
        conditions: vec![ThresholdResult {
            expression: "p95(<b>) < 200ms".to_owned(),
            actual: Some(actual.to_owned()),
            ..ThresholdResult::default()
        }],
        verdict,
    };
    let steps = vec![step(190.0, "61.0 ms", StepVerdict::Met), step(208.0, "1.3 s", StepVerdict::Broken)];
    let found = Capacity { unit: LoadUnit::Rate, met: Some(190.0), broken: Some(208.0), end: SearchEnd::Found, steps };
    let page = super::html(&Summary { sizing: Some(SizingResult::Capacity(found)), ..open_summary() });
    for part in [
        "Capacity: between 190/s and 208/s.",
        "<th scope=\"col\">chat</th>",
        "<td>10/s</td>",
        "<th scope=\"col\">p95(&lt;b&gt;) &lt; 200ms</th>",
        "<td>61.0 ms</td><td class=\"good\">met</td>",
        "<td>1.3 s</td><td class=\"bad\">broken</td>",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn table_shows_the_plan_if_nothing_has_started() {
    let mut summary = Summary { load: Arc::new(load()), planned_time: ms(1_000), ..Summary::default() };
    let recorder = Recorder::new(Limits::default());
    let all = recorder.stream_id("");
    (0..100).for_each(|_| recorder.start(all, StartSample::Unstarted(None)));
    summary.snapshot = recorder.take();
    let text = table(&summary, 120, false);
    assert!(text.contains("unstarted") && text.contains("100 not started before the end"), "{text}");
}

#[test]
fn interrupted_requests_are_no_missing_responses() {
    let recorder = Recorder::new(Limits::default());
    let request = |outcome, status| OperationSample {
        outcome,
        status,
        connect: None,
        first_byte: None,
        total: ms(3),
        bytes_in: 0,
        bytes_out: 0,
        retried: 0,
    };
    recorder.operation(HTTP, "GET /", &request(Outcome::Ok, Some(Status::Code(200))));
    (0..3).for_each(|_| recorder.operation(HTTP, "GET /", &request(Outcome::Interrupted, None)));
    let summary = Summary { snapshot: recorder.take(), ..Summary::default() };
    let text = table(&summary, 80, false);
    assert!(text.contains("200 OK") && text.contains("100 %") && !text.contains("no response"), "{text}");
}
