//! Draws the screen: a pure function of the state and the size of the terminal.

mod activity;
mod ascii;
mod chart;
mod charts;
mod columns;
mod custom;
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
    buffer::Cell,
    layout::{Constraint, Layout, Rect},
};

use super::state::{State, View};

/// The view as it was drawn last, to be shown again while it is the same.
#[derive(Debug, Default)]
pub(super) struct Body {
    area: Rect,
    revision: u64,
    cells: Vec<Cell>,
}

/// Draws the whole screen. `body` is the one of the previous frame.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, body: &mut Body) {
    let area = frame.area();
    // Small terminals keep their rows for the view.
    let rows = |rows: u16, min_height: u16| Constraint::Length(if area.height >= min_height { rows } else { 0 });
    let bar = if state.completion().is_some() { rows(1, 24) } else { Constraint::Length(0) };
    let [verdict, views, progress, view, totals] = Layout::vertical([
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
    body.draw(frame, view, state);
    frame::draw_footer(frame, totals, state);
    if state.help {
        frame::draw_help(frame, area, state);
    }
    if state.ascii {
        ascii::replace(frame.buffer_mut());
    }
}

impl Body {
    /// Draws the view, or copies it if it is the same as in the previous frame.
    fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        // A view has the width of the screen, so its cells follow each other.
        let first = usize::from(area.y) * usize::from(frame.area().width);
        let cells = first..first + area.area() as usize;
        if self.area == area && self.revision == state.revision() && !self.cells.is_empty() {
            return frame.buffer_mut().content[cells].clone_from_slice(&self.cells);
        }
        match state.view {
            View::Live => live::draw(frame, area, state),
            View::Table => table::draw(frame, area, state),
            View::Distribution => distribution::draw(frame, area, state),
            View::Errors => errors::draw(frame, area, state),
            View::Generator => generator::draw(frame, area, state),
            View::Activity => activity::draw(frame, area, state),
        }
        self.cells.clear();
        self.cells.extend_from_slice(&frame.buffer_mut().content[cells]);
        (self.area, self.revision) = (area, state.revision());
    }
}
