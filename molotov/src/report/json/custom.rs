//! Checks, counters, values and gauges as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    format,
    metrics::{Check, CheckSample, Gauge, Snapshot, Values},
};

/// The fields of the report for what scenarios checked and recorded.
pub(super) fn fields(snapshot: &Snapshot, active: Duration) -> [(&'static str, Vec<Value>); 4] {
    [
        ("checks", snapshot.checks.iter().map(|(name, row)| check(name, row)).collect()),
        ("counters", snapshot.counters.iter().map(|(name, count)| counter(name, *count, active)).collect()),
        ("values", snapshot.values.iter().map(|(name, row)| values(name, row)).collect()),
        ("gauges", snapshot.gauges.iter().map(|(name, row)| gauge(name, row)).collect()),
    ]
}

fn check(name: &str, check: &Check) -> Value {
    json!({
        "name": name,
        "passed": check.passed,
        "failed": check.failed,
        "pass_ratio": check.pass_ratio(),
        "sample": check.sample.as_ref().map(sample),
    })
}

fn sample(sample: &CheckSample) -> Value {
    json!({
        "scenario": sample.scenario,
        "message": sample.message,
        "place": sample.place,
        "at": format::millis(sample.at).to_string(),
    })
}

fn counter(name: &str, count: u64, active: Duration) -> Value {
    let seconds = active.as_secs_f64();
    json!({ "name": name, "count": count, "rate": if seconds > 0.0 { count as f64 / seconds } else { 0.0 } })
}

fn values(name: &str, values: &Values) -> Value {
    let at = |percent| values.percentile_if_enough(percent);
    json!({
        "name": name,
        "count": values.count(),
        "sum": finite(values.sum()),
        "min": values.min(),
        "mean": finite(values.mean()),
        "p50": at(50.0),
        "p75": at(75.0),
        "p90": at(90.0),
        "p95": at(95.0),
        "p99": at(99.0),
        "p99.9": at(99.9),
        "max": values.max(),
        "buckets": values.iter().map(|(value, count)| json!([value, count])).collect::<Vec<_>>(),
    })
}

/// The nearest number that JSON has: sums of huge numbers can be infinite, and those of both signs no number.
fn finite(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(f64::MIN, f64::MAX) }
}

fn gauge(name: &str, gauge: &Gauge) -> Value {
    json!({
        "name": name,
        "last": gauge.last,
        "min": gauge.min,
        "max": gauge.max,
        "at_s": gauge.at.as_secs_f64(),
    })
}
