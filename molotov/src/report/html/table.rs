//! Tables of text: thresholds, starts, the steps of a search for the capacity, and what scenarios recorded.

use std::sync::Arc;

use maud::{Markup, html};
use serde::Serialize;

use crate::{
    format,
    metrics::{Histogram, Stats},
    report::{
        custom::{self, Column, Section},
        layout::harmless,
        members::members,
    },
    run::{Light, LoadUnit, SizingResult, StepVerdict, StreamStarts, Summary, ThresholdResult},
};

/// A table of text under a heading.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    id: &'static str,
    title: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    /// Whether the last row is a total.
    total: bool,
}

/// A cell of a table. The first one of a row is its heading.
#[derive(Debug, Serialize)]
struct Cell {
    text: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    class: &'static str,
    /// The number by which the script sorts.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

impl Cell {
    fn new(text: impl Into<String>, class: &'static str) -> Cell {
        Cell { text: text.into(), class, value: None }
    }

    fn number(text: String, value: Option<f64>, alarming: bool) -> Cell {
        Cell { text, class: if alarming { "bad" } else { "" }, value }
    }

    fn text(text: impl Into<String>) -> Cell {
        Cell::new(text, "")
    }
}

/// The tables that the run has.
pub(super) fn tables(summary: &Summary, running: bool) -> Vec<Table> {
    [thresholds(summary, running), capacity(summary), starts(summary)].into_iter().flatten().collect()
}

/// The tables of tags, checks, values and members, whose rows the script can sort.
pub(super) fn custom(summary: &Summary) -> Vec<Table> {
    tags(summary).into_iter().chain(custom::sections(summary).chain(members(summary)).map(section)).collect()
}

fn section(section: Section) -> Table {
    let has_samples = section.rows.iter().any(|row| row.sample.is_some());
    let columns = ["Name".to_owned()].into_iter().chain(section.columns.iter().map(Column::title));
    let columns = columns.chain(has_samples.then(|| "First failure".to_owned())).collect();
    let total = section.rows.last().is_some_and(|row| row.total);
    let row = |row: custom::Row| {
        let mut cells = vec![Cell::text(harmless(&row.name))];
        cells.extend(row.cells.into_iter().map(|cell| Cell::number(cell.text, cell.value, cell.alarming)));
        cells.extend(has_samples.then(|| Cell::new(row.sample.as_deref().map(harmless).unwrap_or_default(), "text")));
        cells
    };
    let id = match section.title {
        "Checks" => "checks",
        "Counters" => "counters",
        "Values" => "values",
        "Agents" => "agents",
        "Processes" => "processes",
        _ => "gauges",
    };
    Table { id, title: section.title, columns, rows: section.rows.into_iter().map(row).collect(), total }
}

/// Requests by their tags. A request is in the row of each of its tags, so there is no total.
fn tags(summary: &Summary) -> Option<Table> {
    let seconds = summary.totals.active().as_secs_f64();
    let row = |(name, stats): (&Arc<str>, &Stats)| {
        let (ended, failed) = (stats.counts.ok + stats.counts.failed, stats.counts.failed);
        let rate = if seconds > 0.0 { ended as f64 / seconds } else { 0.0 };
        let count = |count: u64, alarming| Cell::number(format::count(count), Some(count as f64), alarming);
        let time = |percent| {
            let time = stats.latency.percentile_if_enough(percent).map(|time| time.as_secs_f64());
            Cell::number(percentile(&stats.latency, percent), time, false)
        };
        vec![
            Cell::text(harmless(name)),
            count(ended, false),
            count(failed, failed > 0),
            Cell::number(format::percent(failed, ended), Some(stats.counts.failure_ratio()), failed > 0),
            Cell::number(format::rate(rate), Some(rate), false),
            time(50.0),
            time(95.0),
            time(99.0),
            time(100.0),
        ]
    };
    let rows: Vec<_> = summary.snapshot.tags.iter().map(row).collect();
    let columns = ["Name", "Count", "Failed", "Failed %", "Rate /s", "p50", "p95", "p99", "Max"];
    let columns = columns.map(str::to_owned).to_vec();
    (!rows.is_empty()).then_some(Table { id: "tags", title: "Tags", columns, rows, total: false })
}

impl Table {
    pub(super) fn markup(&self) -> Markup {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let (rows, total) = self.rows.split_at(self.rows.len() - usize::from(self.total));
        let row = |row: &Vec<Cell>| {
            html! {
                tr {
                    @for (index, cell) in row.iter().enumerate() {
                        @if index == 0 {
                            th scope="row" { (cell.text) }
                        } @else {
                            td class=[Some(cell.class).filter(|class| !class.is_empty())] { (cell.text) }
                        }
                    }
                }
            }
        };
        let rows = html! {
            tbody { @for one in rows { (row(one)) } }
            @if let Some(total) = total.first() { tfoot { (row(total)) } }
        };
        scrolling(self.id, self.title, &columns, &rows)
    }
}

/// A table under a heading. A wide table scrolls, which by keyboard needs the focus and a name.
pub(super) fn scrolling(id: &str, title: &str, columns: &[&str], rows: &Markup) -> Markup {
    let heading = format!("{id}-title");
    html! {
        section id=(id) {
            h2 id=(heading) { (title) }
            div class="scroll" tabindex="0" role="region" aria-labelledby=(heading) {
                table {
                    thead { tr { @for column in columns { th scope="col" { (column) } } } }
                    (rows)
                }
            }
        }
    }
}

fn thresholds(summary: &Summary, running: bool) -> Option<Table> {
    let result = |threshold: &ThresholdResult| match threshold.light() {
        Light::Unknown if running => Cell::text("– no measures yet"),
        Light::Close => Cell::new("✓ met, close to the limit", "odd"),
        _ if threshold.passed => Cell::new("✓ met", "good"),
        _ => Cell::new("✕ broken", "bad"),
    };
    let rows: Vec<Vec<Cell>> = summary
        .thresholds
        .iter()
        .map(|threshold| {
            let outcome = Cell::new(harmless(threshold.outcome()), "text");
            vec![Cell::text(harmless(&threshold.expression)), outcome, result(threshold)]
        })
        .collect();
    let columns = ["Condition", "Measured", "Result"].map(str::to_owned).to_vec();
    (!rows.is_empty()).then_some(Table { id: "thresholds", title: "Thresholds", columns, rows, total: false })
}

/// The steps of a search for the capacity.
fn capacity(summary: &Summary) -> Option<Table> {
    let Some(SizingResult::Capacity(capacity)) = &summary.sizing else { return None };
    let first = capacity.steps.first()?;
    let names = first.rates.keys().map(|name| harmless(name));
    let conditions = first.conditions.iter().map(|condition| harmless(&condition.expression));
    let columns = ["Load".to_owned()].into_iter().chain(names).chain(["Time", "Ended /s"].map(str::to_owned));
    let columns = columns.chain(conditions);
    let rows = capacity.steps.iter().map(|step| {
        let rates = step.rates.values().map(|rate| LoadUnit::Rate.format(*rate));
        let first = [capacity.unit.format(step.load)].into_iter().chain(rates);
        let first = first.chain([format::elapsed(step.time), format::rate(step.ended)]);
        let actual =
            step.conditions.iter().map(|condition| condition.actual.as_deref().map_or("–".to_owned(), harmless));
        let class = match step.verdict {
            StepVerdict::Met => "good",
            StepVerdict::Broken => "bad",
            StepVerdict::Unclear | StepVerdict::Limited => "",
        };
        let cells = first.chain(actual).map(Cell::text);
        cells.chain([Cell::new(step.verdict.name(), class)]).collect()
    });
    Some(Table {
        id: "capacity",
        title: "Capacity",
        columns: columns.chain(["Outcome".to_owned()]).collect(),
        rows: rows.collect(),
        total: false,
    })
}

/// What the plan asked for and what happened, in all and for each scenario with its own rate.
fn starts(summary: &Summary) -> Option<Table> {
    let all = summary.all_starts()?;
    let mut streams: Vec<_> = summary.starts_by_stream().collect();
    if streams.len() == 1 {
        streams.clear();
    }
    let streams = streams.into_iter().map(|stream| (stream.scenario.map_or("All others".to_owned(), harmless), stream));
    let count = |count: u64, class| Cell::new(format::count(count), if count > 0 { class } else { "" });
    let row = |(name, of): (String, StreamStarts<'_>)| {
        let lag = |percent| Cell::text(percentile(&of.starts.lag, percent));
        vec![
            Cell::text(name),
            Cell::text(format::rate(of.asked)),
            Cell::text(format::rate(of.achieved)),
            count(of.starts.planned(), ""),
            count(of.starts.started, ""),
            count(of.starts.late, "odd"),
            count(of.starts.dropped, "bad"),
            count(of.starts.unstarted, "bad"),
            lag(50.0),
            lag(95.0),
            lag(99.0),
        ]
    };
    let columns = [
        "Scenarios",
        "Asked /s",
        "Achieved /s",
        "Planned",
        "Started",
        "Late",
        "Dropped",
        "Unstarted",
        "Lag p50",
        "Lag p95",
        "Lag p99",
    ];
    let rows = streams.chain([("Total".to_owned(), all)]).map(row).collect();
    let columns = columns.map(str::to_owned).to_vec();
    Some(Table { id: "starts", title: "Starts", columns, rows, total: true })
}

/// A percentile, or `–` if there are too few operations to estimate it.
fn percentile(times: &Histogram, percent: f64) -> String {
    times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency)
}
