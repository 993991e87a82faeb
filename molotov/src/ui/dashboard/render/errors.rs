//! The view of errors: a list, and the details of the selected one.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::Line as Text,
    widgets::Paragraph,
};

use super::{
    super::state::State,
    chart::{Chart, Curve, Scale, number},
    frame::no_match,
    style::{MARKED, Palette, block},
};
use crate::{
    format,
    metrics::ErrorGroup,
    report::layout::{cut, harmless, wrap},
};

/// Draws the list of errors and the selected one.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let errors = state.matching_errors();
    if errors.is_empty() {
        let text = match state.totals.errors.len() as u64 {
            0 => Text::styled("No errors so far.", Palette::of(state).good()),
            hidden => no_match("error", hidden, area, state),
        };
        frame.render_widget(Paragraph::new(text).block(block(" Errors ".to_owned())), area);
        return;
    }
    let selected = state.selected.min(errors.len() - 1);
    let height = (errors.len() as u16 + 2).min(area.height * 2 / 5).max(3);
    let [list, rest] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    draw_list(frame, list, &errors, selected);
    draw_group(frame, rest, errors[selected], state);
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, errors: &[&ErrorGroup], selected: usize) {
    let columns = usize::from(area.width.saturating_sub(2));
    let room = usize::from(area.height.saturating_sub(2)).max(1);
    let first = (selected + 1).saturating_sub(room);
    let lines: Vec<_> = errors
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(number, group)| {
            let place = group.place.as_deref().map(|place| format!(" at {}", harmless(place))).unwrap_or_default();
            let text = format!(
                "{:>8} × {} in {}{place}",
                format::count(group.count),
                harmless(&group.kind),
                harmless(&group.scenario)
            );
            Text::styled(cut(&text, columns), if number == selected { MARKED } else { Style::new() })
        })
        .collect();
    let title = format!(" Errors ({}) ", format::plural(errors.len() as u64, "kind"));
    frame.render_widget(Paragraph::new(lines).block(block(title)), area);
}

/// Draws how often errors of a group occurred, and the first of them. The chart takes the room that the text leaves.
fn draw_group(frame: &mut Frame<'_>, area: Rect, group: &ErrorGroup, state: &State) {
    let palette = Palette::of(state);
    let columns = usize::from(area.width.saturating_sub(2));
    let times = [group.first, group.last].map(format::seconds);
    let times = wrap(&format!("first {}, last {}", times[0], times[1]), columns.max(1));
    let mut lines: Vec<_> = times.into_iter().map(|line| Text::styled(line, palette.faint())).collect();
    for line in group.message.lines() {
        lines.extend(wrap(&harmless(line), columns.max(1)).into_iter().map(Text::raw));
    }
    for line in group.detail.iter().flat_map(|detail| detail.lines()) {
        lines.push(Text::styled(cut(&harmless(line), columns), palette.faint()));
    }
    let text = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let rows = if area.height >= 10 { area.height.saturating_sub(text).max(6) } else { 0 };
    let [chart, sample] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(area);
    if rows > 0 {
        draw_course(frame, chart, group, state);
    }
    frame.render_widget(Paragraph::new(lines).block(block(" The first of them ".to_owned())), sample);
}

/// Draws how often errors of a group occurred over the time of the run.
fn draw_course(frame: &mut Frame<'_>, area: Rect, group: &ErrorGroup, state: &State) {
    let courses = state.timeline.courses();
    let period = courses.period().as_secs_f64();
    let counts = state.course(group).iter().chain(std::iter::repeat(&0)).take(courses.len());
    let values = counts.enumerate().map(|(bin, count)| ((bin + 1) as f64 * period, *count as f64 / period)).collect();
    let chart = Chart {
        heads: &["Errors a second", "Errors/s"],
        curves: &[Curve::new("this kind", Palette::of(state).bad(), values)],
        scale: Scale::Linear,
        label: number,
        span: [0.0, (courses.len() as f64 * period).max(1.0)],
    };
    chart.draw(frame, area, state);
}
