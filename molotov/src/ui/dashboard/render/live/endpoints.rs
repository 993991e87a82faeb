//! The requests that take the most time, those with failures first, and how their latency changes.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::Line as Text,
    widgets::{Paragraph, Sparkline},
};

use super::super::{
    super::state::State,
    columns::{Column, Row, draw_columns},
    style::{BOLD, Palette, block},
};
use crate::{format, metrics::Stats, report::layout::harmless, run::CourseBin};

/// Sparklines need at least this many columns.
const MIN_SPARKLINE: u16 = 12;
/// A table beside sparklines needs at least this many columns.
const MIN_TABLE: u16 = 60;

/// Their names and measures, and their courses.
struct Endpoints<'a> {
    title: &'static str,
    rows: Vec<(&'a Arc<str>, &'a Stats)>,
    courses: &'a BTreeMap<Arc<str>, Vec<CourseBin>>,
}

/// Requests, or scenarios in a run without requests.
fn endpoints(state: &State) -> Endpoints<'_> {
    let courses = state.timeline.courses();
    let (title, rows, courses) = match state.totals.requests.is_empty() {
        false => ("Requests", &state.totals.requests, courses.requests()),
        true => ("Scenarios", &state.totals.scenarios, courses.scenarios()),
    };
    let mut rows: Vec<_> = rows.iter().collect();
    let time = |stats: &Stats| stats.latency.mean().as_secs_f64() * stats.latency.count() as f64;
    rows.sort_by(|(_, one), (_, other)| {
        let failing = |stats: &Stats| Reverse(stats.counts.failed > 0);
        failing(one).cmp(&failing(other)).then(time(other).total_cmp(&time(one)))
    });
    Endpoints { title, rows, courses }
}

/// The number of rows that the panel needs.
pub(super) fn rows(state: &State) -> u16 {
    let requests = state.totals.requests.len();
    let rows = if requests == 0 { state.totals.scenarios.len() } else { requests };
    u16::try_from(rows.max(1) + 3).unwrap_or(u16::MAX)
}

/// Draws as many of them as fit.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    const COLUMNS: [Column; 6] = [("Count", 0), ("Failed", 1), ("Rate/s", 4), ("p50", 5), ("p95", 2), ("p99", 3)];
    let palette = Palette::of(state);
    let Endpoints { title, rows, courses } = endpoints(state);
    let seconds = state.progress.totals.active().as_secs_f64();
    let shown = usize::from(area.height.saturating_sub(3)).min(rows.len());
    let hidden = rows.len() - shown;
    let title = match hidden {
        0 => format!(" {title}, by time taken "),
        _ => format!(" {title}, by time taken: {shown} of {} ", rows.len()),
    };
    let block = block(title);
    let inner = block.inner(area);
    let plots = (area.width >= MIN_TABLE + MIN_SPARKLINE).then_some(Constraint::Fill(1));
    let [table, plots] = Layout::horizontal([Constraint::Fill(2), plots.unwrap_or(Constraint::Length(0))]).areas(inner);
    frame.render_widget(block, area);
    let cells = rows.iter().take(shown).map(|(name, stats)| {
        let ended = stats.counts.ok + stats.counts.failed;
        let failed = if stats.counts.failed > 0 { palette.bad() } else { Style::new() };
        let at = |percent| stats.latency.percentile_if_enough(percent).map_or("–".to_owned(), format::latency);
        let plain = |text| (text, Style::new());
        let rate = if seconds > 0.0 { ended as f64 / seconds } else { 0.0 };
        let cells = vec![
            plain(format::count(ended)),
            (format::count(stats.counts.failed), failed),
            plain(format::rate(rate)),
            plain(at(50.0)),
            plain(at(95.0)),
            plain(at(99.0)),
        ];
        Row { name: harmless(name), cells }
    });
    draw_columns(frame, table, ratatui::widgets::Block::new(), "Name", &COLUMNS, cells.collect());
    if plots.width < MIN_SPARKLINE {
        return;
    }
    let plots = Rect { x: plots.x + 2, width: plots.width - 2, ..plots };
    frame.render_widget(Paragraph::new(Text::styled("Mean latency over time", BOLD)), plots);
    for (row, (name, _)) in rows.iter().take(shown).enumerate() {
        let Some(course) = courses.get(*name) else { continue };
        let first = course.len().saturating_sub(usize::from(plots.width));
        // Without a value, a bar is missing rather than zero.
        let bars: Vec<Option<u64>> = course[first..]
            .iter()
            .map(|bin| (!bin.latency.is_empty()).then(|| bin.latency.mean().as_micros() as u64))
            .collect();
        let line = Rect { y: plots.y + 1 + row as u16, height: 1, ..plots };
        frame.render_widget(Sparkline::default().data(bars).absent_value_symbol(" ").style(palette.first()), line);
    }
}
