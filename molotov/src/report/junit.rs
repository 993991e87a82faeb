//! The report as JUnit XML, which CI services show as tests.

use std::{
    borrow::Cow,
    io::{self, Write},
    time::Duration,
};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use crate::{
    format,
    metrics::{Check, ErrorGroup, Stats},
    options::threshold::{Metric, Subject, Threshold},
    run::{Conclusion, Summary, Verdict},
};

/// The most groups of errors in a test case.
const MAX_ERRORS: usize = 20;

/// A test case.
struct Case<'a> {
    name: &'a str,
    time: Option<Duration>,
    result: CaseResult,
    /// Details that are not part of the result.
    output: String,
}

/// The result of a test case.
enum CaseResult {
    Passed,
    /// It did not end, for this reason.
    Skipped(String),
    /// The service did not meet a condition.
    Failed(Problem),
    /// The load test itself failed.
    Error(Problem),
}

/// Why a test case failed.
struct Problem {
    kind: &'static str,
    /// One sentence.
    message: String,
    details: String,
}

/// Formats a run as JUnit XML, for the test views of GitLab, Jenkins, and actions on GitHub.
///
/// There is a test case for the run, for each threshold, for each scenario, and for each check. The case of the run has an error if the run failed
/// or lost measures, and is skipped if the run was interrupted. A scenario fails if one of its runs failed, unless a threshold on
/// `failures` or `successes`, `--fail` or `--sizing` sets how many may fail. The times are in seconds: that of a scenario is the mean
/// of its runs. A check fails if a threshold that names it is broken.
///
/// Characters that XML does not allow are replaced by `U+FFFD`.
///
/// ```
/// use molotov::report::{Summary, junit};
///
/// assert!(junit(&Summary::default()).starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites"));
/// ```
pub fn junit(summary: &Summary) -> String {
    let mut text = Vec::new();
    // Writing to a vector cannot fail.
    let _ = document(summary, &mut Writer::new_with_indent(&mut text, b' ', 2));
    text.push(b'\n');
    String::from_utf8_lossy(&text).into_owned()
}

fn document<W: Write>(summary: &Summary, writer: &mut Writer<W>) -> io::Result<()> {
    let suites = [
        ("run", vec![run(summary)]),
        ("thresholds", thresholds(summary)),
        ("scenarios", scenarios(summary)),
        ("checks", checks(summary)),
    ];
    let all: Vec<&Case<'_>> = suites.iter().flat_map(|(_, cases)| cases).collect();
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let name = program(summary);
    writer
        .create_element("testsuites")
        .with_attribute(attribute("name", name))
        .with_attributes(counts(&all))
        .with_attribute(attribute("time", &seconds(summary.totals.elapsed)))
        .write_inner_content(|writer| {
            suites
                .iter()
                .filter(|(_, cases)| !cases.is_empty())
                .try_for_each(|suite| write_suite(writer, suite, summary))
        })?;
    Ok(())
}

