//! Rows of numbers in as many columns as there is room for.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    style::Style,
    text::Line as Text,
    widgets::{Block, Cell, Row, Table},
};

use super::render::BOLD;
use crate::report::layout::{fitting_parts, room_for_names, shorten, width};

/// A column of numbers: its head, and how much it matters (less is more).
pub(super) type Head = (&'static str, u8);

/// One row: its name and the numbers in its columns, and how to paint them.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) cells: Vec<(String, Style)>,
}

/// Draws rows of numbers. Columns that matter less are left out where there is no room: a number that is cut reads as another.
pub(super) fn draw_rows(
    frame: &mut Frame<'_>,
    area: Rect,
    block: Block<'_>,
    name: &str,
    columns: &[Head],
    lines: Vec<Line>,
) {
    let room = usize::from(area.width.saturating_sub(2));
    let longest = lines.iter().map(|line| width(&line.name)).max().unwrap_or(0).max(width(name));
    let names = longest.min(room_for_names(room).max(12));
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(column, (head, _))| {
            let cells = lines.iter().filter_map(|line| line.cells.get(column));
            // Numbers that grow by a digit do not move the columns.
            cells.map(|(text, _)| width(text)).max().unwrap_or(0).max(width(head)).max(7)
        })
        .collect();
    let ranks = columns.iter().zip(&widths).map(|((_, rank), width)| (*rank, width + 1));
    let shown = fitting_parts(room.saturating_sub(names), ranks);
    let taken: usize = shown.iter().map(|column| widths[*column] + 1).sum();
    let names = longest.min(room.saturating_sub(taken));
    let header = std::iter::once(Cell::new(name.to_owned()))
        .chain(shown.iter().map(|column| Cell::new(Text::raw(columns[*column].0).right_aligned())));
    let rows: Vec<_> = lines
        .into_iter()
        .map(|line| {
            let cells = shown.iter().filter_map(|column| line.cells.get(*column));
            let cells = cells.map(|(text, style)| Cell::new(Text::raw(text.clone()).right_aligned()).style(*style));
            Row::new(std::iter::once(Cell::new(shorten(&line.name, names))).chain(cells))
        })
        .collect();
    let widths = std::iter::once(Constraint::Fill(1))
        .chain(shown.iter().map(|column| Constraint::Length(u16::try_from(widths[*column]).unwrap_or(u16::MAX))));
    frame.render_widget(Table::new(rows, widths).header(Row::new(header).style(BOLD)).block(block), area);
}
