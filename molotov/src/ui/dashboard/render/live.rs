//! The live view: charts, responses, thresholds, requests and errors, as far as they fit.

mod endpoints;
mod errors;
mod responses;
mod thresholds;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line as Text, Span},
    widgets::Paragraph,
};

use super::{super::state::State, charts::LiveChart, style::Palette};
use crate::{
    format,
    report::layout::{fitting_parts, width},
};

/// The rows that a chart needs: its border, its times, and a few rows of its plot.
const MIN_CHART_ROWS: u16 = 7;
/// The columns that a chart needs if there are others beside it.
const MIN_CHART_COLUMNS: u16 = 26;
/// From this many columns on, lists have two columns.
const MIN_WIDE: u16 = 100;

/// Draws the view.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let starts = u16::from(state.progress.plan.is_some() && area.height > 3);
    let [starts, area] = Layout::vertical([Constraint::Length(starts), Constraint::Min(0)]).areas(area);
    draw_starts(frame, starts, state);
    let wide = area.width >= MIN_WIDE;
    let sections = Section::of(state);
    let columns = match wide {
        true => {
            let (left, right): (Vec<_>, Vec<_>) = sections.into_iter().partition(|section| section.is_left);
            vec![left, right].into_iter().filter(|column| !column.is_empty()).collect()
        }
        false => vec![sections],
    };
    let wanted = columns.iter().map(|column: &Vec<Section>| column.iter().map(|section| section.rows).sum::<u16>());
    let wanted = wanted.max().unwrap_or(0);
    // Charts take at least two fifths of the rows, and what the lists leave.
    let charts = match area.height {
        height if height < MIN_CHART_ROWS + 4 || area.width < MIN_CHART_COLUMNS => 0,
        height => height.saturating_sub(wanted).max(height * 2 / 5).max(MIN_CHART_ROWS),
    };
    let [charts, lists] = Layout::vertical([Constraint::Length(charts), Constraint::Min(0)]).areas(area);
    draw_charts(frame, charts, state);
    let areas = Layout::horizontal(columns.iter().map(|_| Constraint::Fill(1))).split(lists);
    for (column, area) in columns.iter().zip(areas.iter()) {
        let rows = share_rows(area.height, column);
        let places = Layout::vertical(rows.into_iter().map(Constraint::Length)).split(*area);
        for (section, place) in column.iter().zip(places.iter()) {
            if place.height > 0 {
                (section.draw)(frame, *place, state);
            }
        }
    }
}

/// A list of the view.
struct Section {
    /// The fewest rows with which it is useful.
    min_rows: u16,
    /// The rows with which it shows everything.
    rows: u16,
    /// Whether a number of rows between the two shows no more than the fewest.
    is_whole: bool,
    is_left: bool,
    draw: fn(&mut Frame<'_>, Rect, &State),
}

impl Section {
    /// The lists that have content, the most important first.
    fn of(state: &State) -> Vec<Section> {
        let all = [
            Section {
                min_rows: 3,
                rows: thresholds::rows(state),
                is_whole: false,
                is_left: false,
                draw: thresholds::draw,
            },
            Section { min_rows: 1, rows: responses::rows(state), is_whole: true, is_left: true, draw: responses::draw },
            Section { min_rows: 3, rows: errors::rows(state), is_whole: false, is_left: false, draw: errors::draw },
            Section {
                min_rows: 4,
                rows: endpoints::rows(state),
                is_whole: false,
                is_left: true,
                draw: endpoints::draw,
            },
        ];
        all.into_iter().filter(|section| section.rows > 0).collect()
    }
}

/// Divides rows among lists: first the fewest that each needs, then one by one, and what is left to the last one.
fn share_rows(rows: u16, sections: &[Section]) -> Vec<u16> {
    let mut left = rows;
    let mut shares = vec![0; sections.len()];
    for (share, section) in shares.iter_mut().zip(sections) {
        if section.min_rows <= left {
            *share = section.min_rows;
            left -= *share;
        }
    }
    while left > 0 {
        let before = left;
        for (share, section) in shares.iter_mut().zip(sections) {
            let missing = section.rows.saturating_sub(*share);
            let step = if section.is_whole { missing } else { missing.min(1) };
            if *share > 0 && step <= left {
                *share += step;
                left -= step;
            }
        }
        if left == before {
            break;
        }
    }
    if let Some(last) = shares.iter_mut().rev().find(|share| **share > 0) {
        *last += left;
    }
    shares
}

/// Draws the charts that fit, in one row or in two.
fn draw_charts(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let charts = LiveChart::of(state);
    if area.height < MIN_CHART_ROWS {
        return;
    }
    let beside = usize::from((area.width / MIN_CHART_COLUMNS).max(1));
    let above = if charts.len() > 2 && area.height >= 2 * (MIN_CHART_ROWS + 2) { 2 } else { 1 };
    let per_row = charts.len().div_ceil(above).min(beside);
    let rows: Vec<_> = charts.chunks(per_row).take(above).collect();
    let areas = Layout::vertical(rows.iter().map(|_| Constraint::Fill(1))).split(area);
    for (charts, area) in rows.iter().zip(areas.iter()) {
        let areas = Layout::horizontal(charts.iter().map(|_| Constraint::Fill(1))).split(*area);
        for (chart, area) in charts.iter().zip(areas.iter()) {
            chart.draw(frame, *area, state);
        }
    }
}

/// How the starts of scenarios compare with the plan, in a line.
fn draw_starts(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some(plan) = &state.progress.plan else { return };
    let palette = Palette::of(state);
    let alarming = |count: u64, style: Style| if count > 0 { style } else { Style::new() };
    let lag = state.totals.all_starts().lag.percentile_if_enough(99.0).map_or("–".to_owned(), format::latency);
    let parts = [
        (0, format!(" ASKED: {}/s ", format::rate(plan.rate)), Style::new()),
        (1, format!(" ACHIEVED: {}/s ", format::rate(plan.achieved)), Style::new()),
        (2, format!(" LATE: {} ", format::count(plan.late)), alarming(plan.late, palette.odd())),
        (3, format!(" DROPPED: {} ", format::count(plan.dropped)), alarming(plan.dropped, palette.bad())),
        (4, format!(" LAG p99: {lag} "), Style::new()),
        (5, format!(" STARTED: {} of {} ", format::count(plan.started), format::count(plan.planned)), Style::new()),
    ];
    let shown = fitting_parts(usize::from(area.width), parts.iter().map(|(rank, text, _)| (*rank, width(text))));
    let spans: Vec<_> = shown.into_iter().map(|place| Span::styled(parts[place].1.clone(), parts[place].2)).collect();
    frame.render_widget(Paragraph::new(Text::from(spans)), area);
}
