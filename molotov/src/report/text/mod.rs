//! The measures of a run as text, which a terminal shows at the end of the run.

mod columns;
mod custom;
mod errors;
mod fit;
mod measures;
mod page;
mod sizing;
mod starts;
mod statuses;
mod style;

pub(crate) use self::sizing::sizing;
use self::{
    page::Page,
    style::{BAD, GOOD, ODD, TITLE},
};
use super::layout::{harmless, harmless_lines, left, width, wrap};
use crate::{
    format,
    metrics::Stats,
    run::{Conclusion, Summary, ThresholdResult},
};

/// The number of rows in a section without `-v`.
const MAX_ROWS: usize = 40;

/// Formats the measures of a run: scenarios, requests, steps, tags, checks, own values, status codes, errors, agents, and whether the
/// load generator was the bottleneck.
///
/// The table is at most `width` columns wide, but at least 40. Less important columns are left out if they do not fit. The text
/// ends with a newline, or is empty if nothing was measured.
///
/// ```
/// use molotov::report::{Summary, text};
///
/// assert_eq!(text::table(&Summary::default(), 80, false), "");
/// ```
pub fn table(summary: &Summary, width: usize, color: bool) -> String {
    let losses = summary.incomplete.iter().map(ToString::to_string).collect();
    table_with_losses(summary, losses, width, color)
}

/// Formats the table and, if the run did not pass, its conclusion. Each loss of measures is named once.
pub(crate) fn table_and_conclusion(summary: &Summary, width: usize, color: bool) -> String {
    table_with_losses(summary, summary.other_losses(), width, color) + &conclusion(summary, width, color)
}

fn table_with_losses(summary: &Summary, losses: Vec<String>, width: usize, color: bool) -> String {
    let snapshot = &summary.snapshot;
    let rows = [&snapshot.scenarios, &snapshot.requests, &snapshot.steps, &snapshot.tags];
    let measured = rows.iter().any(|rows| !rows.is_empty()) || !snapshot.has_no_custom_measures();
    let planned = summary.all_starts().is_some_and(|starts| !starts.starts.is_empty());
    let other = planned
        || !snapshot.errors.is_empty()
        || !summary.thresholds.is_empty()
        || !summary.incomplete.is_empty()
        || !summary.notes.is_empty();
    if !measured && !other {
        return String::new();
    }
    let mut page = Page { text: String::new(), width: width.max(40), color, verbose: summary.verbose > 0 };
    page.overview(summary);
    page.starts(summary);
    page.rows(summary);
    page.custom(summary);
    page.statuses(&snapshot.requests);
    page.errors(&snapshot.errors);
    page.members(summary);
    page.thresholds(&summary.thresholds);
    page.notes(summary, losses);
    page.end_section();
    page.text
}

/// Formats the conclusion of a run that did not pass: interrupted, for example. It is empty for other runs.
fn conclusion(summary: &Summary, width: usize, color: bool) -> String {
    let style = match summary.conclusion() {
        Conclusion::Passed => return String::new(),
        Conclusion::Interrupted => ODD,
        Conclusion::Broken | Conclusion::Failed | Conclusion::Lost => BAD,
    };
    let mut page = Page { text: String::new(), width: width.max(40), color, verbose: false };
    let sentence = summary.conclusion_sentence();
    let lines: Vec<String> = harmless_lines(&sentence).flat_map(|line| wrap(&line, page.width)).collect();
    for line in lines {
        page.line(&page.paint(style, &line));
    }
    page.end_section();
    page.text
}

impl Page {
    /// Writes the run in a line or two.
    fn overview(&mut self, summary: &Summary) {
        let seconds = summary.totals.active().as_secs_f64();
        let ended = summary.totals.successes + summary.totals.failures;
        let mut parts = vec![
            format::elapsed_and_paused(summary.totals.elapsed, summary.totals.paused),
            format::plural(summary.workers as u64, "worker"),
        ];
        if !summary.totals.warm_up.is_zero() {
            parts.insert(1, format!("{} of them warm-up, not counted", format::elapsed(summary.totals.warm_up)));
        }
        if summary.processes > 1 {
            parts.push(format::plural(summary.processes as u64, "process"));
        }
        if summary.agents() > 0 {
            parts.push(format::plural(summary.agents() as u64, "agent"));
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

    /// Writes the thresholds and whether they were met.
    fn thresholds(&mut self, thresholds: &[ThresholdResult]) {
        if thresholds.is_empty() {
            return;
        }
        self.end_section();
        self.line(&self.paint(TITLE, "Thresholds"));
        for result in thresholds {
            let (style, sign) = if result.passed { (GOOD, "met") } else { (BAD, "broken") };
            let (expression, outcome) = (harmless(&result.expression), format!("({})", harmless(result.outcome())));
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

    /// Writes what limits the validity of the numbers.
    fn notes(&mut self, summary: &Summary, losses: Vec<String>) {
        let notes = losses.into_iter().chain(summary.limitations());
        for note in notes {
            self.end_section();
            for line in wrap(&note, self.width) {
                self.line(&self.paint(ODD, &line));
            }
        }
    }
}
