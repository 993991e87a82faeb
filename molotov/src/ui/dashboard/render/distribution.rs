//! The view of the distribution of latencies.

use ratatui::{Frame, layout::Rect, text::Line as Text, widgets::Paragraph};

use super::{super::state::State, style::block};
use crate::{format, metrics::Histogram, run::LatencySource};

/// Draws the percentiles of the whole run.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let source = state.timeline.latency_source();
    let rows = match source {
        LatencySource::Requests => &state.totals.requests,
        LatencySource::Scenarios => &state.totals.scenarios,
    };
    let mut times = Histogram::default();
    rows.values().for_each(|stats| times.merge(&stats.latency));
    let lines: Vec<_> = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9]
        .into_iter()
        .map(|percent| {
            let time = times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency);
            Text::raw(format!("{:>6}  {time}", format!("p{percent}")))
        })
        .collect();
    let title = format!(" Latency of {} ", source.name());
    frame.render_widget(Paragraph::new(lines).block(block(title)), area);
}
