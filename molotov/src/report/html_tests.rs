//! The files that a run can leave behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::*;
use crate::{
    metrics::{ErrorSample, HTTP, Limits, NOWHERE, OperationSample, Outcome, Recorder, Snapshot, Status},
    report::{csv, json},
    run::{ThresholdResult, Timeline, Totals},
};

const HOSTILE: &str = "<script>alert(1)</script> & \"x\" 'y' \u{1b}[31m";

fn tagged() -> OperationSample<'static> {
    let (outcome, status, total) = (Outcome::Ok, Some(Status::Code(200)), Duration::from_millis(5));
    OperationSample { outcome, status, connect: None, first_byte: None, total, bytes_in: 1, bytes_out: 1, retried: 0 }
}

fn second(number: u64) -> Snapshot {
    let recorder = Recorder::new(Limits::default());
    let browse = recorder.scenario_id("browse");
    let odd = recorder.scenario_id(HOSTILE);
    for n in 0..10 * number {
        recorder.scenario(browse, Outcome::Ok, Duration::from_millis(10 + n));
        recorder.operation(
            HTTP,
            "GET /users/{n}",
            &OperationSample {
                outcome: if n % 10 == 0 { Outcome::Failed } else { Outcome::Ok },
                status: Some(Status::Code(if n % 10 == 0 { 503 } else { 200 })),
                connect: None,
                first_byte: Some(Duration::from_millis(4)),
                total: Duration::from_millis(5 + n),
                bytes_in: 120,
                bytes_out: 60,
                retried: 1,
            },
        );
    }
    recorder.scenario(odd, Outcome::Failed, Duration::from_millis(3));
    recorder.check(HOSTILE, HOSTILE, Some((Some(HOSTILE), NOWHERE)));
    recorder.count(HOSTILE, number);
    recorder.value(HOSTILE, number as f64);
    recorder.gauge(HOSTILE, -1.5, Duration::from_secs(number));
    recorder.tagged(HOSTILE, HTTP, &tagged());
    recorder.error(ErrorSample {
        kind: HOSTILE,
        message: HOSTILE,
        place: Some("src/<main>.rs:3"),
        scenario: HOSTILE,
        detail: Some(format!("one\n{HOSTILE}")),
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + number),
    });
    recorder.take()
}

/// A run of so many seconds.
fn summary(seconds: u64) -> Summary {
    let (mut timeline, mut snapshot) = (Timeline::default(), Snapshot::default());
    for n in 1..=seconds {
        let until = Duration::from_secs(n);
        let measures = Snapshot { until, ..second(n % 4) };
        timeline.add(&measures);
        timeline.tick(until, 5);
        snapshot.merge(&measures);
    }
    timeline.end(Duration::from_secs(seconds));
    snapshot.health = Default::default();
    for sample in snapshot.checks.values_mut().filter_map(|check| check.sample.as_mut()) {
        sample.at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    }
    let counts = snapshot.totals();
    Summary {
        version: "0.1.0".to_owned(),
        totals: Totals {
            elapsed: Duration::from_secs(seconds),
            successes: counts.ok,
            failures: counts.failed,
            interrupted: 2,
            ..Totals::default()
        },
        workers: 5,
        processes: 2,
        started: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
        snapshot,
        timeline,
        thresholds: vec![
            ThresholdResult {
                expression: format!("p95({HOSTILE}) < 1s"),
                actual: Some("3.00ms".to_owned()),
                reason: None,
                passed: true,
                ..ThresholdResult::default()
            },
            ThresholdResult {
                expression: format!("p95({HOSTILE}) < 1s"),
                actual: None,
                reason: Some(format!("no scenario, request or step named `{HOSTILE}` was measured")),
                passed: false,
                ..ThresholdResult::default()
            },
        ],
        ..Summary::default()
    }
}

/// Returns the page without its scripts, as a browser without scripts shows it.
fn without_scripts(page: &str) -> String {
    let (before, after) = page.split_once("<script").unwrap();
    let (scripts, end) = after.rsplit_once("</script>").unwrap();
    assert!(!scripts.contains("<main") && !before.contains("</body>"), "scripts are last");
    before.to_owned() + end
}

/// Checks that elements are closed in order, except for void elements.
#[track_caller]
fn well_formed(page: &str) {
    let page = without_scripts(page);
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("the end of the tag");
        let tag = &rest[start + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap().trim_end_matches('/');
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "<{tag}>");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes something else");
        } else if !tag.ends_with('/') && name != "meta" {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<&str>::new(), "left open");
}

