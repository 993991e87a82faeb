//! Scenarios, requests, steps and tags as tables whose columns are aligned with each other.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    MAX_ROWS,
    columns::{Columns, Row},
    page::Page,
    style::{FAINT, TITLE},
};
use crate::{
    metrics::Stats,
    report::layout::{harmless, left, shorten},
    run::Summary,
};

const REQUESTS: &str = "Requests";
const TAGS: &str = "Tags";

impl Page {
    pub(super) fn rows(&mut self, summary: &Summary) {
        let snapshot = &summary.snapshot;
        let sections = [
            ("Scenarios", &snapshot.scenarios),
            (REQUESTS, &snapshot.requests),
            ("Steps", &snapshot.steps),
            (TAGS, &snapshot.tags),
        ];
        let sections: Vec<_> = sections
            .into_iter()
            .filter(|(_, stats)| !stats.is_empty())
            .map(|(title, stats)| {
                let (rows, left_out) = self.select(title, stats, summary);
                (title, rows, left_out)
            })
            .collect();
        let all = sections.iter().flat_map(|(title, rows, _)| rows.iter().map(move |row| (*title, row)));
        let columns = Columns::fit(self.width, !snapshot.requests.is_empty(), all);
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

    /// The rows of a section by name, limited to the busiest ones, and the number of rows that are left out.
    fn select(&self, title: &str, stats: &BTreeMap<Arc<str>, Stats>, summary: &Summary) -> (Vec<Row>, usize) {
        let requests = [REQUESTS, TAGS].contains(&title);
        let mut shown: Vec<_> = stats.iter().collect();
        if !self.verbose && shown.len() > MAX_ROWS {
            shown.sort_by_key(|(_, stats)| std::cmp::Reverse(stats.counts.total()));
            shown.truncate(MAX_ROWS);
            shown.sort_by_key(|(name, _)| Arc::clone(name));
        }
        if summary.snapshot.names_exceeded {
            // Names without a row share the last one.
            shown.sort_by_key(|(name, _)| &***name == "other");
        }
        let left_out = stats.len() - shown.len();
        let mut rows: Vec<Row> = shown
            .into_iter()
            .flat_map(|(name, stats)| Row::of(harmless(name), stats, summary.totals.active(), requests))
            .collect();
        // A request is in the row of each of its tags.
        if stats.len() > 1 && title != TAGS {
            let mut sum = Stats::default();
            stats.values().for_each(|stats| sum.merge(stats));
            let mut total = Row::of("Total".to_owned(), &sum, summary.totals.active(), requests);
            total[0].total = true;
            rows.append(&mut total);
        }
        (rows, left_out)
    }
}
