//! The report as Markdown, for summaries of CI jobs and comments on changes.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{Display, Write},
    sync::Arc,
    time::Duration,
};

use super::{
    custom::{Column, Row, Section, sections},
    layout::{cut, harmless},
    members::members,
    text::sizing,
};
use crate::{
    format,
    metrics::{ErrorGroup, Histogram, Stats},
    run::{Conclusion, StreamStarts, Summary, ThresholdResult},
};

/// The most rows of a table. A summary on GitHub has at most 1 MiB.
const MAX_ROWS: usize = 100;
/// The longest text in a cell, in columns.
const MAX_CELL: usize = 300;
/// The width of the table of sizing steps, in columns.
const SIZING_WIDTH: usize = 100;

/// Formats a run as Markdown: its conclusion, thresholds, scenarios, requests, steps, tags, checks, own values and errors.
///
/// The tables are those of GitHub and GitLab. Names and messages are shown literally, whatever characters they contain. A table has
/// at most 100 rows.
///
/// ```
/// use molotov::report::{Summary, markdown};
///
/// assert!(markdown(&Summary::default()).starts_with("## ✅ Load test: Passed\n"));
/// ```
pub fn markdown(summary: &Summary) -> String {
    let mut text = String::new();
    title(&mut text, summary);
    facts(&mut text, summary);
    if let Some(result) = &summary.sizing {
        code_block(&mut text, &sizing(result, summary, SIZING_WIDTH));
    }
    thresholds(&mut text, &summary.thresholds);
    starts(&mut text, summary);
    let snapshot = &summary.snapshot;
    let active = summary.totals.active();
    rows(&mut text, "Scenarios", &snapshot.scenarios, active, true);
    rows(&mut text, "Requests", &snapshot.requests, active, true);
    // The sum over different steps has no meaning.
    rows(&mut text, "Steps", &snapshot.steps, active, false);
    // A request is in the row of each of its tags.
    rows(&mut text, "Tags", &snapshot.tags, active, false);
    sections(summary).for_each(|section| custom(&mut text, section));
    errors(&mut text, &snapshot.errors);
    members(summary).filter(|_| summary.compares_members()).into_iter().for_each(|section| custom(&mut text, section));
    notes(&mut text, summary);
    text
}

/// Adds to the text. Writing to a string cannot fail.
macro_rules! add {
    ($text:expr, $($part:tt)*) => {
        let _ = write!($text, $($part)*);
    };
}

fn title(text: &mut String, summary: &Summary) {
    let conclusion = summary.conclusion();
    let sign = match conclusion {
        Conclusion::Passed => "✅",
        Conclusion::Broken | Conclusion::Failed | Conclusion::Lost => "❌",
        Conclusion::Interrupted => "⚠️",
    };
    add!(text, "## {sign} Load test");
    if !summary.info.program.is_empty() {
        add!(text, " of {}", code(&summary.info.program));
    }
    add!(text, ": {}", conclusion.label());
    // The sentence may contain the message of a fixture.
    add!(text, "\n\n{}\n", escape(&summary.conclusion_sentence()));
}

/// Writes what was run, and for how long.
fn facts(text: &mut String, summary: &Summary) {
    let (info, totals) = (&summary.info, &summary.totals);
    let mut facts = vec![format::elapsed_and_paused(totals.elapsed, totals.paused)];
    if !totals.warm_up.is_zero() {
        facts.push(format!("{} of them warm-up, not counted", format::elapsed(totals.warm_up)));
    }
    facts.push(format::plural(summary.workers as u64, "worker"));
    if summary.processes > 1 {
        facts.push(format::plural(summary.processes as u64, "process"));
    }
    if summary.agents() > 0 {
        facts.push(format::plural(summary.agents() as u64, "agent"));
    }
    if let Some(started) = summary.started {
        facts.push(format!("started {}", format::seconds(started)));
    }
    if !info.host.is_empty() {
        facts.push(format!("on {}", code(&info.host)));
    }
    if !summary.snapshot.targets.is_empty() {
        let targets: Vec<_> = summary.snapshot.targets.iter().map(|target| code(target)).collect();
        facts.push(format!("against {}", targets.join(", ")));
    }
    if let Some(seed) = info.seed {
        facts.push(format!("seed {seed}"));
    }
    add!(text, "\n{}\n", facts.join(" · "));
    if let Some(command) = &info.command {
        code_block(text, command);
    }
}

