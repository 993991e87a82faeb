//! The reports for CI services, as JUnit XML and Markdown, read by independent parsers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use pulldown_cmark::{Event as MarkdownEvent, Options, Parser, Tag};
use quick_xml::{Reader, events::Event};

use super::{junit, markdown};
use crate::{
    metrics::{ErrorSample, HTTP, Limits, NOWHERE, OperationSample, Outcome, Recorder, Status},
    run::{FixtureFailure, Incomplete, RunInfo, SizingResult, Summary, ThresholdResult, Totals, Verdict},
};

const HOSTILE: &str = "a|b `c` \\| <img src=x> ]]> & \"q\" *d* @team #1 http://x\n\u{1b}[31m\u{0}";

fn threshold(expression: &str, passed: bool, actual: &str) -> ThresholdResult {
    let (expression, actual) = (expression.to_owned(), Some(actual.to_owned()));
    ThresholdResult { expression, actual, passed, ..ThresholdResult::default() }
}

/// A run in which `browse` passes and the hostile scenario fails.
fn summary() -> Summary {
    let recorder = Recorder::new(Limits::default());
    let (browse, hostile) = (recorder.scenario_id("browse"), recorder.scenario_id(HOSTILE));
    for n in 0..200 {
        recorder.scenario(browse, Outcome::Ok, Duration::from_millis(10 + n));
        let total = Duration::from_micros(2_000 + n);
        let (outcome, status) = match n % 50 {
            0 => (Outcome::Failed, 503),
            _ => (Outcome::Ok, 200),
        };
        let (status, bytes_in, bytes_out, retried) = (Some(Status::Code(status)), 120, 60, 0);
        let (connect, first_byte) = (None, None);
        let sample = OperationSample { outcome, status, connect, first_byte, total, bytes_in, bytes_out, retried };
        recorder.operation(HTTP, "GET /users/{n}", &sample);
    }
    recorder.scenario(hostile, Outcome::Ok, Duration::from_millis(3));
    recorder.scenario(hostile, Outcome::Failed, Duration::from_millis(5));
    recorder.error(ErrorSample {
        kind: HOSTILE,
        message: HOSTILE,
        place: Some("src/<main>.rs:3"),
        scenario: HOSTILE,
        detail: None,
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    });
    let mut snapshot = recorder.take();
    snapshot.health = Default::default();
    snapshot.targets.insert("http://127.0.0.1:8080".into());
    let counts = snapshot.totals();
    Summary {
        version: "0.1.0".to_owned(),
        info: Arc::new(RunInfo {
            program: "loadtest.py".to_owned(),
            command: Some("molotov -w 5 loadtest.py".to_owned()),
            seed: Some(7),
            host: "ci-7".to_owned(),
            ..RunInfo::default()
        }),
        verdict: Verdict::ThresholdBroken,
        totals: Totals {
            elapsed: Duration::from_secs(20),
            successes: counts.ok,
            failures: counts.failed,
            ..Totals::default()
        },
        workers: 5,
        processes: 2,
        started: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
        snapshot,
        thresholds: vec![
            threshold("p95(browse) < 500ms", true, "200.5ms"),
            threshold("requests.failures == 0", false, "4"),
        ],
        notes: vec!["1. A *note* | <b>with markup</b>".to_owned()],
        ..Summary::default()
    }
}

/// An element of an XML document.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn count(&self, what: &str) -> usize {
        self.attributes[what].parse().unwrap()
    }

    fn children(&self, name: &str) -> Vec<&Element> {
        self.children.iter().filter(|child| child.name == name).collect()
    }
}

/// Parses a document, and refuses what XML does not allow.
fn parse(xml: &str) -> Element {
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(is_allowed), "{xml:?}");
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => open.last_mut().unwrap().children.push(element(&start)),
            Event::End(_) => {
                let element = open.pop().unwrap();
                open.last_mut().unwrap().children.push(element);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(name) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap().into_owned();
                open.last_mut().unwrap().text.push_str(&text);
            }
            Event::Decl(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open.len(), 1);
    open.pop().unwrap().children.pop().unwrap()
}

