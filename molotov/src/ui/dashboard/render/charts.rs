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
use crate::{
    format,
    metrics::Histogram,
    report::layout::fitting,
    run::{PlanProgress, Point, PointStarts},
};

/// The number of points that a chart shows.
const POINTS: usize = 120;
/// The number of points of the plan ahead.
const AHEAD: u32 = 60;

pub(super) fn draw_throughput(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let points = recent_points(state);
    let values = |count: fn(&Point) -> u64| -> Values {
        points.iter().map(|point| (point.at.as_secs_f64(), point.per_second(count(point)))).collect()
    };
    let failed = Curve::new("failed", palette.bad(), values(|point| point.failures));
    if let Some(plan) = &state.progress.plan {
        let count = |count: fn(&PointStarts) -> u64| -> Values {
            let starts = points.iter().filter_map(|point| Some((point, point.starts.as_deref()?)));
            starts.map(|(point, starts)| (point.at.as_secs_f64(), point.per_second(count(starts)))).collect()
        };
        let mut asked = count(|starts| starts.asked);
        asked.extend(rates_ahead(state, plan));
        let curves = [
            Curve { marker: Marker::Dot, ..Curve::new("asked", palette.faint(), asked) },
            Curve::new("achieved", palette.good(), count(|starts| starts.started)),
            failed,
        ];
        let (asked, achieved) = (format::rate(plan.rate), format::rate(plan.achieved));
        let titles = [
            format!(" Starts a second: {achieved} of {asked} asked "),
            format!(" Starts: {achieved} of {asked} asked "),
            " Starts a second ".to_owned(),
        ];
        let title = fitting(titles, usize::from(area.width.saturating_sub(2)));
        return draw_chart(frame, area, title, &curves, format::rate, state);
    }
    let curves = [Curve::new("ok", palette.good(), values(|point| point.successes)), failed];
    draw_chart(frame, area, " Scenarios a second ".to_owned(), &curves, format::rate, state);
}

/// Draws the number of workers, and the stages that are planned for them.
pub(super) fn draw_workers(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let points = recent_points(state);
    let workers = points.iter().map(|point| (point.at.as_secs_f64(), point.workers as f64)).collect();
    let (elapsed, planned) = (state.progress.totals.elapsed, |at| state.planned_workers(at));
    let before = points.iter().filter_map(|point| Some((point.at.as_secs_f64(), planned(point.at)?)));
    let ahead = moments_ahead(state, elapsed).into_iter().filter_map(|at| Some((at.as_secs_f64(), planned(at)?)));
    let curves = [
        Curve { marker: Marker::Dot, ..Curve::new("planned", palette.faint(), before.chain(ahead).collect()) },
        Curve::new("workers", palette.first(), workers),
    ];
    draw_chart(frame, area, " Workers ".to_owned(), &curves, format::rate, state);
}

/// The planned rates of the time ahead. What the user has changed so far also applies to it.
fn rates_ahead(state: &State, plan: &PlanProgress) -> Values {
    let elapsed = state.progress.totals.elapsed;
    let Some(now) = state.planned_rate(elapsed).filter(|rate| *rate > 0.0) else { return Values::new() };
    let planned = |at| Some(state.planned_rate(at)? * (plan.rate / now));
    moments_ahead(state, elapsed).into_iter().filter_map(|at| Some((at.as_secs_f64(), planned(at)?))).collect()
}

/// Moments from now on for which charts show the plan: a third of the time that they show, up to the end of the plan.
fn moments_ahead(state: &State, elapsed: Duration) -> Vec<Duration> {
    let Some(end) = state.plan_end() else { return Vec::new() };
    let ahead = (elapsed.min(Duration::from_secs(POINTS as u64)) / 3).max(Duration::from_secs(5));
    let until = (elapsed + ahead).min(end);
    let step = until.saturating_sub(elapsed) / AHEAD;
    (0..AHEAD).map(|n| elapsed + step * n).filter(|at| *at < end && !step.is_zero()).collect()
}

