//! The view of the activity: what workers do, and what scenarios print.

use ratatui::{Frame, layout::Rect, style::Style, text::Line as Text, widgets::Paragraph};

use super::{
    super::state::State,
    style::{Palette, block},
};
use crate::{
    format,
    report::layout::{cut, harmless, width},
    run::LineKind,
    ui::origin::origin,
};

/// Draws the lines of the run, the newest last.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let title = if state.scroll > 0 { format!(" Activity (-{}) ", state.scroll) } else { " Activity ".to_owned() };
    let block = block(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (columns, room) = (usize::from(inner.width), usize::from(inner.height));
    let mut shown: Vec<Text<'_>> = Vec::new();
    for entry in state.activity.entries().rev().skip(state.scroll) {
        if shown.len() >= room {
            break;
        }
        let line = &entry.line;
        let style = match line.kind {
            LineKind::Failure | LineKind::MoreFailures => palette.bad(),
            LineKind::Warning => palette.odd(),
            LineKind::Info => palette.faint(),
            LineKind::Print => Style::new(),
        };
        let worker = line.worker.map(|worker| format!("[W:{worker}] ")).unwrap_or_default();
        let mut prefix = origin(line) + &worker;
        let mut texts = Vec::new();
        let mut more = match (entry.more, line.kind) {
            (0, _) => String::new(),
            (more, LineKind::Info) => format!(" (and {})", format::plural(more, "more worker")),
            (more, _) => format!(" (and {} more)", format::count(more)),
        };
        for text in line.text.lines() {
            let text = std::mem::take(&mut prefix) + &harmless(text);
            let more = std::mem::take(&mut more);
            let text = cut(&text, columns.saturating_sub(width(&more))) + &more;
            texts.push(Text::styled(cut(&text, columns), style));
        }
        shown.extend(texts.into_iter().rev());
    }
    shown.truncate(room);
    shown.reverse();
    frame.render_widget(Paragraph::new(shown), inner);
}
