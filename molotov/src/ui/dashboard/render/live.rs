//! The live view: charts and errors.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line as Text, Span},
    widgets::Paragraph,
};

use super::{
    super::state::State,
    charts::{draw_latency, draw_throughput, draw_workers},
    style::{Palette, block},
};
use crate::{
    format,
    report::layout::{cut, fitting_parts, harmless, width},
};

/// Charts need at least this many rows.
const MIN_ROWS_FOR_CHARTS: u16 = 20;
/// Charts need at least this many columns: with fewer, there is no room for the labels of two of them.
const MIN_COLUMNS_FOR_CHARTS: u16 = 40;
/// A chart of the stages of workers needs at least this many columns for the view.
const MIN_COLUMNS_FOR_STAGES: u16 = 78;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let charts = match area.height {
        height if height + 4 < MIN_ROWS_FOR_CHARTS || area.width < MIN_COLUMNS_FOR_CHARTS => 0,
        height => (height / 3).clamp(7, 14),
    };
    let starts = u16::from(state.progress.plan.is_some() && area.height > 3);
    let constraints = [Constraint::Length(charts), Constraint::Length(starts), Constraint::Min(0)];
    let [top, middle, panes] = Layout::vertical(constraints).areas(area);
    draw_starts(frame, middle, state);
    if charts > 0 {
        let stages = state.planned_workers(Duration::ZERO).is_some() && area.width >= MIN_COLUMNS_FOR_STAGES;
        let workers = u16::from(stages);
        let columns = [Constraint::Fill(1), Constraint::Fill(1), Constraint::Fill(workers)];
        let [left, middle, right] = Layout::horizontal(columns).areas(top);
        draw_throughput(frame, left, state);
        draw_latency(frame, middle, state);
        if stages {
            draw_workers(frame, right, state);
        }
    }
    draw_error_list(frame, panes, state);
}

/// How the starts of scenarios compare with the plan, in a line.
fn draw_starts(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some(plan) = &state.progress.plan else { return };
    let palette = Palette::of(state);
    let alarming = |count: u64, style: Style| if count > 0 { style } else { Style::new() };
    let lag = state.totals.all_starts().lag.percentile_if_enough(99.0).map_or("–".to_owned(), format::latency);
    let parts = [
        (0, format!(" ASKED: {}/s ", format::rate(plan.rate)), Style::new()),
        (1, format!(" ACHIEVED: {}/s ", format::rate(plan.achieved)), Style::new()),
        (2, format!(" LATE: {} ", format::count(plan.late)), alarming(plan.late, palette.odd())),
        (3, format!(" DROPPED: {} ", format::count(plan.dropped)), alarming(plan.dropped, palette.bad())),
        (4, format!(" LAG p99: {lag} "), Style::new()),
        (5, format!(" STARTED: {} of {} ", format::count(plan.started), format::count(plan.planned)), Style::new()),
    ];
    let shown = fitting_parts(usize::from(area.width), parts.iter().map(|(rank, text, _)| (*rank, width(text))));
    let spans: Vec<_> = shown.into_iter().map(|place| Span::styled(parts[place].1.clone(), parts[place].2)).collect();
    frame.render_widget(Paragraph::new(Text::from(spans)), area);
}

/// The groups of errors, the most frequent first.
fn draw_error_list(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let errors = state.errors();
    let all: u64 = errors.iter().map(|group| group.count).sum();
    let block = block(format!(" Errors ({}) ", format::count(all)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width);
    let mut shown = Vec::new();
    for group in errors.iter().take(usize::from(inner.height)) {
        let head = format!("{} × {}", format::count(group.count), harmless(&group.kind));
        shown.push(Text::styled(cut(&head, columns), palette.bad().add_modifier(Modifier::BOLD)));
        let first = group.message.lines().next().unwrap_or_default();
        shown.push(Text::raw(cut(&format!("  {}", harmless(first)), columns)));
    }
    if shown.is_empty() {
        shown.push(Text::styled("none so far", palette.faint()));
    }
    frame.render_widget(Paragraph::new(shown), inner);
}
