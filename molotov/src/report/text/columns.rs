//! Rows and columns of the tables: the contents of the columns, and which of them fit.

use std::time::Duration;

use anstyle::Style;

use super::style::BAD;
use crate::{
    format,
    metrics::Stats,
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
    cell: fn(&Stats, Duration) -> String,
}

/// All columns, from left to right.
const COLUMNS: &[Column] = &[
    Column { head: "count", rank: 0, cell: |stats, _| format::count(stats.counts.ok + stats.counts.failed) },
    Column { head: FAILED, rank: 1, cell: |stats, _| format::count(stats.counts.failed) },
    Column { head: "retried", rank: 1, cell: |stats, _| unless_zero(stats.retried) },
    Column { head: "failed %", rank: 11, cell: |stats, _| failed_share(stats) },
    Column { head: "interrupted", rank: 12, cell: |stats, _| unless_zero(stats.counts.interrupted) },
    Column { head: "rate/s", rank: 4, cell: rate },
    Column { head: "min", rank: 10, cell: |stats, _| latency(stats, stats.latency.min()) },
    Column { head: "mean", rank: 7, cell: |stats, _| latency(stats, stats.latency.mean()) },
    Column { head: "p50", rank: 3, cell: |stats, _| percentile(stats, 50.0) },
    Column { head: "p90", rank: 9, cell: |stats, _| percentile(stats, 90.0) },
    Column { head: "p95", rank: 2, cell: |stats, _| percentile(stats, 95.0) },
    Column { head: "p99", rank: 5, cell: |stats, _| percentile(stats, 99.0) },
    Column { head: "max", rank: 6, cell: |stats, _| latency(stats, stats.latency.max()) },
    Column { head: "ttfb p95", rank: 14, cell: |stats, _| first_byte(stats) },
    Column { head: "in", rank: 8, cell: |stats, _| bytes(stats, stats.bytes_in) },
    Column { head: "out", rank: 13, cell: |stats, _| bytes(stats, stats.bytes_out) },
    Column { head: "status", rank: 15, cell: |stats, _| statuses(stats) },
];

const FAILED: &str = "failed";

impl Row {
    pub(super) fn new(name: String, stats: &Stats, elapsed: Duration) -> Row {
        let cells = COLUMNS.iter().map(|column| (column.cell)(stats, elapsed)).collect();
        Row { name, total: false, failed: stats.counts.failed > 0, cells }
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

fn latency(stats: &Stats, latency: Duration) -> String {
    if stats.latency.is_empty() { "-".to_owned() } else { format::latency(latency) }
}

fn percentile(stats: &Stats, percent: f64) -> String {
    latency(stats, stats.latency.percentile(percent))
}

fn first_byte(stats: &Stats) -> String {
    if stats.first_byte.is_empty() { String::new() } else { format::latency(stats.first_byte.percentile(95.0)) }
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
