//! Rows and columns of the tables: the contents of the columns, and which of them fit.

use std::time::Duration;

use anstyle::Style;

use super::{
    fit::{Candidate, Fit, fit},
    style::BAD,
};
use crate::{
    format,
    metrics::{Histogram, Stats},
    report::layout::{cut, harmless, right, width},
};

/// The widest status that a cell shows in full, in columns.
const MAX_STATUS: usize = 12;

/// A row of a table.
pub(super) struct Row {
    pub(super) name: String,
    /// Whether the row is the sum of the others.
    pub(super) total: bool,
    failed: bool,
    /// The texts of all [`COLUMNS`]; empty if the column does not apply to the row.
    cells: Vec<String>,
}

/// A column: its head, its rank, its usual width, and its cell. Columns with a low rank are the last to be left out.
struct Column {
    head: &'static str,
    rank: u8,
    usual: usize,
    cell: Cell,
}

/// The content of a column.
enum Cell {
    /// A number of the row.
    Number(fn(&Stats, Duration) -> String),
    /// A number of requests.
    OfRequests(fn(&Stats) -> String),
    /// A time of operations. Scenarios that start at a rate have two of each.
    Time(fn(&Histogram) -> String),
}

/// All columns, from left to right.
const COLUMNS: &[Column] = &[
    number("count", 0, 7, |stats, _| format::count(stats.counts.ok + stats.counts.failed)),
    number(FAILED, 1, 6, |stats, _| format::count(stats.counts.failed)),
    number("failed %", 5, 7, |stats, _| failed_share(stats)),
    number("interrupted", 17, 11, |stats, _| format::count(stats.counts.interrupted)),
    of_requests("retried", 16, 7, |stats| format::count(stats.retried)),
    number("rate/s", 3, 6, rate),
    time("min", 10, |times| latency(times, times.min())),
    time("mean", 8, |times| latency(times, times.mean())),
    time("p50", 4, |times| percentile(times, 50.0)),
    time("p90", 9, |times| percentile(times, 90.0)),
    time("p95", 2, |times| percentile(times, 95.0)),
    time("p99", 6, |times| percentile(times, 99.0)),
    time("max", 7, |times| latency(times, times.max())),
    of_requests("ttfb p95", 13, 8, |stats| percentile(&stats.first_byte, 95.0)),
    of_requests("connect p95", 14, 11, |stats| percentile(&stats.connect, 95.0)),
    of_requests("in", 11, 7, |stats| format::bytes(stats.bytes_in)),
    of_requests("out", 12, 7, |stats| format::bytes(stats.bytes_out)),
    of_requests("status", 15, 13, statuses),
];

const FAILED: &str = "failed";

const fn number(head: &'static str, rank: u8, usual: usize, cell: fn(&Stats, Duration) -> String) -> Column {
    Column { head, rank, usual, cell: Cell::Number(cell) }
}

const fn of_requests(head: &'static str, rank: u8, usual: usize, cell: fn(&Stats) -> String) -> Column {
    Column { head, rank, usual, cell: Cell::OfRequests(cell) }
}

const fn time(head: &'static str, rank: u8, cell: fn(&Histogram) -> String) -> Column {
    Column { head, rank, usual: 6, cell: Cell::Time(cell) }
}

impl Row {
    /// Returns the rows of some measures: one, or three if they have response times and service times.
    pub(super) fn of(name: String, stats: &Stats, elapsed: Duration, requests: bool) -> Vec<Row> {
        let number = |column: &Column| match column.cell {
            Cell::Number(cell) => cell(stats, elapsed),
            Cell::OfRequests(cell) if requests => cell(stats),
            Cell::OfRequests(_) => String::new(),
            Cell::Time(cell) if stats.service.is_empty() => cell(&stats.latency),
            Cell::Time(_) => String::new(),
        };
        let failed = stats.counts.failed > 0;
        let mut rows = vec![Row { name, total: false, failed, cells: COLUMNS.iter().map(number).collect() }];
        // A sum over scenarios of which only some start at a rate has no response time.
        if !stats.service.is_empty() && stats.service.count() == stats.latency.count() {
            rows.push(Row::of_times("  response time", &stats.latency));
            rows.push(Row::of_times("  service time", &stats.service));
        }
        rows
    }

