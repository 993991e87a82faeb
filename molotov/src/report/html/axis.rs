//! The time axes of the page.

use std::time::Duration;

use serde::Serialize;

use crate::run::{Point, Summary};

/// The most points of a chart. A longer run merges neighbours.
const MAX_POINTS: usize = 240;

/// Periods of equal length, except for the last one, which ends with the run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(super) struct Axis {
    /// The length of a period in seconds.
    pub(super) period: f64,
    /// The number of periods.
    pub(super) count: usize,
    /// The end of the last period in seconds.
    pub(super) end: f64,
    /// The number of bins of the run in each period.
    #[serde(skip)]
    pub(super) factor: usize,
    /// Whether the run is not over. What has ended since the last period is then left out, since its period is incomplete.
    #[serde(skip)]
    pub(super) running: bool,
}

impl Axis {
    /// The axis of the courses. At the end of the run, a last bin shorter than half a period belongs to the one before, since its
    /// rate would be a false peak.
    pub(super) fn of_courses(summary: &Summary, points: &Axis) -> Axis {
        let running = points.running;
        let courses = summary.timeline.courses();
        let period = courses.period().as_secs_f64();
        let end = if points.count > 0 { points.end } else { period * courses.len() as f64 };
        let periods = end / period;
        let count = if running { (periods - 1e-6).ceil() } else { periods.round() };
        Axis { period, count: (count as usize).max(1), end, factor: 1, running }.or_none(end)
    }

    fn or_none(self, end: f64) -> Axis {
        if end > 0.0 { self } else { Axis::default() }
    }

    /// The same time in periods that are `factor` times as long.
    pub(super) fn coarser(self, factor: usize) -> Axis {
        Axis {
            period: self.period * factor as f64,
            count: self.count.div_ceil(factor),
            factor: self.factor * factor,
            ..self
        }
    }

    /// The period that a bin of the run belongs to. At the end of the run, those past the last one belong to it.
    pub(super) fn bin(&self, index: usize) -> Option<usize> {
        let last = self.count.checked_sub(1)?;
        let period = index / self.factor.max(1);
        (period <= last || !self.running).then_some(period.min(last))
    }

    /// The start of a period in seconds.
    pub(super) fn start(&self, index: usize) -> f64 {
        self.period * index as f64
    }

    /// The length of a period in seconds.
    pub(super) fn length(&self, index: usize) -> f64 {
        let end = if index + 1 >= self.count { self.end } else { self.start(index + 1) };
        (end - self.start(index)).max(1e-3)
    }

    /// The middle of a period in seconds.
    pub(super) fn middle(&self, index: usize) -> f64 {
        self.start(index) + self.length(index) / 2.0
    }
}

/// Returns the points of a run, merged to at most [`MAX_POINTS`], and their axis.
pub(super) fn points(summary: &Summary, running: bool) -> (Vec<Point>, Axis) {
    let all = summary.timeline.points();
    let factor = all.len().div_ceil(MAX_POINTS).next_power_of_two();
    let mut points: Vec<Point> = Vec::with_capacity(all.len() / factor + 1);
    for (index, point) in all.enumerate() {
        match points.last_mut() {
            Some(last) if index % factor != 0 => last.merge(&point),
            _ => points.push(point),
        }
    }
    let axis = match (points.first(), points.last()) {
        (Some(first), Some(last)) => {
            // The only point of a short run is as long as the run.
            let period = if points.len() == 1 { last.at.max(Duration::from_millis(1)) } else { first.period };
            Axis { period: period.as_secs_f64(), count: points.len(), end: last.at.as_secs_f64(), factor: 1, running }
        }
        _ => Axis::default(),
    };
    (points, axis)
}
