//! The report as an HTML page without scripts, fonts or images from elsewhere.

mod capacity;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    chart::{Series, Span, figure},
    layout::harmless,
};
use crate::{
    format,
    metrics::{ErrorGroup, Histogram, Stats},
    run::{LatencySource, Point, PointStarts, SizingResult, StreamStarts, Summary},
};

const STYLE: &str = include_str!("html.css");

/// Formats a run as an HTML page.
pub fn html(summary: &Summary) -> String {
    let title = match summary.started {
        Some(at) => format!("Load test of {}", format::seconds(at).to_string().replace('T', " ").replace('Z', " UTC")),
        None => "Load test".to_owned(),
    };
    let snapshot = &summary.snapshot;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                // The only text that is not escaped.
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        h1 { (title) }
                        p {
                            (format::elapsed_and_paused(summary.totals.elapsed, summary.totals.paused)) ", "
                            @if !summary.totals.warm_up.is_zero() {
                                (format::elapsed(summary.totals.warm_up)) " of them warm-up, not counted, "
                            }
                            (format::plural(summary.workers as u64, "worker"))
                            @if summary.processes > 1 { " in " (format::plural(summary.processes as u64, "process")) }
                            " · Molotov " (summary.version)
                        }
                    }
                    (tiles(summary))
                    (notes(summary))
                    (capacity::steps(summary))
                    (thresholds(summary))
                    (starts(summary))
                    (charts(summary))
                    (rows("Scenarios", &snapshot.scenarios, summary, false))
                    (rows("Requests", &snapshot.requests, summary, true))
                    (rows("Steps", &snapshot.steps, summary, false))
                    (errors(&snapshot.errors))
                    (generator(summary))
                }
            }
        }
    };
    page.into_string() + "\n"
}

/// Several lines of text from outside.
fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

fn per_second(count: u64, summary: &Summary) -> String {
    let seconds = summary.totals.active().as_secs_f64();
    format::rate(if seconds > 0.0 { count as f64 / seconds } else { 0.0 })
}

fn tiles(summary: &Summary) -> Markup {
    let totals = &summary.totals;
    let ended = totals.successes + totals.failures;
    let requests: u64 = summary.snapshot.requests.values().map(|stats| stats.counts.ok + stats.counts.failed).sum();
    let mut tiles = vec![
        ("good", format::count(totals.successes), "scenarios succeeded"),
        (if totals.failures > 0 { "bad" } else { "" }, format::count(totals.failures), "scenarios failed"),
        ("", format::percent(totals.failures, ended), "failure rate"),
        ("", per_second(ended, summary), "scenarios a second"),
    ];
    if requests > 0 {
        tiles.push(("", per_second(requests, summary), "requests a second"));
    }
    if totals.interrupted > 0 {
        tiles.push(("odd", format::count(totals.interrupted), "interrupted by the end"));
    }
    html! {
        section class="tiles" aria-label="Totals" {
            @for (class, number, name) in tiles {
                div { b class=(class) { (number) } span { (name) } }
            }
        }
    }
}

fn notes(summary: &Summary) -> Markup {
    let mut notes: Vec<String> = summary.incomplete.iter().map(ToString::to_string).collect();
    notes.extend(summary.advice());
    notes.extend(summary.notes.iter().cloned());
    if let Some(sizing) = &summary.sizing {
        notes.push(match sizing {
            SizingResult::Found { workers, ratio, .. } => {
                format!("Sizing: error ratio {:.2} % obtained with {workers} workers.", ratio * 100.0)
            }
            SizingResult::NotReached { workers } => {
                format!("Sizing: failures stayed within the tolerance, with up to {workers} workers.")
            }
            SizingResult::Interrupted => "Sizing was interrupted.".to_owned(),
            SizingResult::Capacity(capacity) => format!("{capacity}."),
        });
    }
    if summary.snapshot.names_exceeded {
        notes.push("There were too many request names: the last ones share the row “other”.".to_owned());
    }
    html! {
        @for note in notes { p class="note" { (note) } }
    }
}

fn thresholds(summary: &Summary) -> Markup {
    if summary.thresholds.is_empty() {
        return Markup::default();
    }
    let rows = html! {
        @for result in &summary.thresholds {
            tr {
                th scope="row" { (harmless(&result.expression)) }
                td class="text" { (harmless(result.outcome())) }
                @if result.passed { td class="good" { "met" } } @else { td class="bad" { "broken" } }
            }
        }
    };
    table("Thresholds", &["Condition", "Measured", "Result"], &rows)
}