    fn of_times(name: &str, times: &Histogram) -> Row {
        let cell = |column: &Column| match column.cell {
            Cell::Number(_) | Cell::OfRequests(_) => String::new(),
            Cell::Time(cell) => cell(times),
        };
        Row { name: name.to_owned(), total: false, failed: false, cells: COLUMNS.iter().map(cell).collect() }
    }
}

/// The columns that fit. They are the same in all sections.
pub(super) struct Columns {
    /// The width of the names.
    pub(super) name: usize,
    /// Indices into [`COLUMNS`], and the widths including the gap.
    chosen: Vec<(usize, usize)>,
}

impl Columns {
    /// Chooses the columns of rows with these titles. Columns about requests are left out in runs without requests.
    pub(super) fn fit<'a>(room: usize, requests: bool, rows: impl Iterator<Item = (&'a str, &'a Row)>) -> Columns {
        let mut longest = 0;
        let mut widths: Vec<usize> = COLUMNS.iter().map(|column| width(column.head)).collect();
        for (title, row) in rows {
            longest = longest.max(width(title)).max(width(&row.name));
            for (widest, cell) in widths.iter_mut().zip(&row.cells) {
                *widest = width(cell).max(*widest);
            }
        }
        let used: Vec<usize> = (0..COLUMNS.len())
            .filter(|index| requests || !matches!(COLUMNS[*index].cell, Cell::OfRequests(_)))
            .collect();
        let candidate = |index: &usize| Candidate {
            rank: COLUMNS[*index].rank,
            usual: COLUMNS[*index].usual.max(width(COLUMNS[*index].head)),
            actual: widths[*index],
        };
        let Fit { names, columns } = fit(room, longest, &used.iter().map(candidate).collect::<Vec<_>>());
        Columns { name: names, chosen: columns.into_iter().map(|(index, width)| (used[index], width)).collect() }
    }

    /// The heads of the columns that are not empty in these rows.
    pub(super) fn head(&self, rows: &[Row]) -> String {
        let head = |(index, width): &(usize, usize)| {
            let used = rows.iter().any(|row| !row.cells[*index].is_empty());
            right(if used { COLUMNS[*index].head } else { "" }, *width)
        };
        self.chosen.iter().map(head).collect()
    }

    /// The cells of a row, padded to the width of their columns, and their styles.
    pub(super) fn cells<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (String, Option<Style>)> + 'a {
        self.chosen.iter().map(|(index, width)| {
            let alarming = row.failed && COLUMNS[*index].head.starts_with(FAILED);
            (right(&row.cells[*index], *width), alarming.then_some(BAD))
        })
    }
}

fn rate(stats: &Stats, elapsed: Duration) -> String {
    let ended = stats.counts.ok + stats.counts.failed;
    if elapsed.is_zero() { String::new() } else { format::rate(ended as f64 / elapsed.as_secs_f64()) }
}

fn failed_share(stats: &Stats) -> String {
    format::percent(stats.counts.failed, stats.counts.ok + stats.counts.failed)
}

fn latency(times: &Histogram, time: Duration) -> String {
    if times.is_empty() { "–".to_owned() } else { format::latency(time) }
}

/// `–` if there are too few operations to estimate the percentile.
fn percentile(times: &Histogram, percent: f64) -> String {
    times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency)
}

/// Three statuses, such as `503 404 200`: the errors of HTTP first, and then the most frequent.
fn statuses(stats: &Stats) -> String {
    let mut statuses: Vec<_> = stats.statuses.iter().collect();
    let is_error = |status: &str| status.parse::<u16>().is_ok_and(|code| code >= 400);
    statuses.sort_by_key(|(status, count)| std::cmp::Reverse((is_error(status), **count)));
    let more = if statuses.len() > 3 { " …" } else { "" };
    let shown: Vec<String> = statuses.iter().take(3).map(|(status, _)| cut(&harmless(status), MAX_STATUS)).collect();
    format!("{}{more}", shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_cell_starts_with_errors() {
        let counts = [("200", 900), ("201", 90), ("202", 50), ("404", 3), ("503", 7)];
        let statuses_of = |counts: &[(&str, u64)]| {
            let counts = counts.iter().map(|(status, count)| ((*status).into(), *count)).collect();
            statuses(&Stats { statuses: counts, ..Stats::default() })
        };
        assert_eq!(statuses_of(&counts), "503 404 200 …");
        assert_eq!(statuses_of(&counts[..3]), "200 201 202");
    }
}
