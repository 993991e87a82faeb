//! The groups of errors, the most frequent first.

use ratatui::{Frame, layout::Rect, style::Modifier, text::Line as Text, text::Span, widgets::Paragraph};

use super::super::{
    super::state::{State, View},
    style::{Palette, block},
};
use crate::{
    format,
    metrics::ErrorGroup,
    report::layout::{cut, harmless, shorten, width},
};

/// The number of rows that the panel needs; 0 without errors.
pub(super) fn rows(state: &State) -> u16 {
    match state.totals.errors.len() {
        0 => 0,
        count => u16::try_from(2 * count + 2).unwrap_or(u16::MAX),
    }
}

/// Draws each group in two rows, or in one if there are too many.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let errors = state.errors();
    let all: u64 = errors.iter().map(|group| group.count).sum();
    let room = usize::from(area.height.saturating_sub(2));
    let in_two_rows = 2 * errors.len() <= room;
    let hidden = if in_two_rows { 0 } else { errors.len().saturating_sub(room) };
    let block = block(format!(" Errors ({}) ", format::count(all)));
    let block = match hidden {
        0 => block,
        _ => block.title_bottom(format!(" and {} more, on page {} ", format::count(hidden as u64), page())),
    };
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width);
    let mut lines = Vec::new();
    for group in errors.into_iter().take(room) {
        let head = head(group, columns);
        let message = harmless(group.message.lines().next().unwrap_or_default());
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
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The count, the kind, the place and the scenario of a group.
fn head(group: &ErrorGroup, columns: usize) -> String {
    let place = group.place.as_deref().map(|place| format!(" at {}", shorten(&harmless(place), columns / 3)));
    let what = format!("{} × {}", format::count(group.count), shorten(&harmless(&group.kind), columns / 3));
    cut(
        &format!("{what}{} in {}", place.unwrap_or_default(), shorten(&harmless(&group.scenario), columns / 3)),
        columns,
    )
}

/// The key that shows the view of errors.
fn page() -> usize {
    View::ALL.iter().position(|view| *view == View::Errors).unwrap_or(0) + 1
}
