//! Checks, counters, values and gauges, and the members of the run.

use super::{
    MAX_ROWS,
    fit::{Candidate, Fit, fit},
    page::Page,
    style::{BAD, FAINT, TITLE},
};
use crate::{
    report::{
        custom::{Column, Section, sections},
        layout::{cut, harmless, left, right, shorten, width, wrap},
        members::members,
    },
    run::Summary,
};

/// The number of lines about the failure of a check without `-v`.
const MAX_LINES: usize = 2;
/// The usual width of a cell.
const USUAL: usize = 7;

impl Page {
    /// Writes what scenarios checked and recorded.
    pub(super) fn custom(&mut self, summary: &Summary) {
        let sections: Vec<Section> = sections(summary).collect();
        let names = sections.iter().flat_map(|section| section.rows.iter().map(|row| width(&harmless(&row.name))));
        let longest = names.max().unwrap_or(0).max(width("Counters"));
        for section in sections {
            self.section(section, longest);
        }
    }

    /// Writes a row for each agent, or for each process if some were the bottleneck or lost measures and others did not.
    pub(super) fn members(&mut self, summary: &Summary) {
        let Some(section) = members(summary).filter(|_| summary.compares_members()) else { return };
        let names = section.rows.iter().map(|row| width(&harmless(&row.name)));
        let longest = names.max().unwrap_or(0).max(width(section.title));
        self.section(section, longest);
    }

    fn section(&mut self, mut section: Section, longest: usize) {
        let left_out = if self.verbose { 0 } else { section.limit(MAX_ROWS) };
        let Section { title, columns, rows } = section;
        let candidate = |(index, column): (usize, &Column)| {
            let cells = rows.iter().map(|row| width(&row.cells[index].text));
            let head = width(column.head);
            Candidate { rank: column.rank, usual: USUAL.max(head), actual: cells.max().unwrap_or(0).max(head) }
        };
        let candidates: Vec<Candidate> = columns.iter().enumerate().map(candidate).collect();
        let Fit { names, columns: chosen } = fit(self.width, longest, &candidates);
        self.end_section();
        let head: String = chosen.iter().map(|(index, width)| right(columns[*index].head, *width)).collect();
        self.line(&format!("{}{}", self.paint(TITLE, &left(&shorten(title, names), names)), self.paint(FAINT, &head)));
        for row in &rows {
            let name = left(&shorten(&harmless(&row.name), names), names);
            let mut line = if row.total { self.paint(TITLE, &name) } else { name };
            for (index, width) in &chosen {
                let cell = &row.cells[*index];
                let text = right(&cell.text, *width);
                line.push_str(&if cell.alarming { self.paint(BAD, &text) } else { text });
            }
            self.line(&line);
            if let Some(sample) = &row.sample {
                self.first_failure(sample);
            }
        }
        if left_out > 0 {
            self.line(&self.paint(FAINT, &format!("… and {left_out} more (-v shows all)")));
        }
    }

    /// Writes the first failure of a check under its row.
    fn first_failure(&mut self, sample: &str) {
        let room = self.width - 2;
        let mut lines = wrap(&harmless(&format!("first failed {sample}")), room);
        if !self.verbose && lines.len() > MAX_LINES {
            lines.truncate(MAX_LINES);
            lines[MAX_LINES - 1] = cut(&format!("{} …", lines[MAX_LINES - 1]), room);
        }
        for line in lines {
            self.line(&self.paint(FAINT, &format!("  {line}")));
        }
    }
}
