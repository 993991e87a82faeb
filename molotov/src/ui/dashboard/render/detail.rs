//! The selected row of the table: its course over time, its distribution, its statuses and its errors.

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::Style,
    text::{Line as Text, Span},
    widgets::Paragraph,
};

use super::{
    super::state::{Kind, RowId, State, ended},
    chart::{Curve, Values},
    charts::{latency, percentile_curves, throughput, throughput_curves},
    distribution::described,
    latencies::{draw_heat_map, draw_histogram},
    style::{BOLD, Palette, block},
};
use crate::{
    format,
    metrics::{ErrorGroup, Stats},
    report::layout::{cut, fitting, fitting_parts, harmless, right, width},
    run::CourseBin,
};

/// The width from which two panels are beside each other.
const MIN_COLUMNS_FOR_TWO: u16 = 100;
/// The smallest height of a panel with a chart.
pub(super) const MIN_ROWS: u16 = 7;

/// A chart of latencies has at least this many bins, however few operations have ended.
const MIN_BINS: usize = 4;

/// A part of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Panel {
    Throughput,
    Latency,
    Histogram,
    HeatMap,
    /// The statuses of responses, or the errors of a scenario.
    Outcomes,
}

/// Draws the row.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State, row: &RowId) {
    let stats = state.stats(row);
    let columns = usize::from(area.width.saturating_sub(2));
    let back = fitting([" Esc: back · arrows: another row ", " Esc: back "].map(str::to_owned), columns / 2);
    let name = described(state, row, columns.saturating_sub(width(&back)));
    let mut head = vec![Text::styled(format!(" {name}"), BOLD)];
    head.extend(facts(state, row, &stats, usize::from(area.width)));
    let [top, body] = Layout::vertical([Constraint::Length(head.len() as u16), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(head), top);
    let back = Paragraph::new(back).alignment(Alignment::Right).style(Palette::of(state).faint());
    frame.render_widget(back, Rect { height: 1.min(area.height), ..area });
    draw_panels(frame, body, state, row, &stats);
}

/// Draws the row below the table, if there is room for a line with its name and a panel.
pub(super) fn draw_below(frame: &mut Frame<'_>, area: Rect, state: &State, row: &RowId) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let name = described(state, row, usize::from(area.width.saturating_sub(2)));
    frame.render_widget(Paragraph::new(Text::styled(format!(" {name}"), BOLD)), head);
    draw_panels(frame, body, state, row, &state.stats(row));
}

/// Draws as many panels as fit.
fn draw_panels(frame: &mut Frame<'_>, area: Rect, state: &State, row: &RowId, stats: &Stats) {
    let mut panels = vec![Panel::Latency, Panel::Throughput];
    // Short lists of outcomes leave the room to charts.
    if !outcomes(state, row, stats, usize::from(area.width)).is_empty() {
        panels.push(Panel::Outcomes);
    }
    panels.extend([Panel::Histogram, Panel::HeatMap]);
    let wide = if area.width >= MIN_COLUMNS_FOR_TWO { 2 } else { 1 };
    let lines = usize::from(area.height / MIN_ROWS).max(1);
    panels.truncate(lines * wide);
    let lines = panels.len().div_ceil(wide);
    let heights = Layout::vertical(vec![Constraint::Fill(1); lines]).split(area);
    for (panels, area) in panels.chunks(wide).zip(heights.iter()) {
        let areas = Layout::horizontal(vec![Constraint::Fill(1); panels.len()]).split(*area);
        for (panel, area) in panels.iter().zip(areas.iter()) {
            draw_panel(frame, *area, *panel, state, row, stats);
        }
    }
}

