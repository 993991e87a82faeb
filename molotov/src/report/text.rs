//! The measures of a run as a table for people: what a terminal shows when it is over.

use std::{collections::BTreeMap, sync::Arc};

use anstyle::{AnsiColor, Style};

use super::{
    layout::{cut, harmless, harmless_lines, left, right, shorten, width, wrap},
    rows::{Columns, Row},
};
use crate::{
    format,
    metrics::{ErrorGroup, HTTP, Stats},
    run::{SizingResult, Summary, ThresholdResult},
};

/// Rows of a section; past them only `-v` shows the rest.
const MOST_ROWS: usize = 40;
/// Groups of errors; past them only `-v` shows the rest.
const MOST_ERRORS: usize = 15;
/// Lines of an error's message; past them only `-v` shows the rest.
const MOST_LINES: usize = 3;

pub(super) const TITLE: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const ODD: Style = AnsiColor::Yellow.on_default();

/// What a sizing has found, in the lines that take the place of the totals.
pub(crate) fn sizing(sizing: &SizingResult, summary: &Summary) -> String {
    match sizing {
        SizingResult::Found { workers, ratio, minute } => format!(
            "Sizing is over!\n\nError Ratio {:.2} % obtained with {workers} workers.\n\nOVERALL: SUCCESSES: {} | FAILURES: \
             {}\nLAST MINUTE: SUCCESSES: {} | FAILURES: {}\n\n",
            ratio * 100.0,
            summary.totals.successes,
            summary.totals.failures,
            minute.ok,
            minute.failed,
        ),
        SizingResult::NotReached { workers } => {
            format!("Sizing was not finished. (failures stayed within the tolerance, with up to {workers} workers)\n")
        }
        SizingResult::Interrupted => "Sizing was not finished. (interrupted)\n".to_owned(),
    }
}

/// The measures of a run, at most `width` columns wide (40 at least): scenarios, requests, steps, status codes, errors,
/// and whether the generator itself was the bottleneck. Columns that matter less are left out where there is no room.
///
/// Ends with a line end unless nothing was measured, when it is empty.
///
/// ```
/// use molotov::report::{Summary, text};
///
/// assert_eq!(text::table(&Summary::default(), 80, false), "");
/// ```
pub fn table(summary: &Summary, width: usize, color: bool) -> String {
    let snapshot = &summary.snapshot;
    let measured = [&snapshot.scenarios, &snapshot.requests, &snapshot.steps].iter().any(|rows| !rows.is_empty());
    let told = !snapshot.errors.is_empty() || !summary.thresholds.is_empty() || !summary.incomplete.is_empty();
    if !measured && !told {
        return String::new();
    }
    let mut page = Page { text: String::new(), width: width.max(40), color, verbose: summary.verbose > 0 };
    page.overview(summary);
    page.rows(summary);
    page.statuses(&snapshot.requests);
    page.errors(&snapshot.errors);
    page.thresholds(&summary.thresholds);
    page.notes(summary);
    page.end_section();
    page.text
}

