//! Charts over time as SVG, drawn here: a report needs no script and no network.

use std::fmt::Write;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// A line of a chart.
pub(super) struct Series {
    /// What it shows, for the legend.
    pub(super) name: &'static str,
    /// The class that gives it its colour.
    pub(super) class: &'static str,
    /// Whether the space under it is filled.
    pub(super) filled: bool,
    /// Seconds and values; a gap in the line where there is none.
    pub(super) values: Vec<(f64, Option<f64>)>,
}

/// A chart of some lines over the seconds of a run, as a figure with a caption and a legend.
pub(super) fn figure(caption: &str, seconds: f64, series: &[Series], written: impl Fn(f64) -> String) -> String {
    let values = series.iter().flat_map(|series| series.values.iter().filter_map(|(_, value)| *value));
    let highest = values.fold(0.0_f64, f64::max);
    let seconds = seconds.max(1e-3);
    let (step, top) = ticks(highest);
    let x = |at: f64| LEFT + (at / seconds).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value / top).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM);

    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<figure><figcaption>{caption}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{caption}\">\n<g class=\"grid\">"
    );
    let mut value = 0.0;
    while value <= top * 1.0001 {
        let at = y(value);
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"y\" x=\"{:.1}\" \
             y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            written(value)
        );
        value += step;
    }
    for at in moments(seconds) {
        let _ = write!(svg, "<text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", x(at), HEIGHT - 8.0, moment(at));
    }
    svg.push_str("</g>\n");
    for one in series {
        draw(&mut svg, one, &x, &y);
    }
    svg.push_str("</svg>\n<p class=\"legend\">");
    for one in series {
        let _ = write!(svg, "<span class=\"{}\">{}</span> ", one.class, one.name);
    }
    svg.push_str("</p></figure>\n");
    svg
}

fn draw(svg: &mut String, series: &Series, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
    let pieces = series.values.split(|(_, value)| value.is_none());
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        let points: Vec<String> = piece
            .iter()
            .filter_map(|(at, value)| value.map(|value| format!("{:.1},{:.1}", x(*at), y(value))))
            .collect();
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
        if let ([point], _) = (&points[..], ()) {
            if let Some((cx, cy)) = point.split_once(',') {
                let _ = writeln!(svg, "<circle class=\"{}\" cx=\"{cx}\" cy=\"{cy}\" r=\"3\"/>", series.class);
            }
            continue;
        }
        let points = points.join(" ");
        if series.filled {
            let (left, right, floor) = (x(first.0), x(last.0), y(0.0));
            let _ = writeln!(
                svg,
                "<polygon class=\"{}\" points=\"{left:.1},{floor:.1} {points} {right:.1},{floor:.1}\"/>",
                series.class
            );
        }
        let _ = writeln!(svg, "<polyline class=\"{}\" points=\"{points}\"/>", series.class);
    }
}

/// A round step between ticks, and the highest tick: not below `highest`.
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

/// Round moments along the run: six or so.
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
    fn ticks_are_round_and_reach_the_top() {
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
    fn moments_are_few() {
        for seconds in [0.2, 1.0, 7.5, 60.0, 90.0, 3_600.0, 86_400.0, 1e7] {
            let moments = moments(seconds);
            assert!((2..=8).contains(&moments.len()), "{seconds}: {moments:?}");
        }
        assert_eq!(moment(90.0), "1:30");
        assert_eq!(moment(5_400.0), "1:30 h");
    }
}