fn draw_panel(frame: &mut Frame<'_>, area: Rect, panel: Panel, state: &State, row: &RowId, stats: &Stats) {
    let (bins, period) = (state.bins(row), state.courses(row).period());
    match panel {
        Panel::Throughput => draw_throughput(frame, area, state, row),
        Panel::Latency => draw_latency(frame, area, state, row),
        Panel::Histogram => draw_histogram(frame, area, block(" Distribution ".to_owned()), &stats.latency, state),
        Panel::HeatMap => draw_heat_map(frame, area, block(" Over time ".to_owned()), bins, period, state),
        Panel::Outcomes => {
            let title = if row.kind == Kind::Request { " Statuses " } else { " Errors " };
            let lines = outcomes(state, row, stats, usize::from(area.width.saturating_sub(2)));
            frame.render_widget(Paragraph::new(lines).block(block(title.to_owned())), area);
        }
    }
}

/// Two lines: counts and rates, then latencies and bytes.
fn facts(state: &State, row: &RowId, stats: &Stats, columns: usize) -> Vec<Text<'static>> {
    let palette = Palette::of(state);
    let (count, failed) = (ended(stats), stats.counts.failed);
    let seconds = state.progress.totals.active().as_secs_f64();
    let rate = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let now = state.recent_rate(row).map_or("–".to_owned(), format::rate);
    let bad = if failed > 0 { palette.bad() } else { Style::new() };
    let first = [
        (0, format!(" {} ended ", format::count(count)), BOLD),
        (1, format!(" {} failed ({}) ", format::count(failed), format::percent(failed, count)), bad),
        (3, format!(" {}/s ", format::rate(rate)), Style::new()),
        (2, format!(" now {now}/s "), Style::new()),
        (4, format!(" {} interrupted ", format::count(stats.counts.interrupted)), palette.faint()),
    ];
    let at = |times: &crate::metrics::Histogram, percent| {
        times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency)
    };
    let mut second = vec![
        (2, format!(" p50 {} ", at(&stats.latency, 50.0)), Style::new()),
        (0, format!(" p95 {} ", at(&stats.latency, 95.0)), BOLD),
        (1, format!(" p99 {} ", at(&stats.latency, 99.0)), Style::new()),
        (3, format!(" max {} ", format::latency(stats.latency.max())), Style::new()),
    ];
    if !stats.service.is_empty() {
        second.push((4, format!(" service p95 {} ", at(&stats.service, 95.0)), Style::new()));
    }
    if row.kind == Kind::Request {
        second.push((5, format!(" first byte p95 {} ", at(&stats.first_byte, 95.0)), Style::new()));
        second.push((6, format!(" {} received ", format::bytes(stats.bytes_in)), Style::new()));
        second.push((7, format!(" {} sent ", format::bytes(stats.bytes_out)), Style::new()));
    }
    [first.to_vec(), second].into_iter().map(|parts| line(&parts, columns)).collect()
}

/// The parts that fit, by rank.
fn line(parts: &[(u8, String, Style)], columns: usize) -> Text<'static> {
    let shown = fitting_parts(columns, parts.iter().map(|(rank, text, _)| (*rank, width(text))));
    shown.into_iter().map(|index| Span::styled(parts[index].1.clone(), parts[index].2)).collect::<Vec<_>>().into()
}

/// The statuses of requests, or the errors of scenarios, the most frequent first.
fn outcomes(state: &State, row: &RowId, stats: &Stats, columns: usize) -> Vec<Text<'static>> {
    match row.kind {
        Kind::Request => statuses(state, stats, columns),
        Kind::Scenario => {
            let is_of_row = |error: &&&ErrorGroup| row.is_all() || error.scenario == *row.name;
            let errors = state.errors();
            let errors: Vec<_> = errors.iter().filter(is_of_row).collect();
            errors.into_iter().flat_map(|error| error_lines(state, error, columns)).collect()
        }
        _ => Vec::new(),
    }
}

