//! The view of scenarios, requests and steps: a table, or the selected row of it.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    widgets::Paragraph,
};

use super::{
    super::state::{LAST_SECONDS, RowId, State, ended},
    columns::{Column, Row, draw_styled},
    custom, detail,
    frame::no_match,
    style::{BOLD, MARKED, Palette, block},
};
use crate::{
    format,
    metrics::Histogram,
    report::layout::{fitting, harmless},
};

const COLUMNS: [Column; 10] = [
    ("Count", 0),
    ("Failed", 1),
    ("Failed %", 4),
    ("Rate/s", 6),
    ("Now/s", 3),
    ("p50", 5),
    ("p95", 2),
    ("p99", 7),
    ("Mean", 9),
    ("Max", 8),
];

/// The number of rows around the visible ones that count for the widths of the columns, so that these rarely change.
const AROUND: usize = 50;

/// Draws the row that is open, or else the table.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    match state.opened_row() {
        Some(row) => detail::draw(frame, area, state, &row),
        None => draw_table(frame, area, state),
    }
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let ids = state.table_rows();
    // What the table does not need shows the selected row.
    let selected_row = state.selected_row().map(|(_, row)| row);
    let needed = u16::try_from(ids.iter().map(|id| lines(state, id)).sum::<usize>() + 3).unwrap_or(u16::MAX);
    let below = area.height.saturating_sub(needed);
    let below = if selected_row.is_some() && below > detail::MIN_ROWS { below } else { 0 };
    let [area, rest] = Layout::vertical([Constraint::Min(0), Constraint::Length(below)]).areas(area);
    if let Some(row) = selected_row.filter(|_| below > 0) {
        detail::draw_below(frame, rest, state, &row);
    }
    let selected = state.selected_row().map_or(0, |(index, _)| index);
    // The borders and the head take three lines.
    let room = usize::from(area.height.saturating_sub(3)).max(1);
    let near = selected.saturating_sub(room + AROUND)..selected.saturating_add(room + AROUND);
    let (mut rows, mut marked) = (Vec::new(), 0..0);
    for (index, id) in ids.iter().enumerate().filter(|(index, id)| near.contains(index) || id.is_all()) {
        let before = rows.len();
        let style = match (index == selected, id.is_all()) {
            (true, _) => MARKED,
            (false, true) => BOLD,
            (false, false) => Style::new(),
        };
        rows.extend(rows_of(state, id).into_iter().map(|row| (row, style)));
        if index == selected {
            marked = before..rows.len();
        }
    }
    // The selected row is in the middle, except near both ends.
    let first = (marked.end.saturating_sub(room.div_ceil(2))).min(rows.len().saturating_sub(room));
    let titles =
        [format!(" Scenarios, requests and steps by {} ", state.sort.name()), format!(" By {} ", state.sort.name())];
    let columns = usize::from(area.width.saturating_sub(2));
    let note = format!("Now/s: the last {} s", LAST_SECONDS.as_secs());
    let notes = [format!(" Enter opens a row · {note} "), format!(" {note} ")];
    let block = block(fitting(titles, columns)).title_bottom(fitting(notes, columns));
    let hidden = if ids.is_empty() { state.number_of_rows() } else { 0 };
    if hidden > 0 {
        let text = no_match("row", hidden, area, state);
        return frame.render_widget(Paragraph::new(text).block(block), area);
    }
    draw_styled(frame, area, block, "Name", &COLUMNS, &rows, first);
}

/// The number of lines of a row: one, or three if its response times and service times differ.
fn lines(state: &State, id: &RowId) -> usize {
    if state.stats(id).service.is_empty() { 1 } else { 3 }
}

/// The lines of a row.
fn rows_of(state: &State, id: &RowId) -> Vec<Row> {
    if let Some(row) = custom::row(state, id) {
        return vec![row];
    }
    let palette = Palette::of(state);
    let stats = state.stats(id);
    let count = ended(&stats);
    let seconds = state.progress.totals.active().as_secs_f64();
    let rate = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let failed = if stats.counts.failed > 0 { palette.bad() } else { Style::new() };
    let counts = [
        (format::count(count), Style::new()),
        (format::count(stats.counts.failed), failed),
        (format::percent(stats.counts.failed, count), failed),
        (format::rate(rate), Style::new()),
        (state.recent_rate(id).map_or("–".to_owned(), format::rate), Style::new()),
    ];
    let name = match id.is_all() {
        true => format::plural(state.number_of(id.kind), id.kind.name()),
        false => format!("  {}", harmless(&id.name)),
    };
    let is_open = !stats.service.is_empty();
    let latencies = if is_open { Default::default() } else { times(&stats.latency) };
    let plain = |text| (text, Style::new());
    let mut rows = vec![Row { name, cells: counts.into_iter().chain(latencies.map(plain)).collect() }];
    for (name, histogram) in [("    response time", &stats.latency), ("    service time", &stats.service)] {
        if is_open {
            let empty = [const { String::new() }; 5];
            rows.push(Row {
                name: name.to_owned(),
                cells: empty.into_iter().chain(times(histogram)).map(plain).collect(),
            });
        }
    }
    rows
}

/// The cells of the latencies.
fn times(times: &Histogram) -> [String; 5] {
    let time = |time: Duration| if times.is_empty() { "–".to_owned() } else { format::latency(time) };
    let at = |percent| times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency);
    [at(50.0), at(95.0), at(99.0), time(times.mean()), time(times.max())]
}
