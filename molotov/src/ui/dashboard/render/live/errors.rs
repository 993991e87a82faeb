//! The groups of errors and the checks that failed, the most frequent first.

use ratatui::{Frame, layout::Rect, style::Modifier, text::Line as Text, text::Span, widgets::Paragraph};

use super::super::{
    super::state::{State, View},
    style::{Palette, block},
};
use crate::{
    format,
    metrics::{Check, ErrorGroup},
    report::layout::{cut, fitting, harmless, shorten, width},
};

/// The number of rows that the panel needs; 0 without errors and failed checks.
pub(super) fn rows(state: &State) -> u16 {
    match 2 * state.totals.errors.len() + state.failed_checks().len() {
        0 => 0,
        rows => u16::try_from(rows + 2).unwrap_or(u16::MAX),
    }
}

/// Draws each group in two rows, or in one if there are too many, and each failed check in one.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let errors = state.errors();
    let all: u64 = errors.iter().map(|group| group.count).sum();
    let room = usize::from(area.height.saturating_sub(2));
    let checks = state.failed_checks();
    let failed: u64 = checks.iter().map(|(_, check)| check.failed).sum();
    let in_two_rows = 2 * errors.len() + checks.len() <= room;
    // Both have at least one row.
    let room_for_errors = room.saturating_sub(checks.len().min(room / 2)).max(room.saturating_sub(checks.len()));
    let hidden = if in_two_rows { 0 } else { errors.len().saturating_sub(room_for_errors) };
    let (errors_title, checks_title) =
        (format!("Errors ({})", format::count(all)), format!("Failed checks ({})", format::count(failed)));
    let block = block(match (errors.is_empty(), checks.is_empty()) {
        (_, true) => format!(" {errors_title} "),
        (true, false) => format!(" {checks_title} "),
        (false, false) => fitting(
            [format!(" {errors_title} · {checks_title} "), format!(" {errors_title} ")],
            usize::from(area.width),
        ),
    });
    let block = match hidden {
        0 => block,
        _ => block.title_bottom(format!(" and {} more, on page {} ", format::count(hidden as u64), page())),
    };
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width);
    let mut lines = Vec::new();
    for group in errors.into_iter().take(room_for_errors) {
        let head = head(group, columns);
        // The first line of a failed assertion contains no values.
        let message = harmless(&group.message.split_whitespace().collect::<Vec<_>>().join(" "));
        let style = palette.bad().add_modifier(Modifier::BOLD);
        if in_two_rows {
            lines.push(Text::styled(head, style));
            lines.push(Text::raw(cut(&format!("  {message}"), columns)));
        } else {
            let room = columns.saturating_sub(width(&head));
            let message = if room > 10 { cut(&format!("  {message}"), room) } else { String::new() };
            lines.push(Text::from(vec![Span::styled(head, style), Span::raw(message)]));
        }
    }
    for (name, check) in checks.into_iter().take(room.saturating_sub(lines.len())) {
        lines.push(Text::from(check_line(name, check, columns, &palette)));
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// A failed check in a row: `12 × check has items in buy at src/lib.rs:8:9: 3 is too large`.
fn check_line(name: &str, check: &Check, columns: usize, palette: &Palette) -> Vec<Span<'static>> {
    let count = format!("{} × check ", format::count(check.failed));
    let name = shorten(&harmless(name), (columns / 2).saturating_sub(width(&count)).max(12));
    let head = cut(&format!("{count}{name}"), columns);
    let sample = check.sample.as_ref().map(|sample| format!(" {}", harmless(&sample.describe()))).unwrap_or_default();
    let sample = cut(&sample, columns.saturating_sub(width(&head)));
    vec![Span::styled(head, palette.bad().add_modifier(Modifier::BOLD)), Span::raw(sample)]
}

/// The count, the kind, the place and the scenario of a group. If they do not fit, the longest of them are shortened.
fn head(group: &ErrorGroup, columns: usize) -> String {
    let count = format!("{} × ", format::count(group.count));
    let [kind, scenario] = [&group.kind, &group.scenario].map(|text| harmless(text));
    let place = harmless(group.place.as_deref().unwrap_or_default());
    let at = if place.is_empty() { "" } else { " at " };
    let fixed = width(&count) + width(at) + width(" in ");
    let [kind_room, place_room, scenario_room] =
        rooms([&kind, &place, &scenario].map(|text| width(text)), columns.saturating_sub(fixed));
    let [kind, place] = [shorten(&kind, kind_room), shorten(&place, place_room)];
    cut(&format!("{count}{kind}{at}{place} in {}", shorten(&scenario, scenario_room)), columns)
}

/// Divides columns among texts of these widths: what short ones do not need is left to the longer ones.
fn rooms(widths: [usize; 3], columns: usize) -> [usize; 3] {
    let mut places = [0, 1, 2];
    places.sort_by_key(|place| widths[*place]);
    let (mut rooms, mut left) = ([0; 3], columns);
    for (rank, place) in places.into_iter().enumerate() {
        rooms[place] = widths[place].min(left / (3 - rank));
        left -= rooms[place];
    }
    rooms
}

/// The key that shows the view of errors.
fn page() -> usize {
    View::ALL.iter().position(|view| *view == View::Errors).unwrap_or(0) + 1
}
