//! The report as JSON, in the schema `molotov-report/1`, which `book/src/reference/report.md` describes.
//!
//! Durations are milliseconds with fractions; points in time are seconds since the start, or RFC 3339. A version of the schema
//! only gains names.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    format,
    metrics::{Bottleneck, Counts, ErrorGroup, Histogram, Stats},
    run::{Incomplete, Point, SizingResult, Summary},
};

/// The name and the version of the schema.
const SCHEMA: &str = "molotov-report/1";

/// Formats a run as JSON.
pub fn json(summary: &Summary) -> String {
    let snapshot = &summary.snapshot;
    let health = &snapshot.health;
    let report = json!({
        "schema": SCHEMA,
        "version": summary.version,
        "started": summary.started.map(|at| format::millis(at).to_string()),
        "elapsed_s": summary.totals.elapsed.as_secs_f64(),
        "paused_s": summary.totals.paused.as_secs_f64(),
        "workers": summary.workers,
        "processes": summary.processes,
        "totals": {
            "successes": summary.totals.successes,
            "failures": summary.totals.failures,
            "interrupted": summary.totals.interrupted,
        },
        "scenarios": rows(&snapshot.scenarios, summary.totals.active()),
        "requests": rows(&snapshot.requests, summary.totals.active()),
        "steps": rows(&snapshot.steps, summary.totals.active()),
        "incomplete": summary.incomplete.iter().map(incomplete).collect::<Vec<_>>(),
        "names_exceeded": snapshot.names_exceeded,
        "errors": snapshot.errors.iter().map(error).collect::<Vec<_>>(),
        "thresholds": summary.thresholds,
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
            "bottleneck": snapshot.bottleneck().map(Bottleneck::name),
            "advice": snapshot.advice(),
        },
        "timeline_latency": summary.timeline.latency_source().name(),
        "timeline": summary.timeline.points().map(|at| point(&at)).collect::<Vec<_>>(),
    });
    report.to_string() + "\n"
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
        "first_byte_ms": latency(&stats.first_byte),
    })
}

fn latency(histogram: &Histogram) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let at = |percent| millis(histogram.percentile(percent));
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

fn incomplete(incomplete: &Incomplete) -> Value {
    json!({
        "process": incomplete.process,
        "pid": incomplete.pid,
        "thread": incomplete.thread,
        "since_s": incomplete.since.as_secs_f64(),
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
    }
}

fn point(point: &Point) -> Value {
    let at = |percent| (!point.latency.is_empty()).then(|| millis(point.latency.percentile(percent)));
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
        "p50_ms": at(50.0),
        "p95_ms": at(95.0),
        "p99_ms": at(99.0),
        "max_ms": at(100.0),
        "retried": point.retried,
    })
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}
