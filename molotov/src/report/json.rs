//! The report as JSON, in the schema `molotov-report/4`: `book/src/reference/report-4.schema.json`.
//!
//! Durations have their unit in the name, `_ms` or `_s`, with fractions. Points in time are seconds since the start (`at_s`), or RFC
//! 3339 in UTC. A change of a field needs a new version of the schema.

mod custom;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    format,
    load::{FOREVER, Levels, Load, Model, Stream},
    metrics::{Bottleneck, Counts, ErrorGroup, Histogram, Stats},
    options::{Rate, Threshold},
    run::{
        Capacity, CourseBin, Courses, ErrorKey, Incomplete, LoadUnit, MemberSummary, Point, PointStarts, RunInfo,
        SearchEnd, SizingResult, SizingStep, Stall, Stalls, StreamStarts, Summary, ThresholdResult,
    },
};

/// The name and the version of the schema.
const SCHEMA: &str = "molotov-report/4";

/// Formats a run as JSON.
///
/// The book has the [JSON Schema](https://json-schema.org/) of the report, and describes its fields.
///
/// ```
/// use molotov::report::{Summary, json};
///
/// let report: serde_json::Value = serde_json::from_str(&json(&Summary::default()))?;
/// assert_eq!(report["schema"], "molotov-report/4");
/// assert_eq!(report["conclusion"]["name"], "passed");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn json(summary: &Summary) -> String {
    let snapshot = &summary.snapshot;
    let health = &snapshot.health;
    let generator = summary.generator_limit();
    let mut report = json!({
        "schema": SCHEMA,
        "version": summary.version,
        "conclusion": { "name": summary.conclusion().name(), "sentence": summary.conclusion_sentence() },
        "run": run(summary),
        "started": summary.started.map(|at| format::millis(at).to_string()),
        "ended": summary.started.map(|at| format::millis(at + summary.totals.elapsed).to_string()),
        "elapsed_s": summary.totals.elapsed.as_secs_f64(),
        "paused_s": summary.totals.paused.as_secs_f64(),
        "warm_up_s": summary.totals.warm_up.as_secs_f64(),
        "active_s": summary.totals.active().as_secs_f64(),
        "workers": summary.workers,
        "processes": summary.processes,
        "load": load(&summary.load),
        "starts": summary.all_starts().map(|all| all_starts(&all, summary)),
        "totals": {
            "successes": summary.totals.successes,
            "failures": summary.totals.failures,
            "interrupted": summary.totals.interrupted,
        },
        "warm_up": summary.warm_up.as_ref().map(|warm_up| counts(&warm_up.totals())),
        "scenarios": rows(&snapshot.scenarios, summary.totals.active()),
        "requests": rows(&snapshot.requests, summary.totals.active()),
        "steps": rows(&snapshot.steps, summary.totals.active()),
        "members": summary.members.iter().map(|one| member(one, summary)).collect::<Vec<_>>(),
        "stalls": summary.stalls.as_ref().map(stalls),
        "incomplete": summary.incomplete.iter().map(incomplete).collect::<Vec<_>>(),
        "names_exceeded": snapshot.names_exceeded,
        "errors": snapshot.errors.iter().map(error).collect::<Vec<_>>(),
        "thresholds": summary.thresholds.iter().map(threshold).collect::<Vec<_>>(),
        "sizing": summary.sizing.as_ref().map(sizing),
        "generator": {
            "cpu": health.cpu(),
            "cpu_wait": health.cpu_wait(),
            "cores": health.cores(),
            "machine_cpu": health.machine.busy_share(),
            "machine_steal": health.machine.stolen_share(),
            "quota_periods": health.quota.periods,
            "throttled_periods": health.quota.throttled_periods,
            "throttled_s": health.quota.throttled.as_secs_f64(),
            "lag_ms": latency(&health.lag),
            "open_files": health.open_files,
            "open_files_limit": health.open_files_limit,
            "connections": health.connections,
            "bottleneck": generator.as_ref().map(|limit| limit.bottleneck.name()),
            "advice": generator.map(|limit| limit.to_string()),
        },
        "notes": summary.notes,
        "timeline_latency": summary.timeline.latency_source().name(),
        "timeline": summary.timeline.points().map(|at| point(&at)).collect::<Vec<_>>(),
        "courses": courses(summary.timeline.courses()),
    });
    report["tags"] = rows(&snapshot.tags, summary.totals.active()).into();
    for (field, rows) in custom::fields(snapshot, summary.totals.active()) {
        report[field] = rows.into();
    }
    report.to_string() + "\n"
}

