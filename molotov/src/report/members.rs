//! Agents, or processes, as rows of text, which several reports show.

use super::custom::{Cell, Column, Row, Section, column, count};
use crate::{
    format,
    metrics::Histogram,
    run::{MemberSummary, Summary},
};

const COLUMNS: &[Column] = &[
    column("workers", 5),
    column("scenarios", 2),
    column("failed", 1),
    column("requests", 6),
    column("p95", 3),
    column("CPU", 0),
    column("lag p95", 4),
];
/// The columns of a run with a rate.
const COLUMNS_WITH_STARTS: &[Column] = &[
    column("workers", 6),
    column("scenarios", 2),
    column("failed", 1),
    column("requests", 7),
    column("p95", 3),
    column("CPU", 0),
    column("lag p95", 5),
    column("start lag p99", 4),
];

/// Returns a row for each member of the run; `None` if there is at most one process.
pub(super) fn members(summary: &Summary) -> Option<Section> {
    let members = &summary.members;
    if members.len() <= 1 && summary.agents() == 0 {
        return None;
    }
    let has_starts = members.iter().any(|member| !member.starts.is_empty());
    let columns = if has_starts { COLUMNS_WITH_STARTS } else { COLUMNS };
    let row = |member: &MemberSummary| {
        let MemberSummary { scenarios, requests, health, .. } = member;
        let mut cells = vec![
            count(member.workers as u64),
            count(scenarios.ok + scenarios.failed),
            Cell { alarming: scenarios.failed > 0, ..count(scenarios.failed) },
            count(requests.ok + requests.failed),
            time(&member.latency, 95.0),
            Cell {
                text: format!("{:.0} %", (health.cpu() * 100.0).clamp(0.0, 100.0)),
                value: Some(health.cpu()),
                alarming: member.bottleneck().is_some(),
            },
            time(&health.lag, 95.0),
        ];
        cells.extend(has_starts.then(|| time(&member.starts.lag, 99.0)));
        let name = match summary.loss_of(member) {
            Some(loss) => format!("{} (incomplete since {})", member.label.name(), format::elapsed(loss.since)),
            None => member.label.name(),
        };
        Row { name: name.into(), cells, total: false, sample: None }
    };
    let title = if summary.agents() > 0 { "Agents" } else { "Processes" };
    Some(Section { title, columns, rows: members.iter().map(row).collect() })
}

fn time(times: &Histogram, percent: f64) -> Cell {
    let time = times.percentile_if_enough(percent);
    Cell {
        text: time.map_or("–".to_owned(), format::latency),
        value: time.map(|time| time.as_secs_f64()),
        alarming: false,
    }
}
