//! A chart of lines over time, with a title that is also its legend.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Style},
    symbols::Marker,
    text::{Line as Text, Span},
    widgets::{
        Block, Widget,
        canvas::{Canvas, Line, Points},
    },
};

use super::{
    super::state::State,
    style::{BOLD, Palette},
};
use crate::{format, report::layout::width};

/// Seconds since the start of the run, and the values at these times.
pub(super) type Values = Vec<(f64, f64)>;

/// A line of a chart.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) style: Style,
    pub(super) marker: Marker,
    pub(super) values: Values,
    /// The value in the title instead of the last one.
    now: Option<Option<f64>>,
    /// Values that are further apart in time, in seconds, are not connected.
    longest_step: f64,
}

impl Curve {
    pub(super) fn new(name: &'static str, style: Style, values: Values) -> Curve {
        Curve { name, style, marker: Marker::Braille, values, now: None, longest_step: f64::INFINITY }
    }

    /// Shows this value in the title instead of the last one; a dash if there is none.
    pub(super) fn now(self, value: Option<f64>) -> Curve {
        Curve { now: Some(value), ..self }
    }

    /// Leaves a gap where a value is missing, given the time between values in seconds.
    pub(super) fn with_gaps(self, period: f64) -> Curve {
        Curve { longest_step: period * 1.5, ..self }
    }

    /// The text of the value in the title.
    fn value(&self, label: fn(f64) -> String) -> Option<String> {
        match self.now {
            Some(now) => Some(now.map_or("–".to_owned(), label)),
            None => self.values.last().map(|(_, value)| label(*value)),
        }
    }

    /// Draws the line with this symbol, to tell it from others without colors.
    pub(super) fn of(self, symbol: char) -> Curve {
        Curve { marker: Marker::Custom(symbol), ..self }
    }
}

/// How values map to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero.
    Linear,
    /// Each step multiplies the value.
    Log,
}

/// A chart. The title starts with the first of `heads` that leaves room for the legend.
pub(super) struct Chart<'a> {
    pub(super) heads: &'a [&'a str],
    pub(super) curves: &'a [Curve],
    pub(super) scale: Scale,
    /// The text of a value.
    pub(super) label: fn(f64) -> String,
    /// The time that is shown, in seconds since the start of the run.
    pub(super) span: [f64; 2],
}

/// Plots need at least this many columns beside the names of their lines.
const MIN_COLUMNS_BESIDE_NAMES: usize = 20;

