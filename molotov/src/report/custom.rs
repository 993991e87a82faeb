//! Checks, counters, values and gauges as rows of text, which several reports show.

use std::{cmp::Reverse, sync::Arc};

use crate::{
    format,
    metrics::{Check, Values},
    run::Summary,
};

/// The measures of one kind.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) columns: &'static [Column],
    /// The rows by name, and after them their sum.
    pub(super) rows: Vec<Row>,
}

/// A column of numbers.
pub(super) struct Column {
    pub(super) head: &'static str,
    /// Columns with a low rank are the last to be left out.
    pub(super) rank: u8,
}

impl Column {
    /// Returns the head as a title, such as `Rate/s`.
    pub(super) fn title(&self) -> String {
        let mut title = self.head.to_owned();
        if !title.starts_with('p') || title.starts_with("passed") {
            title[..1].make_ascii_uppercase();
        }
        title
    }
}

/// A row. Names and samples are as the scenarios wrote them.
pub(super) struct Row {
    pub(super) name: Arc<str>,
    pub(super) cells: Vec<Cell>,
    /// Whether the row is the sum of the others.
    pub(super) total: bool,
    /// Checks: how the first failure came about, such as `in buy at src/lib.rs:7:5: 3 is too large`.
    pub(super) sample: Option<String>,
}

/// A number, and its text.
pub(super) struct Cell {
    pub(super) text: String,
    /// `None` if there are too few numbers for a percentile.
    #[cfg_attr(not(feature = "html-report"), allow(dead_code, reason = "only the HTML report uses it"))]
    pub(super) value: Option<f64>,
    /// Whether it counts failures.
    pub(super) alarming: bool,
}

pub(super) const fn column(head: &'static str, rank: u8) -> Column {
    Column { head, rank }
}

const CHECKS: &[Column] = &[column("passed", 1), column("failed", 0), column("passed %", 2)];
const COUNTERS: &[Column] = &[column("count", 0), column("rate/s", 1)];
const VALUES: &[Column] = &[
    column("count", 0),
    column("min", 6),
    column("mean", 2),
    column("p50", 4),
    column("p95", 1),
    column("p99", 5),
    column("max", 3),
];
const GAUGES: &[Column] = &[column("last", 0), column("min", 2), column("max", 1)];

/// The sections that a run has.
pub(super) fn sections(summary: &Summary) -> impl Iterator<Item = Section> {
    let sections = [checks(summary), counters(summary), values(summary), gauges(summary)];
    sections.into_iter().filter(|section| !section.rows.is_empty())
}

impl Section {
    /// Leaves out rows if there are more than `most` apart from the sum, and returns how many. Rows with failures stay.
    pub(super) fn limit(&mut self, most: usize) -> usize {
        let most = most + usize::from(self.rows.iter().any(|row| row.total));
        let left_out = self.rows.len().saturating_sub(most);
        if left_out > 0 {
            let mut rows: Vec<_> = std::mem::take(&mut self.rows).into_iter().enumerate().collect();
            rows.sort_by_key(|(_, row)| {
                let alarming = row.cells.iter().filter(|cell| cell.alarming).count();
                Reverse((row.total, row.sample.is_some(), alarming))
            });
            rows.truncate(most);
            rows.sort_by_key(|(index, _)| *index);
            self.rows = rows.into_iter().map(|(_, row)| row).collect();
        }
        left_out
    }
}

fn checks(summary: &Summary) -> Section {
    let checks = &summary.snapshot.checks;
    let row = |name: Arc<str>, check: &Check, total: bool| {
        let mut cells = vec![count(check.passed), count(check.failed)];
        cells[1].alarming = check.failed > 0;
        let share = format::percent(check.passed, check.total());
        cells.push(Cell { text: share, value: Some(check.pass_ratio()), alarming: false });
        Row { name, cells, total, sample: check.sample.as_ref().filter(|_| !total).map(|sample| sample.describe()) }
    };
    let mut rows: Vec<Row> = checks.iter().map(|(name, check)| row(Arc::clone(name), check, false)).collect();
    if rows.len() > 1 {
        let mut all = Check::default();
        checks.values().for_each(|check| all.merge(check));
        rows.push(row("Total".into(), &all, true));
    }
    Section { title: "Checks", columns: CHECKS, rows }
}

fn counters(summary: &Summary) -> Section {
    let seconds = summary.totals.active().as_secs_f64();
    let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let rate = |count| Cell { text: format::rate(rate(count)), value: Some(rate(count)), alarming: false };
    let rows = summary.snapshot.counters.iter();
    let rows = rows.map(|(name, number)| plain(name, vec![count(*number), rate(*number)])).collect();
    Section { title: "Counters", columns: COUNTERS, rows }
}

fn values(summary: &Summary) -> Section {
    let cells = |values: &Values| {
        let at = |percent| match values.percentile_if_enough(percent) {
            Some(value) => number(value),
            None => Cell { text: "–".to_owned(), value: None, alarming: false },
        };
        let [min, mean, max] = [values.min(), values.mean(), values.max()].map(number);
        vec![count(values.count()), min, mean, at(50.0), at(95.0), at(99.0), max]
    };
    let rows = summary.snapshot.values.iter().map(|(name, values)| plain(name, cells(values))).collect();
    Section { title: "Values", columns: VALUES, rows }
}

fn gauges(summary: &Summary) -> Section {
    let rows = summary.snapshot.gauges.iter();
    let rows = rows.map(|(name, gauge)| plain(name, [gauge.last, gauge.min, gauge.max].map(number).into()));
    Section { title: "Gauges", columns: GAUGES, rows: rows.collect() }
}

fn plain(name: &Arc<str>, cells: Vec<Cell>) -> Row {
    Row { name: Arc::clone(name), cells, total: false, sample: None }
}

pub(super) fn count(count: u64) -> Cell {
    Cell { text: format::count(count), value: Some(count as f64), alarming: false }
}

fn number(value: f64) -> Cell {
    Cell { text: format::value(value), value: Some(value), alarming: false }
}
