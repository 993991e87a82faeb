//! The tables of scenarios, requests and steps.

use std::{collections::BTreeMap, sync::Arc};

use maud::{Markup, html};
use serde::Serialize;

use super::{
    axis::Axis,
    chart::{sparkline, title},
    courses::Course,
    table::scrolling,
};
use crate::{
    format,
    metrics::{Histogram, Stats},
    report::layout::harmless,
    run::CourseBin,
};

/// A table of names.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    /// `scenarios`, `requests` or `steps`.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
    /// All rows together.
    pub(super) total: Row,
}

/// A row of a table.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// The name in the measures.
    #[serde(skip)]
    key: String,
    name: String,
    ok: u64,
    failed: u64,
    /// Response times if scenarios start at a rate.
    latency: Option<Times>,
    /// Service times if scenarios start at a rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Times>,
    /// In microseconds, like all times here.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_in: u64,
    #[serde(skip_serializing_if = "is_zero")]
    retried: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<(String, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    course: Option<Course>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Percentiles are `None` if there are too few operations to estimate them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Times {
    mean: u64,
    p50: Option<u64>,
    p90: Option<u64>,
    p95: Option<u64>,
    p99: Option<u64>,
    max: u64,
}

impl Times {
    fn new(times: &Histogram) -> Option<Times> {
        let at = |percent| percentile(times, percent);
        (!times.is_empty()).then(|| Times {
            mean: times.mean().as_micros() as u64,
            p50: at(50.0),
            p90: at(90.0),
            p95: at(95.0),
            p99: at(99.0),
            max: times.max().as_micros() as u64,
        })
    }

    /// All times, in the order of their columns.
    fn all(&self) -> [Option<u64>; TIMES] {
        [Some(self.mean), self.p50, self.p90, self.p95, self.p99, Some(self.max)]
    }
}

fn percentile(times: &Histogram, percent: f64) -> Option<u64> {
    times.percentile_if_enough(percent).map(|time| time.as_micros() as u64)
}

impl Row {
    fn new(name: &str, stats: &Stats, course: Option<Course>) -> Row {
        Row {
            key: name.to_owned(),
            name: harmless(name),
            ok: stats.counts.ok,
            failed: stats.counts.failed,
            latency: Times::new(&stats.latency),
            service: Times::new(&stats.service),
            connect: percentile(&stats.connect, 95.0),
            first_byte: percentile(&stats.first_byte, 95.0),
            bytes_in: stats.bytes_in,
            retried: stats.retried,
            statuses: stats.statuses.iter().map(|(status, count)| (harmless(status), *count)).collect(),
            course,
        }
    }
}

impl Group {
    /// Returns the table of these rows; `None` if there are none.
    pub(super) fn new(
        id: &'static str,
        title: &'static str,
        rows: &BTreeMap<Arc<str>, Stats>,
        courses: &BTreeMap<Arc<str>, Course>,
    ) -> Option<Group> {
        let mut total = Stats::default();
        rows.values().for_each(|stats| total.merge(stats));
        let total = Row::new("Total", &total, None);
        let rows: Vec<_> = rows.iter().map(|(name, stats)| Row::new(name, stats, courses.get(name).cloned())).collect();
        (!rows.is_empty()).then_some(Group { id, title, rows, total })
    }

    fn is_of_requests(&self) -> bool {
        self.id == "requests"
    }

    /// The static table, with small charts of these courses.
    pub(super) fn markup(&self, courses: &BTreeMap<Arc<str>, Vec<CourseBin>>, axis: &Axis, seconds: f64) -> Markup {
        let mut columns = vec!["Name", "Over time", "Count", "Failed", "Failed %", "Rate /s"];
        columns.extend(["Mean", "p50", "p90", "p95", "p99", "Max"]);
        if self.is_of_requests() {
            columns.extend(["Connect p95", "First byte p95", "In", "Retried", "Status"]);
        }
        let course = |row: &Row| courses.get(row.key.as_str());
        let rows = html! {
            tbody {
                @for row in &self.rows { (self.row(row, course(row).map(Vec::as_slice), axis, seconds)) }
            }
            tfoot { (self.row(&self.total, None, axis, seconds)) }
        };
        scrolling(self.id, self.title, &columns, &rows)
    }

    fn row(&self, row: &Row, course: Option<&[CourseBin]>, axis: &Axis, seconds: f64) -> Markup {
        let ended = row.ok + row.failed;
        let rate = if seconds > 0.0 { ended as f64 / seconds } else { 0.0 };
        let bins = |of: fn(&CourseBin) -> u64| course.map(|bins| bins.iter().map(of).collect::<Vec<_>>());
        let status = |(status, count): &(String, u64)| format!("{status}:\u{a0}{}", format::count(*count));
        html! {
            tr {
                th scope="row" { span class="name" title=[title(&row.name)] { (row.name) } }
                td class="spark" {
                    @if let (Some(ok), Some(failed)) = (bins(|bin| bin.ok), bins(|bin| bin.failed)) {
                        (sparkline(&ok, &failed, axis))
                    }
                }
                td { (format::count(ended)) }
                td class=[(row.failed > 0).then_some("bad")] { (format::count(row.failed)) }
                td class=[(row.failed > 0).then_some("bad")] { (format::percent(row.failed, ended)) }
                td { (format::rate(rate)) }
                @if row.service.is_some() { td colspan=(TIMES) {} } @else { (times(row.latency.as_ref())) }
                @if self.is_of_requests() {
                    td { (time(row.connect)) }
                    td { (time(row.first_byte)) }
                    td { (format::bytes(row.bytes_in)) }
                    td { (format::count(row.retried)) }
                    td class="text" { (row.statuses.iter().map(status).collect::<Vec<_>>().join(", ")) }
                }
            }
            @if row.service.is_some() {
                (row_of_times("response time", row.latency.as_ref()))
                (row_of_times("service time", row.service.as_ref()))
            }
        }
    }
}

/// The number of columns with times.
const TIMES: usize = 6;

fn time(micros: Option<u64>) -> String {
    micros.map_or("–".to_owned(), |micros| format::latency(std::time::Duration::from_micros(micros)))
}

fn times(times: Option<&Times>) -> Markup {
    html! {
        @for value in times.map_or([None; TIMES], Times::all) { td { (time(value)) } }
    }
}

/// A row with one of the two times of a scenario that starts at a rate.
fn row_of_times(name: &str, values: Option<&Times>) -> Markup {
    html! {
        tr class="sub" {
            th scope="row" class="soft" { (name) }
            td colspan="5" {}
            (times(values))
        }
    }
}
