//! Charts over time as SVG, so that a report needs no scripts.

use maud::{Markup, html};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// A line of a chart.
pub(super) struct Series {
    /// The name in the legend.
    pub(super) name: &'static str,
    /// The CSS class that sets the color.
    pub(super) class: &'static str,
    /// Whether the area under the line is filled.
    pub(super) filled: bool,
    /// Seconds and values. The line has a gap where there is no value.
    pub(super) values: Vec<(f64, Option<f64>)>,
}

/// The seconds of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The end of the run.
    pub(super) end: f64,
    /// The end of the warm-up, which is greyed; 0 without one.
    pub(super) warm_up: f64,
}

/// Draws a chart over the seconds of a run, as a figure with a caption and a legend.
pub(super) fn figure(caption: &str, span: Span, series: &[Series], label: impl Fn(f64) -> String) -> Markup {
    let values = series.iter().flat_map(|series| series.values.iter().filter_map(|(_, value)| *value));
    let highest = values.fold(0.0_f64, f64::max);
    let seconds = span.end.max(1e-3);
    let (step, top) = ticks(highest);
    let x = |at: f64| LEFT + (at / seconds).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value / top).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);
    let values = std::iter::successors(Some(0.0), |value| Some(value + step));
    html! {
        figure {
            figcaption { (caption) }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(caption) {
                g class="grid" {
                    @for value in values.take_while(|value| *value <= top * 1.0001) {
                        line x1=(LEFT) x2=(number(WIDTH - RIGHT)) y1=(number(y(value))) y2=(number(y(value))) {}
                        text class="y" x=(number(LEFT - 8.0)) y=(number(y(value) + 4.0)) { (label(value)) }
                    }
                    @for at in moments(seconds) {
                        text class="x" x=(number(x(at))) y=(number(HEIGHT - 8.0)) { (moment(at)) }
                    }
                }
                @if span.warm_up > 0.0 {
                    @let width = number(x(span.warm_up) - LEFT);
                    rect class="warm-up" x=(LEFT) y=(TOP) width=(width) height=(number(HEIGHT - TOP - BOTTOM)) {}
                }
                @for one in series { (line(one, &x, &y)) }
            }
            p class="legend" {
                @for one in series { span class=(one.class) { (one.name) } " " }
                @if span.warm_up > 0.0 { span class="soft warm-up" { "warm-up" } }
            }
        }
    }
}

/// A coordinate.
fn number(number: f64) -> String {
    format!("{number:.1}")
}

fn line(series: &Series, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) -> Markup {
    let parts = series
        .values
        .split(|(_, value)| value.is_none())
        .map(|part| part.iter().filter_map(|(at, value)| value.map(|value| (x(*at), y(value)))).collect::<Vec<_>>());
    let class = series.class;
    html! {
        @for part in parts {
            @match &part[..] {
                [] => {}
                [(x, y)] => { circle class=(class) cx=(number(*x)) cy=(number(*y)) r="3" {} }
                [(left, _), .., (right, _)] => {
                    @let points = part.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
                    @let floor = y(0.0);
                    @if series.filled {
                        polygon class=(class) points=(format!("{left:.1},{floor:.1} {points} {right:.1},{floor:.1}")) {}
                    }
                    polyline class=(class) points=(points) {}
                }
            }
        }
    }
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
fn moments(seconds: f64) -> Vec<f64> {
    const ROUND: [f64; 16] =
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0];
    let step =
        ROUND.into_iter().find(|step| seconds / step <= 7.0).unwrap_or((seconds / 6.0 / 3_600.0).ceil() * 3_600.0);
    (0..).map(|n| f64::from(n) * step).take_while(|at| *at <= seconds * 1.0001).collect()
}

fn moment(seconds: f64) -> String {
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
}