impl Chart<'_> {
    /// Draws the chart with a border.
    pub(super) fn draw(&self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        let palette = Palette::of(state);
        let title = self.title(usize::from(area.width.saturating_sub(2)));
        let block = Block::bordered().title(title);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        if inner.height < 3 || inner.width < 12 {
            return;
        }
        let rows = inner.height - 1;
        let axis = ValueAxis::new(self.scale, self.curves, rows);
        let labels: Vec<_> = axis.ticks.iter().map(|tick| (axis.row(*tick, rows), (self.label)(*tick))).collect();
        let left = labels.iter().map(|(_, label)| width(label)).max().unwrap_or(0) as u16 + 1;
        let names = self.curves.iter().map(|curve| width(curve.name) + 1).max().unwrap_or(0);
        let room = usize::from(inner.width.saturating_sub(left));
        let right = if self.curves.len() > 1 && room >= names + MIN_COLUMNS_BESIDE_NAMES { names as u16 } else { 0 };
        let plot = Rect { x: inner.x + left, width: inner.width.saturating_sub(left + right), height: rows, ..inner };
        if plot.width == 0 {
            return;
        }
        let buffer = frame.buffer_mut();
        for row in 0..rows {
            buffer.set_string(plot.x - 1, plot.y + row, "│", palette.faint());
        }
        let mut above = None;
        for (row, label) in &labels {
            // Labels are ordered from the bottom up.
            if above.is_none_or(|above| *row < above) {
                let x = plot.x - 1 - width(label) as u16;
                buffer.set_string(x, plot.y + row, label, palette.faint());
                buffer.set_string(plot.x - 1, plot.y + row, "┤", palette.faint());
                above = Some(*row);
            }
        }
        self.draw_times(buffer, Rect { y: plot.bottom(), height: 1, ..plot }, &palette);
        self.draw_curves(&axis, plot, buffer, state);
        if right > 0 {
            self.draw_names(&axis, Rect { x: plot.right(), width: right, ..plot }, buffer);
        }
    }

    /// The head and the legend, with the last values if they fit.
    fn title(&self, columns: usize) -> Text<'static> {
        let candidates = [true, false]
            .into_iter()
            .flat_map(|values| self.heads.iter().copied().chain([""]).map(move |h| (h, values)));
        for (head, values) in candidates {
            let head = if head.is_empty() { String::new() } else { format!(" {head} ") };
            let mut spans = vec![Span::styled(head, BOLD)];
            for curve in self.curves {
                let symbol = match curve.marker {
                    Marker::Custom(symbol) => format!("{symbol} "),
                    _ => String::new(),
                };
                let value = curve.value(self.label).filter(|_| values);
                let value = value.map(|value| format!(" {value}")).unwrap_or_default();
                spans.push(Span::styled(format!(" {symbol}{}{value}", curve.name), curve.style));
            }
            spans.push(Span::raw(" "));
            let title = Text::from(spans);
            if title.width() <= columns {
                return title;
            }
        }
        Text::default()
    }

    /// Draws the times at the ends of the axis.
    fn draw_times(&self, buffer: &mut ratatui::buffer::Buffer, area: Rect, palette: &Palette) {
        let moment = |seconds: f64| format::clock(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        let [first, last] = self.span.map(moment);
        let room = usize::from(area.width);
        if width(&first) + width(&last) < room {
            buffer.set_string(area.x, area.y, &first, palette.faint());
            buffer.set_string(area.right() - width(&last) as u16, area.y, &last, palette.faint());
        }
        let middle = moment((self.span[0] + self.span[1]) / 2.0);
        if room >= 40 {
            buffer.set_string(area.x + (area.width - width(&middle) as u16) / 2, area.y, &middle, palette.faint());
        }
    }

    fn draw_curves(&self, axis: &ValueAxis, plot: Rect, buffer: &mut ratatui::buffer::Buffer, state: &State) {
        let warm_up_until = state.timeline.warm_up_until().as_secs_f64();
        let canvas = Canvas::default().x_bounds(self.span).y_bounds([0.0, 1.0]).paint(|context| {
            if warm_up_until > self.span[0] && warm_up_until < self.span[1] {
                context.marker(Marker::Custom('┊'));
                context.draw(&Line::new(warm_up_until, 0.0, warm_up_until, 1.0, Color::Reset));
            }
            for curve in self.curves.iter().filter(|curve| self.is_drawn(curve)) {
                let color = curve.style.fg.unwrap_or(Color::Reset);
                let coords: Values = curve.values.iter().map(|(at, value)| (*at, axis.share(*value))).collect();
                context.marker(curve.marker);
                context.draw(&Points { coords: &coords, color });
                for ends in coords.windows(2).filter(|ends| ends[1].0 - ends[0].0 <= curve.longest_step) {
                    context.draw(&Line::new(ends[0].0, ends[0].1, ends[1].0, ends[1].1, color));
                }
            }
        });
        canvas.render(plot, buffer);
    }

    /// A line that is always zero, such as no failures, would only hide the axis.
    fn is_drawn(&self, curve: &Curve) -> bool {
        self.scale == Scale::Log || curve.values.iter().any(|(_, value)| *value > 0.0)
    }

    /// Draws the name of each line beside its last value.
    fn draw_names(&self, axis: &ValueAxis, area: Rect, buffer: &mut ratatui::buffer::Buffer) {
        let mut names: Vec<_> = self
            .curves
            .iter()
            .filter(|curve| self.is_drawn(curve))
            .filter_map(|curve| Some((axis.row(curve.values.last()?.1, area.height), curve)))
            .collect();
        names.sort_by_key(|(row, _)| std::cmp::Reverse(*row));
        // From the bottom up; a name whose row is taken moves up.
        let mut next = i32::from(area.height) - 1;
        for (row, curve) in names {
            let row = i32::from(row).min(next);
            if let Ok(row) = u16::try_from(row) {
                buffer.set_string(area.x + 1, area.y + row, curve.name, curve.style);
            }
            next = row - 1;
        }
    }
}

/// A count or a rate on an axis: `50`, not `50.0`.
pub(super) fn number(number: f64) -> String {
    if number.fract() == 0.0 && number < 1e6 { format::count(number as u64) } else { format::rate(number) }
}

/// The axis of the values.
struct ValueAxis {
    scale: Scale,
    low: f64,
    high: f64,
    /// The values with labels, from low to high.
    ticks: Vec<f64>,
}

