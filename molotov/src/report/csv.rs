//! The timeline of a run as CSV, with a row for each second.

use std::fmt::Write;

use super::json::millis;
use crate::{metrics::Histogram, run::Summary};

/// The header, with the columns in order.
const COLUMNS: &str = "at_s,period_s,workers,successes,failures,interrupted,requests,request_failures,bytes_in,bytes_out,\
                       p50_ms,p95_ms,p99_ms,max_ms,retried,warm_up,asked,started,late,dropped,\
                       lag_p99_ms,response_p50_ms,response_p95_ms,response_p99_ms,service_p50_ms,service_p95_ms,service_p99_ms\n";

/// The number of columns about starts at a rate.
const STARTS: usize = 11;

/// Formats the timeline of a run as CSV, with numbers only.
///
/// The percentiles `p50_ms` to `max_ms` are those of [`Timeline::latency_source`](super::Timeline::latency_source). A percentile is
/// empty for a period in which too few operations ended to estimate it. The columns from `asked` on are empty in a run without
/// rates.
pub fn csv(summary: &Summary) -> String {
    let mut text = COLUMNS.to_owned();
    for point in summary.timeline.points() {
        let at = |times: &Histogram, percent| {
            times.percentile_if_enough(percent).map(|time| format!("{:.3}", millis(time))).unwrap_or_default()
        };
        let latency = |percent| at(&point.latency, percent);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{:.3},{:.3},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
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
            latency(50.0),
            latency(95.0),
            latency(99.0),
            latency(100.0),
            point.retried,
            u8::from(point.warm_up),
        );
        let _ = match point.starts.as_deref() {
            None => writeln!(text, "{}", ",".repeat(STARTS)),
            Some(starts) => writeln!(
                text,
                ",{},{},{},{},{},{},{},{},{},{},{}",
                starts.asked,
                starts.started,
                starts.late,
                starts.dropped,
                at(&starts.lag, 99.0),
                at(&starts.response, 50.0),
                at(&starts.response, 95.0),
                at(&starts.response, 99.0),
                at(&starts.service, 50.0),
                at(&starts.service, 95.0),
                at(&starts.service, 99.0),
            ),
        };
    }
    text
}