/// What was run.
fn run(summary: &Summary) -> Value {
    let RunInfo { program, language, command, options, seed, host } = &*summary.info;
    json!({
        "program": program,
        "language": language,
        "command": command,
        "options": options,
        "seed": seed,
        "host": host,
        "targets": summary.snapshot.targets,
    })
}

fn threshold(result: &ThresholdResult) -> Value {
    let ThresholdResult { expression, actual, measured, limit, reason, passed, is_bound: _ } = result;
    json!({
        "expression": expression,
        "measured": measured,
        "limit": limit,
        // The conditions of a search that are no thresholds are shares.
        "unit": expression.parse().as_ref().map_or("share", Threshold::unit),
        "actual": actual,
        "reason": reason,
        "passed": passed,
    })
}

fn counts(counts: &Counts) -> Value {
    json!({ "successes": counts.ok, "failures": counts.failed, "interrupted": counts.interrupted })
}

fn load(load: &Load) -> Value {
    let model = match (load.is_open(), load.streams.iter().any(|stream| matches!(stream.model, Model::Closed(_)))) {
        (true, true) => "mixed",
        (true, false) => "open",
        (false, _) => "closed",
    };
    json!({ "model": model, "streams": load.streams.iter().map(stream).collect::<Vec<_>>() })
}

fn stream(stream: &Stream) -> Value {
    match &stream.model {
        Model::Open(open) => json!({
            "scenario": stream.scenario,
            "model": "open",
            "plan": pieces(&open.rate, |micros| Rate::from_micros_per_hour(micros).starts_per_second()),
            "arrivals": open.arrivals.name(),
            "when_busy": open.when_busy.name(),
            "max_workers": open.workers,
        }),
        Model::Closed(closed) => json!({
            "scenario": stream.scenario,
            "model": "closed",
            "plan": pieces(&closed.workers, |workers| workers as f64),
            "delay_s": closed.delay.as_secs_f64(),
        }),
    }
}

fn pieces(levels: &Levels, value: impl Fn(u64) -> f64) -> Vec<Value> {
    let piece = |([start, end], [from, to]): ([Duration; 2], [u64; 2])| {
        json!({
            "start_s": start.as_secs_f64(),
            "end_s": (end < FOREVER).then_some(end.as_secs_f64()),
            "from": value(from),
            "to": value(to),
        })
    };
    levels.lines().map(piece).collect()
}

fn all_starts(all: &StreamStarts<'_>, summary: &Summary) -> Value {
    let mut value = starts(all);
    let streams = summary.starts_by_stream().map(|stream| {
        let mut value = starts(&stream);
        value["scenario"] = stream.scenario.into();
        value
    });
    value["streams"] = streams.collect();
    let limit = summary.limit();
    value["limited_by"] = limit.as_ref().map(|limit| limit.limiter.name()).into();
    value["limit"] = limit.map(|limit| limit.to_string()).into();
    value
}

fn starts(of: &StreamStarts<'_>) -> Value {
    json!({
        "asked": of.asked,
        "achieved": of.achieved,
        "planned": of.starts.planned(),
        "started": of.starts.started,
        "late": of.starts.late,
        "dropped": of.starts.dropped,
        "unstarted": of.starts.unstarted,
        "lag_ms": latency(&of.starts.lag),
    })
}

fn rows(rows: &BTreeMap<Arc<str>, Stats>, active: Duration) -> Vec<Value> {
    rows.iter().map(|(name, stats)| row(name, stats, active)).collect()
}