fn statuses(state: &State, stats: &Stats, columns: usize) -> Vec<Text<'static>> {
    let palette = Palette::of(state);
    let count = ended(stats);
    let answered: u64 = stats.statuses.values().sum();
    let mut all: Vec<(String, u64)> = stats.statuses.iter().map(|(status, count)| (harmless(status), *count)).collect();
    if answered < count {
        all.push(("no response".to_owned(), count - answered));
    }
    all.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let names = all.iter().map(|(status, _)| width(status)).max().unwrap_or(0).min(columns / 3);
    let lines = all.into_iter().map(|(status, number)| {
        let style = match status.as_bytes().first() {
            Some(b'2' | b'3') => palette.good(),
            _ => palette.bad(),
        };
        let text = format!(
            " {} {} {}",
            right(&cut(&status, names), names),
            right(&format::count(number), 11),
            right(&format::percent(number, count), 8)
        );
        let room = columns.saturating_sub(width(&text) + 2);
        let bar = if count == 0 { 0 } else { (number as f64 / count as f64 * room as f64).round() as usize };
        Text::from(vec![
            Span::raw(text),
            Span::raw(" "),
            Span::styled("█".repeat(bar.max(usize::from(room > 0))), style),
        ])
    });
    lines.filter(|line| line.width() <= columns).collect()
}

/// Two lines of an error: how often it occurred, and its message.
fn error_lines(state: &State, error: &ErrorGroup, columns: usize) -> [Text<'static>; 2] {
    let place = error.place.as_deref().map(|place| format!(" at {}", harmless(place))).unwrap_or_default();
    let head = format!(" {} × {}{place}", format::count(error.count), harmless(&error.kind));
    let message = error.message.lines().next().unwrap_or_default();
    [
        Text::styled(cut(&head, columns), Palette::of(state).bad()),
        Text::raw(cut(&format!("   {}", harmless(message)), columns)),
    ]
}

/// The number of latencies in a bin from which p95 can be estimated.
const ENOUGH: u64 = 20;

/// The complete bins of a row, with the time at which each of them ends, in seconds. With `merged`, few operations are merged to
/// longer bins, to have percentiles.
fn complete(state: &State, row: &RowId, merged: bool) -> Vec<(f64, CourseBin)> {
    let period = state.courses(row).period();
    let bins = state.bins(row);
    let passed = state.progress.totals.elapsed.as_secs() / period.as_secs().max(1);
    let number = usize::try_from(passed).unwrap_or(usize::MAX).min(state.courses(row).len());
    let count: u64 = bins.iter().take(number).map(|bin| bin.ok + bin.failed).sum();
    let needed = (ENOUGH * number as u64).div_ceil(count.max(1));
    let together = if merged { (needed as usize).clamp(1, (number / MIN_BINS).max(1)) } else { 1 };
    let last = |index: usize| (index + together).min(number);
    (0..number)
        .step_by(together)
        .map(|index| {
            let mut all = CourseBin::default();
            bins.iter().take(last(index)).skip(index).for_each(|bin| {
                all.ok += bin.ok;
                all.failed += bin.failed;
                all.latency.merge(&bin.latency);
            });
            (period.as_secs_f64() * last(index) as f64, all)
        })
        .collect()
}

/// The time of the whole run.
fn span(state: &State) -> [f64; 2] {
    [0.0, state.progress.totals.elapsed.as_secs_f64().max(1.0)]
}

fn draw_throughput(frame: &mut Frame<'_>, area: Rect, state: &State, row: &RowId) {
    let period = state.courses(row).period().as_secs_f64();
    let values = |count: fn(&CourseBin) -> u64| -> Values {
        complete(state, row, false).iter().map(|(at, bin)| (*at, count(bin) as f64 / period)).collect()
    };
    let curves = throughput_curves(state, values(|bin| bin.ok), values(|bin| bin.failed));
    throughput(&["Ended a second", "Ended/s"], &curves, span(state)).draw(frame, area, state);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, state: &State, row: &RowId) {
    let bins = complete(state, row, true);
    let curves = percentile_curves(state, |percent, name, style| {
        let each = bins.iter().filter_map(|(at, bin)| Some((*at, bin.latency.percentile_if_enough(percent)?)));
        Curve::new(name, style, each.map(|(at, time)| (at, time.as_secs_f64())).collect())
    });
    latency(&["Latency"], &curves, span(state)).draw(frame, area, state);
}
