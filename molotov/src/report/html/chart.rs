//! Charts over time: their data, and their drawing as SVG for readers without scripts.

use maud::{Markup, html};
use serde::Serialize;

use super::axis::Axis;
use crate::format;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// A chart over time.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) unit: Unit,
    /// The axis of its values.
    pub(super) grid: Grid,
    /// Whether each series starts where the one before ends.
    pub(super) stacked: bool,
    pub(super) series: Vec<Series>,
}

/// What the values of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    /// Counts, which are shown per second of their period.
    Rate,
    /// Microseconds.
    Time,
    /// Numbers at the end of their period.
    Number,
}

/// The axis of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grid {
    /// The points of the timeline.
    Points,
    /// The bins of the courses.
    Bins,
}

/// A line of a chart.
#[derive(Debug, Serialize)]
pub(super) struct Series {
    /// The name in the legend.
    pub(super) name: String,
    /// The CSS class that sets the color and the dashes.
    pub(super) class: &'static str,
    /// Whether the area under the line is filled.
    pub(super) filled: bool,
    /// One value for each period. The line has a gap where there is none.
    pub(super) values: Vec<Option<u64>>,
}

impl Series {
    pub(super) fn new(name: impl Into<String>, class: &'static str, values: Vec<Option<u64>>) -> Series {
        Series { name: name.into(), class, filled: false, values }
    }

    /// Fills the area under the line.
    pub(super) fn filled(self) -> Series {
        Series { filled: true, ..self }
    }
}

impl Unit {
    /// The value that a chart shows for a value of a series.
    fn shown(self, value: u64, axis: &Axis, index: usize) -> f64 {
        match self {
            Unit::Rate => value as f64 / axis.length(index),
            Unit::Time => value as f64 / 1e6,
            Unit::Number => value as f64,
        }
    }

    /// A value beside the axis.
    fn label(self, value: f64) -> String {
        match self {
            Unit::Time if value == 0.0 => "0".to_owned(),
            Unit::Time => format::latency(std::time::Duration::try_from_secs_f64(value).unwrap_or_default()),
            _ if value.fract() == 0.0 && value < 100_000.0 => format::count(value as u64),
            _ => format::rate(value),
        }
    }
}

/// A scale from values to heights.
#[derive(Debug)]
struct Scale {
    /// The values beside the axis, the lowest first.
    ticks: Vec<f64>,
    log: bool,
}

impl Scale {
    /// A linear scale from 0, or a logarithmic one for times that differ by more than a factor of 50.
    fn new(unit: Unit, values: impl Iterator<Item = f64>) -> Scale {
        let (mut lowest, mut highest) = (f64::INFINITY, 0.0_f64);
        for value in values {
            highest = highest.max(value);
            if value > 0.0 {
                lowest = lowest.min(value);
            }
        }
        if unit == Unit::Time && highest > 50.0 * lowest {
            let powers = lowest.log10().floor() as i32..=highest.log10().ceil() as i32;
            return Scale { ticks: powers.map(|power| 10_f64.powi(power)).collect(), log: true };
        }
        let (step, top) = ticks(highest);
        let ticks = std::iter::successors(Some(0.0), |value| Some(value + step));
        Scale { ticks: ticks.take_while(|value| *value <= top * 1.0001).collect(), log: false }
    }

    /// The height of a value, from 0 to 1.
    fn at(&self, value: f64) -> f64 {
        let (low, high) = (self.ticks[0], self.ticks[self.ticks.len() - 1]);
        let share = match self.log {
            true => (value.max(low) / low).log10() / (high / low).log10(),
            false => (value - low) / (high - low),
        };
        share.clamp(0.0, 1.0)
    }
}

