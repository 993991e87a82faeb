//! The thresholds as they are met so far: a light, the condition, and the measured value.

use ratatui::{Frame, layout::Rect, text::Line as Text, text::Span, widgets::Paragraph};

use super::super::{
    super::state::State,
    style::{Palette, block, light},
};
use crate::{
    format,
    report::layout::{cut, harmless, left, right, shorten, width},
    run::{Light, ThresholdResult},
};

/// The number of rows that the panel needs; 0 without thresholds.
pub(super) fn rows(state: &State) -> u16 {
    match state.thresholds.len() {
        0 => 0,
        count => u16::try_from(count + 2).unwrap_or(u16::MAX),
    }
}

/// Draws the thresholds, broken ones first.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let mut results: Vec<&ThresholdResult> = state.thresholds.iter().collect();
    results.sort_by_key(|result| match result.light() {
        Light::Broken => 0,
        Light::Close => 1,
        Light::Met => 2,
        Light::Unknown => 3,
    });
    let room = usize::from(area.height.saturating_sub(2));
    let hidden = results.len().saturating_sub(room);
    let block = block(" Thresholds ".to_owned());
    let block = match hidden {
        0 => block,
        _ => block.title_bottom(format!(" and {} more ", format::count(hidden as u64))),
    };
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width);
    let value = |result: &ThresholdResult| harmless(result.actual.as_deref().unwrap_or("–"));
    let names = results.iter().map(|result| width(&harmless(&result.expression))).max().unwrap_or(0);
    let values = results.iter().map(|result| width(&value(result))).max().unwrap_or(0);
    // A light, its word, and the spaces between the columns.
    let names = names.min(columns.saturating_sub(values + 14));
    let lines: Vec<_> = results
        .into_iter()
        .take(room)
        .map(|result| {
            let (symbol, style) = light(result.light(), &palette);
            let name = left(&shorten(&harmless(&result.expression), names), names);
            let text = format!(" {name}  {}  ", right(&value(result), values));
            Text::from(vec![
                Span::styled(symbol, style),
                Span::raw(cut(&text, columns.saturating_sub(1))),
                Span::styled(word(result.light()), style),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn word(light: Light) -> &'static str {
    match light {
        Light::Met => "met",
        Light::Close => "close",
        Light::Broken => "BROKEN",
        Light::Unknown => "no data",
    }
}
