//! The charts of the live view: what each of them shows.

use std::time::Duration;

use ratatui::{Frame, layout::Rect, style::Style, symbols::Marker};

use super::{
    super::state::{State, TrendPoint},
    chart::{Chart, Curve, Scale, Values, number},
    style::Palette,
};
use crate::{format, run::LatencySource};

/// The number of points of the plan ahead.
const AHEAD: u32 = 60;
/// The longest time before now that charts show, in seconds, while points are one second long.
const SHOWN: u64 = 120;

/// A chart of the live view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LiveChart {
    /// Requests a second; scenarios in a run without requests.
    Throughput,
    /// The percentiles of the latencies.
    Latency,
    /// Starts that the plan asked for, and those that happened.
    Starts,
    /// The response times and the service times of scenarios that start at a rate.
    ResponseTimes,
    /// Workers, and those that the stages plan.
    Workers,
}

impl LiveChart {
    /// The charts of a run, the most important first.
    pub(super) fn of(state: &State) -> Vec<LiveChart> {
        let mut charts = vec![LiveChart::Throughput, LiveChart::Latency];
        if state.progress.plan.is_some() {
            charts.extend([LiveChart::Starts, LiveChart::ResponseTimes]);
        }
        if state.planned_workers(Duration::ZERO).is_some() {
            charts.push(LiveChart::Workers);
        }
        charts
    }

    /// Draws the chart.
    pub(super) fn draw(self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        match self {
            LiveChart::Throughput => draw_throughput(frame, area, state),
            LiveChart::Latency => draw_latency(frame, area, state),
            LiveChart::Starts => draw_starts(frame, area, state),
            LiveChart::ResponseTimes => draw_response_times(frame, area, state),
            LiveChart::Workers => draw_workers(frame, area, state),
        }
    }
}

/// The values of the points that have one.
fn values(state: &State, value: impl Fn(&TrendPoint) -> Option<f64>) -> Values {
    state.trend.points().filter_map(|point| Some((point.at, value(point)?))).collect()
}

/// A line of values that may be missing. It has gaps there, and the title has the value of the last point.
fn with_gaps(
    state: &State,
    name: &'static str,
    style: Style,
    value: impl Fn(&TrendPoint) -> Option<f64> + Copy,
) -> Curve {
    let last = state.trend.points().next_back();
    let curve = Curve::new(name, style, values(state, value));
    match last {
        Some(last) => curve.now(value(last)).with_gaps(last.at - last.from),
        None => curve,
    }
}

/// The time of the last points, and the time ahead if a line extends to it.
fn span(state: &State, curves: &[Curve]) -> [f64; 2] {
    let points = || state.trend.points();
    let begin = points().next().map_or(0.0, |point| point.from);
    let end = points().next_back().map_or(1.0, |point| point.at).max(1.0);
    [begin, curves.iter().filter_map(|curve| Some(curve.values.last()?.0)).fold(end, f64::max)]
}

/// A chart of what ended a second, over `span`.
pub(super) fn throughput<'a>(heads: &'a [&'a str], curves: &'a [Curve; 2], span: [f64; 2]) -> Chart<'a> {
    Chart { heads, curves, scale: Scale::Linear, label: number, span }
}

/// The lines of a chart of throughput.
pub(super) fn throughput_curves(state: &State, ok: Values, failed: Values) -> [Curve; 2] {
    let palette = Palette::of(state);
    [Curve::new("ok", palette.good(), ok), Curve::new("failed", palette.bad(), failed).of('×')]
}

/// The lines of p50, p95 and p99, made by `curve` from a percent, a name and a style. They differ without colors too.
pub(super) fn percentile_curves(state: &State, curve: impl Fn(f64, &'static str, Style) -> Curve) -> [Curve; 3] {
    let palette = Palette::of(state);
    let mut curves = [(50.0, "p50", palette.first()), (95.0, "p95", palette.second()), (99.0, "p99", palette.odd())]
        .map(|(percent, name, style)| curve(percent, name, style));
    if !state.colored || state.ascii {
        curves[1].marker = Marker::Custom('•');
        curves[2].marker = Marker::Custom('×');
    }
    curves
}

/// A chart of latencies over `span`.
pub(super) fn latency<'a>(heads: &'a [&'a str], curves: &'a [Curve], span: [f64; 2]) -> Chart<'a> {
    Chart { heads, curves, scale: Scale::Log, label: time, span }
}