fn element(start: &quick_xml::events::BytesStart<'_>) -> Element {
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
        (attribute.key.0.to_owned(), value)
    });
    Element { name: start.name().0.to_owned(), attributes: attributes.collect(), ..Element::default() }
}

/// Parses a report, and checks the rules that its readers rely on. Returns the cases by suite and name.
fn cases(summary: &Summary) -> BTreeMap<(String, String), Element> {
    let mut root = parse(&junit(summary));
    assert_eq!(root.name, "testsuites");
    let mut all = BTreeMap::new();
    let mut sums = [0; 4];
    for suite in std::mem::take(&mut root.children) {
        assert_eq!(suite.name, "testsuite");
        for name in ["name", "hostname", "time"] {
            assert!(suite.attributes.contains_key(name), "{name}: {suite:?}");
        }
        let cases = suite.children("testcase");
        let with = |name: &str| cases.iter().filter(|case| !case.children(name).is_empty()).count();
        let counts = [cases.len(), with("failure"), with("error"), with("skipped")];
        assert_eq!(["tests", "failures", "errors", "skipped"].map(|what| suite.count(what)), counts);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        let name = suite.attributes["name"].clone();
        for case in suite.children.into_iter().filter(|child| child.name == "testcase") {
            assert_eq!(case.attributes["classname"], format!("{}.{name}", summary.info.program));
            case.attributes["time"].parse::<f64>().unwrap();
            let results = ["failure", "error", "skipped"].map(|result| case.children(result).len());
            assert!(results.iter().sum::<usize>() <= 1, "{case:?}");
            assert!(all.insert((name.clone(), case.attributes["name"].clone()), case).is_none());
        }
    }
    assert_eq!(["tests", "failures", "errors", "skipped"].map(|what| root.count(what)), sums);
    all
}

fn failure(case: &Element) -> (&str, &str) {
    let failure = case.children("failure")[0];
    (&failure.attributes["message"], &failure.text)
}

#[test]
fn junit_has_a_case_for_the_run_and_each_threshold_and_scenario() {
    let summary = summary();
    insta::assert_snapshot!("junit", junit(&summary));
    let cases = cases(&summary);
    let hostile = HOSTILE.replace(['\u{1b}', '\u{0}'], "\u{fffd}");
    let of = |suite: &str, name: &str| &cases[&(suite.to_owned(), name.to_owned())];
    assert_eq!(cases.len(), 5);
    assert_eq!(failure(of("thresholds", "requests.failures == 0")).0, "requests.failures == 0 is not met: 4");
    let (message, text) = failure(of("scenarios", &hostile));
    assert_eq!(message, "1 of 2 runs failed");
    assert!(text.contains(&format!("1 × {hostile} at src/<main>.rs:3: {hostile}")), "{text:?}");
    for (suite, name) in [("run", "run"), ("thresholds", "p95(browse) < 500ms"), ("scenarios", "browse")] {
        assert!(of(suite, name).children("failure").is_empty(), "{suite}");
    }
    assert_eq!(of("scenarios", "browse").attributes["time"], "0.110");
}

