//! The distribution of latencies, and a heat map of them over time.

use std::{collections::BTreeMap, fmt::Write};

use maud::{Markup, html};

use super::axis::Axis;
use crate::{
    format,
    metrics::{Histogram, Stats},
    run::{CourseBin, LatencySource, Summary},
};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 26.0;
/// The bars for each factor of ten.
const BARS: f64 = 20.0;
/// The rows of the heat map for each factor of ten.
const ROWS: f64 = 12.0;
/// The shades of the heat map.
const SHADES: usize = 5;

/// Draws the distribution of the latencies that [`LatencySource`] names, and its heat map.
pub(super) fn figures(summary: &Summary, bins: &Axis, warm_up: f64) -> Markup {
    let source = summary.timeline.latency_source();
    let (rows, courses) = match source {
        LatencySource::Requests => (&summary.snapshot.requests, summary.timeline.courses().requests()),
        _ => (&summary.snapshot.scenarios, summary.timeline.courses().scenarios()),
    };
    let mut latency = Histogram::default();
    rows.values().for_each(|stats: &Stats| latency.merge(&stats.latency));
    if latency.is_empty() {
        return Markup::default();
    }
    html! {
        (distribution(source, &latency))
        (heat_map(source, courses.values().map(Vec::as_slice), bins, warm_up))
    }
}

/// Counts of latencies by their logarithm.
fn by_logarithm(latency: &Histogram, per_decade: f64, counts: &mut BTreeMap<i64, u64>) {
    for (upper, count) in latency.iter() {
        let micros = upper.as_micros().max(1) as f64;
        *counts.entry((micros.log10() * per_decade + 1e-9).floor() as i64).or_default() += count;
    }
}

fn time(micros: f64) -> String {
    format::latency(std::time::Duration::from_micros(micros.round() as u64))
}

/// The powers of ten between two logarithms of microseconds.
fn powers(low: f64, high: f64) -> impl Iterator<Item = i32> {
    low.ceil() as i32..=high.floor() as i32
}

fn distribution(source: LatencySource, latency: &Histogram) -> Markup {
    let mut counts = BTreeMap::new();
    by_logarithm(latency, BARS, &mut counts);
    let (first, last) = (*counts.keys().next().unwrap_or(&0), *counts.keys().next_back().unwrap_or(&0));
    let (low, high) = ((first as f64 - 1.0) / BARS, (last as f64 + 2.0) / BARS);
    let highest = counts.values().copied().max().unwrap_or(1) as f64;
    let x = |logarithm: f64| LEFT + (logarithm - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let y = |count: f64| HEIGHT - BOTTOM - count / highest * (HEIGHT - TOP - BOTTOM);
    let mut bars = String::new();
    for (bucket, count) in &counts {
        let (left, right) = (x(*bucket as f64 / BARS), x((*bucket as f64 + 1.0) / BARS));
        // Writing to a string cannot fail.
        let _ = write!(bars, "M{left:.1} {}V{:.1}H{right:.1}V{}z", HEIGHT - BOTTOM, y(*count as f64), HEIGHT - BOTTOM);
    }
    let marks = [(50.0, "p50"), (95.0, "p95"), (99.0, "p99")];
    let marks = marks.into_iter().filter_map(|(percent, name)| {
        let at = latency.percentile_if_enough(percent)?;
        Some((name, x((at.as_micros().max(1) as f64).log10()), format::latency(at)))
    });
    let title = format!("Distribution of the latency of {}", source.name());
    html! {
        figure id="chart-distribution" {
            figcaption { (title) }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
                g class="grid" {
                    line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
                    text class="y" x=(LEFT - 8.0) y=(TOP + 4.0) { (format::count(highest as u64)) }
                    text class="y" x=(LEFT - 8.0) y=(HEIGHT - BOTTOM + 4.0) { "0" }
                    @for tick in ticks(low, high) {
                        text class="x" x=(format!("{:.1}", x(tick))) y=(HEIGHT - 8.0) { (time(10_f64.powf(tick))) }
                    }
                }
                path class="area a" d=(bars) {}
                @for (index, (name, at, value)) in marks.clone().enumerate() {
                    line class="mark" x1=(format!("{at:.1}")) x2=(format!("{at:.1}")) y1=(TOP - 12.0) y2=(HEIGHT - BOTTOM) {}
                    @let after = at < WIDTH * 0.8;
                    text class=(if after { "mark" } else { "mark end" })
                        x=(format!("{:.1}", if after { at + 4.0 } else { at - 4.0 })) y=(TOP - 4.0 + 14.0 * index as f64)
                        { (name) " " (value) }
                }
            }
            p class="legend" {
                @for (name, _, value) in marks { span class="plain" { (name) " " (value) } " " }
            }
        }
    }
}