pub(super) fn draw_latency(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let points = recent_points(state);
    let values = |percent: f64| -> Values {
        let timed = points.iter().filter(|point| !point.latency.is_empty());
        timed.map(|point| (point.at.as_secs_f64(), point.latency.percentile(percent).as_secs_f64())).collect()
    };
    if state.progress.plan.is_some() {
        return draw_both_latencies(frame, area, &points, state);
    }
    let curves = [Curve::new("p50", palette.first(), values(50.0)), Curve::new("p95", palette.second(), values(95.0))];
    let timed = state.timeline.latency_source().name();
    let mut titles = vec![format!(" Latency of {timed} "), " Latency ".to_owned()];
    if let Some(point) = points.iter().rev().find(|point| !point.latency.is_empty()) {
        let [p50, p95] = [50.0, 95.0].map(|percent| shown(&point.latency, percent));
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
    draw_chart(frame, area, title, &curves, time, state);
}

/// A percentile, or `–` if there are too few operations to estimate it.
fn shown(times: &Histogram, percent: f64) -> String {
    times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency)
}

/// Draws the response times and the service times of scenarios that start at a rate.
fn draw_both_latencies(frame: &mut Frame<'_>, area: Rect, points: &[Point], state: &State) {
    let palette = Palette::of(state);
    let timed = || points.iter().filter_map(|point| Some((point, point.starts.as_deref()?)));
    let values = |times: fn(&PointStarts) -> &Histogram| -> Values {
        let timed = timed().filter(|(_, starts)| !times(starts).is_empty());
        timed.map(|(point, of)| (point.at.as_secs_f64(), times(of).percentile(95.0).as_secs_f64())).collect()
    };
    let curves = [
        Curve { marker: Marker::Dot, ..Curve::new("service p95", palette.first(), values(|starts| &starts.service)) },
        // Above the line of the service times, where both are equal.
        Curve::new("response p95", palette.second(), values(|starts| &starts.response)),
    ];
    let mut titles = vec![" p95 of scenarios ".to_owned()];
    if let Some((_, last)) = timed().rfind(|(_, starts)| !starts.response.is_empty()) {
        let [response, service] = [&last.response, &last.service].map(|times| shown(times, 95.0));
        titles.splice(
            0..0,
            [
                format!(" p95 of scenarios: response {response}, service {service} "),
                format!(" p95: response {response}, service {service} "),
                format!(" response {response}, service {service} "),
            ],
        );
    }
    let title = fitting(titles, usize::from(area.width.saturating_sub(2)));
    let time = |seconds: f64| format::latency(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    draw_chart(frame, area, title, &curves, time, state);
}

/// The points that charts show.
fn recent_points(state: &State) -> Vec<Point> {
    let points = state.timeline.points();
    let before = points.len().saturating_sub(POINTS);
    points.skip(before).collect()
}

/// Seconds since the start of the run, and the values at these times.
type Values = Vec<(f64, f64)>;

/// A line of a chart.
struct Curve {
    name: &'static str,
    style: Style,
    marker: Marker,
    values: Values,
}

impl Curve {
    fn new(name: &'static str, style: Style, values: Values) -> Curve {
        Curve { name, style, marker: Marker::Braille, values }
    }
}

/// Draws some lines over the last seconds, and over the time ahead if a line extends to it.
fn draw_chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    curves: &[Curve],
    label: impl Fn(f64) -> String,
    state: &State,
) {
    let mut points = state.timeline.points();
    let first = points.nth(points.len().saturating_sub(POINTS));
    let end = points.next_back().or(first.clone()).map_or(1.0, |point| point.at.as_secs_f64()).max(1.0);
    let end = curves.iter().filter_map(|curve| Some(curve.values.last()?.0)).fold(end, f64::max);
    let begin = first.map_or(0.0, |point| point.at.saturating_sub(point.period).as_secs_f64());
    let highest = curves.iter().flat_map(|curve| curve.values.iter().map(|(_, value)| *value)).fold(0.0, f64::max);
    let top = round_up(highest);
    let datasets = curves
        .iter()
        .map(|curve| {
            Dataset::default()
                .name(curve.name)
                .marker(curve.marker)
                .graph_type(GraphType::Line)
                .style(curve.style)
                .data(&curve.values)
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