#[test]
fn checks_fail_if_a_threshold_that_names_them_is_broken() {
    let recorder = Recorder::new(Limits::default());
    for n in 0..10 {
        recorder.check(HOSTILE, HOSTILE, (n == 3).then_some((Some(HOSTILE), NOWHERE)));
        recorder.check("always", "browse", None);
        recorder.check("named", "browse", (n == 3).then_some((Some("is 3"), NOWHERE)));
    }
    recorder.value("basket", -1.5);
    let thresholds = vec![
        threshold("checks(named) > 99%", false, "90.00 %"),
        threshold("checks > 99%", false, "93.33 %"),
        threshold("checks(always) > 99%", true, "100.00 %"),
        threshold("p95(always) < 1s", false, "2s"),
    ];
    let summary = Summary { snapshot: recorder.take(), thresholds, ..summary() };
    let cases = cases(&summary);
    let of = |name: &str| &cases[&("checks".to_owned(), name.replace(['\u{1b}', '\u{0}'], "\u{fffd}"))];
    let (message, text) = failure(of("named"));
    assert_eq!(message, "checks(named) > 99% is not met: 90.00 %");
    assert!(text.ends_with("9 of 10 checks passed (90.0 %)\nfirst failed in browse: is 3"), "{text}");
    for name in ["always", HOSTILE] {
        assert!(of(name).children("failure").is_empty(), "{name}");
    }
    assert!(
        of(HOSTILE).children("system-out")[0].text.starts_with("9 of 10 checks passed (90.0 %)\nfirst failed in a|b")
    );

    let text = markdown(&summary);
    let rows = cells(&text);
    let row = |name: &str| rows.iter().find(|row| row.first().is_some_and(|first| first == name)).expect(name);
    let shown = super::layout::harmless(HOSTILE);
    assert_eq!(row(&shown)[1..], ["9", "1", "90.0 %", &format!("in {shown}: {shown}")]);
    assert_eq!(row("Total")[1..], ["28", "2", "93.3 %", ""]);
    assert_eq!(row("basket")[1..], ["1", "-1.5", "-1.5", "-1.5", "–", "–", "-1.5"]);
}

#[test]
fn scenarios_do_not_fail_if_another_condition_limits_their_failures() {
    let with = |expression: &str| {
        let summary = Summary { thresholds: vec![threshold(expression, true, "0.5 %")], ..summary() };
        let scenarios = cases(&summary).into_iter().filter(|((suite, _), _)| suite == "scenarios");
        scenarios.filter(|(_, case)| !case.children("failure").is_empty()).count()
    };
    for expression in ["failures < 1%", "successes > 9", "scenarios.failures < 2"] {
        assert_eq!(with(expression), 0, "{expression}");
    }
    for expression in ["p95 < 1s", "requests.failures < 50%", "failures(browse) < 1%"] {
        assert_eq!(with(expression), 1, "{expression}");
    }
    let sizing = Some(SizingResult::NotReached { workers: 5 });
    assert!(!junit(&Summary { sizing, thresholds: vec![], ..summary() }).contains("<failure"));
    let mut options = BTreeMap::new();
    options.insert("fail".to_owned(), 5.into());
    let info = Arc::new(RunInfo { options, ..RunInfo::clone(&summary().info) });
    let tolerant = Summary { info, thresholds: vec![], verdict: Verdict::Ended, ..summary() };
    assert!(!junit(&tolerant).contains("<failure"));
    assert!(junit(&Summary { verdict: Verdict::TooManyFailures, ..tolerant }).contains("<failure type=\"failures\""));
}

#[test]
fn junit_has_an_error_or_a_skipped_case_if_the_run_did_not_end_normally() {
    let fixture = FixtureFailure { fixture: "setup".into(), message: "no database".to_owned(), exit: None };
    let incomplete =
        Incomplete { agent: None, process: 1, pid: Some(4711), thread: None, since: Duration::from_secs(3) };
    for (summary, result, part) in [
        (Summary { verdict: Verdict::FixtureFailed(fixture), ..summary() }, "error", "no database"),
        (Summary { incomplete: vec![incomplete], verdict: Verdict::Ended, ..summary() }, "error", "Measures were lost"),
        (
            Summary { verdict: Verdict::Ended, interrupted: true, started: Some(SystemTime::UNIX_EPOCH), ..summary() },
            "skipped",
            "interrupted after 20.0 s",
        ),
    ] {
        let cases = cases(&summary);
        let case = &cases[&("run".to_owned(), "run".to_owned())];
        let message = &case.children(result)[0].attributes["message"];
        assert!(message.contains(part), "{message}");
    }
}

