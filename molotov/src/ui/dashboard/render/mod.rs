//! Draws the screen: a pure function of the state and the size of the terminal.

mod charts;
mod columns;
mod errors;
mod generator;
mod live;
mod style;
mod table;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line as Text, Span},
    widgets::{Clear, Gauge, Paragraph},
};

use self::style::{BOLD, MARKED, Palette, block};
use super::state::{State, View};
use crate::{
    format,
    report::layout::{fitting, fitting_parts, harmless, width},
};

/// Draws the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let bar = if state.completion().is_some() && area.height >= 10 { 1 } else { 0 };
    let [header, progress, body, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(bar),
        Constraint::Min(0),
        Constraint::Length(if area.height >= 6 { 2 } else { 1 }),
    ])
    .areas(area);
    draw_header(frame, header, state);
    draw_progress(frame, progress, state);
    match state.view {
        View::Live => live::draw(frame, body, state),
        View::Table => table::draw(frame, body, state),
        View::Errors => errors::draw(frame, body, state),
        View::Generator => generator::draw(frame, body, state),
    }
    draw_footer(frame, footer, state);
    if state.help {
        draw_help(frame, area, state);
    }
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let name = [format!(" Molotov {} ", env!("CARGO_PKG_VERSION")), " Molotov ".to_owned()];
    let mut spans = vec![Span::styled(fitting(name, usize::from(area.width)), BOLD)];
    let narrow = area.width < 76;
    for (number, view) in View::ALL.into_iter().enumerate() {
        let name = if narrow { view.name().split(' ').next().unwrap_or_default() } else { view.name() };
        let style = if view == state.view { MARKED } else { Style::new() };
        spans.push(Span::styled(format!(" {} {name} ", number + 1), style));
    }
    if state.stopping {
        spans.push(Span::styled("  stopping", palette.odd()));
    } else if state.paused {
        spans.push(Span::styled("  paused", palette.odd()));
    } else if state.progress.totals.elapsed < state.progress.warm_up_until {
        spans.push(Span::styled("  warm-up", palette.odd()));
    }
    frame.render_widget(Paragraph::new(Text::from(spans)), area);
}

fn draw_progress(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some((share, left)) = state.completion() else { return };
    let done = format!("{:.0} %", share * 100.0);
    let left = left.map(|left| format!("{done} · {} left", format::clock(left)));
    let gauge = Gauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .label(fitting(left.into_iter().chain([done]), usize::from(area.width)))
        .gauge_style(Palette::of(state).first());
    frame.render_widget(gauge, area);
}

fn draw_footer(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let progress = &state.progress;
    let failed = if progress.totals.failures > 0 { palette.bad().add_modifier(Modifier::BOLD) } else { BOLD };
    let mut parts = vec![
        (
            0,
            format!(" SUCCESS: {} ", format::count(progress.totals.successes)),
            palette.good().add_modifier(Modifier::BOLD),
        ),
        (1, format!(" FAILED: {} ", format::count(progress.totals.failures)), failed),
        (4, format!(" WORKERS: {} ", format::count(progress.workers as u64)), BOLD),
        (6, format!(" PROCESSES: {} ", progress.processes), BOLD),
        (3, format!(" ELAPSED: {} ", format::clock(progress.totals.elapsed)), BOLD),
        (5, format!(" {}/s ", format::rate(progress.rate)), Style::new()),
    ];
    if let Some(sizing) = progress.sizing {
        parts.push((2, format!(" SIZING: {sizing} "), palette.odd()));
    }
    let shown = fitting_parts(usize::from(area.width), parts.iter().map(|(rank, text, _)| (*rank, width(text))));
    let spans: Vec<_> = shown.into_iter().map(|place| Span::styled(parts[place].1.clone(), parts[place].2)).collect();
    let keys = if state.filtering {
        format!(" filter: {}▏ (Enter applies it, Esc clears it)", harmless(&state.filter))
    } else {
        let filter = match state.filter.is_empty() {
            true => String::new(),
            false => format!("  filter: {}", harmless(&state.filter)),
        };
        let (load, sort) = (state.changeable(), state.sort.name());
        format!(" q stop  p pause  +/- {load}  Tab view  s sort by {sort}  / filter  ? help{filter}")
    };
    let lines = vec![Text::from(spans), Text::from(Span::styled(keys, palette.faint()))];
    frame.render_widget(Paragraph::new(lines), area);
}

const HELP: [(&str, &str); 11] = [
    ("q, Ctrl-C", "stop; a second time: interrupt scenarios"),
    ("p, Space", "pause or resume"),
    ("+  -", ""),
    ("Tab, 1 to 4", "switch views"),
    ("arrows, PgUp, PgDn", "scroll, or select an error"),
    ("Home, End", "go to the first or the last row"),
    ("s", "sort the table by the next column"),
    ("/", "filter by text; Esc clears the filter"),
    ("Ctrl-L", "redraw the screen"),
    ("Ctrl-Z", "suspend; `fg` resumes"),
    ("?", "show this help; any key closes it"),
];

fn draw_help(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let change = match state.changeable() {
        "workers" => "add or remove a tenth of the workers",
        "rate" => "raise or lower the rate by a tenth from now on",
        _ => "raise or lower rates and workers by a tenth",
    };
    let (width, height) = (70.min(area.width), (HELP.len() as u16 + 2).min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    let lines: Vec<_> = HELP
        .iter()
        .map(|(keys, what)| {
            Text::from(vec![
                Span::styled(format!(" {keys:<19}"), BOLD),
                Span::raw(if what.is_empty() { change } else { what }),
            ])
        })
        .collect();
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block(" Keys ".to_owned())), place);
}
