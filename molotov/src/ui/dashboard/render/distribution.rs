//! The view of the distribution: how long operations took, in the whole run and over time.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
};

use super::{
    super::state::{RowId, State, ended},
    latencies::{draw_heat_map, draw_histogram},
    style::block,
};
use crate::{
    format,
    report::layout::{fitting, harmless, shorten},
};

/// The smallest height of the view that has room for the heat map.
const MIN_ROWS_FOR_HEAT_MAP: u16 = 14;

/// Draws the distribution of the chosen row.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let row = state.distribution_row();
    let stats = state.stats(&row);
    let below = if area.height >= MIN_ROWS_FOR_HEAT_MAP { Constraint::Fill(1) } else { Constraint::Length(0) };
    let [top, bottom] = Layout::vertical([Constraint::Fill(1), below]).areas(area);
    let columns = usize::from(area.width.saturating_sub(2));
    let what = if stats.service.is_empty() { "Latency" } else { "Response times" };
    let count = format::count(ended(&stats));
    let (long, short) = (columns.saturating_sub(48), columns.saturating_sub(12));
    let titles = [
        format!(" {what} of {} ({count}) · arrows: another row ", described(state, &row, long)),
        format!(" {what} of {} ", described(state, &row, short)),
        format!(" {} ", described(state, &row, columns.saturating_sub(2))),
    ];
    draw_histogram(frame, top, block(fitting(titles, columns)), &stats.latency, state);
    let period = state.courses(&row).period();
    draw_heat_map(frame, bottom, block(" Over time ".to_owned()), state.bins(&row), period, state);
}

/// What a row measures, in at most this many columns.
pub(super) fn described(state: &State, row: &RowId, columns: usize) -> String {
    match (row.is_all(), state.number_of(row.kind)) {
        (true, 0 | 1) => format!("{}s", row.kind.name()),
        (true, number) => format!("all {}", format::plural(number, row.kind.name())),
        (false, _) => shorten(&format!("{} {}", row.kind.name(), harmless(&row.name)), columns),
    }
}
