//! The timeline of a run as CSV, with a row for each second.

use std::fmt::Write;

use super::json::millis;
use crate::run::Summary;

/// The header, with the columns in order.
const COLUMNS: &str = "at_s,period_s,workers,successes,failures,interrupted,requests,request_failures,bytes_in,bytes_out,\
                       p50_ms,p95_ms,p99_ms,max_ms,retried\n";

/// Formats the timeline of a run as CSV, with numbers only.
///
/// The percentiles are those of [`Timeline::latency_source`](super::Timeline::latency_source). They are empty for a period in which
/// none of these operations ended.
pub fn csv(summary: &Summary) -> String {
    let mut text = COLUMNS.to_owned();
    for point in summary.timeline.points() {
        let at = |percent| match point.latency.is_empty() {
            true => String::new(),
            false => format!("{:.3}", millis(point.latency.percentile(percent))),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:.3},{:.3},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            point.at.as_secs_f64(),
            point.period.as_secs_f64(),
            point.workers,
            point.successes,
            point.failures,
            point.interrupted,
            point.requests,
            point.request_failures,
            point.bytes_in,
            point.bytes_out,
            at(50.0),
            at(95.0),
            at(99.0),
            at(100.0),
            point.retried,
        );
    }
    text
}
