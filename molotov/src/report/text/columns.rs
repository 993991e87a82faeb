//! Rows and columns of the tables: the contents of the columns, and which of them fit.

use std::time::Duration;

use anstyle::Style;

use super::style::BAD;
use crate::{
    format,
    metrics::{Histogram, Stats},
    report::layout::{cut, fitting_parts, harmless, right, room_for_names, width},
};

/// The widest status that a cell shows in full, in columns.
const MAX_STATUS: usize = 12;
/// The number of spaces before a column.
const GAP: usize = 2;

/// A row of a table.
pub(super) struct Row {
    pub(super) name: String,
    /// Whether the row is the sum of the others.
    pub(super) total: bool,
    failed: bool,
    /// The texts of all [`COLUMNS`]; empty if the column does not apply to the row.
    cells: Vec<String>,
}

/// A column: its head, its rank, and its cell. Columns with a low rank are the last to be left out.
struct Column {
    head: &'static str,
    rank: u8,
    cell: Cell,
}

/// The content of a column.
enum Cell {
    /// A number of the row.
    Number(fn(&Stats, Duration) -> String),
    /// A time of operations. Scenarios that start at a rate have two of each.
    Time(fn(&Histogram) -> String),
}

/// All columns, from left to right.
const COLUMNS: &[Column] = &[
    Column {
        head: "count",
        rank: 0,
        cell: Cell::Number(|stats, _| format::count(stats.counts.ok + stats.counts.failed)),
    },
    Column { head: FAILED, rank: 1, cell: Cell::Number(|stats, _| format::count(stats.counts.failed)) },
    Column { head: "retried", rank: 1, cell: Cell::Number(|stats, _| unless_zero(stats.retried)) },
    Column { head: "failed %", rank: 11, cell: Cell::Number(|stats, _| failed_share(stats)) },
    Column { head: "interrupted", rank: 12, cell: Cell::Number(|stats, _| unless_zero(stats.counts.interrupted)) },
    Column { head: "rate/s", rank: 4, cell: Cell::Number(rate) },
    Column { head: "min", rank: 10, cell: Cell::Time(|times| latency(times, times.min())) },
    Column { head: "mean", rank: 7, cell: Cell::Time(|times| latency(times, times.mean())) },
    Column { head: "p50", rank: 3, cell: Cell::Time(|times| percentile(times, 50.0)) },
    Column { head: "p90", rank: 9, cell: Cell::Time(|times| percentile(times, 90.0)) },
    Column { head: "p95", rank: 2, cell: Cell::Time(|times| percentile(times, 95.0)) },
    Column { head: "p99", rank: 5, cell: Cell::Time(|times| percentile(times, 99.0)) },
    Column { head: "max", rank: 6, cell: Cell::Time(|times| latency(times, times.max())) },
    Column { head: "ttfb p95", rank: 14, cell: Cell::Number(|stats, _| time_of_requests(&stats.first_byte)) },
    Column { head: "connect p95", rank: 16, cell: Cell::Number(|stats, _| time_of_requests(&stats.connect)) },
    Column { head: "in", rank: 8, cell: Cell::Number(|stats, _| bytes(stats, stats.bytes_in)) },
    Column { head: "out", rank: 13, cell: Cell::Number(|stats, _| bytes(stats, stats.bytes_out)) },
    Column { head: "status", rank: 15, cell: Cell::Number(|stats, _| statuses(stats)) },
];

const FAILED: &str = "failed";

impl Row {
    /// Returns the rows of some measures: one, or three if they have response times and service times.
    pub(super) fn of(name: String, stats: &Stats, elapsed: Duration) -> Vec<Row> {
        if stats.service.is_empty() {
            return vec![Row::new(name, stats, Some(&stats.latency), elapsed)];
        }
        let mut rows = vec![Row::new(name, stats, None, elapsed)];
        // A sum over scenarios of which only some start at a rate has no response time.
        if stats.service.count() == stats.latency.count() {
            rows.push(Row::of_times("  response time", &stats.latency));
            rows.push(Row::of_times("  service time", &stats.service));
        }
        rows
    }

    fn new(name: String, stats: &Stats, times: Option<&Histogram>, elapsed: Duration) -> Row {
        let cell = |column: &Column| match column.cell {
            Cell::Number(cell) => cell(stats, elapsed),
            Cell::Time(cell) => times.map(cell).unwrap_or_default(),
        };
        Row { name, total: false, failed: stats.counts.failed > 0, cells: COLUMNS.iter().map(cell).collect() }
    }

    fn of_times(name: &str, times: &Histogram) -> Row {
        let cell = |column: &Column| match column.cell {
            Cell::Number(_) => String::new(),
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
    /// Chooses columns by rank. Names get the rest of the room, and a minimum in any case.
    pub(super) fn fit<'a>(room: usize, rows: impl Iterator<Item = (&'a str, &'a Row)>) -> Columns {
        let (mut longest, mut widths) = (0, vec![0; COLUMNS.len()]);
        for (title, row) in rows {
            longest = longest.max(width(title)).max(width(&row.name));
            for (widest, cell) in widths.iter_mut().zip(&row.cells) {
                *widest = width(cell).max(*widest);
            }
        }
        let name_at_least = longest.min(room_for_names(room));
        let used: Vec<usize> = (0..COLUMNS.len()).filter(|index| widths[*index] > 0).collect();
        let column = |index: usize| GAP + widths[index].max(width(COLUMNS[index].head));
        let parts = used.iter().map(|index| (COLUMNS[*index].rank, column(*index)));
        let fitting = fitting_parts(room - name_at_least, parts);
        let chosen: Vec<_> = fitting.into_iter().map(|place| (used[place], column(used[place]))).collect();
        let taken: usize = chosen.iter().map(|(_, column)| column).sum();
        Columns { name: longest.min(room - taken), chosen }
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

fn unless_zero(count: u64) -> String {
    if count == 0 { String::new() } else { format::count(count) }
}

fn latency(times: &Histogram, time: Duration) -> String {
    if times.is_empty() { "–".to_owned() } else { format::latency(time) }
}

/// `–` if there are too few operations to estimate the percentile.
fn percentile(times: &Histogram, percent: f64) -> String {
    times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency)
}

fn time_of_requests(times: &Histogram) -> String {
    if times.is_empty() { String::new() } else { percentile(times, 95.0) }
}

fn bytes(stats: &Stats, bytes: u64) -> String {
    if bytes == 0 && stats.statuses.is_empty() { String::new() } else { format::bytes(bytes) }
}

/// The three most frequent status codes, such as `200 503 404`.
fn statuses(stats: &Stats) -> String {
    let mut statuses: Vec<_> = stats.statuses.iter().collect();
    statuses.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = if statuses.len() > 3 { " …" } else { "" };
    let shown: Vec<String> = statuses.iter().take(3).map(|(status, _)| cut(&harmless(status), MAX_STATUS)).collect();
    format!("{}{more}", shown.join(" "))
}
