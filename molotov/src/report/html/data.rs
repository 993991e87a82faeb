//! The data of the page, which its script draws.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde::Serialize;

use super::{
    axis::{self, Axis},
    banner::{self, Banner},
    chart::{Chart, Grid},
    courses::PageCourses,
    errors::{self, ErrorRow},
    rows::Group,
    series,
    table::{self, Table},
};
use crate::run::Summary;

/// Everything that the page shows. Texts from outside are [harmless](crate::report::layout::harmless), but not escaped.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    pub(super) banner: Banner,
    pub(super) tables: Vec<Table>,
    /// The time that rates refer to, in seconds: without pauses and the warm-up.
    pub(super) seconds: f64,
    /// When the warm-up ended, in seconds.
    pub(super) warm_up: f64,
    /// The axis of charts of points.
    points: Axis,
    /// The axis of charts of bins, and of courses.
    pub(super) bins: Axis,
    pub(super) charts: Vec<Chart>,
    /// The highest latency of each bucket of the courses, in microseconds.
    edges: Vec<u64>,
    /// How much too high a percentile of a range can be, as a share of it.
    width: f64,
    /// The group with the latencies of the charts: `requests` or `scenarios`.
    source: &'static str,
    pub(super) groups: Vec<Group>,
    /// Tags, checks, counters, values, gauges, and agents or processes.
    pub(super) custom: Vec<Table>,
    pub(super) errors: Vec<ErrorRow>,
    pub(super) generator: String,
}

impl Page {
    pub(super) fn new(summary: &Summary, running: bool) -> Page {
        let (points, axis) = axis::points(summary);
        let courses = PageCourses::new(summary, &Axis::of_courses(summary, &axis, running));
        let (bins, snapshot) = (courses.axis, &summary.snapshot);
        let groups = [
            Group::new("scenarios", "Scenarios", &snapshot.scenarios, &courses.scenarios),
            Group::new("requests", "Requests", &snapshot.requests, &courses.requests),
            Group::new("steps", "Steps", &snapshot.steps, &courses.steps),
        ];
        Page {
            banner: Banner::new(summary, running),
            tables: table::tables(summary, running),
            seconds: summary.totals.active().as_secs_f64(),
            warm_up: if summary.totals.warm_up.is_zero() {
                0.0
            } else {
                points.iter().filter(|point| point.warm_up).map(|point| point.at.as_secs_f64()).fold(0.0, f64::max)
            },
            points: axis,
            bins,
            charts: series::charts(summary, &points, &bins),
            edges: courses.edges,
            width: courses.width,
            source: summary.timeline.latency_source().name(),
            groups: groups.into_iter().flatten().collect(),
            custom: table::custom(summary),
            errors: errors::errors(summary, &bins),
            generator: banner::generator(summary),
        }
    }

    /// The axis of a chart.
    pub(super) fn axis(&self, chart: &Chart) -> &Axis {
        match chart.grid {
            Grid::Points => &self.points,
            Grid::Bins => &self.bins,
        }
    }

    pub(super) fn json(&self) -> String {
        // The values are numbers, texts, and lists of them, whose serialization cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The data as a JSON string: compressed with gzip, in base64. It contains no character that ends an element.
    pub(super) fn packed(&self) -> String {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory cannot fail.
        let _ = encoder.write_all(self.json().as_bytes());
        format!("\"{}\"", STANDARD.encode(encoder.finish().unwrap_or_default()))
    }
}