impl ValueAxis {
    fn new(scale: Scale, curves: &[Curve], rows: u16) -> ValueAxis {
        let values = || curves.iter().flat_map(|curve| curve.values.iter().map(|(_, value)| *value));
        let highest = values().fold(0.0, f64::max);
        match scale {
            Scale::Linear => {
                let high = if highest > 0.0 { highest * 1.05 } else { 1.0 };
                let parts = if rows >= 12 { 4.0 } else { 2.0 };
                let step = round_up(high / parts / 1.25);
                let ticks = (0..).map(|number| f64::from(number) * step).take_while(|tick| *tick <= high).collect();
                ValueAxis { scale, low: 0.0, high, ticks }
            }
            Scale::Log => {
                let lowest = values().filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
                let (lowest, highest) = if lowest.is_finite() { (lowest, highest) } else { (1e-3, 1e-3) };
                let (mut low, mut high) = (lowest / 1.1, highest * 1.1);
                let mut ticks: Vec<_> = steps_from(round_up(low)).take_while(|tick| *tick <= high).collect();
                if ticks.len() < 2 {
                    (low, high) = (low.min(round_down(lowest)), high.max(round_up(highest * 1.001)));
                    ticks = steps_from(round_down(lowest)).take_while(|tick| *tick <= high * 1.001).collect();
                }
                // Each label needs two rows.
                let room = usize::from(rows / 2).max(2);
                if ticks.len() > room {
                    let is_power = |tick: &f64| (tick.log10() - tick.log10().round()).abs() < 1e-6;
                    let every = ticks.iter().filter(|tick| is_power(tick)).count().div_ceil(room).max(1);
                    ticks = ticks.into_iter().filter(is_power).step_by(every).collect();
                }
                ValueAxis { scale, low, high, ticks }
            }
        }
    }

    /// Where a value is between the lower and the upper end, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value / self.high,
            Scale::Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        }
    }

    /// The row of a value in a plot of `rows`, from the top.
    fn row(&self, value: f64, rows: u16) -> u16 {
        let last = f64::from(rows.saturating_sub(1));
        ((1.0 - self.share(value).clamp(0.0, 1.0)) * last).round() as u16
    }
}

/// The next number of 1, 2, 5, 10, ... that is not below `value`.
fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|round| *round >= value * 0.9999).unwrap_or(value)
}

/// A number of 1, 2, 5, 10, ..., and those that follow.
fn steps_from(first: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(first), |step| Some(round_up(step * 1.5)))
}

/// The next number of 1, 2, 5, 10, ... that is not above `value`.
fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|n| n * power).find(|round| *round <= value * 1.0001).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale, values: &[f64], rows: u16) -> ValueAxis {
        let values = values.iter().map(|value| (1.0, *value)).collect();
        ValueAxis::new(scale, &[Curve::new("p50", Style::new(), values)], rows)
    }

    #[test]
    fn log_axis_has_round_labels_that_fit() {
        let ticks = |values: &[f64], rows| -> Vec<String> {
            let time = |seconds: &f64| format::latency(Duration::from_secs_f64(*seconds));
            axis(Scale::Log, values, rows).ticks.iter().map(time).collect()
        };
        assert_eq!(ticks(&[0.012, 0.019], 8), ["10.0ms", "20.0ms"]);
        assert_eq!(ticks(&[0.0034, 0.0186], 8), ["5.00ms", "10.0ms", "20.0ms"]);
        assert_eq!(ticks(&[0.0004, 2.0], 8), ["1.00ms", "10.0ms", "100ms", "1.00s"]);
        assert_eq!(ticks(&[0.02, 0.02], 4), ["20.0ms", "50.0ms"]);
        assert_eq!(ticks(&[], 4), ["1.00ms", "2.00ms"]);
        assert_eq!(ticks(&[0.000_001, 60.0], 4).len(), 2);
    }

    #[test]
    fn linear_axis_starts_at_zero_and_leaves_little_room() {
        let axis = axis(Scale::Linear, &[0.0, 26.0], 14);
        assert_eq!(axis.ticks, [0.0, 10.0, 20.0]);
        assert!((axis.high - 27.3).abs() < 1e-9);
    }

    #[test]
    fn values_have_the_row_of_their_label() {
        let axis = axis(Scale::Log, &[0.001, 0.1], 9);
        assert_eq!([0.0009, 0.01, 0.11, 5.0, 0.0].map(|value| axis.row(value, 9)), [8, 4, 0, 0, 8]);
    }
}