#[test]
fn page_is_well_formed() {
    well_formed(&html(&crate::report::open_tests::open_summary()));
    for seconds in [0, 1, 2, 10, 400] {
        let page = html(&summary(seconds));
        well_formed(&page);
        assert_eq!(page.contains(">Retried</th>"), seconds > 0);
        assert!(!page.contains("NaN") && !page.contains("inf"), "{seconds}");
        let figures = ["scenarios", "requests", "latency", "statuses", "errors", "workers", "distribution", "heat"];
        for figure in figures {
            let count = page.matches(&format!("<figure id=\"chart-{figure}\">")).count();
            assert_eq!(count, usize::from(seconds > 0), "{figure} of {seconds} s");
        }
        assert_eq!(page.matches("<figure ").count(), if seconds == 0 { 0 } else { figures.len() }, "{seconds}");
    }
    let mut huge = summary(2);
    (huge.totals.successes, huge.totals.failures) = (u64::MAX / 2, u64::MAX / 4);
    huge.totals.elapsed = Duration::ZERO;
    well_formed(&html(&huge));
    well_formed(&html(&Summary::default()));
}

#[test]
fn escapes_text_from_outside() {
    let page = html(&summary(3));
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    assert!(!page.contains("<script>alert") && !page.contains('\u{1b}'));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot; 'y'"));
    assert!(page.contains("src/&lt;main&gt;.rs:3"));
}

/// The value of a property in the style sheet.
fn style<'a>(selector: &str, property: &str) -> Option<&'a str> {
    let rules = STYLE.split('}').filter_map(|rule| rule.split_once('{'));
    let named = rules.filter(|(selectors, _)| selectors.split(',').any(|one| one.trim() == selector));
    let declared = named.flat_map(|(_, declarations)| declarations.split(';').filter_map(|one| one.split_once(':')));
    declared.filter(|(name, _)| name.trim() == property).map(|(_, value)| value.trim()).next_back()
}

#[test]
fn scrolling_regions_have_a_name_and_take_the_focus() {
    let page = without_scripts(&html(&summary(3)));
    let regions: Vec<_> = page.split("<div class=\"scroll\"").skip(1).collect();
    assert_eq!(regions.len(), 8, "thresholds, scenarios, requests, and five of checks and values");
    for region in regions {
        let attributes = region.split_once('>').unwrap().0;
        assert!(attributes.contains(" tabindex=\"0\" role=\"region\""), "{attributes}");
        let (_, title) = attributes.split_once("aria-labelledby=\"").expect("a name");
        let title = title.split_once('"').unwrap().0;
        assert_eq!(page.matches(&format!("<h2 id=\"{title}\">")).count(), 1, "{title}");
    }
    assert_eq!(page.matches("overflow-x").count(), 1, "nothing else scrolls");
    assert!(style(":focus-visible", "outline").is_some());
}

#[test]
fn long_names_are_shortened_and_have_a_tooltip() {
    let mut summary = summary(2);
    let name: Arc<str> = format!("GET /{}", "n".repeat(300)).into();
    let stats = summary.snapshot.requests.values().next().unwrap().clone();
    summary.snapshot.requests.insert(name.clone(), stats);
    summary.snapshot.errors[0].kind = name.to_string();
    let page = html(&summary);
    well_formed(&page);
    for class in ["name", "kind"] {
        assert!(page.contains(&format!("<span class=\"{class}\" title=\"{name}\">{name}</span>")), "{class}");
        assert_eq!(style(&format!(".{class}"), "text-overflow"), Some("ellipsis"));
    }
    for selector in ["summary", "pre", ".note", "td.text"] {
        assert_eq!(style(selector, "overflow-wrap"), Some("anywhere"), "{selector}");
        assert_ne!(style(selector, "white-space"), Some("nowrap"), "{selector}");
    }
}