fn thresholds(text: &mut String, thresholds: &[ThresholdResult]) {
    if thresholds.is_empty() {
        return;
    }
    heading(text, "Thresholds");
    let row = |threshold: &ThresholdResult| {
        let sign = if threshold.passed { "✅ met" } else { "❌ broken" };
        vec![sign.into(), code(&threshold.expression).into(), escape(threshold.outcome()).into()]
    };
    table(text, &["", "<Threshold", "<Measured"], thresholds.iter().map(row));
}

/// Writes what the plan asked for and what happened.
fn starts(text: &mut String, summary: &Summary) {
    let Some(all) = summary.all_starts() else { return };
    heading(text, "Starts");
    let streams: Vec<_> = summary.starts_by_stream().collect();
    let row = |name: String, of: &StreamStarts<'_>| {
        vec![
            name.into(),
            format::rate(of.asked).into(),
            format::rate(of.achieved).into(),
            format::count(of.starts.started).into(),
            format::count(of.starts.late).into(),
            format::count(of.starts.dropped).into(),
            format::count(of.starts.unstarted).into(),
            percentile(&of.starts.lag, 99.0).into(),
        ]
    };
    let mut rows: Vec<Vec<Cow<'_, str>>> = Vec::new();
    if streams.len() > 1 {
        rows.extend(streams.iter().map(|of| row(of.scenario.map_or("all others".to_owned(), code), of)));
    }
    rows.push(row("**Total**".to_owned(), &all));
    let heads = ["", "Asked/s", "Achieved/s", "Started", "Late", "Dropped", "Unstarted", "Lag p99"];
    table(text, &heads, rows.into_iter());
}

/// Writes a row for each name, with the failing and the busiest ones if there are many.
fn rows(text: &mut String, title: &str, rows: &BTreeMap<Arc<str>, Stats>, active: Duration, has_total: bool) {
    if rows.is_empty() {
        return;
    }
    heading(text, title);
    let mut shown: Vec<_> = rows.iter().collect();
    shown.sort_by_key(|(_, stats)| std::cmp::Reverse((stats.counts.failed, stats.counts.total())));
    shown.truncate(MAX_ROWS);
    shown.sort_by_key(|(name, _)| Arc::clone(name));
    let has_statuses = rows.values().any(|stats| !stats.statuses.is_empty());
    let mut heads = vec!["<Name", "Count", "Failed", "Per s", "p50", "p95", "p99", "Max"];
    heads.extend(has_statuses.then_some("<Statuses"));
    let row = |name: String, stats: &Stats| {
        let ended = stats.counts.ok + stats.counts.failed;
        let failed = match stats.counts.failed {
            0 => "0".to_owned(),
            failed => format!("{} ({})", format::count(failed), format::percent(failed, ended)),
        };
        let seconds = active.as_secs_f64();
        let rate = if seconds > 0.0 { ended as f64 / seconds } else { 0.0 };
        let mut cells: Vec<Cow<'_, str>> =
            [name, format::count(ended), failed, format::rate(rate)].map(Cow::from).to_vec();
        cells.extend([50.0, 95.0, 99.0, 100.0].map(|percent| percentile(&stats.latency, percent).into()));
        if has_statuses {
            let status = |(status, count): (&Arc<str>, &u64)| format!("{} × {}", format::count(*count), escape(status));
            cells.push(stats.statuses.iter().map(status).collect::<Vec<_>>().join(", ").into());
        }
        cells
    };
    let mut lines: Vec<_> = shown.iter().map(|(name, stats)| row(code(name), stats)).collect();
    if has_total && rows.len() > 1 {
        let mut total = Stats::default();
        rows.values().for_each(|stats| total.merge(stats));
        lines.push(row("**Total**".to_owned(), &total));
    }
    table(text, &heads, lines.into_iter());
    left_out(text, rows.len());
}

/// Writes what scenarios checked or recorded.
fn custom(text: &mut String, mut section: Section) {
    let left_out = section.limit(MAX_ROWS);
    heading(text, section.title);
    let has_samples = section.rows.iter().any(|row| row.sample.is_some());
    let titles: Vec<String> = section.columns.iter().map(Column::title).collect();
    let mut heads = vec!["<Name"];
    heads.extend(titles.iter().map(String::as_str));
    heads.extend(has_samples.then_some("<First failure"));
    let row = |row: &Row| {
        let name = if row.total { "**Total**".to_owned() } else { code(&row.name) };
        let mut cells = vec![Cow::from(name)];
        cells.extend(row.cells.iter().map(|cell| cell.text.clone().into()));
        cells.extend(has_samples.then(|| row.sample.as_deref().map(code).unwrap_or_default().into()));
        cells
    };
    table(text, &heads, section.rows.iter().map(row));
    if left_out > 0 {
        add!(text, "\n… and {} more\n", format::count(left_out as u64));
    }
}