fn charts(summary: &Summary) -> Markup {
    let points: Vec<_> = summary.timeline.points().collect();
    let Some(last) = points.last() else { return Markup::default() };
    let warm_up = points.iter().filter(|point| point.warm_up).map(|point| point.at.as_secs_f64()).fold(0.0, f64::max);
    let seconds = Span { end: last.at.as_secs_f64(), warm_up };
    let series = |name, class, filled, value: &dyn Fn(&Point) -> Option<f64>| Series {
        name,
        class,
        filled,
        values: points
            .iter()
            .map(|point| ((point.at.as_secs_f64() - point.period.as_secs_f64() / 2.0).max(0.0), value(point)))
            .collect(),
    };
    let latency = |percent: f64| {
        move |point: &Point| (!point.latency.is_empty()).then(|| point.latency.percentile(percent).as_secs_f64())
    };
    let scenarios = [
        series("succeeded", "a", false, &|point| Some(point.per_second(point.successes))),
        series("failed", "bad", true, &|point| Some(point.per_second(point.failures))),
    ];
    let count =
        |count: fn(&PointStarts) -> u64| move |point: &Point| Some(point.per_second(count(point.starts.as_deref()?)));
    let time = |times: fn(&PointStarts) -> &Histogram, percent: f64| {
        move |point: &Point| {
            let times = times(point.starts.as_deref()?);
            (!times.is_empty()).then(|| times.percentile(percent).as_secs_f64())
        }
    };
    let starts = points.iter().any(|point| point.starts.is_some()).then(|| {
        [
            series("achieved", "a", false, &count(|starts| starts.started)),
            series("late", "odd", false, &count(|starts| starts.late)),
            series("dropped", "bad", true, &count(|starts| starts.dropped)),
            series("asked", "plan", false, &count(|starts| starts.asked)),
        ]
    });
    let both_times = starts.is_some().then(|| {
        [
            series("response p50", "a", false, &time(|starts| &starts.response, 50.0)),
            series("response p99", "c", false, &time(|starts| &starts.response, 99.0)),
            series("service p50", "plan", false, &time(|starts| &starts.service, 50.0)),
            series("service p99", "b", false, &time(|starts| &starts.service, 99.0)),
        ]
    });
    let lags = starts.is_some().then(|| {
        [
            series("p50", "a", false, &time(|starts| &starts.lag, 50.0)),
            series("p99", "c", false, &time(|starts| &starts.lag, 99.0)),
        ]
    });
    let source = summary.timeline.latency_source();
    let requests = (source == LatencySource::Requests).then(|| {
        [
            series("requests", "a", false, &|point| Some(point.per_second(point.requests))),
            series("failed", "bad", true, &|point| Some(point.per_second(point.request_failures))),
        ]
    });
    let percentiles = [
        series("p50", "a", false, &latency(50.0)),
        series("p95", "b", false, &latency(95.0)),
        series("p99", "c", false, &latency(99.0)),
    ];
    let workers = [series("workers", "a", true, &|point| Some(point.workers as f64))];
    html! {
        h2 { "Over time" }
        div class="charts" {
            @if let Some(starts) = &starts { (figure("Starts a second, asked and achieved", seconds, starts, number)) }
            @if let Some(times) = &both_times { (figure("Response and service time of scenarios", seconds, times, time_label)) }
            @if let Some(lags) = &lags { (figure("Start lag", seconds, lags, time_label)) }
            (figure("Scenarios a second", seconds, &scenarios, number))
            @if let Some(requests) = &requests { (figure("Requests a second", seconds, requests, number)) }
            (figure(&format!("Latency of {}", source.name()), seconds, &percentiles, time_label))
            (figure("Workers", seconds, &workers, number))
        }
    }
}

/// A time beside an axis.
fn time_label(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        seconds => format::latency(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
    }
}

/// What the plan asked for and what happened, in all and for each scenario with a rate of its own.
fn starts(summary: &Summary) -> Markup {
    let Some(all) = summary.all_starts() else { return Markup::default() };
    let mut streams: Vec<_> = summary.starts_by_stream().collect();
    if streams.len() == 1 {
        streams.clear();
    }
    let streams = streams.into_iter().map(|stream| (stream.scenario.map_or("All others".to_owned(), harmless), stream));
    let lag = |of: &StreamStarts<'_>, percent| percentile(&of.starts.lag, percent);
    let rows = html! {
        @for (name, of) in streams.chain([("Total".to_owned(), all)]) {
            tr {
                th scope="row" { (name) }
                td { (format::rate(of.asked)) }
                td { (format::rate(of.achieved)) }
                td { (format::count(of.starts.planned())) }
                td { (format::count(of.starts.started)) }
                td class=[(of.starts.late > 0).then_some("odd")] { (format::count(of.starts.late)) }
                td class=[(of.starts.dropped > 0).then_some("bad")] { (format::count(of.starts.dropped)) }
                td class=[(of.starts.unstarted > 0).then_some("bad")] { (format::count(of.starts.unstarted)) }
                td { (lag(&of, 50.0)) }
                td { (lag(&of, 95.0)) }
                td { (lag(&of, 99.0)) }
            }
        }
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
    table("Starts", &columns, &rows)
}

/// A percentile, or `–` if there are too few operations to estimate it.
fn percentile(times: &Histogram, percent: f64) -> String {
    times.percentile_if_enough(percent).map_or("–".to_owned(), format::latency)
}

/// A number beside an axis: whole if possible.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value < 100_000.0 { format::count(value as u64) } else { format::rate(value) }
}