/// Draws a chart as a figure with a caption and a legend. The seconds before `warm_up` are greyed.
pub(super) fn figure(chart: &Chart, axis: &Axis, warm_up: f64) -> Markup {
    let shown = |series: &Series| {
        let values = series.values.iter().enumerate().take(axis.count);
        values.map(|(index, value)| value.map(|value| chart.unit.shown(value, axis, index))).collect::<Vec<_>>()
    };
    let mut lines: Vec<(&Series, Vec<Option<f64>>)> = Vec::new();
    for series in &chart.series {
        let mut values = shown(series);
        if let Some((_, below)) = lines.last().filter(|_| chart.stacked) {
            let sum = |(value, below): (&Option<f64>, &Option<f64>)| Some(value.unwrap_or(0.0) + below.unwrap_or(0.0));
            values = values.iter().zip(below).map(sum).collect();
        }
        lines.push((series, values));
    }
    let scale = Scale::new(chart.unit, lines.iter().flat_map(|(_, values)| values.iter().flatten().copied()));
    let seconds = axis.end.max(1e-3);
    let x = |at: f64| LEFT + (at / seconds).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - scale.at(value) * (HEIGHT - TOP - BOTTOM);
    html! {
        figure id=(format!("chart-{}", chart.id)) {
            figcaption { (chart.title) }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(chart.title) {
                g class="grid" {
                    @for value in &scale.ticks {
                        line x1=(LEFT) x2=(number(WIDTH - RIGHT)) y1=(number(y(*value))) y2=(number(y(*value))) {}
                        text class="y" x=(number(LEFT - 8.0)) y=(number(y(*value) + 4.0)) { (chart.unit.label(*value)) }
                    }
                    @for at in moments(seconds) {
                        text class="x" x=(number(x(at))) y=(number(HEIGHT - 8.0)) { (moment(at)) }
                    }
                }
                @if warm_up > 0.0 {
                    @let width = number(x(warm_up) - LEFT);
                    rect class="warm-up" x=(LEFT) y=(TOP) width=(width) height=(number(HEIGHT - TOP - BOTTOM)) {}
                }
                // The highest of a stack is drawn first, so that the others stay visible.
                @for index in 0..lines.len() {
                    @let index = if chart.stacked { lines.len() - 1 - index } else { index };
                    @let below = index.checked_sub(1).filter(|_| chart.stacked).map(|below| &lines[below].1[..]);
                    (line(lines[index].0, &lines[index].1, below, axis, &x, &y))
                }
            }
            p class="legend" {
                @for series in &chart.series { span class=(series.class) title=[title(&series.name)] { (series.name) } " " }
                @if warm_up > 0.0 { span class="soft warm-up" { "warm-up" } }
            }
        }
    }
}

/// The tooltip of a name that may be shortened.
pub(super) fn title(name: &str) -> Option<&str> {
    (name.chars().count() > 20).then_some(name)
}

/// A coordinate.
fn number(number: f64) -> String {
    format!("{number:.1}")
}

fn line(
    series: &Series,
    values: &[Option<f64>],
    below: Option<&[Option<f64>]>,
    axis: &Axis,
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
) -> Markup {
    let places: Vec<Option<(f64, f64)>> =
        values.iter().enumerate().map(|(index, value)| value.map(|value| (x(axis.middle(index)), y(value)))).collect();
    let class = series.class;
    let floor = HEIGHT - BOTTOM;
    // A stack has no gaps, so the line below it has as many places.
    let back = below.map(|below| {
        let place = |(index, value): (usize, &Option<f64>)| (x(axis.middle(index)), y(value.unwrap_or(0.0)));
        path(&below.iter().enumerate().map(place).rev().collect::<Vec<_>>()).replacen('M', "L", 1)
    });
    html! {
        @for part in places.split(Option::is_none).map(|part| part.iter().flatten().copied().collect::<Vec<_>>()) {
            @match &part[..] {
                [] => {}
                [(x, y)] => { circle class=(class) cx=(number(*x)) cy=(number(*y)) r="3" {} }
                [(left, _), .., (right, _)] => {
                    @let line = path(&part);
                    @if series.filled {
                        path class=(format!("area edge {class}")) d=(match &back {
                            Some(back) => format!("{line}{back}z"),
                            None => format!("{line}L{right:.1} {floor}H{left:.1}z"),
                        }) {}
                    } @else {
                        path class=(class) d=(line) {}
                    }
                }
            }
        }
    }
}

/// The commands of a line, with relative coordinates, which are shorter.
fn path(places: &[(f64, f64)]) -> String {
    use std::fmt::Write;
    let tenths = |value: f64| (value * 10.0).round() as i64;
    let mut text = String::with_capacity(places.len() * 8);
    let mut before = (0, 0);
    for (index, (x, y)) in places.iter().enumerate() {
        let here = (tenths(*x), tenths(*y));
        let (right, down) = ((here.0 - before.0) as f64 / 10.0, (here.1 - before.1) as f64 / 10.0);
        // Writing to a string cannot fail.
        let _ = match index {
            0 => write!(text, "M{right} {down}"),
            1 => write!(text, "l{right} {down}"),
            _ => write!(text, " {right} {down}"),
        };
        before = here;
    }
    text
}

