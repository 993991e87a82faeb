//! Tables with as many columns as fit.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    style::Style,
    text::Line as Text,
    widgets::{Block, Cell, Row as TableRow, Table},
};

use super::style::BOLD;
use crate::report::layout::{fitting_parts, shorten, width};

/// A column of numbers: its head and its rank. Columns with a low rank are the last to be left out.
pub(super) type Column = (&'static str, u8);

/// A row: its name, and the texts of its columns with their styles.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: Vec<(String, Style)>,
}

/// Draws a table. Columns that do not fit are left out, since a number that is cut reads as another number.
pub(super) fn draw_columns(
    frame: &mut Frame<'_>,
    area: Rect,
    block: Block<'_>,
    name: &str,
    columns: &[Column],
    rows: Vec<Row>,
) {
    let rows: Vec<_> = rows.into_iter().map(|row| (row, Style::new())).collect();
    draw_styled(frame, area, block, name, columns, &rows, 0);
}

/// Draws a table whose rows have styles, from the row with the index `first` on. The rows before it count for the widths of the
/// columns.
pub(super) fn draw_styled(
    frame: &mut Frame<'_>,
    area: Rect,
    block: Block<'_>,
    name: &str,
    columns: &[Column],
    rows: &[(Row, Style)],
    first: usize,
) {
    let room = usize::from(area.width.saturating_sub(2));
    let longest = rows.iter().map(|(row, _)| width(&row.name)).max().unwrap_or(0).max(width(name));
    let names = longest.min(room_for_names(room).max(12));
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(column, (head, _))| {
            let cells = rows.iter().filter_map(|(row, _)| row.cells.get(column));
            // The minimum keeps columns in place when numbers grow by a digit.
            cells.map(|(text, _)| width(text)).max().unwrap_or(0).max(width(head)).max(7)
        })
        .collect();
    let ranks = columns.iter().zip(&widths).map(|((_, rank), width)| (*rank, width + 1));
    let shown = fitting_parts(room.saturating_sub(names), ranks);
    let taken: usize = shown.iter().map(|column| widths[*column] + 1).sum();
    let names = longest.min(room.saturating_sub(taken));
    let header = std::iter::once(Cell::new(name.to_owned()))
        .chain(shown.iter().map(|column| Cell::new(Text::raw(columns[*column].0).right_aligned())));
    let rows: Vec<_> = rows
        .iter()
        .skip(first)
        .take(usize::from(area.height))
        .map(|(row, style)| {
            let cells = shown.iter().filter_map(|column| row.cells.get(*column));
            let cells = cells.map(|(text, style)| Cell::new(Text::raw(text.clone()).right_aligned()).style(*style));
            TableRow::new(std::iter::once(Cell::new(shorten(&row.name, names))).chain(cells)).style(*style)
        })
        .collect();
    let widths = std::iter::once(Constraint::Fill(1))
        .chain(shown.iter().map(|column| Constraint::Length(u16::try_from(widths[*column]).unwrap_or(u16::MAX))));
    frame.render_widget(Table::new(rows, widths).header(TableRow::new(header).style(BOLD)).block(block), area);
}

/// The largest number of columns for names in a table of this width, if numbers need the rest.
fn room_for_names(room: usize) -> usize {
    if room < 80 { room * 3 / 10 } else { 24 + (room - 80) * 3 / 20 }
}