fn write_suite<W: Write>(
    writer: &mut Writer<W>,
    (name, cases): &(&str, Vec<Case<'_>>),
    summary: &Summary,
) -> io::Result<()> {
    let time = cases.iter().filter_map(|case| case.time).sum();
    let mut suite = writer
        .create_element("testsuite")
        .with_attribute(attribute("name", name))
        .with_attributes(counts(&cases.iter().collect::<Vec<_>>()))
        .with_attribute(attribute("time", &seconds(time)))
        .with_attribute(attribute("hostname", &summary.info.host));
    if let Some(started) = summary.started {
        suite = suite.with_attribute(attribute("timestamp", &format::seconds(started).to_string()));
    }
    let class = format!("{}.{name}", program(summary));
    suite.write_inner_content(|writer| {
        if *name == "run" {
            write_properties(writer, summary)?;
        }
        cases.iter().try_for_each(|case| write_case(writer, &class, case))
    })?;
    Ok(())
}

/// Writes what was run.
fn write_properties<W: Write>(writer: &mut Writer<W>, summary: &Summary) -> io::Result<()> {
    let info = &summary.info;
    let properties = [
        ("version", Some(summary.version.clone())),
        ("command", info.command.clone()),
        ("seed", info.seed.map(|seed| seed.to_string())),
        ("target", Some(summary.snapshot.targets.iter().map(|target| &**target).collect::<Vec<_>>().join(", "))),
    ];
    writer.create_element("properties").write_inner_content(|writer| {
        for (name, value) in properties {
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            let property = writer.create_element("property").with_attribute(attribute("name", name));
            property.with_attribute(attribute("value", &value)).write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn write_case<W: Write>(writer: &mut Writer<W>, class: &str, case: &Case<'_>) -> io::Result<()> {
    let element = writer
        .create_element("testcase")
        .with_attribute(attribute("classname", class))
        .with_attribute(attribute("name", case.name))
        .with_attribute(attribute("time", &seconds(case.time.unwrap_or_default())));
    if matches!(case.result, CaseResult::Passed) && case.output.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|writer| {
        let (name, problem) = match &case.result {
            CaseResult::Passed => ("", None),
            CaseResult::Skipped(why) => {
                writer.create_element("skipped").with_attribute(attribute("message", why)).write_empty()?;
                ("", None)
            }
            CaseResult::Failed(problem) => ("failure", Some(problem)),
            CaseResult::Error(problem) => ("error", Some(problem)),
        };
        if let Some(Problem { kind, message, details }) = problem {
            let element = writer.create_element(name).with_attribute(attribute("type", kind));
            let element = element.with_attribute(attribute("message", message));
            // Some services show only the text, others only the message.
            let text = if details.is_empty() { message.clone() } else { format!("{message}\n{details}") };
            element.write_text_content(BytesText::new(&valid(&text)))?;
        }
        if !case.output.is_empty() {
            writer.create_element("system-out").write_text_content(BytesText::new(&valid(&case.output)))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn program(summary: &Summary) -> &str {
    match &*summary.info.program {
        "" => "molotov",
        program => program,
    }
}

fn counts(cases: &[&Case<'_>]) -> [(&'static str, Cow<'static, str>); 4] {
    let count = |is: fn(&CaseResult) -> bool| cases.iter().filter(|case| is(&case.result)).count();
    [
        ("tests", cases.len()),
        ("failures", count(|result| matches!(result, CaseResult::Failed(_)))),
        ("errors", count(|result| matches!(result, CaseResult::Error(_)))),
        ("skipped", count(|result| matches!(result, CaseResult::Skipped(_)))),
    ]
    .map(|(name, number)| (name, number.to_string().into()))
}

fn attribute<'a>(name: &'a str, value: &'a str) -> (&'a str, Cow<'a, str>) {
    (name, valid(value))
}

/// Replaces characters that XML 1.0 does not allow, not even escaped.
fn valid(text: &str) -> Cow<'_, str> {
    let is_valid = |character: char| !matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    match text.chars().all(is_valid) {
        true => Cow::Borrowed(text),
        false => text.chars().map(|character| if is_valid(character) { character } else { '\u{fffd}' }).collect(),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// The case of the run.
fn run(summary: &Summary) -> Case<'_> {
    let sentence = summary.conclusion_sentence();
    let notes = [summary.other_losses(), summary.limitations()].concat();
    let problem = |kind| Problem { kind, message: sentence.clone(), details: String::new() };
    let result = match (summary.conclusion(), &summary.verdict) {
        (Conclusion::Failed, _) => CaseResult::Error(problem("failed")),
        (Conclusion::Lost, _) => CaseResult::Error(problem("lost")),
        (Conclusion::Interrupted, _) => CaseResult::Skipped(sentence.clone()),
        (Conclusion::Broken, Verdict::TooManyFailures) => CaseResult::Failed(problem("failures")),
        // A broken threshold fails in its own case.
        (Conclusion::Broken | Conclusion::Passed, _) => CaseResult::Passed,
    };
    let output = [vec![sentence], notes].concat().join("\n");
    Case { name: "run", time: Some(summary.totals.elapsed), result, output }
}

fn thresholds(summary: &Summary) -> Vec<Case<'_>> {
    let case = |threshold: &super::ThresholdResult| {
        let measured = format!("measured: {}", threshold.outcome());
        match threshold.passed {
            true => (CaseResult::Passed, measured),
            false => {
                let message = format!("{} is not met: {}", threshold.expression, threshold.outcome());
                (CaseResult::Failed(Problem { kind: "threshold", message, details: String::new() }), String::new())
            }
        }
    };
    let cases = summary.thresholds.iter().map(|threshold| {
        let (result, output) = case(threshold);
        Case { name: &threshold.expression, time: None, result, output }
    });
    cases.collect()
}

fn scenarios(summary: &Summary) -> Vec<Case<'_>> {
    summary.snapshot.scenarios.iter().map(|(name, stats)| scenario(summary, name, stats)).collect()
}

fn scenario<'a>(summary: &'a Summary, name: &'a str, stats: &Stats) -> Case<'a> {
    let (ended, failed) = (stats.counts.ok + stats.counts.failed, stats.counts.failed);
    let message = match failed {
        0 => format::plural(ended, "run"),
        failed => format!("{} of {} failed", format::count(failed), format::plural(ended, "run")),
    };
    let time = (ended > 0).then(|| stats.latency.mean());
    let (result, output) = match (ended, failed) {
        (0, _) => (CaseResult::Skipped("no run of it ended".to_owned()), String::new()),
        (_, 0) => (CaseResult::Passed, message),
        _ => {
            let details = errors(summary, name);
            match is_judged(summary, name) {
                true => (CaseResult::Passed, format!("{message}\n{details}")),
                false => (CaseResult::Failed(Problem { kind: "failures", message, details }), String::new()),
            }
        }
    };
    Case { name, time, result, output }
}

fn checks(summary: &Summary) -> Vec<Case<'_>> {
    summary.snapshot.checks.iter().map(|(name, check)| check_case(summary, name, check)).collect()
}

/// The case of a check. A failed check decides nothing by itself, so only a broken threshold on its name makes the case fail.
fn check_case<'a>(summary: &'a Summary, name: &'a str, check: &Check) -> Case<'a> {
    let (passed, all) = (check.passed, check.total());
    let share = format::percent(passed, all);
    let mut output = format!("{} of {} passed ({share})", format::count(passed), format::plural(all, "check"));
    if let Some(sample) = &check.sample {
        output += &format!("\nfirst failed {}", sample.describe());
    }
    let names_it = |result: &&super::ThresholdResult| {
        let threshold = result.expression.parse::<Threshold>().ok();
        let threshold = threshold.filter(|threshold| threshold.subject == Some(Subject::Checks));
        threshold.and_then(|threshold| threshold.name).is_some_and(|named| named.name == name)
    };
    let broken = summary.thresholds.iter().filter(|result| !result.passed).find(names_it);
    let (result, output) = match broken {
        None => (CaseResult::Passed, output),
        Some(broken) => {
            let message = format!("{} is not met: {}", broken.expression, broken.outcome());
            (CaseResult::Failed(Problem { kind: "threshold", message, details: output }), String::new())
        }
    };
    Case { name, time: None, result, output }
}

/// Returns whether another condition limits the failures of a scenario.
fn is_judged(summary: &Summary, scenario: &str) -> bool {
    let thresholds = summary.thresholds.iter().filter_map(|result| result.expression.parse::<Threshold>().ok());
    let mut limits = thresholds.filter(|threshold| matches!(threshold.metric, Metric::Failures | Metric::Successes));
    let applies = |threshold: Threshold| {
        matches!(threshold.subject, None | Some(Subject::Scenarios))
            && threshold.name.is_none_or(|name| name.name == scenario)
    };
    // A sizing increases the load until scenarios fail.
    summary.sizing.is_some() || summary.info.options.contains_key("fail") || limits.any(applies)
}

/// The errors of a scenario, the most frequent first.
fn errors(summary: &Summary, scenario: &str) -> String {
    let mut errors: Vec<&ErrorGroup> =
        summary.snapshot.errors.iter().filter(|group| group.scenario == scenario).collect();
    errors.sort_by_key(|group| std::cmp::Reverse(group.count));
    let line = |group: &&ErrorGroup| {
        let place = group.place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
        format!("{} × {}{place}: {}", format::count(group.count), group.kind, group.message)
    };
    let mut lines: Vec<_> = errors.iter().take(MAX_ERRORS).map(line).collect();
    if errors.len() > MAX_ERRORS {
        lines.push(format!("and {} more", format::plural((errors.len() - MAX_ERRORS) as u64, "kind")));
    }
    lines.join("\n")
}
