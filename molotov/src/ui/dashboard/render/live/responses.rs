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

/// The symbols of parts, which differ without colors too.
const SYMBOLS: [&str; 6] = ["█", "▓", "▒", "░", "▚", "▞"];

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
    let mut parts: Vec<Part> = Vec::new();
    for (status, count) in statuses {
        let (first, style) = match status.as_bytes() {
            [b'2', _, _] => (0, palette.good()),
            [b'1' | b'3', _, _] => (1, palette.first()),
            [b'4', _, _] => (2, palette.odd()),
            [b'5', _, _] => (3, palette.bad()),
            _ => (4, Style::new()),
        };
        // Each class of statuses prefers a symbol. One that is taken is used again only if all are, and not beside itself.
        let mut symbols = SYMBOLS.iter().cycle().skip(first).take(SYMBOLS.len());
        let is_free = |symbol: &&&str| parts.iter().all(|part| part.symbol != **symbol);
        let is_beside = |symbol: &str| parts.last().is_some_and(|part| part.symbol == symbol);
        let other = SYMBOLS.iter().cycle().skip(first).find(|symbol| !is_beside(symbol));
        let symbol = symbols.find(is_free).or(other).unwrap_or(&SYMBOLS[first]);
        parts.push(Part { status: cut(&harmless(status), MAX_STATUS), count, symbol, style });
    }
    parts
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

/// The statuses that fit, the most frequent first, and how many do not.
fn legend(parts: &[Part], all: u64, columns: usize) -> Text<'static> {
    let mut sorted: Vec<_> = parts.iter().collect();
    sorted.sort_by_key(|part| std::cmp::Reverse(part.count));
    let texts = |with_share: bool| -> Vec<String> {
        let text = |part: &&Part| {
            let share = if with_share { format!(" ({})", format::percent(part.count, all)) } else { String::new() };
            format!("{} {} {}{share}", part.symbol, part.status, format::count(part.count))
        };
        sorted.iter().map(text).collect()
    };
    let more = |shown: usize| match sorted.len() - shown {
        0 => String::new(),
        hidden => format!("+{hidden}"),
    };
    // Two spaces follow each text, except the last one.
    let fits = |texts: &[String], shown: usize| {
        let taken: usize = texts[..shown].iter().map(|text| width(text) + 2).sum();
        taken + width(&more(shown)) <= columns + if shown == texts.len() { 2 } else { 0 }
    };
    let (long, short) = (texts(true), texts(false));
    let texts = if fits(&long, long.len()) { long } else { short };
    let shown = (0..=texts.len()).rev().find(|shown| fits(&texts, *shown)).unwrap_or(0);
    let spans = texts
        .into_iter()
        .zip(&sorted)
        .take(shown)
        .flat_map(|(text, part)| [Span::styled(text, part.style), Span::raw("  ")]);
    let more = cut(&more(shown), columns);
    Text::from(spans.chain([Span::raw(more)]).collect::<Vec<_>>())
}