/// The text as far as it is written.
struct Page {
    text: String,
    width: usize,
    color: bool,
    verbose: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn end_section(&mut self) {
        self.text.push('\n');
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The run in a line or two.
    fn overview(&mut self, summary: &Summary) {
        let seconds = summary.totals.active().as_secs_f64();
        let ended = summary.totals.successes + summary.totals.failures;
        let mut parts = vec![
            format::elapsed_and_paused(summary.totals.elapsed, summary.totals.paused),
            format::plural(summary.workers as u64, "worker"),
        ];
        if summary.processes > 1 {
            parts.push(format::plural(summary.processes as u64, "process"));
        }
        let per_second = |count: u64| format::rate(if seconds > 0.0 { count as f64 / seconds } else { 0.0 });
        parts.push(format!("{} scenarios/s", per_second(ended)));
        let requests = &summary.snapshot.requests;
        if !requests.is_empty() {
            let sum = |what: fn(&Stats) -> u64| requests.values().map(what).sum::<u64>();
            parts.push(format!("{} requests/s", per_second(sum(|stats| stats.counts.ok + stats.counts.failed))));
            parts.push(format!("{} in", format::bytes(sum(|stats| stats.bytes_in))));
            parts.push(format!("{} out", format::bytes(sum(|stats| stats.bytes_out))));
        }
        self.end_section();
        let mut line = String::new();
        for part in parts {
            if !line.is_empty() && width(&line) + 3 + width(&part) > self.width {
                self.line(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push_str(" · ");
            }
            line.push_str(&part);
        }
        self.line(&line);
    }

    /// Scenarios, requests and steps, in columns that stand under each other.
    fn rows(&mut self, summary: &Summary) {
        let snapshot = &summary.snapshot;
        let sections = [
            ("Scenarios", "Total", &snapshot.scenarios),
            ("Requests", "Total", &snapshot.requests),
            // A sum over steps of different kinds means nothing.
            ("Steps", "", &snapshot.steps),
        ];
        let sections: Vec<_> = sections
            .into_iter()
            .filter(|(.., stats)| !stats.is_empty())
            .map(|(title, total, stats)| {
                let (rows, left_out) = self.select(stats, total, summary);
                (title, rows, left_out)
            })
            .collect();
        let all = sections.iter().flat_map(|(title, rows, _)| rows.iter().map(move |row| (*title, row)));
        let columns = Columns::fit(self.width, all);
        for (title, rows, left_out) in &sections {
            self.end_section();
            let head = columns.head(rows);
            let name = self.paint(TITLE, &left(&shorten(title, columns.name), columns.name));
            self.line(&format!("{name}{}", self.paint(FAINT, &head)));
            for row in rows {
                let name = left(&shorten(&row.name, columns.name), columns.name);
                let name = if row.total { self.paint(TITLE, &name) } else { name };
                let cells =
                    columns.cells(row).map(|(cell, style)| style.map_or(cell.clone(), |s| self.paint(s, &cell)));
                let line = format!("{name}{}", cells.collect::<String>());
                self.line(&line);
            }
            if *left_out > 0 {
                self.line(&self.paint(FAINT, &format!("… and {left_out} more (-v shows all)")));
            }
        }
    }

    /// The rows of a section that are shown, by name; the busiest when there are too many. And how many are not.
    fn select(&self, stats: &BTreeMap<Arc<str>, Stats>, total: &str, summary: &Summary) -> (Vec<Row>, usize) {
        let mut shown: Vec<_> = stats.iter().collect();
        if !self.verbose && shown.len() > MOST_ROWS {
            shown.sort_by_key(|(_, stats)| std::cmp::Reverse(stats.counts.total()));
            shown.truncate(MOST_ROWS);
            shown.sort_by_key(|(name, _)| Arc::clone(name));
        }
        if summary.snapshot.names_exceeded {
            // What has no row of its own comes after those that have.
            shown.sort_by_key(|(name, _)| &***name == "other");
        }
        let left_out = stats.len() - shown.len();
        let mut rows: Vec<Row> =
            shown.into_iter().map(|(name, stats)| Row::new(harmless(name), stats, summary.totals.active())).collect();
        if stats.len() > 1 && !total.is_empty() {
            let mut sum = Stats::default();
            stats.values().for_each(|stats| sum.merge(stats));
            let mut row = Row::new(total.to_owned(), &sum, summary.totals.active());
            row.total = true;
            rows.push(row);
        }
        (rows, left_out)
    }

    /// The number of responses with each status, over all requests of a protocol.
    fn statuses(&mut self, requests: &BTreeMap<Arc<str>, Stats>) {
        let mut protocols = BTreeMap::<Option<&str>, Stats>::new();
        for stats in requests.values() {
            protocols.entry(stats.protocol.as_deref()).or_default().merge(stats);
        }
        let total: u64 = protocols.values().map(|stats| stats.counts.total()).sum();
        if total == 0 {
            return;
        }
        let mut lines: Vec<(String, u64, Style)> = Vec::new();
        for (protocol, stats) in &protocols {
            // Where there is only HTTP, nobody needs to be told.
            let of = match protocol {
                Some(HTTP) | None if protocols.len() == 1 => String::new(),
                protocol => format!("{} ", harmless(protocol.unwrap_or("other"))),
            };
            for (status, count) in &stats.statuses {
                let (name, style) = match protocol {
                    Some(HTTP) => status_of_http(status),
                    _ => (harmless(status), Style::new()),
                };
                lines.push((format!("{of}{name}"), *count, style));
            }
            let without = stats.counts.total().saturating_sub(stats.statuses.values().sum());
            if without > 0 {
                let (name, style) =
                    if *protocol == Some(HTTP) { ("no response", BAD) } else { ("no status", Style::new()) };
                lines.push((format!("{of}{name}"), without, style));
            }
        }
        let (title, most) = match protocols.keys().all(|protocol| *protocol == Some(HTTP)) {
            true => ("Status codes", usize::MAX),
            false => ("Statuses", if self.verbose { usize::MAX } else { MOST_ROWS }),
        };
        let left_out = lines.len().saturating_sub(most);
        lines.truncate(most);
        let digits = lines.iter().map(|(_, count, _)| width(&format::count(*count))).max().unwrap_or(0);
        let name = lines.iter().map(|(name, ..)| width(name)).max().unwrap_or(0).max(12);
        let name = name.min(self.width - (2 + 2 + digits + 2 + 7));
        // The longest bar ends where the table does; on a narrow screen there is none.
        let bar = (self.width.min(80)).saturating_sub(2 + name + 2 + digits + 2 + 7 + 2);
        self.end_section();
        self.line(&self.paint(TITLE, title));
        for (status, count, style) in &lines {
            let share = right(&format::percent(*count, total), 7);
            let bar = if bar < 10 { String::new() } else { bar_of(*count, total, bar) };
            let line = format!(
                "  {}  {}  {share}  {}",
                left(&cut(status, name), name),
                right(&format::count(*count), digits),
                self.paint(*style, &bar)
            );
            self.line(&line);
        }
        if left_out > 0 {
            self.line(&self.paint(FAINT, &format!("… and {left_out} more (-v shows all)")));
        }
    }

    /// What failed, most frequent first.
    fn errors(&mut self, errors: &[ErrorGroup]) {
        if errors.is_empty() {
            return;
        }
        let mut errors: Vec<_> = errors.iter().collect();
        errors.sort_by_key(|group| std::cmp::Reverse(group.count));
        let most = if self.verbose { errors.len() } else { MOST_ERRORS };
        let digits = errors.iter().map(|group| width(&format::count(group.count))).max().unwrap_or(0);
        self.end_section();
        self.line(&self.paint(TITLE, "Errors"));
        for group in errors.iter().take(most) {
            self.error(group, digits);
        }
        if errors.len() > most {
            let more = format!("… and {} more (-v shows all)", format::plural((errors.len() - most) as u64, "kind"));
            self.line(&self.paint(FAINT, &more));
        }
    }

    fn error(&mut self, group: &ErrorGroup, digits: usize) {
        let indent = 2 + digits + 3;
        let room = self.width - indent;
        let mut place = String::new();
        if !group.scenario.is_empty() {
            place = format!(" in {}", harmless(&group.scenario));
        }
        if let Some(at) = &group.place {
            place = format!("{place} at {}", harmless(at));
        }
        let kind = cut(&harmless(&group.kind), room);
        let place = shorten(&place, room.saturating_sub(width(&kind)));
        let count = self.paint(BAD, &right(&format::count(group.count), digits));
        let head = format!("  {count} × {}{place}", self.paint(TITLE, &kind));
        self.line(&head);

        let mut lines: Vec<String> =
            harmless_lines(&group.message).flat_map(|line| wrap(&line, room)).filter(|line| !line.is_empty()).collect();
        if !self.verbose && lines.len() > MOST_LINES {
            lines.truncate(MOST_LINES);
            let last = lines.last_mut().expect("at least one line stays");
            *last = cut(&format!("{last} …"), room);
        }
        if self.verbose {
            let times = [group.first, group.last].map(format::seconds);
            if group.count > 1 {
                lines.push(format!("first {}, last {}", times[0], times[1]));
            }
            // A backtrace wrapped is a backtrace unreadable.
            lines.extend(group.detail.iter().flat_map(|detail| harmless_lines(detail)));
        }
        for line in lines {
            self.line(&format!("{}{line}", " ".repeat(indent)));
        }
    }

    /// What the run had to meet, and whether it did.
    fn thresholds(&mut self, thresholds: &[ThresholdResult]) {
        if thresholds.is_empty() {
            return;
        }
        self.end_section();
        self.line(&self.paint(TITLE, "Thresholds"));
        for judged in thresholds {
            let (style, sign) = if judged.passed { (GOOD, "met") } else { (BAD, "broken") };
            let (expression, outcome) = (harmless(&judged.expression), format!("({})", harmless(judged.outcome())));
            let (whole, room) = (format!("{expression}  {outcome}"), self.width - 10);
            let lines = match width(&whole) <= room {
                true => vec![whole],
                false => [expression, outcome].iter().flat_map(|text| wrap(text, room)).collect(),
            };
            let mut sign = self.paint(style, &left(sign, 6));
            for line in lines {
                self.line(&format!("  {sign}  {line}"));
                sign = " ".repeat(6);
            }
        }
    }

    /// What to know before the numbers are believed.
    fn notes(&mut self, summary: &Summary) {
        let mut notes: Vec<_> = summary.incomplete.iter().map(ToString::to_string).collect();
        if summary.totals.interrupted > 0 {
            notes.push(format!(
                "{} interrupted by the end of the run: neither success nor failure, and in no latency.",
                match summary.totals.interrupted {
                    1 => "1 scenario was".to_owned(),
                    many => format!("{} scenarios were", format::count(many)),
                }
            ));
        }
        if summary.snapshot.names_exceeded {
            notes.push(
                "There were too many request names: those that came last share the row `other`; give requests a name of \
                 yours with .name(\"...\")."
                    .to_owned(),
            );
        }
        notes.extend(summary.snapshot.advice());
        notes.extend(summary.notes.iter().cloned());
        for note in notes {
            self.end_section();
            for line in wrap(&note, self.width) {
                self.line(&self.paint(ODD, &line));
            }
        }
    }
}

/// `404 Not Found`, and its style.
fn status_of_http(status: &str) -> (String, Style) {
    let Ok(code) = status.parse::<::http::StatusCode>() else { return (harmless(status), Style::new()) };
    let name = code.canonical_reason().map_or_else(|| status.to_owned(), |reason| format!("{status} {reason}"));
    let style = match code.as_u16() {
        ..400 => GOOD,
        400..500 => ODD,
        500.. => BAD,
    };
    (name, style)
}

/// A bar, to an eighth of a column.
fn bar_of(part: u64, whole: u64, columns: usize) -> String {
    let eighths = (part as f64 / whole as f64 * columns as f64 * 8.0).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}