fn row(name: &str, stats: &Stats, active: Duration) -> Value {
    let Counts { ok, failed, interrupted, .. } = stats.counts;
    let seconds = active.as_secs_f64();
    json!({
        "name": name,
        "protocol": stats.protocol,
        "count": ok + failed,
        "ok": ok,
        "failed": failed,
        "interrupted": interrupted,
        "rate": if seconds > 0.0 { (ok + failed) as f64 / seconds } else { 0.0 },
        "bytes_in": stats.bytes_in,
        "bytes_out": stats.bytes_out,
        "retried": stats.retried,
        "statuses": stats.statuses,
        "latency_ms": latency(&stats.latency),
        "service_ms": latency(&stats.service),
        "connect_ms": latency(&stats.connect),
        "first_byte_ms": latency(&stats.first_byte),
    })
}

fn latency(histogram: &Histogram) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let at = |percent| histogram.percentile_if_enough(percent).map(millis);
    json!({
        "count": histogram.count(),
        "min": millis(histogram.min()),
        "mean": millis(histogram.mean()),
        "p50": at(50.0),
        "p75": at(75.0),
        "p90": at(90.0),
        "p95": at(95.0),
        "p99": at(99.0),
        "p99.9": at(99.9),
        "max": millis(histogram.max()),
        "buckets": histogram.iter().map(|(upper, count)| json!([millis(upper), count])).collect::<Vec<_>>(),
    })
}

fn error(group: &ErrorGroup) -> Value {
    json!({
        "kind": group.kind,
        "place": group.place,
        "scenario": group.scenario,
        "message": group.message,
        "detail": group.detail,
        "count": group.count,
        "first": format::millis(group.first).to_string(),
        "last": format::millis(group.last).to_string(),
    })
}

fn member(member: &MemberSummary, summary: &Summary) -> Value {
    let MemberSummary { label, workers, health, starts, .. } = member;
    json!({
        "kind": label.kind(),
        "name": label.name(),
        "workers": workers,
        "incomplete_since_s": summary.loss_of(member).map(|loss| loss.since.as_secs_f64()),
        "scenarios": counts(&member.scenarios),
        "requests": counts(&member.requests),
        "latency": member.subject.name(),
        "latency_ms": percentiles(&member.latency),
        "starts": (!starts.is_empty()).then(|| json!({
            "started": starts.started,
            "late": starts.late,
            "dropped": starts.dropped,
            "unstarted": starts.unstarted,
            "lag_ms": percentiles(&starts.lag),
        })),
        "generator": {
            "cpu": health.cpu(),
            "cpu_wait": health.cpu_wait(),
            "cores": health.cores(),
            "machine_cpu": (!health.machine.total.is_zero()).then(|| health.machine.busy_share()),
            "lag_ms": percentiles(&health.lag),
            "open_files": health.open_files,
            "connections": health.connections,
            "bottleneck": member.bottleneck().map(Bottleneck::name),
            "reason": member.reason(),
        },
    })
}

fn incomplete(incomplete: &Incomplete) -> Value {
    json!({
        "agent": incomplete.agent,
        "process": incomplete.process,
        "pid": incomplete.pid,
        "thread": incomplete.thread,
        "since_s": incomplete.since.as_secs_f64(),
    })
}

fn stalls(stalls: &Stalls) -> Value {
    let first = |stall: &Stall| json!({ "start_s": stall.start.as_secs_f64(), "length_s": stall.length.as_secs_f64() });
    json!({
        "count": stalls.count,
        "total_s": stalls.total.as_secs_f64(),
        "longest_s": stalls.longest.as_secs_f64(),
        "first": stalls.first.iter().map(first).collect::<Vec<_>>(),
        "subject": stalls.subject.name(),
        "throughput": stalls.throughput,
        "unsent": stalls.unsent,
        "rate_per_s": stalls.rate.map(Rate::starts_per_second),
    })
}

fn sizing(sizing: &SizingResult) -> Value {
    match sizing {
        SizingResult::Found { workers, ratio, minute } => json!({
            "outcome": "found",
            "workers": workers,
            "error_ratio": ratio,
            "last_minute": { "successes": minute.ok, "failures": minute.failed },
        }),
        SizingResult::NotReached { workers } => json!({ "outcome": "not_reached", "workers": workers }),
        SizingResult::Interrupted => json!({ "outcome": "interrupted" }),
        SizingResult::Capacity(capacity) => search(capacity),
    }
}

