//! The number of responses with each status.

use std::{collections::BTreeMap, sync::Arc};

use anstyle::Style;

use super::{
    MAX_ROWS,
    page::Page,
    style::{BAD, FAINT, GOOD, ODD, TITLE},
};
use crate::{
    format,
    metrics::{HTTP, Stats},
    report::layout::{cut, harmless, left, right, width},
};

impl Page {
    /// The number of responses with each status, over all requests of a protocol.
    pub(super) fn statuses(&mut self, requests: &BTreeMap<Arc<str>, Stats>) {
        let mut protocols = BTreeMap::<Option<&str>, Stats>::new();
        for stats in requests.values() {
            protocols.entry(stats.protocol.as_deref()).or_default().merge(stats);
        }
        // Interrupted requests have no part in it.
        let ended = |stats: &Stats| stats.counts.ok + stats.counts.failed;
        let total: u64 = protocols.values().map(ended).sum();
        if total == 0 {
            return;
        }
        let mut lines: Vec<(String, u64, Style)> = Vec::new();
        for (protocol, stats) in &protocols {
            // A run with HTTP alone does not name it.
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
            let without = ended(stats).saturating_sub(stats.statuses.values().sum());
            if without > 0 {
                let (name, style) =
                    if *protocol == Some(HTTP) { ("no response", BAD) } else { ("no status", Style::new()) };
                lines.push((format!("{of}{name}"), without, style));
            }
        }
        let (title, most) = match protocols.keys().all(|protocol| *protocol == Some(HTTP)) {
            true => ("Status codes", usize::MAX),
            false => ("Statuses", if self.verbose { usize::MAX } else { MAX_ROWS }),
        };
        let left_out = lines.len().saturating_sub(most);
        lines.truncate(most);
        let digits = lines.iter().map(|(_, count, _)| width(&format::count(*count))).max().unwrap_or(0);
        let name = lines.iter().map(|(name, ..)| width(name)).max().unwrap_or(0).max(12);
        let name = name.min(self.width - (2 + 2 + digits + 2 + 7));
        // Bars end with the table; a narrow screen has none.
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
}

/// The code with its reason phrase, such as `404 Not Found`, and its style.
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

/// A bar with a resolution of an eighth of a column.
fn bar_of(part: u64, whole: u64, columns: usize) -> String {
    let eighths = (part as f64 / whole as f64 * columns as f64 * 8.0).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}