/// Round times beside a logarithmic axis: powers of ten, with 2 and 5 times them on a short axis.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let steps: &[f64] = if high - low < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers =
        powers(low - 1.0, high + 1.0).flat_map(|power| steps.iter().map(move |step| f64::from(power) + step.log10()));
    powers.filter(|tick| (low..=high).contains(tick)).collect()
}

fn heat_map<'a>(
    source: LatencySource,
    courses: impl Iterator<Item = &'a [CourseBin]>,
    bins: &Axis,
    warm_up: f64,
) -> Markup {
    let mut columns = vec![BTreeMap::<i64, u64>::new(); bins.count];
    for course in courses {
        for (index, bin) in course.iter().enumerate() {
            let Some(column) = bins.bin(index) else { break };
            by_logarithm(&bin.latency, ROWS, &mut columns[column]);
        }
    }
    let rows = columns.iter().flat_map(|column| column.keys().copied());
    let (Some(first), Some(last)) = (rows.clone().min(), rows.max()) else { return Markup::default() };
    let highest = columns.iter().flat_map(BTreeMap::values).copied().max().unwrap_or(1) as f64;
    let (low, high) = (first as f64 / ROWS, (last as f64 + 1.0) / ROWS);
    let x = |seconds: f64| LEFT + (seconds / bins.end.max(1e-3)).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let y = |logarithm: f64| HEIGHT - BOTTOM - (logarithm - low) / (high - low) * (HEIGHT - 10.0 - BOTTOM);
    let mut shades = vec![String::new(); SHADES];
    for (index, column) in columns.iter().enumerate() {
        let (left, right) = (x(bins.start(index)), x(bins.start(index) + bins.length(index)));
        let shade = |count: u64| ((count as f64 / highest).sqrt() * SHADES as f64).ceil() as usize;
        let cells: Vec<_> = column.iter().map(|(row, count)| (*row, shade(*count).clamp(1, SHADES))).collect();
        // Neighbours of one shade are one rectangle.
        for cells in cells.chunk_by(|one, next| one.0 + 1 == next.0 && one.1 == next.1) {
            let ((first, shade), last) = (cells[0], cells[cells.len() - 1].0);
            let (top, bottom) = (y((last as f64 + 1.0) / ROWS), y(first as f64 / ROWS));
            // Writing to a string cannot fail.
            let _ = write!(shades[shade - 1], "M{left:.1} {top:.0}H{right:.1}V{bottom:.0}H{left:.1}z");
        }
    }
    let title = format!("Latency of {} over time", source.name());
    html! {
        figure id="chart-heat" {
            figcaption { (title) }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) {
                g class="grid" {
                    @for tick in ticks(low, high) {
                        line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(format!("{:.1}", y(tick))) y2=(format!("{:.1}", y(tick))) {}
                        text class="y" x=(LEFT - 8.0) y=(format!("{:.1}", y(tick) + 4.0)) { (time(10_f64.powf(tick))) }
                    }
                    @for at in super::chart::moments(bins.end.max(1e-3)) {
                        text class="x" x=(format!("{:.1}", x(at))) y=(HEIGHT - 8.0) { (super::chart::moment(at)) }
                    }
                }
                @for (shade, path) in shades.iter().enumerate() {
                    @if !path.is_empty() { path class=(format!("heat h{}", shade + 1)) d=(path) {} }
                }
                @if warm_up > 0.0 {
                    rect class="warm-up" x=(LEFT) y="10" width=(format!("{:.1}", x(warm_up) - LEFT)) height=(HEIGHT - 10.0 - BOTTOM) {}
                }
            }
            p class="legend shades" {
                "fewer"
                @for shade in 1..=SHADES { " " i class=(format!("h{shade}")) {} }
                " more"
            }
        }
    }
}
