//! Draws the screen: a pure function of the state and the size of the terminal.

mod activity;
mod ascii;
mod chart;
mod charts;
mod columns;
mod detail;
mod distribution;
mod errors;
mod frame;
mod generator;
mod latencies;
mod live;
mod style;
mod table;

use ratatui::{
    Frame,
    layout::{Constraint, Layout},
};

use super::state::{State, View};

/// Draws the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    // Small terminals keep their rows for the view.
    let rows = |rows: u16, min_height: u16| Constraint::Length(if area.height >= min_height { rows } else { 0 });
    let bar = if state.completion().is_some() { rows(1, 24) } else { Constraint::Length(0) };
    let [verdict, views, progress, body, totals] = Layout::vertical([
        Constraint::Length(1),
        rows(1, 5),
        bar,
        Constraint::Min(0),
        if area.height >= 6 { Constraint::Length(2) } else { Constraint::Length(1) },
    ])
    .areas(area);
    frame::draw_verdict(frame, verdict, state);
    frame::draw_views(frame, views, state);
    frame::draw_progress(frame, progress, state);
    match state.view {
        View::Live => live::draw(frame, body, state),
        View::Table => table::draw(frame, body, state),
        View::Distribution => distribution::draw(frame, body, state),
        View::Errors => errors::draw(frame, body, state),
        View::Generator => generator::draw(frame, body, state),
        View::Activity => activity::draw(frame, body, state),
    }
    frame::draw_footer(frame, totals, state);
    if state.help {
        frame::draw_help(frame, area, state);
    }
    if state.ascii {
        ascii::replace(frame.buffer_mut());
    }
}
