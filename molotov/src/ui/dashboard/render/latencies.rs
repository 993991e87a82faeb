//! Latencies on a logarithmic axis: a histogram with its percentiles marked, and a heat map over time.

use std::time::Duration;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::Line as Text,
    widgets::{Block, Paragraph},
};

use super::{
    super::state::State,
    style::{BOLD, Palette},
};
use crate::{
    format,
    metrics::Histogram,
    report::layout::{fitting, width},
    run::CourseBin,
};

/// The percentiles that are marked, the most important first.
const MARKS: [(f64, &str); 5] = [(95.0, "p95"), (50.0, "p50"), (99.0, "p99"), (99.9, "p99.9"), (75.0, "p75")];
/// The percentiles that are listed.
const LISTED: [(f64, &str); 6] =
    [(50.0, "p50"), (75.0, "p75"), (90.0, "p90"), (95.0, "p95"), (99.0, "p99"), (99.9, "p99.9")];

/// The symbols of the top cell of a bar, from an eighth of a cell to a whole one.
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// The symbols of the heat map, from few latencies to many.
const SHADES: [&str; 4] = ["░", "▒", "▓", "█"];
/// The smallest ratio of the latencies at both ends of a cell. Compact histograms are not more exact.
const MIN_RATIO: f64 = 1.012;

/// An axis on which each cell multiplies the latency.
#[derive(Debug, Clone, Copy)]
struct LogAxis {
    /// In microseconds.
    low: f64,
    /// The ratio of the latencies at both ends of a cell.
    ratio: f64,
    cells: usize,
}

impl LogAxis {
    /// Returns the axis from the shortest to the longest latency, divided into cells.
    fn new(shortest: Duration, longest: Duration, cells: usize) -> LogAxis {
        let cells = cells.max(1);
        let low = (shortest.as_micros() as f64).max(1.0);
        let high = (longest.as_micros() as f64).max(low);
        // The longest latency is inside of the last cell.
        let ratio = ((high * 1.001 / low).ln() / cells as f64).exp();
        if ratio >= MIN_RATIO {
            return LogAxis { low, ratio, cells };
        }
        // A narrow distribution is in the middle.
        let middle = (low * high).sqrt();
        let low = (middle * MIN_RATIO.powf(-(cells as f64) / 2.0)).max(1.0);
        LogAxis { low, ratio: MIN_RATIO, cells }
    }

    /// The cell that contains a latency.
    fn cell(&self, latency: Duration) -> usize {
        let micros = (latency.as_micros() as f64).max(self.low);
        (((micros / self.low).ln() / self.ratio.ln()) as usize).min(self.cells - 1)
    }

    /// The number of latencies in each cell.
    fn counts(&self, times: &Histogram) -> Vec<u64> {
        let mut counts = vec![0; self.cells];
        for (latency, count) in times.iter() {
            // The longest latency of a bucket may be longer than all that were measured.
            counts[self.cell(latency.clamp(times.min(), times.max()))] += count;
        }
        counts
    }

    /// The cells of round latencies (1, 2, 5, 10, ...) with their texts, in rising order.
    fn ticks(&self) -> Vec<(usize, String)> {
        let high = self.low * self.ratio.powi(i32::try_from(self.cells).unwrap_or(i32::MAX));
        let first = self.low.log10().floor() as i32;
        let last = high.log10().ceil() as i32;
        let round = (first..=last).flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10_f64.powi(power)));
        let inside = round.filter(|micros| (self.low..high).contains(micros));
        inside.map(|micros| Duration::from_micros(micros.round() as u64)).map(|at| (self.cell(at), tick(at))).collect()
    }
}

/// A round latency: `5ms`, not `5.00ms`.
fn tick(latency: Duration) -> String {
    match latency.as_micros() {
        micros @ 0..1_000 => format!("{micros}µs"),
        micros @ 1_000..1_000_000 => format!("{}ms", micros / 1_000),
        micros => format!("{}s", micros / 1_000_000),
    }
}

/// The percentiles in a line, as many as fit.
pub(super) fn listed(times: &Histogram, columns: usize) -> String {
    let texts = LISTED.into_iter().filter_map(|(percent, name)| {
        times.percentile_if_enough(percent).map(|time| format!("{name} {}", format::latency(time)))
    });
    let all: Vec<_> =
        texts.chain((!times.is_empty()).then(|| format!("max {}", format::latency(times.max())))).collect();
    let median_and_p95 = times
        .percentile_if_enough(95.0)
        .map(|p95| format!(" p50 {} · p95 {} ", format::latency(times.percentile(50.0)), format::latency(p95)));
    fitting([format!(" {} ", all.join(" · "))].into_iter().chain(median_and_p95), columns)
}

