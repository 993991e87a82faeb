//! The view of scenarios, requests and steps.

use std::time::Duration;

use ratatui::{Frame, layout::Rect, style::Style};

use super::{
    super::state::State,
    columns::{Column, Row, draw_columns},
    style::{Palette, block},
};
use crate::{
    format,
    metrics::{Histogram, Stats},
    report::layout::harmless,
};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    const COLUMNS: [Column; 8] =
        [("Count", 0), ("Failed", 1), ("Rate/s", 4), ("p50", 3), ("p95", 2), ("p99", 5), ("Mean", 7), ("Max", 6)];
    let palette = Palette::of(state);
    let seconds = state.progress.totals.active().as_secs_f64();
    let times = |times: &Histogram| {
        let time = |time: Duration| if times.is_empty() { "–".to_owned() } else { format::latency(time) };
        let at = |percent| times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency);
        [at(50.0), at(95.0), at(99.0), time(times.mean()), time(times.max())]
    };
    let row = |(kind, name, stats): (&str, &str, &Stats)| {
        let ended = stats.counts.ok + stats.counts.failed;
        let rate = if seconds > 0.0 { ended as f64 / seconds } else { 0.0 };
        let failed = if stats.counts.failed > 0 { palette.bad() } else { Style::new() };
        let plain = |text| (text, Style::new());
        let counts =
            [plain(format::count(ended)), (format::count(stats.counts.failed), failed), plain(format::rate(rate))];
        let is_open = !stats.service.is_empty();
        let latencies = if is_open { Default::default() } else { times(&stats.latency) };
        let name = if kind == "scenario" { harmless(name) } else { format!("  {}", harmless(name)) };
        let mut rows = vec![Row { name, cells: counts.into_iter().chain(latencies.map(plain)).collect() }];
        for (name, histogram) in [("  response time", &stats.latency), ("  service time", &stats.service)] {
            if is_open {
                let cells = [const { String::new() }; 3].into_iter().chain(times(histogram)).map(plain);
                rows.push(Row { name: name.to_owned(), cells: cells.collect() });
            }
        }
        rows
    };
    let rows = state.rows().into_iter().skip(state.scroll).take(usize::from(area.height)).flat_map(row).collect();
    let block = block(format!(" Scenarios & requests, by {} ", state.sort.name()));
    draw_columns(frame, area, block, "Name", &COLUMNS, rows);
}
