//! The statuses of the responses: a bar and its legend.

use std::{collections::BTreeMap, sync::Arc};

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line as Text, Span},
    widgets::Paragraph,
};

use super::super::{
    super::state::State,
    style::{Palette, block},
};
use crate::{
    format,
    report::layout::{cut, harmless, width},
};

/// The longest name of a status.
const MAX_STATUS: usize = 24;

/// A status, its number of responses, and how it is drawn.
struct Part {
    status: String,
    count: u64,
    symbol: &'static str,
    style: Style,
}

/// The number of rows that the panel needs; 0 without responses.
pub(super) fn rows(state: &State) -> u16 {
    if state.totals.requests.values().any(|stats| !stats.statuses.is_empty()) { 4 } else { 0 }
}

/// Draws the share of each status. With few rows, only the legend.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let parts = parts(state, &palette);
    let all: u64 = parts.iter().map(|part| part.count).sum();
    if area.height < 4 {
        return frame.render_widget(Paragraph::new(legend(&parts, all, usize::from(area.width))), area);
    }
    let block = block(format!(" Responses ({}) ", format::count(all)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width);
    let lines = vec![bar(&parts, all, columns), legend(&parts, all, columns)];
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The statuses, successes first.
fn parts(state: &State, palette: &Palette) -> Vec<Part> {
    let mut statuses: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
    for (status, count) in state.totals.requests.values().flat_map(|stats| &stats.statuses) {
        *statuses.entry(status).or_default() += count;
    }
    let part = |(status, count): (&Arc<str>, u64)| {
        let (symbol, style) = match status.as_bytes() {
            [b'2', _, _] => ("█", palette.good()),
            [b'1' | b'3', _, _] => ("▓", palette.first()),
            [b'4', _, _] => ("▒", palette.odd()),
            [b'5', _, _] => ("░", palette.bad()),
            _ => ("▚", Style::new()),
        };
        Part { status: cut(&harmless(status), MAX_STATUS), count, symbol, style }
    };
    statuses.into_iter().map(part).collect()
}

/// Each status has at least one column.
fn bar(parts: &[Part], all: u64, columns: usize) -> Text<'static> {
    let shares: Vec<_> =
        parts.iter().map(|part| (part.count as f64 / all.max(1) as f64 * columns as f64) as usize).collect();
    let mut widths: Vec<_> = shares.iter().map(|share| (*share).max(1)).collect();
    // What rounding has left over or taken is the difference of the longest part.
    let taken: usize = widths.iter().sum();
    if let Some(longest) = widths.iter_mut().max() {
        *longest = (*longest + columns).saturating_sub(taken).max(1);
    }
    let spans = parts.iter().zip(widths).map(|(part, width)| Span::styled(part.symbol.repeat(width), part.style));
    Text::from(spans.collect::<Vec<_>>())
}

/// The statuses that fit, the most frequent first.
fn legend(parts: &[Part], all: u64, columns: usize) -> Text<'static> {
    let mut sorted: Vec<_> = parts.iter().collect();
    sorted.sort_by_key(|part| std::cmp::Reverse(part.count));
    let texts = |with_share: bool| {
        sorted.iter().map(move |part| {
            let share = if with_share { format!(" ({})", format::percent(part.count, all)) } else { String::new() };
            (format!("{} {} {}{share}  ", part.symbol, part.status, format::count(part.count)), part.style)
        })
    };
    let fits = |with_share| texts(with_share).map(|(text, _)| width(&text)).sum::<usize>() <= columns + 2;
    let mut room = columns;
    let mut spans = Vec::new();
    for (text, style) in texts(fits(true)) {
        let text = if width(&text) > room { text.trim_end().to_owned() } else { text };
        if width(&text) > room {
            break;
        }
        room -= width(&text);
        spans.push(Span::styled(text, style));
    }
    Text::from(spans)
}
