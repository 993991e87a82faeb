//! Charts of throughput and latency.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    symbols::Marker,
    widgets::{Axis, Chart, Dataset, GraphType},
};

use super::{
    super::state::State,
    style::{Palette, block},
};
use crate::{format, report::layout::fitting, run::Point};

/// The number of points that a chart shows.
const POINTS: usize = 120;

pub(super) fn draw_throughput(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let points = recent_points(state);
    let values = |count: fn(&Point) -> u64| -> Values {
        points.iter().map(|point| (point.at.as_secs_f64(), point.per_second(count(point)))).collect()
    };
    let lines = [
        ("ok", palette.good(), values(|point| point.successes)),
        ("failed", palette.bad(), values(|point| point.failures)),
    ];
    draw_chart(frame, area, " Scenarios a second ".to_owned(), &lines, format::rate, state);
}

pub(super) fn draw_latency(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let points = recent_points(state);
    let values = |percent: f64| -> Values {
        let timed = points.iter().filter(|point| !point.latency.is_empty());
        timed.map(|point| (point.at.as_secs_f64(), point.latency.percentile(percent).as_secs_f64())).collect()
    };
    let lines = [("p50", palette.first(), values(50.0)), ("p95", palette.second(), values(95.0))];
    let timed = state.timeline.latency_source().name();
    let mut titles = vec![format!(" Latency of {timed} "), " Latency ".to_owned()];
    if let Some(point) = points.iter().rev().find(|point| !point.latency.is_empty()) {
        let [p50, p95] = [50.0, 95.0].map(|percent| format::latency(point.latency.percentile(percent)));
        titles.splice(
            0..0,
            [
                format!(" Latency of {timed}: p50 {p50}, p95 {p95} "),
                format!(" Latency of {timed}: p95 {p95} "),
                format!(" p50 {p50}, p95 {p95} "),
                format!(" p95 {p95} "),
            ],
        );
    }
    let title = fitting(titles, usize::from(area.width.saturating_sub(2)));
    let time = |seconds: f64| format::latency(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    draw_chart(frame, area, title, &lines, time, state);
}

/// The points that charts show.
fn recent_points(state: &State) -> Vec<Point> {
    let points = state.timeline.points();
    let before = points.len().saturating_sub(POINTS);
    points.skip(before).collect()
}

/// Seconds since the start of the run, and the values at these times.
type Values = Vec<(f64, f64)>;

/// Draws some lines over the last seconds.
fn draw_chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    lines: &[(&str, Style, Values)],
    label: impl Fn(f64) -> String,
    state: &State,
) {
    let mut points = state.timeline.points();
    let first = points.nth(points.len().saturating_sub(POINTS));
    let end = points.next_back().or(first.clone()).map_or(1.0, |point| point.at.as_secs_f64()).max(1.0);
    let begin = first.map_or(0.0, |point| point.at.saturating_sub(point.period).as_secs_f64());
    let highest = lines.iter().flat_map(|(_, _, values)| values.iter().map(|(_, value)| *value)).fold(0.0, f64::max);
    let top = round_up(highest);
    let datasets = lines
        .iter()
        .map(|(name, style, values)| {
            Dataset::default()
                .name(*name)
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(*style)
                .data(values)
        })
        .collect();
    let moment = |seconds: f64| format::clock(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let chart = Chart::new(datasets)
        .block(block(title))
        .x_axis(
            Axis::default().bounds([begin, end]).labels([moment(begin), moment(end)]).style(Palette::of(state).faint()),
        )
        .y_axis(
            Axis::default()
                .bounds([0.0, top])
                .labels(["0".to_owned(), label(top / 2.0), label(top)])
                .style(Palette::of(state).faint()),
        )
        .legend_position(None);
    frame.render_widget(chart, area);
}

/// The next round number that is not below `value`.
fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|round| *round >= value * 0.9999).unwrap_or(value)
}