fn percentile(histogram: &Histogram, percent: f64) -> String {
    histogram.percentile_if_enough(percent).map_or("–".to_owned(), format::latency)
}

/// Writes the errors, the most frequent first.
fn errors(text: &mut String, errors: &[ErrorGroup]) {
    if errors.is_empty() {
        return;
    }
    heading(text, "Errors");
    let mut sorted: Vec<_> = errors.iter().collect();
    sorted.sort_by_key(|group| std::cmp::Reverse(group.count));
    let row = |group: &ErrorGroup| {
        vec![
            format::count(group.count).into(),
            code(&group.kind).into(),
            code(&group.scenario).into(),
            group.place.as_deref().map(code).unwrap_or_default().into(),
            code(&group.message).into(),
        ]
    };
    let heads = ["Count", "<Kind", "<Scenario", "<Place", "<First message"];
    table(text, &heads, sorted.into_iter().take(MAX_ROWS).map(row));
    left_out(text, errors.len());
}

/// Writes what limits the validity of the numbers.
fn notes(text: &mut String, summary: &Summary) {
    let notes = [summary.other_losses(), summary.limitations()].concat();
    if notes.is_empty() {
        return;
    }
    heading(text, "Notes");
    for note in notes {
        add!(text, "- {}\n", escape(&note));
    }
}

fn heading(text: &mut String, heading: &str) {
    add!(text, "\n### {heading}\n\n");
}

/// Says how many rows a table lacks.
fn left_out(text: &mut String, rows: usize) {
    if rows > MAX_ROWS {
        add!(text, "\n… and {} more\n", rows - MAX_ROWS);
    }
}

/// Writes a table. A head that starts with `<` and an empty one are of a column of text; the others are of numbers.
fn table<'a>(text: &mut String, heads: &[&str], rows: impl Iterator<Item = Vec<Cow<'a, str>>>) {
    let line = |text: &mut String, cells: &mut dyn Iterator<Item = &dyn Display>| {
        cells.for_each(|cell| {
            add!(text, "| {cell} ");
        });
        text.push_str("|\n");
    };
    let is_text = |head: &&str| head.is_empty() || head.starts_with('<');
    let titles: Vec<&str> = heads.iter().map(|head| head.trim_start_matches('<')).collect();
    line(text, &mut titles.iter().map(|title| title as &dyn Display));
    let rule = heads.iter().map(|head| if is_text(head) { &"---" as &dyn Display } else { &"---:" });
    line(text, &mut { rule });
    for row in rows {
        line(text, &mut row.iter().map(|cell| cell as &dyn Display));
    }
}

/// Formats a text as code in a line, which shows it literally: without links, mentions, and other markup.
fn code(text: &str) -> String {
    let text = cut(&harmless(text), MAX_CELL);
    match text.contains(['`', '|', '\\']) || text.trim() != text || text.is_empty() {
        // A code span cannot contain all of these in the cell of a table.
        true => format!("<code>{}</code>", escape(&text)),
        false => format!("`{text}`"),
    }
}

/// Escapes all characters that have a meaning in Markdown or HTML. Line breaks are shown as `\n`.
fn escape(text: &str) -> String {
    let text = harmless(text);
    let mut escaped = String::with_capacity(text.len());
    // At the start of a line, `-` and `+` begin a list, as do `1.` and `1)` before a space.
    let mut at_start = true;
    let mut characters = text.trim().chars().peekable();
    while let Some(character) = characters.next() {
        at_start &= escaped.is_empty() || escaped.ends_with(|last: char| last.is_ascii_digit());
        let ends_a_word = characters.peek().is_none_or(|next| next.is_whitespace());
        let is_plain = match character {
            '.' | ')' => !(at_start && ends_a_word),
            '-' | '+' => !at_start,
            '(' | ',' | ';' | '/' | '%' | '\'' | '?' => true,
            _ => !character.is_ascii_punctuation(),
        };
        match is_plain {
            true => escaped.push(character),
            false => {
                add!(escaped, "&#{};", u32::from(character));
            }
        }
    }
    escaped
}

/// Writes a text literally, with its line breaks.
fn code_block(text: &mut String, block: &str) {
    let longest = block.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    add!(text, "\n{fence}text\n");
    for line in block.trim_end().lines() {
        add!(text, "{}\n", harmless(line));
    }
    add!(text, "{fence}\n");
}