/// Draws how many operations took how long, and marks percentiles.
pub(super) fn draw_histogram(frame: &mut Frame<'_>, area: Rect, block: Block<'_>, times: &Histogram, state: &State) {
    let palette = Palette::of(state);
    let block = block.title_bottom(listed(times, usize::from(area.width.saturating_sub(2))));
    let Some(inner) = framed(frame, area, block, times.is_empty(), &palette) else { return };
    let plot = Rect { y: inner.y + 1, height: inner.height - 2, ..inner };
    let axis = LogAxis::new(times.min(), times.max(), usize::from(plot.width));
    let counts = axis.counts(times);
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    let buffer = frame.buffer_mut();
    draw_marks(buffer, inner.y, plot, &axis, times, &palette);
    for (column, count) in (0..).zip(&counts) {
        draw_bar(buffer, plot, column, *count as f64 / highest as f64, palette.first());
    }
    draw_ticks(buffer, Rect { y: plot.bottom(), height: 1, ..plot }, &axis, palette.faint());
}

/// Draws a block. Returns its inside, or `None` if there is nothing to draw in it.
fn framed(frame: &mut Frame<'_>, area: Rect, block: Block<'_>, is_empty: bool, palette: &Palette) -> Option<Rect> {
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if is_empty {
        frame.render_widget(Paragraph::new(Text::styled("Nothing has ended yet.", palette.faint())), inner);
    }
    (!is_empty && inner.height >= 3 && inner.width >= 12).then_some(inner)
}

/// Draws a bar of this height, from 0 to 1. A bar that is not empty is visible.
fn draw_bar(buffer: &mut Buffer, plot: Rect, column: u16, height: f64, style: Style) {
    if height <= 0.0 || column >= plot.width {
        return;
    }
    let eighths = ((height * f64::from(plot.height) * 8.0).round() as u16).max(1);
    for row in 0..plot.height {
        let filled = eighths.saturating_sub(row * 8).min(8);
        if filled > 0 {
            let y = plot.bottom() - 1 - row;
            buffer.set_string(plot.x + column, y, BARS[usize::from(filled) - 1], style);
        }
    }
}

/// Marks percentiles with lines, and names those that have room in the row above the plot.
fn draw_marks(buffer: &mut Buffer, above: u16, plot: Rect, axis: &LogAxis, times: &Histogram, palette: &Palette) {
    let mut taken: Vec<(u16, u16)> = Vec::new();
    for (percent, name) in MARKS {
        let Some(time) = times.percentile_if_enough(percent) else { continue };
        let column = u16::try_from(axis.cell(time)).unwrap_or(u16::MAX).min(plot.width - 1);
        let texts = [format!("{name} {}", format::latency(time)), name.to_owned()];
        let place = texts.into_iter().find_map(|text| {
            let columns = width(&text) as u16;
            let first = column.min(plot.width.checked_sub(columns)?);
            let is_free = taken.iter().all(|(from, to)| first + columns < *from || first > *to);
            is_free.then_some((first, columns, text))
        });
        let Some((first, columns, text)) = place else { continue };
        taken.push((first, first + columns));
        buffer.set_string(plot.x + first, above, text, BOLD);
        for y in plot.top()..plot.bottom() {
            buffer.set_string(plot.x + column, y, "┊", palette.faint());
        }
    }
}

/// Draws as many round latencies below the plot as fit.
fn draw_ticks(buffer: &mut Buffer, area: Rect, axis: &LogAxis, style: Style) {
    let mut free = 0;
    for (cell, text) in axis.ticks() {
        let (first, columns) = (cell as u16, width(&text) as u16);
        if first >= free && first + columns <= area.width {
            buffer.set_string(area.x + first, area.y, text, style);
            free = first + columns + 1;
        }
    }
}

