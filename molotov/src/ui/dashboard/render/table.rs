//! The view of scenarios, requests and steps.

use std::time::Duration;

use ratatui::{Frame, layout::Rect, style::Style};

use super::{
    super::state::State,
    columns::{Column, Row, draw_columns},
    style::{Palette, block},
};
use crate::{format, metrics::Stats, report::layout::harmless};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    const COLUMNS: [Column; 8] =
        [("Count", 0), ("Failed", 1), ("Rate/s", 4), ("p50", 3), ("p95", 2), ("p99", 5), ("Mean", 7), ("Max", 6)];
    let palette = Palette::of(state);
    let seconds = state.progress.totals.active().as_secs_f64();
    let row = |(kind, name, stats): (&str, &str, &Stats)| {
        let ended = stats.counts.ok + stats.counts.failed;
        let rate = if seconds > 0.0 { ended as f64 / seconds } else { 0.0 };
        let time = |time: Duration| match stats.latency.is_empty() {
            true => "–".to_owned(),
            false => format::latency(time),
        };
        let at = |percent| time(stats.latency.percentile(percent));
        let failed = if stats.counts.failed > 0 { palette.bad() } else { Style::new() };
        let plain = |text| (text, Style::new());
        Row {
            name: if kind == "scenario" { harmless(name) } else { format!("  {}", harmless(name)) },
            cells: vec![
                plain(format::count(ended)),
                (format::count(stats.counts.failed), failed),
                plain(format::rate(rate)),
                plain(at(50.0)),
                plain(at(95.0)),
                plain(at(99.0)),
                plain(time(stats.latency.mean())),
                plain(time(stats.latency.max())),
            ],
        }
    };
    let rows = state.rows().into_iter().skip(state.scroll).take(usize::from(area.height)).map(row).collect();
    let block = block(format!(" Scenarios & requests, by {} ", state.sort.name()));
    draw_columns(frame, area, block, "Name", &COLUMNS, rows);
}