#[test]
fn page_is_accessible() {
    let page = without_scripts(&html(&summary(3)));
    assert!(page.contains("<html lang=\"en\">") && page.contains("<title>Load test: Passed</title>"));
    assert_eq!((page.matches("<h1").count(), page.matches("<main ").count()), (1, 1));
    assert!(page.find("<h1").unwrap() < page.find("<h2").unwrap() && !page.contains("<h3"));
    assert_eq!(page.matches("<th ").count(), page.matches("<th scope=\"").count());
    assert_eq!(page.matches("<th>").count(), 0);
    let drawings = page.matches(" role=\"img\" aria-label=\"").count() + page.matches(" aria-hidden=\"true\"").count();
    assert_eq!(page.matches("<svg ").count(), drawings);

    // WCAG AA requires a contrast of 4.5 for text, in the light and the dark scheme.
    let schemes: Vec<_> =
        STYLE.match_indices("color-scheme: light;").chain(STYLE.match_indices("color-scheme: dark;")).collect();
    assert_eq!(schemes.len(), 4, "light, dark, the dark theme, print");
    for colors in schemes.into_iter().map(|(start, _)| &STYLE[start..]) {
        let luminance = |name: &str| {
            let value = colors.split_once(&format!("--{name}: #")).unwrap().1;
            let digits: Vec<u8> = value.bytes().take_while(u8::is_ascii_hexdigit).collect();
            let digits = std::str::from_utf8(&digits).unwrap();
            let channel = |at: usize| {
                let digits =
                    if digits.len() == 3 { digits[at..=at].repeat(2) } else { digits[2 * at..2 * at + 2].into() };
                let share = f64::from(u8::from_str_radix(&digits, 16).unwrap()) / 255.0;
                if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2)
        };
        for text in ["ink", "soft", "good", "bad", "odd", "a", "b", "c"] {
            for background in ["page", "card"] {
                let (one, other) = (luminance(text) + 0.05, luminance(background) + 0.05);
                let contrast = one.max(other) / one.min(other);
                assert!(contrast >= 4.5, "--{text} on --{background}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn page_needs_no_network() {
    let page = html(&summary(3));
    // The name of a namespace is not an address.
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for outside in
        ["http://", "https://", "src=", "href=", "@import", "url(", "fetch(", "XMLHttpRequest", "EventSource"]
    {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\""));
}

#[test]
fn json_report() {
    let summary = summary(3);
    let report: serde_json::Value = serde_json::from_str(&json(&summary)).unwrap();
    assert_eq!(report["schema"], "molotov-report/4");
    assert_eq!(report["totals"]["successes"], summary.totals.successes);
    let row = &report["requests"][0];
    assert_eq!((&row["count"], &row["failed"]), (&60.into(), &6.into()));
    let buckets = row["latency_ms"]["buckets"].as_array().unwrap();
    assert_eq!(buckets.iter().map(|bucket| bucket[1].as_u64().unwrap()).sum::<u64>(), 60);
    assert_eq!(report["timeline"].as_array().unwrap().len(), 3);
    let mut report = report;
    for rows in ["scenarios", "requests"] {
        for row in report[rows].as_array_mut().unwrap() {
            for latency in ["latency_ms", "first_byte_ms"] {
                if let Some(latency) = row[latency].as_object_mut() {
                    latency.insert("buckets".to_owned(), "...".into());
                }
            }
        }
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn csv_report_has_a_row_for_each_second() {
    insta::assert_snapshot!(csv(&summary(4)));
    assert_eq!(csv(&Summary::default()).lines().count(), 1);
}

/// A run of an hour with 50 names of requests, whose latencies and failures change over time. It is measured every 16 seconds, which
/// is the length of the points of the page.
fn hour() -> Summary {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut timeline, mut snapshot) = (Timeline::default(), Snapshot::default());
    for n in (16..=3_600_u64).step_by(16) {
        let recorder = Recorder::new(Limits::default());
        let scenario = recorder.scenario_id("browse the shop");
        let slow = if (1_200..1_500).contains(&n) { 5.0 } else { 1.0 };
        for name in 0..50_u32 {
            for _ in 0..3 {
                // About a log-normal distribution.
                let normal: f64 = (0..6).map(|_| random.f64() - 0.5).sum();
                let micros = 4_000.0 * (1.0 + f64::from(name) / 10.0) * slow * (normal * 0.7).exp();
                let total = Duration::from_micros(micros as u64);
                let failed = random.u32(..1_000) < if slow > 1.0 { 60 } else { 2 };
                let sample = OperationSample {
                    outcome: if failed { Outcome::Failed } else { Outcome::Ok },
                    status: Some(Status::Code(if failed { [500, 503, 429][random.usize(..3)] } else { 200 })),
                    connect: None,
                    first_byte: Some(total / 2),
                    total,
                    bytes_in: 2_000,
                    bytes_out: 300,
                    retried: 0,
                };
                recorder.operation(HTTP, &format!("GET /shop/category-{name}/items"), &sample);
                if failed {
                    recorder.error(ErrorSample {
                        kind: ["Timeout", "Status", "AssertionError"][random.usize(..3)],
                        message: "expected status 200",
                        place: Some("shop.py:14"),
                        scenario: "browse the shop",
                        detail: None,
                        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + n),
                    });
                }
            }
        }
        (0..10).for_each(|n| recorder.scenario(scenario, Outcome::Ok, Duration::from_millis(100 + n * 3)));
        let measures = Snapshot { until: Duration::from_secs(n), ..recorder.take() };
        timeline.add(&measures);
        timeline.tick(measures.until, 50.min(n as usize / 4));
        snapshot.merge(&measures);
    }
    timeline.end(Duration::from_secs(3_600));
    snapshot.health = Default::default();
    let counts = snapshot.totals();
    Summary {
        version: "0.1.0".to_owned(),
        totals: Totals {
            elapsed: Duration::from_secs(3_600),
            successes: counts.ok,
            failures: counts.failed,
            ..Totals::default()
        },
        workers: 50,
        processes: 1,
        started: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
        snapshot,
        timeline,
        ..Summary::default()
    }
}

#[test]
fn page_of_an_hour_with_50_names_is_small() {
    let page = html(&hour());
    let data = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0.len();
    let main = without_scripts(&page).len() - STYLE.len();
    println!("data {data}, static {main}, style {}, script {}, all {}", STYLE.len(), SCRIPT.len(), page.len());
    assert!(page.len() <= 300_000, "{}", page.len());
}

#[test]
fn data_of_the_page_equal_those_of_the_json_report() {
    let summary = summary(30);
    let data: serde_json::Value = serde_json::from_str(&page_data(&summary, false)).unwrap();
    let report: serde_json::Value = serde_json::from_str(&json(&summary)).unwrap();
    let group = |id: &str| data["groups"].as_array().unwrap().iter().find(|group| group["id"] == id).unwrap().clone();
    let millis = |micros: &serde_json::Value| micros.as_f64().map(|micros| micros / 1e3);
    for id in ["scenarios", "requests"] {
        let rows = group(id)["rows"].as_array().unwrap().clone();
        assert_eq!(rows.len(), report[id].as_array().unwrap().len());
        for (row, expected) in rows.iter().zip(report[id].as_array().unwrap()) {
            assert_eq!((&row["ok"], &row["failed"]), (&expected["ok"], &expected["failed"]));
            for time in ["p50", "p95", "p99", "max"] {
                assert_eq!(millis(&row["latency"][time]), expected["latency_ms"][time].as_f64(), "{id} {time}");
            }
            // The bins lose nothing.
            let course = |name: &str| courses::tests::numbers(row["course"][name].as_str().unwrap_or_default());
            assert_eq!(Some(course("ok").iter().sum()), expected["ok"].as_u64(), "{id}");
            assert_eq!(Some(course("failed").iter().sum()), expected["failed"].as_u64(), "{id}");
        }
    }
    let chart = data["charts"].as_array().unwrap().iter().find(|chart| chart["id"] == "latency").unwrap().clone();
    for (series, percent) in chart["series"].as_array().unwrap().iter().zip([50.0, 95.0, 99.0]) {
        let expected = summary
            .timeline
            .points()
            .map(|point| (!point.latency.is_empty()).then(|| point.latency.percentile(percent).as_micros() as u64));
        let values: Vec<_> = series["values"].as_array().unwrap().iter().map(serde_json::Value::as_u64).collect();
        assert_eq!(values, expected.collect::<Vec<_>>(), "{percent}");
    }
}

#[test]
fn last_bin_of_a_long_run_is_no_peak() {
    let steady = |until: Duration| {
        let recorder = Recorder::new(Limits::default());
        let browse = recorder.scenario_id("browse");
        (0..10).for_each(|_| recorder.scenario(browse, Outcome::Ok, Duration::from_millis(5)));
        Snapshot { until, ..recorder.take() }
    };
    for (tenths, count) in [(1_220, 61), (1_235, 62), (1_245, 62), (1_255, 63)] {
        let mut timeline = Timeline::default();
        // Ten scenarios each 100 ms, until after the last whole second.
        for tenth in 1..=tenths {
            timeline.add(&steady(Duration::from_millis(100 * tenth)));
            timeline.tick(Duration::from_millis(100 * tenth), 5);
        }
        let summary = Summary { timeline, ..Summary::default() };
        let (_, points) = axis::points(&summary);
        let bins = axis::Axis::of_courses(&summary, &points, true);
        assert_eq!((bins.period, bins.count), (2.0, count), "{tenths}");
        let ok: Vec<_> = summary.timeline.courses().scenarios()["browse"].iter().map(|bin| bin.ok).collect();
        for (index, count) in chart::merged(&ok, &bins).into_iter().enumerate() {
            let rate = count as f64 / bins.length(index);
            assert!((rate - 100.0).abs() < 1e-6, "{rate} in bin {index} of {bins:?}");
        }
    }
}