/// A small chart without axes for a row of a table: what ended, and what of it failed.
pub(super) fn sparkline(ok: &[u64], failed: &[u64], axis: &Axis) -> Markup {
    const MAX_POINTS: usize = 48;
    const WIDTH: f64 = 96.0;
    const HEIGHT: f64 = 22.0;
    let factor = axis.count.div_ceil(MAX_POINTS).max(1);
    let coarse = axis.coarser(factor);
    let (ok, failed) = (merged(ok, &coarse), merged(failed, &coarse));
    let axis = &coarse;
    let at = |counts: &[u64], index: usize| counts[index] as f64 / axis.length(index);
    let all: Vec<f64> = (0..axis.count).map(|index| at(&ok, index) + at(&failed, index)).collect();
    let highest = all.iter().copied().fold(1e-9, f64::max);
    let place = |(index, value): (usize, f64)| {
        let x = (axis.middle(index) / axis.end.max(1e-3)) * WIDTH;
        (x.round(), ((1.0 - value / highest) * (HEIGHT - 2.0)).round() + 1.0)
    };
    let lines = all.iter().copied().enumerate().map(place).collect::<Vec<_>>();
    let bad: Vec<_> = (0..axis.count).map(|index| at(&failed, index)).enumerate().map(place).collect();
    html! {
        svg class="spark" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-hidden="true" {
            @if lines.len() > 1 { path class="a" d=(path(&lines)) {} }
            @if bad.len() > 1 && failed.iter().any(|count| *count > 0) {
                path class="area bad" d=(format!("{}V{HEIGHT}H0z", path(&bad))) {}
            }
        }
    }
}

/// Adds counts of the bins of the run to those of the page.
pub(super) fn merged(counts: &[u64], bins: &Axis) -> Vec<u64> {
    let mut merged = vec![0; bins.count];
    for (index, count) in counts.iter().enumerate() {
        if let Some(bin) = bins.bin(index) {
            merged[bin] += count;
        }
    }
    merged
}

/// A round step between ticks, and the highest tick, which is not below `highest`.
fn ticks(highest: f64) -> (f64, f64) {
    if !highest.is_finite() || highest <= 0.0 {
        return (1.0, 1.0);
    }
    let rough = highest / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough * 0.9999);
    let step = step.unwrap_or(10.0 * power);
    (step, (highest / step * 0.9999).ceil() * step)
}

/// About six round moments of the run.
pub(super) fn moments(seconds: f64) -> Vec<f64> {
    const ROUND: [f64; 16] =
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0];
    let step =
        ROUND.into_iter().find(|step| seconds / step <= 7.0).unwrap_or((seconds / 6.0 / 3_600.0).ceil() * 3_600.0);
    (0..).map(|n| f64::from(n) * step).take_while(|at| *at <= seconds * 1.0001).collect()
}

pub(super) fn moment(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        seconds if seconds < 1.0 => format!("{seconds:.1} s"),
        seconds if seconds < 60.0 => format!("{seconds:.0} s"),
        seconds if seconds < 3_600.0 && seconds % 60.0 == 0.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 3_600.0 => format!("{:.0}:{:02.0}", (seconds / 60.0).floor(), seconds % 60.0),
        seconds => format!("{:.0}:{:02.0} h", (seconds / 3_600.0).floor(), seconds % 3_600.0 / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_highest_value() {
        for (highest, expected) in
            [(0.0, (1.0, 1.0)), (4.0, (1.0, 4.0)), (7.0, (2.0, 8.0)), (950.0, (500.0, 1_000.0)), (0.3, (0.1, 0.3))]
        {
            let (step, top) = ticks(highest);
            assert!((step - expected.0).abs() < 1e-9 && (top - expected.1).abs() < 1e-9, "{highest}: {step} {top}");
        }
        for highest in [1e-9, 0.017, 3.3, 999.0, 1e15] {
            let (step, top) = ticks(highest);
            assert!(top >= highest * 0.999 && top / step <= 5.01, "{highest}: {step} {top}");
        }
    }

    #[test]
    fn axis_has_few_moments() {
        for seconds in [0.2, 1.0, 7.5, 60.0, 90.0, 3_600.0, 86_400.0, 1e7] {
            let moments = moments(seconds);
            assert!((2..=8).contains(&moments.len()), "{seconds}: {moments:?}");
        }
        assert_eq!(moment(90.0), "1:30");
        assert_eq!(moment(5_400.0), "1:30 h");
    }

    #[test]
    fn times_of_very_different_lengths_have_a_logarithmic_scale() {
        let scale = Scale::new(Unit::Time, [0.004, 30.0].into_iter());
        assert!(scale.log && scale.ticks.len() == 6, "{scale:?}");
        assert!((scale.at(0.001) - 0.0).abs() < 1e-9 && (scale.at(100.0) - 1.0).abs() < 1e-9);
        assert!((scale.at(0.1) - 0.4).abs() < 1e-9);
        assert!(!Scale::new(Unit::Time, [0.004, 0.1].into_iter()).log);
        assert!(!Scale::new(Unit::Rate, [0.004, 30.0].into_iter()).log);
    }

    #[test]
    fn lines_have_relative_coordinates_without_drift() {
        assert_eq!(path(&[(1.0, 2.0), (2.04, 2.04), (3.08, 2.08), (4.0, 0.0)]), "M1 2l1 0 1.1 0.1 0.9 -2.1");
    }
}