fn draw_throughput(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let of_requests = state.timeline.latency_source() == LatencySource::Requests;
    let ok = |point: &TrendPoint| Some(if of_requests { point.requests_ok } else { point.scenarios_ok });
    let failed = |point: &TrendPoint| Some(if of_requests { point.requests_failed } else { point.scenarios_failed });
    let curves = throughput_curves(state, values(state, ok), values(state, failed));
    let heads: &[_] = match of_requests {
        true => &["Requests a second", "Requests/s"],
        false => &["Scenarios a second", "Scenarios/s"],
    };
    throughput(heads, &curves, span(state, &curves)).draw(frame, area, state);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let curves = percentile_curves(state, |percent, name, style| {
        with_gaps(state, name, style, |point| match percent {
            50.0 => point.latency.p50,
            95.0 => point.latency.p95,
            _ => point.latency.p99,
        })
    });
    let source = state.timeline.latency_source().name();
    let heads = [&format!("Latency of {source}"), "Latency"];
    latency(&heads, &curves, span(state, &curves)).draw(frame, area, state);
}

/// Draws the starts so far, and those that the plan asks for from now on.
fn draw_starts(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let mut asked = values(state, |point| Some(point.starts?.asked));
    asked.extend(rates_ahead(state));
    let curves = [
        Curve::new("asked", palette.background(), asked).now(state.progress.plan.map(|plan| plan.rate)).of('·'),
        Curve::new("started", palette.good(), values(state, |point| Some(point.starts?.started))),
    ];
    let (heads, span) = (["Starts a second", "Starts/s"], span(state, &curves));
    Chart { heads: &heads, curves: &curves, scale: Scale::Linear, label: number, span }.draw(frame, area, state);
}

fn draw_response_times(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let curves = [
        with_gaps(state, "service", palette.first(), |point| point.starts?.service_p95).of('•'),
        // Above the line of the service times, where both are equal.
        with_gaps(state, "response", palette.second(), |point| point.starts?.response_p95),
    ];
    latency(&["p95 of scenarios", "p95"], &curves, span(state, &curves)).draw(frame, area, state);
}

/// Draws the number of workers, and the stages that are planned for them.
fn draw_workers(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let palette = Palette::of(state);
    let planned = |at: Duration| Some((at.as_secs_f64(), state.planned_workers(at)?));
    let before = state.trend.points().filter_map(|point| planned(Duration::try_from_secs_f64(point.at).ok()?));
    let ahead = moments_ahead(state).into_iter().filter_map(planned);
    let curves = [
        Curve::new("planned", palette.background(), before.chain(ahead).collect())
            .now(state.planned_workers(state.progress.totals.elapsed))
            .of('·'),
        Curve::new("workers", palette.first(), values(state, |point| Some(point.workers as f64))),
    ];
    let span = span(state, &curves);
    Chart { heads: &["Workers"], curves: &curves, scale: Scale::Linear, label: number, span }.draw(frame, area, state);
}

/// The planned rates of the time ahead. What the user has changed so far also applies to it.
fn rates_ahead(state: &State) -> Values {
    // In a pause, the rate is 0: when the plan advances again is unknown.
    let Some(plan) = state.progress.plan.filter(|plan| plan.rate > 0.0) else { return Values::new() };
    let elapsed = state.progress.totals.elapsed;
    let Some(now) = state.planned_rate(elapsed).filter(|rate| *rate > 0.0) else { return Values::new() };
    let planned = |at| Some(state.planned_rate(at)? * (plan.rate / now));
    moments_ahead(state).into_iter().filter_map(|at| Some((at.as_secs_f64(), planned(at)?))).collect()
}

/// Moments from now on for which charts show the plan: a third of the time that they show, up to the end of the plan.
fn moments_ahead(state: &State) -> Vec<Duration> {
    let elapsed = state.progress.totals.elapsed;
    let Some(end) = state.plan_end() else { return Vec::new() };
    let ahead = (elapsed.min(Duration::from_secs(SHOWN)) / 3).max(Duration::from_secs(5));
    let until = (elapsed + ahead).min(end);
    let step = until.saturating_sub(elapsed) / AHEAD;
    (0..AHEAD).map(|n| elapsed + step * n).filter(|at| *at < end && !step.is_zero()).collect()
}

fn time(seconds: f64) -> String {
    format::latency(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