/// A table under a heading. A wide table scrolls, which by keyboard needs the focus and a name.
fn table(title: &str, columns: &[&str], rows: &Markup) -> Markup {
    let id = title.to_lowercase();
    html! {
        h2 id=(id) { (title) }
        div class="scroll" tabindex="0" role="region" aria-labelledby=(id) {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

fn rows(title: &str, rows: &BTreeMap<Arc<str>, Stats>, summary: &Summary, requests: bool) -> Markup {
    if rows.is_empty() {
        return Markup::default();
    }
    let mut columns = vec!["Name", "Count", "Failed", "Rate /s", "Mean", "p50", "p90", "p95", "p99", "Max"];
    if requests {
        columns.extend(["Connect p95", "First byte p95", "In", "Retried", "Status"]);
    }
    let rows = html! {
        @for (name, stats) in rows {
            @if stats.service.is_empty() {
                (row(name, stats, Some(&stats.latency), summary, requests))
            } @else {
                (row(name, stats, None, summary, requests))
                (row_of_times("response time", &stats.latency))
                (row_of_times("service time", &stats.service))
            }
        }
    };
    table(title, &columns, &rows)
}

fn row(name: &str, stats: &Stats, latency: Option<&Histogram>, summary: &Summary, requests: bool) -> Markup {
    let ended = stats.counts.ok + stats.counts.failed;
    let status = |(status, count): (&Arc<str>, &u64)| format!("{}:\u{a0}{}", harmless(status), format::count(*count));
    html! {
        tr {
            th scope="row" { (harmless(name)) }
            td { (format::count(ended)) }
            td class=[(stats.counts.failed > 0).then_some("bad")] { (format::count(stats.counts.failed)) }
            td { (per_second(ended, summary)) }
            @if let Some(latency) = latency { (times(latency)) } @else { td colspan=(TIMES) {} }
            @if requests {
                td { (percentile(&stats.connect, 95.0)) }
                td { (percentile(&stats.first_byte, 95.0)) }
                td { (format::bytes(stats.bytes_in)) }
                td { (format::count(stats.retried)) }
                td class="text" { (stats.statuses.iter().map(status).collect::<Vec<_>>().join(", ")) }
            }
        }
    }
}

/// The number of columns with times.
const TIMES: usize = 6;

fn times(times: &Histogram) -> Markup {
    let exact = |time| if times.is_empty() { "–".to_owned() } else { format::latency(time) };
    html! {
        td { (exact(times.mean())) }
        @for percent in [50.0, 90.0, 95.0, 99.0] { td { (percentile(times, percent)) } }
        td { (exact(times.max())) }
    }
}

/// A row with one of the two times of a scenario that starts at a rate.
fn row_of_times(name: &str, histogram: &Histogram) -> Markup {
    html! {
        tr {
            th scope="row" class="soft" { "\u{2003}" (name) }
            td colspan="3" {}
            (times(histogram))
        }
    }
}

fn errors(errors: &[ErrorGroup]) -> Markup {
    if errors.is_empty() {
        return Markup::default();
    }
    let mut errors: Vec<_> = errors.iter().collect();
    errors.sort_by_key(|group| std::cmp::Reverse(group.count));
    html! {
        h2 { "Errors" }
        @for group in errors {
            details {
                summary {
                    b class="bad" { (format::count(group.count)) " ×" }
                    " " (harmless(&group.kind)) " "
                    span class="soft" {
                        "in " (harmless(&group.scenario))
                        @if let Some(place) = &group.place { " at " (harmless(place)) }
                    }
                }
                pre { (harmless_lines(&group.message)) }
                @if let Some(detail) = &group.detail { pre class="soft" { (harmless_lines(detail)) } }
                p class="soft" {
                    "first " (format::seconds(group.first).to_string()) ", last " (format::seconds(group.last).to_string())
                }
            }
        }
    }
}

fn generator(summary: &Summary) -> Markup {
    let health = &summary.snapshot.health;
    let percent = |share: f64| format!("{:.0} %", (share * 100.0).clamp(0.0, 100.0));
    let limit = health.open_files_limit.map(|limit| format!(" of {}", format::count(limit))).unwrap_or_default();
    html! {
        h2 { "Generator" }
        p {
            "The threads that run workers were busy " (percent(health.cpu())) " of the time and waited for a CPU "
            (percent(health.cpu_wait())) " of it; the event loop was up to " (format::latency(health.lag.percentile(95.0)))
            " late (p95); at most " (format::count(health.open_files)) " files were open" (limit) ", "
            (format::count(health.connections)) " of them TCP connections."
            @if !health.machine.total.is_zero() {
                " The machine’s CPUs were " (percent(health.machine.busy_share())) " busy, and the hypervisor took "
                (percent(health.machine.stolen_share())) "."
            }
            @if health.quota.throttled_periods > 0 {
                " A CPU quota was used up in " (percent(health.quota.throttled_share())) " of its periods, for "
                (format::latency(health.quota.mean_throttled())) " each time."
            }
        }
    }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
