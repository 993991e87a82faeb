//! Tests of the text report.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use super::text::table;
use crate::{
    metrics::{ErrorSample, HTTP, Health, Limits, NOWHERE, OperationSample, Outcome, Recorder, Status},
    run::{Summary, ThresholdResult, Totals},
};

/// Reproducible latencies, distributed like those of a server.
fn latencies(count: u64, typical_micros: u64) -> impl Iterator<Item = Duration> {
    (0..count).map(move |index| {
        let spread = (index * 7919 % 1000) as f64 / 1000.0;
        Duration::from_micros((typical_micros as f64 * (0.6 + spread * spread * 1.5 + 4.0 * spread.powi(60))) as u64)
    })
}

fn request(status: Option<u16>, total: Duration) -> OperationSample<'static> {
    OperationSample {
        outcome: if status.is_some_and(|status| status < 400) { Outcome::Ok } else { Outcome::Failed },
        status: status.map(Status::Code),
        connect: None,
        first_byte: status.map(|_| total * 9 / 10),
        total,
        bytes_in: 1234,
        bytes_out: 210,
        retried: 0,
    }
}

fn error<'a>(kind: &'a str, message: &'a str) -> ErrorSample<'a> {
    ErrorSample {
        kind,
        message,
        place: Some("src/scenarios/checkout.rs:142"),
        scenario: "checkout",
        detail: Some("   0: shop::checkout\n             at src/scenarios/checkout.rs:142".to_owned()),
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

pub(super) fn summary(recorder: &Recorder) -> Summary {
    let mut snapshot = recorder.take();
    snapshot.health = Health::default();
    let totals = snapshot.totals();
    Summary {
        version: "0.1.0".to_owned(),
        totals: Totals {
            elapsed: Duration::from_secs(30),
            successes: totals.ok,
            failures: totals.failed,
            interrupted: totals.interrupted,
            ..Totals::default()
        },
        workers: 50,
        processes: 1,
        snapshot,
        verbose: 0,
        ..Summary::default()
    }
}

fn busy() -> Recorder {
    let recorder = Recorder::new(Limits::default());
    for (name, count, typical) in [("browse", 12_345, 11_000), ("checkout", 321, 240_000), ("search", 4_321, 900)] {
        let id = recorder.scenario_id(name);
        latencies(count, typical).for_each(|took| recorder.scenario(id, Outcome::Ok, took));
    }
    for (name, count, typical) in [
        ("GET /", 12_345, 11_000),
        ("GET /products/{n}/reviews/{uuid}/comments", 4_321, 900),
        ("POST /checkout", 321, 240_000),
    ] {
        latencies(count, typical).for_each(|took| recorder.operation(HTTP, name, &request(Some(200), took)));
    }
    latencies(321, 1_240_000).for_each(|took| recorder.step("payment", Outcome::Ok, took));
    recorder
}

fn failing() -> Recorder {
    let recorder = busy();
    let checkout = recorder.scenario_id("checkout");
    latencies(120, 50_000).for_each(|took| recorder.scenario(checkout, Outcome::Failed, took));
    (0..3).for_each(|_| recorder.scenario(checkout, Outcome::Interrupted, Duration::from_secs(9)));
    for (index, took) in latencies(120, 50_000).enumerate() {
        let status = [Some(503), Some(404), None, Some(500)][index % 4];
        recorder.operation(HTTP, "POST /checkout", &request(status, took));
        let sentence = "assertion `left == right` failed: the basket is empty\n  left: 500\n right: 200";
        recorder
            .error([error("assertion", sentence), error("timeout", "no answer")][usize::from(index % 4 == 2)].clone());
    }
    let long = "the server answered something quite unlike what was asked for, ".repeat(5);
    recorder.error(ErrorSample { place: None, scenario: "browse", ..error("protocol", &long[..300]) });
    recorder
}

/// Checks of which some failed, tags, and values of the scenarios' own.
pub(super) fn custom() -> Recorder {
    let recorder = busy();
    let place: &dyn Fn() -> Option<String> = &|| Some("src/scenarios/checkout.rs:142:9".to_owned());
    for n in 0..12_000_u32 {
        let failed = n.is_multiple_of(100).then_some((Some("12 items, not 13: the \x1b[31mbasket is full"), place));
        recorder.check("the basket has all items", "checkout", failed);
        recorder.check("is cached", "browse", None);
        recorder.value("basket", f64::from(n) / 7.0 - 20.0);
    }
    recorder.check("known", "", Some((None, NOWHERE)));
    recorder.count("retries", 41);
    recorder.count("bytes of images that were uploaded", 1_234_567_890);
    recorder.value("small", 1.2e-7);
    for (at, queue) in [(1, 40.0), (2, -3.0), (3, 12.5)] {
        recorder.gauge("queue", queue, Duration::from_secs(at));
    }
    for (tag, count, typical) in [("region=eu", 3_000, 11_000), ("region=us", 1_000, 90_000)] {
        latencies(count, typical).for_each(|took| recorder.tagged(tag, HTTP, &request(Some(200), took)));
    }
    recorder
}

/// The same summary whose samples have the same time in every run.
pub(super) fn reproducible(mut summary: Summary) -> Summary {
    for sample in summary.snapshot.checks.values_mut().filter_map(|check| check.sample.as_mut()) {
        sample.at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    }
    summary
}

#[test]
fn checks_and_own_values_at_every_width() {
    let summary = reproducible(summary(&custom()));
    for width in [40, 80, 120] {
        let table = table(&summary, width, false);
        insta::assert_snapshot!(format!("custom_{width}"), table);
        assert!(table.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= width), "{table}");
    }
}

#[test]
fn checks_alone_have_a_table() {
    let recorder = Recorder::new(Limits::default());
    recorder.check("known", "", None);
    let table = table(&summary(&recorder), 80, false);
    assert!(table.contains("Checks    passed  failed  passed %\nknown          1       0     100 %\n"), "{table}");
}

#[test]
fn busy_at_every_width() {
    let summary = summary(&busy());
    insta::assert_snapshot!("busy_80", table(&summary, 80, false));
    insta::assert_snapshot!("busy_120", table(&summary, 120, false));
    insta::assert_snapshot!("busy_160", table(&summary, 160, false));
}

#[test]
fn failing_at_every_width() {
    let mut summary = summary(&failing());
    insta::assert_snapshot!("failing_80", table(&summary, 80, false));
    insta::assert_snapshot!("failing_120", table(&summary, 120, false));
    insta::assert_snapshot!("failing_160", table(&summary, 160, false));
    summary.verbose = 1;
    insta::assert_snapshot!("failing_verbose_80", table(&summary, 80, false));
}

#[test]
fn colors_do_not_change_the_text() {
    let summary = summary(&failing());
    let plain = table(&summary, 80, false);
    let colored = table(&summary, 80, true);
    assert!(!plain.contains('\x1b'));
    assert!(colored.contains("\x1b[31m"), "failures are red");
    let mut stripped = String::new();
    for (index, part) in colored.split('\x1b').enumerate() {
        stripped.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    let trimmed: Vec<_> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
}

#[test]
fn empty_run_has_no_report() {
    assert_eq!(table(&summary(&Recorder::new(Limits::default())), 80, false), "");
}

#[test]
fn one_scenario_is_short() {
    let recorder = Recorder::new(Limits::default());
    recorder.scenario(recorder.scenario_id("ping"), Outcome::Ok, Duration::from_micros(812));
    insta::assert_snapshot!("one_80", table(&summary(&recorder), 80, false));
}

#[test]
fn failed_setup_is_shown_without_measures() {
    let recorder = Recorder::new(Limits::default());
    recorder.error(ErrorSample { scenario: "", place: None, ..error("setup", "no token") });
    insta::assert_snapshot!("setup_80", table(&summary(&recorder), 80, false));
}

#[test]
fn interrupted_scenarios_have_no_latency() {
    let recorder = Recorder::new(Limits::default());
    recorder.scenario(recorder.scenario_id("stuck"), Outcome::Interrupted, Duration::from_secs(9));
    insta::assert_snapshot!("interrupted_80", table(&summary(&recorder), 80, false));
}

#[test]
fn wide_and_hostile_names_keep_the_columns() {
    let recorder = Recorder::new(Limits::default());
    let names = ["GET /商品/レビュー/とても長い名前のページ", "GET /👩‍👩‍👧‍👦/\x1b[2J\x1b[31mred\r\n", "GET /a"];
    for name in names {
        recorder.operation(HTTP, name, &request(Some(200), Duration::from_millis(12)));
    }
    recorder
        .error(ErrorSample { place: None, ..error("evil\x1b]0;title\x07", "\x1b[31mred\x1b[0m\r\nand \u{202e}more") });
    insta::assert_snapshot!("hostile_80", table(&summary(&recorder), 80, false));
}

#[test]
fn warnings_are_at_the_end() {
    let recorder = Recorder::new(Limits::default());
    (0..600).for_each(|name| {
        recorder.operation(HTTP, &format!("PUT /{name:03}"), &request(Some(200), Duration::from_millis(3)))
    });
    let mut summary = summary(&recorder);
    summary.snapshot.health.open_files = 19_990;
    summary.snapshot.health.open_files_limit = Some(20_000);
    insta::assert_snapshot!("warnings_80", table(&summary, 80, false));
}

/// The words that contain digits.
fn numbers(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().filter(|word| word.contains(|c: char| c.is_ascii_digit())).collect()
}

#[test]
fn lines_fit_the_width_without_cutting_numbers() {
    for mut summary in [summary(&busy()), summary(&failing())] {
        summary.thresholds = ["p95(GET /products/{n}/reviews/{uuid}/comments) < 1234ms", "failures < 12.5%"]
            .map(|expression| ThresholdResult {
                expression: expression.to_owned(),
                actual: Some("1,234,567".to_owned()),
                ..ThresholdResult::default()
            })
            .to_vec();
        summary.snapshot.health.open_files = 19_990;
        summary.snapshot.health.open_files_limit = Some(20_000);
        let whole = table(&summary, 400, false);
        for width in 40..200 {
            let table = table(&summary, width, false);
            let widest = table.lines().map(super::layout::width).max().unwrap();
            assert!(widest <= width, "{widest} columns of {width}:\n{table}");
            let cut: Vec<_> =
                numbers(&table).difference(&numbers(&whole)).copied().filter(|word| !word.contains('…')).collect();
            assert!(cut.is_empty(), "{cut:?} in {width} columns:\n{table}");
        }
    }
}

/// The heads of the columns of requests.
fn heads(table: &str) -> Vec<String> {
    let head = table.lines().find(|line| line.starts_with("Requests")).unwrap();
    head.split("  ").map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

#[test]
fn columns_depend_only_on_the_width() {
    let quick = Recorder::new(Limits::default());
    (0..5).for_each(|_| quick.operation(HTTP, "GET /", &request(Some(200), Duration::from_micros(7))));
    let retried = busy();
    retried.operation(HTTP, "GET /", &OperationSample { retried: 1, ..request(Some(200), Duration::from_millis(12)) });
    let long = failing();
    long.operation(HTTP, &"GET /long".repeat(34), &request(None, Duration::from_secs(100)));
    let runs = [summary(&quick), summary(&busy()), summary(&retried), summary(&long)];
    let mut fewer = 0;
    for width in 40..240 {
        let [quick, others @ ..] = runs.each_ref().map(|run| heads(&table(run, width, false)));
        for other in others {
            assert_eq!(other, quick, "in {width} columns");
        }
        assert!(quick.len() >= fewer, "in {width} columns: {quick:?}");
        fewer = quick.len();
        assert!(
            width < 80
                || ["count", "failed %", "rate/s", "p50", "p95", "p99"]
                    .iter()
                    .all(|head| quick.iter().any(|one| one == head)),
            "{quick:?}"
        );
    }
}

#[test]
fn large_numbers_drop_columns_instead_of_digits() {
    let recorder = Recorder::new(Limits::default());
    recorder.operation(HTTP, "GET /products", &request(None, Duration::from_secs(100)));
    let mut summary = summary(&recorder);
    let stats = summary.snapshot.requests.values_mut().next().unwrap();
    (stats.counts.ok, stats.counts.failed) = (1_234_567, 8_765_432);
    for width in 40..240 {
        let table = table(&summary, width, false);
        assert!(table.lines().all(|line| super::layout::width(line) <= width), "{table}");
        assert!(table.contains(" 9,999,999") && table.contains(" 8,765,432"), "{table}");
        assert!(table.contains("GET /products") || width < 60, "{table}");
    }
}

#[test]
fn steps_have_a_total() {
    let recorder = Recorder::new(Limits::default());
    for (name, millis) in [("login", 20), ("pay", 40)] {
        (0..20).for_each(|_| recorder.step(name, Outcome::Ok, Duration::from_millis(millis)));
    }
    let table = table(&summary(&recorder), 80, false);
    assert!(table.lines().any(|line| line.starts_with("Total ") && line.contains("    40 ")), "{table}");
}

#[test]
fn retried_requests_are_shown_by_name_and_in_total() {
    let recorder = Recorder::new(Limits::default());
    for (name, retried) in [("GET /", 1), ("GET /", 1), ("GET /cart", 0)] {
        recorder.operation(HTTP, name, &OperationSample { retried, ..request(Some(200), Duration::from_millis(12)) });
    }
    insta::assert_snapshot!("retried_60", table(&summary(&recorder), 60, false));
}

#[test]
fn operations_of_other_protocols_are_requests_beside_http() {
    let line = |status, outcome| {
        let first = Duration::from_micros(50);
        OperationSample { outcome, status: Some(status), first_byte: Some(first), ..request(None, 2 * first) }
    };
    let recorder = busy();
    for (status, outcome, count) in [("OK", Outcome::Ok, 900), ("\x1b[31mBUSY", Outcome::Failed, 20)] {
        (0..count).for_each(|_| recorder.operation("LINE", "echo", &line(Status::Text(status), outcome)));
    }
    (0..8).for_each(|_| recorder.operation("SQL", "insert", &request(None, Duration::from_millis(3))));
    insta::assert_snapshot!("protocols_120", table(&summary(&recorder), 120, false));
    let recorder = Recorder::new(Limits::default());
    recorder.operation("LINE", "echo", &line(Status::Text("OK"), Outcome::Ok));
    insta::assert_snapshot!("one_protocol_80", table(&summary(&recorder), 80, false));
}