/// Draws how many operations took how long over time. `bins` are this long each.
pub(super) fn draw_heat_map(
    frame: &mut Frame<'_>,
    area: Rect,
    block: Block<'_>,
    bins: &[CourseBin],
    period: Duration,
    state: &State,
) {
    let palette = Palette::of(state);
    let measured = || bins.iter().map(|bin| &bin.latency).filter(|times| !times.is_empty());
    let shortest = measured().map(Histogram::min).min();
    let inner = framed(frame, area, block, shortest.is_none(), &palette);
    let (Some(inner), Some(shortest)) = (inner, shortest) else { return };
    let longest = measured().map(Histogram::max).max().unwrap_or_default();
    let rows = inner.height - 1;
    let axis = LogAxis::new(shortest, longest, usize::from(rows));
    let ticks = axis.ticks();
    let left = ticks.iter().map(|(_, text)| width(text)).max().unwrap_or(0) as u16 + 1;
    let plot = Rect { x: inner.x + left, width: inner.width.saturating_sub(left), height: rows, ..inner };
    if plot.width == 0 {
        return;
    }
    // A column stands for several bins, or a bin for several columns.
    let columns = usize::from(plot.width);
    let bins_of = |column: usize| {
        let first = column * bins.len() / columns;
        first..((column + 1) * bins.len() / columns).max(first + 1)
    };
    let counts: Vec<_> = bins.iter().map(|bin| axis.counts(&bin.latency)).collect();
    let cells: Vec<Vec<u64>> = (0..columns)
        .map(|column| {
            let bins = &counts[bins_of(column)];
            (0..axis.cells).map(|cell| bins.iter().map(|counts| counts[cell]).sum()).collect()
        })
        .collect();
    let highest = cells.iter().flatten().copied().max().unwrap_or(0);
    let buffer = frame.buffer_mut();
    for (x, counts) in (plot.x..).zip(&cells) {
        for (row, count) in (0..).zip(counts) {
            if let Some(symbol) = shade(*count, highest) {
                buffer.set_string(x, plot.bottom() - 1 - row, symbol, palette.first());
            }
        }
    }
    let mut below = plot.bottom();
    for (cell, text) in ticks {
        let y = plot.bottom() - 1 - cell as u16;
        if y < below {
            buffer.set_string(plot.x - 1 - width(&text) as u16, y, text, palette.faint());
            below = y;
        }
    }
    let end = format::clock(period * u32::try_from(bins.len()).unwrap_or(u32::MAX));
    if columns > width(&end) + 3 {
        buffer.set_string(plot.x, plot.bottom(), "0s", palette.faint());
        buffer.set_string(plot.right() - width(&end) as u16, plot.bottom(), end, palette.faint());
    }
}

/// The symbol for a count, on a logarithmic scale; `None` for zero.
fn shade(count: u64, highest: u64) -> Option<&'static str> {
    let share = (count as f64).ln_1p() / (highest as f64).ln_1p();
    let level = (share * SHADES.len() as f64).ceil() as usize;
    (count > 0).then(|| SHADES[level.clamp(1, SHADES.len()) - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn log_axis_contains_every_latency() {
        for (shortest, longest) in [(ms(1), ms(1_000)), (ms(5), ms(5)), (Duration::ZERO, ms(3)), (ms(7), ms(3_600_000))]
        {
            for cells in [1, 2, 13, 200] {
                let axis = LogAxis::new(shortest, longest, cells);
                let times: Histogram = [shortest, longest, (shortest + longest) / 2].into_iter().collect();
                assert_eq!(axis.counts(&times).iter().sum::<u64>(), 3);
                assert!(axis.cell(shortest) <= axis.cell(longest) && axis.cell(longest) < cells);
            }
        }
        let axis = LogAxis::new(ms(1), ms(1_000), 30);
        assert_eq!([1, 10, 100, 1_000].map(|millis| axis.cell(ms(millis))), [0, 9, 19, 29]);
    }

    #[test]
    fn ticks_are_round_latencies() {
        let texts = |shortest, longest| -> Vec<String> {
            LogAxis::new(shortest, longest, 60).ticks().into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(ms(3), ms(120)), ["5ms", "10ms", "20ms", "50ms", "100ms"]);
        assert_eq!(texts(Duration::from_micros(400), ms(3)), ["500µs", "1ms", "2ms"]);
        assert_eq!(texts(ms(900), ms(30_000)), ["1s", "2s", "5s", "10s", "20s"]);
    }

    #[test]
    fn any_count_is_visible_and_the_highest_is_darkest() {
        assert_eq!([0, 1, 1_000_000].map(|count| shade(count, 1_000_000)), [None, Some("░"), Some("█")]);
        assert_eq!(shade(1, 1), Some("█"));
    }
}