fn search(capacity: &Capacity) -> Value {
    let limit = match &capacity.end {
        SearchEnd::Limited(why) => Some(why),
        _ => None,
    };
    let step = |step: &SizingStep| {
        json!({
            "load": step.load,
            "rates_per_s": step.rates,
            "time_s": step.time.as_secs_f64(),
            "started_per_s": (capacity.unit == LoadUnit::Rate).then_some(step.started),
            "ended_per_s": step.ended,
            "conditions": step.conditions.iter().map(threshold).collect::<Vec<_>>(),
            "outcome": step.verdict.name(),
        })
    };
    json!({
        "outcome": capacity.end.name(),
        "unit": capacity.unit.name(),
        "met": capacity.met,
        "broken": capacity.broken,
        "limit": limit,
        "steps": capacity.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn point(point: &Point) -> Value {
    let latency = |percent| point.latency.percentile_if_enough(percent).map(millis);
    json!({
        "at_s": point.at.as_secs_f64(),
        "period_s": point.period.as_secs_f64(),
        "workers": point.workers,
        "successes": point.successes,
        "failures": point.failures,
        "interrupted": point.interrupted,
        "requests": point.requests,
        "request_failures": point.request_failures,
        "bytes_in": point.bytes_in,
        "bytes_out": point.bytes_out,
        "p50_ms": latency(50.0),
        "p95_ms": latency(95.0),
        "p99_ms": latency(99.0),
        "max_ms": latency(100.0),
        "retried": point.retried,
        "warm_up": point.warm_up,
        "starts": point.starts.as_deref().map(point_starts),
    })
}

fn point_starts(starts: &PointStarts) -> Value {
    json!({
        "asked": starts.asked,
        "started": starts.started,
        "late": starts.late,
        "dropped": starts.dropped,
        "lag_ms": percentiles(&starts.lag),
        "response_ms": percentiles(&starts.response),
        "service_ms": percentiles(&starts.service),
    })
}

fn percentiles(times: &Histogram) -> Value {
    let at = |percent| times.percentile_if_enough(percent).map(millis);
    json!({ "p50": at(50.0), "p95": at(95.0), "p99": at(99.0), "max": at(100.0) })
}

fn courses(courses: &Courses) -> Value {
    let bins = courses.len();
    let rows = |rows: &BTreeMap<Arc<str>, Vec<CourseBin>>| -> Vec<Value> {
        rows.iter().map(|(name, course_bins)| course(name, course_bins, bins)).collect()
    };
    let padded = |counts: &[u64]| {
        let mut counts = counts.to_vec();
        counts.resize(bins, 0);
        counts
    };
    let status = |(status, counts): (&Arc<str>, &Vec<u64>)| json!({ "status": status, "count": padded(counts) });
    let error = |(key, counts): (&ErrorKey, &Vec<u64>)| {
        let ErrorKey { kind, place, scenario } = key;
        json!({ "kind": kind, "place": place, "scenario": scenario, "count": padded(counts) })
    };
    json!({
        "period_s": courses.period().as_secs_f64(),
        "bins": bins,
        "scenarios": rows(courses.scenarios()),
        "requests": rows(courses.requests()),
        "steps": rows(courses.steps()),
        "statuses": courses.statuses().iter().map(status).collect::<Vec<_>>(),
        "errors": courses.errors().iter().map(error).collect::<Vec<_>>(),
    })
}

/// The course of a name, with one array for each measure. After the last bin in which something ended, the arrays are padded.
fn course(name: &str, bins: &[CourseBin], length: usize) -> Value {
    let none = CourseBin::default();
    let bins = || bins.iter().chain(std::iter::repeat(&none)).take(length);
    let counts = |count: fn(&CourseBin) -> u64| bins().map(count).collect::<Vec<_>>();
    let times =
        |percent| -> Vec<_> { bins().map(|bin| bin.latency.percentile_if_enough(percent).map(millis)).collect() };
    json!({
        "name": name,
        "count": counts(|bin| bin.ok + bin.failed),
        "failed": counts(|bin| bin.failed),
        "p50_ms": times(50.0),
        "p95_ms": times(95.0),
        "p99_ms": times(99.0),
        "max_ms": times(100.0),
    })
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}