/// The text of each cell of each table, and of all other blocks.
fn cells(markdown: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            MarkdownEvent::Start(
                Tag::TableRow | Tag::Paragraph | Tag::CodeBlock(_) | Tag::Heading { .. } | Tag::Item,
            ) => rows.push(vec![]),
            MarkdownEvent::Start(Tag::TableCell) => rows.last_mut().into_iter().for_each(|row| row.push(String::new())),
            MarkdownEvent::Text(text) | MarkdownEvent::Code(text) => {
                let Some(row) = rows.last_mut() else { continue };
                match row.last_mut() {
                    Some(cell) => cell.push_str(&text),
                    None => row.push(text.into_string()),
                }
            }
            MarkdownEvent::InlineHtml(html) => assert!(matches!(&*html, "<code>" | "</code>"), "{html}"),
            MarkdownEvent::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock | Tag::Emphasis) => {
                panic!("markup in {markdown}")
            }
            _ => {}
        }
    }
    rows
}

#[test]
fn markdown_shows_conclusion_tables_and_errors_literally() {
    let summary = summary();
    let text = markdown(&summary);
    insta::assert_snapshot!("markdown", text);
    let shown = super::layout::harmless(HOSTILE);
    let rows = cells(&text);
    let row = |name: &str| rows.iter().find(|row| row.first().is_some_and(|first| first == name)).expect(name);
    assert_eq!(row(&shown)[1..3], ["2", "1 (50.0 %)"]);
    assert_eq!(row("GET /users/{n}").last().unwrap(), "196 × 200, 4 × 503");
    assert_eq!(row("1"), &["1", &shown, &shown, "src/<main>.rs:3", &shown]);
    assert!(text.contains("| 200.5ms |"), "numbers are not escaped: {text}");
    assert!(rows.iter().any(|row| row.concat() == "1. A *note* | <b>with markup</b>"), "{text}");
    assert!(rows.iter().flatten().any(|text| text == "molotov -w 5 loadtest.py\n"), "{text}");
}

#[test]
fn markdown_of_many_names_is_limited() {
    let recorder = Recorder::new(Limits::default());
    for n in 0..400 {
        let outcome = if n == 333 { Outcome::Failed } else { Outcome::Ok };
        recorder.scenario(recorder.scenario_id(&format!("{n}{}", "x".repeat(500))), outcome, Duration::from_millis(n));
        let (message, kind) = ("m".repeat(4_000), format!("kind {n}"));
        let (place, scenario, detail, at) = (None, "browse", None, SystemTime::UNIX_EPOCH);
        recorder.error(ErrorSample { kind: &kind, message: &message, place, scenario, detail, at });
    }
    let text = markdown(&Summary { snapshot: recorder.take(), ..Summary::default() });
    assert!(text.len() < 200_000, "{}", text.len());
    assert!(text.contains("| `333xxx") && text.contains("… and 300 more\n"), "failing rows are kept");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_name_is_shown_literally(name in r"([|`\\*_<&a1. \n-]|\PC){1,12}") {
        let recorder = Recorder::new(Limits::default());
        recorder.scenario(recorder.scenario_id(&name), Outcome::Failed, Duration::from_millis(1));
        let mut summary = Summary { snapshot: recorder.take(), notes: vec![name.clone()], ..Summary::default() };
        Arc::make_mut(&mut summary.info).program = name.clone();
        let shown = super::layout::harmless(&name);
        let rows = cells(&markdown(&summary));
        prop_assert!(rows.iter().any(|row| row.len() == 8 && row[0].trim() == shown.trim()), "{:?} {:?}", shown, rows);
        prop_assert!(rows.iter().any(|row| row.concat() == shown.trim()) || shown.trim().is_empty(), "{:?}", rows);

        let cases = cases(&summary);
        prop_assert!(cases.contains_key(&("scenarios".to_owned(), name)), "{:?}", cases);
    }
}
