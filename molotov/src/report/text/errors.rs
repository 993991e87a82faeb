//! Errors, the most frequent first.

use super::{
    page::Page,
    style::{BAD, FAINT, TITLE},
};
use crate::{
    format,
    metrics::ErrorGroup,
    report::layout::{cut, harmless, harmless_lines, right, shorten, width, wrap},
};

/// The number of groups without `-v`.
const MAX_ERRORS: usize = 15;
/// The number of lines of a message without `-v`.
const MAX_LINES: usize = 3;

impl Page {
    pub(super) fn errors(&mut self, errors: &[ErrorGroup]) {
        if errors.is_empty() {
            return;
        }
        let mut errors: Vec<_> = errors.iter().collect();
        errors.sort_by_key(|group| std::cmp::Reverse(group.count));
        let max = if self.verbose { errors.len() } else { MAX_ERRORS };
        let digits = errors.iter().map(|group| width(&format::count(group.count))).max().unwrap_or(0);
        self.end_section();
        self.line(&self.paint(TITLE, "Errors"));
        for group in errors.iter().take(max) {
            self.error(group, digits);
        }
        if errors.len() > max {
            let more = format!("… and {} more (-v shows all)", format::plural((errors.len() - max) as u64, "kind"));
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
        if !self.verbose && lines.len() > MAX_LINES {
            lines.truncate(MAX_LINES);
            let last = lines.last_mut().expect("MAX_LINES is not 0");
            *last = cut(&format!("{last} …"), room);
        }
        if self.verbose {
            let times = [group.first, group.last].map(format::seconds);
            if group.count > 1 {
                lines.push(format!("first {}, last {}", times[0], times[1]));
            }
            // A wrapped backtrace would be hard to read.
            lines.extend(group.detail.iter().flat_map(|detail| harmless_lines(detail)));
        }
        for line in lines {
            self.line(&format!("{}{line}", " ".repeat(indent)));
        }
    }
}
