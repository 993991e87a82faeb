//! Starts at a rate, compared with the plan.

use super::{
    fit::{Candidate, Fit, fit},
    page::Page,
    style::{BAD, FAINT, ODD, TITLE},
};
use crate::{
    format,
    metrics::Starts,
    report::layout::{harmless, left, right, shorten, width},
    run::{StreamStarts, Summary},
};

/// A column: its head, its rank, and its cell. Columns with a low rank are the last to be left out.
struct Column {
    head: &'static str,
    rank: u8,
    cell: fn(&StreamStarts<'_>) -> String,
}

const LATE: &str = "late";
const DROPPED: &str = "dropped";
const UNSTARTED: &str = "unstarted";

const COLUMNS: &[Column] = &[
    Column { head: "asked/s", rank: 0, cell: |of| format::rate(of.asked) },
    Column { head: "achieved/s", rank: 1, cell: |of| format::rate(of.achieved) },
    Column { head: "planned", rank: 7, cell: |of| format::count(of.starts.planned()) },
    Column { head: "started", rank: 2, cell: |of| format::count(of.starts.started) },
    Column { head: LATE, rank: 5, cell: |of| format::count(of.starts.late) },
    Column { head: DROPPED, rank: 4, cell: |of| format::count(of.starts.dropped) },
    Column { head: UNSTARTED, rank: 3, cell: |of| format::count(of.starts.unstarted) },
    Column { head: "lag p50", rank: 9, cell: |of| lag(&of.starts, 50.0) },
    Column { head: "lag p95", rank: 8, cell: |of| lag(&of.starts, 95.0) },
    Column { head: "lag p99", rank: 6, cell: |of| lag(&of.starts, 99.0) },
];

fn lag(starts: &Starts, percent: f64) -> String {
    starts.lag.percentile_if_enough(percent).map_or("–".to_owned(), format::latency)
}

impl Page {
    /// Writes what the plan asked for and what happened, in all and for each scenario that has its own rate.
    pub(super) fn starts(&mut self, summary: &Summary) {
        let Some(all) = summary.all_starts() else { return };
        let streams: Vec<_> = summary.starts_by_stream().collect();
        let mut rows: Vec<(String, Vec<String>, StreamStarts<'_>)> = Vec::new();
        if streams.len() > 1 {
            for stream in streams {
                let name = stream.scenario.map_or("all others".to_owned(), harmless);
                rows.push((name, cells(&stream), stream));
            }
        }
        rows.push(("Total".to_owned(), cells(&all), all));

        let longest = rows.iter().map(|(name, ..)| width(name)).max().unwrap_or(0).max(width("Starts"));
        let candidate = |(index, column): (usize, &Column)| {
            let cells = rows.iter().map(|(_, cells, _)| width(&cells[index]));
            let head = width(column.head);
            Candidate { rank: column.rank, usual: head.max(6), actual: cells.max().unwrap_or(0).max(head) }
        };
        let candidates: Vec<Candidate> = COLUMNS.iter().enumerate().map(candidate).collect();
        let Fit { names, columns } = fit(self.width, longest, &candidates);

        self.end_section();
        let head: String = columns.iter().map(|(index, width)| right(COLUMNS[*index].head, *width)).collect();
        self.line(&format!("{}{}", self.paint(TITLE, &left("Starts", names)), self.paint(FAINT, &head)));
        let several = rows.len() > 1;
        for (name, cells, of) in rows {
            let name = left(&shorten(&name, names), names);
            let total = several && of.scenario.is_none();
            let mut line = if total { self.paint(TITLE, &name) } else { name };
            for (index, width) in &columns {
                let cell = right(&cells[*index], *width);
                let style = match COLUMNS[*index].head {
                    LATE if of.starts.late > 0 => Some(ODD),
                    DROPPED if of.starts.dropped > 0 => Some(BAD),
                    UNSTARTED if of.starts.unstarted > 0 => Some(BAD),
                    _ => None,
                };
                line.push_str(&style.map_or(cell.clone(), |style| self.paint(style, &cell)));
            }
            self.line(&line);
        }
    }
}

fn cells(of: &StreamStarts<'_>) -> Vec<String> {
    COLUMNS.iter().map(|column| (column.cell)(of)).collect()
}
