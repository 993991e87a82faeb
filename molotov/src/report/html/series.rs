//! The charts over time: their values from the points and courses of a run.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    axis::Axis,
    chart::{Chart, Grid, Series, Unit, merged},
};
use crate::{
    metrics::Histogram,
    report::layout::harmless,
    run::{LatencySource, Point, PointStarts, Summary},
};

/// The most statuses and kinds of errors with their own series. All others share one.
const MAX_SERIES: usize = 6;
/// The classes of kinds of errors, in the order of their counts.
const COLORS: [&str; MAX_SERIES + 1] = ["bad", "b", "c", "odd", "a", "good", "plan"];

/// The charts that the run has.
pub(super) fn charts(summary: &Summary, points: &[Point], bins: &Axis) -> Vec<Chart> {
    if points.is_empty() {
        return Vec::new();
    }
    let series = |name: &str, class, value: &dyn Fn(&Point) -> Option<u64>| series(points, name, class, value);
    let mut charts = Vec::new();
    if points.iter().any(|point| point.starts.is_some()) {
        charts.extend(starts(points));
    }
    let scenarios = vec![
        series("succeeded", "a", &|point| Some(point.successes)),
        series("failed", "bad", &|point| Some(point.failures)).filled(),
    ];
    charts.push(chart("scenarios", "Scenarios a second", Unit::Rate, scenarios));
    let source = summary.timeline.latency_source();
    if source == LatencySource::Requests {
        let requests = vec![
            series("requests", "a", &|point| Some(point.requests)),
            series("failed", "bad", &|point| Some(point.request_failures)).filled(),
        ];
        charts.push(chart("requests", "Requests a second", Unit::Rate, requests));
    }
    let latency = |percent| move |point: &Point| micros(&point.latency, percent);
    let percentiles = vec![
        series("p50", "a", &latency(50.0)),
        series("p95", "b", &latency(95.0)),
        series("p99", "c", &latency(99.0)),
    ];
    charts.push(chart("latency", &format!("Latency of {}", source.name()), Unit::Time, percentiles));
    charts.extend(statuses(summary, bins));
    charts.extend(errors(summary, bins));
    let workers = vec![series("workers", "a", &|point| Some(point.workers as u64)).filled()];
    charts.push(chart("workers", "Workers", Unit::Number, workers));
    charts
}

fn series(points: &[Point], name: &str, class: &'static str, value: &dyn Fn(&Point) -> Option<u64>) -> Series {
    Series::new(name, class, points.iter().map(value).collect())
}

/// A chart of points.
fn chart(id: &'static str, title: &str, unit: Unit, series: Vec<Series>) -> Chart {
    Chart { id, title: title.to_owned(), unit, grid: Grid::Points, stacked: false, series }
}

/// A percentile in microseconds; `None` if there is no latency.
fn micros(times: &Histogram, percent: f64) -> Option<u64> {
    (!times.is_empty()).then(|| times.percentile(percent).as_micros() as u64)
}

/// Charts of starts at a rate, and of the two times of their scenarios.
fn starts(points: &[Point]) -> [Chart; 3] {
    let series = |name: &str, class, value: &dyn Fn(&Point) -> Option<u64>| series(points, name, class, value);
    let count = |count: fn(&PointStarts) -> u64| move |point: &Point| Some(count(point.starts.as_deref()?));
    let time = |times: fn(&PointStarts) -> &Histogram, percent: f64| {
        move |point: &Point| micros(times(point.starts.as_deref()?), percent)
    };
    let starts = vec![
        series("achieved", "a", &count(|starts| starts.started)),
        series("late", "odd", &count(|starts| starts.late)),
        series("dropped", "bad", &count(|starts| starts.dropped)).filled(),
        series("asked", "plan", &count(|starts| starts.asked)),
    ];
    let times = vec![
        series("response p50", "a", &time(|starts| &starts.response, 50.0)),
        series("response p99", "c", &time(|starts| &starts.response, 99.0)),
        series("service p50", "plan", &time(|starts| &starts.service, 50.0)),
        series("service p99", "b", &time(|starts| &starts.service, 99.0)),
    ];
    let lags = vec![
        series("p50", "a", &time(|starts| &starts.lag, 50.0)),
        series("p99", "c", &time(|starts| &starts.lag, 99.0)),
    ];
    [
        chart("starts", "Starts a second, asked and achieved", Unit::Rate, starts),
        chart("times", "Response and service time of scenarios", Unit::Time, times),
        chart("lag", "Start lag", Unit::Time, lags),
    ]
}

/// Responses by status, the successful ones first.
fn statuses(summary: &Summary, bins: &Axis) -> Option<Chart> {
    let counts = summary.timeline.courses().statuses().iter().map(|(status, counts)| (harmless(status), &counts[..]));
    let mut series = largest(counts, bins);
    series.sort_by(|one, other| one.0.cmp(&other.0));
    let mut used = BTreeMap::<&str, usize>::new();
    let series: Vec<_> = series
        .into_iter()
        .map(|(name, values)| {
            let colors: &[&str] = match name.as_bytes().first() {
                Some(b'1' | b'2') => &["a", "good"],
                Some(b'3') => &["c"],
                Some(b'4') => &["b", "odd"],
                Some(b'5') => &["bad", "odd"],
                _ => &["plan"],
            };
            let number = used.entry(colors[0]).or_default();
            let class = colors[*number % colors.len()];
            *number += 1;
            Series::new(name, class, values).filled()
        })
        .collect();
    let title = "Responses a second, by status".to_owned();
    (!series.is_empty()).then_some(Chart {
        id: "statuses",
        title,
        unit: Unit::Rate,
        grid: Grid::Bins,
        stacked: true,
        series,
    })
}

/// Errors by kind, the most frequent first.
fn errors(summary: &Summary, bins: &Axis) -> Option<Chart> {
    let mut kinds = BTreeMap::<String, Vec<u64>>::new();
    for (key, counts) in summary.timeline.courses().errors() {
        let sums = kinds.entry(harmless(&key.kind)).or_default();
        sums.resize(sums.len().max(counts.len()), 0);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let series = largest(kinds.iter().map(|(kind, counts)| (kind.clone(), &counts[..])), bins);
    let series: Vec<_> = series
        .into_iter()
        .zip(COLORS)
        .map(|((name, values), class)| Series::new(name, class, values).filled())
        .collect();
    let title = "Errors a second, by kind".to_owned();
    (!series.is_empty()).then_some(Chart {
        id: "errors",
        title,
        unit: Unit::Rate,
        grid: Grid::Bins,
        stacked: true,
        series,
    })
}

/// The largest series, and the sum of all others.
fn largest<'a>(counts: impl Iterator<Item = (String, &'a [u64])>, bins: &Axis) -> Vec<(String, Vec<Option<u64>>)> {
    let mut all: Vec<_> = counts.map(|(name, counts)| (name, merged(counts, bins))).collect();
    all.sort_by_key(|(_, counts)| Reverse(counts.iter().sum::<u64>()));
    let rest = all.split_off(all.len().min(MAX_SERIES));
    if !rest.is_empty() {
        let sum = |index: usize| rest.iter().map(|(_, counts)| counts[index]).sum();
        all.push((format!("{} others", rest.len()), (0..bins.count).map(sum).collect()));
    }
    all.into_iter().map(|(name, counts)| (name, counts.into_iter().map(Some).collect())).collect()
}
