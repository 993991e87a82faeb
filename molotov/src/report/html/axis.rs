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
    /// While the run is not over, the number of bins that belong to a period. Later ones are left out, since they are incomplete.
    #[serde(skip)]
    pub(super) limit: Option<usize>,
}

impl Axis {
    /// The axis of the courses. At the end of the run, a last bin shorter than half a period belongs to the one before, since its
    /// rate would be a false peak. Before the end, such a bin is left out.
    pub(super) fn of_courses(summary: &Summary, points: &Axis, running: bool) -> Axis {
        let courses = summary.timeline.courses();
        let period = courses.period().as_secs_f64();
        let mut end = if points.count > 0 { points.end } else { period * courses.len() as f64 };
        if !running {
            let count = ((end / period).round() as usize).max(1);
            return Axis { period, count, end, factor: 1, limit: None }.or_none(end);
        }
        // A long bin contains more than the points, which end with a whole second.
        if period > 1.0 {
            end = end.max(courses.until().as_secs_f64());
        }
        let whole = (end / period + 1e-6).floor();
        let rest = end - whole * period;
        let is_shown = whole == 0.0 || rest > period / 2.0 - 1e-6 && period > 1.0;
        let (count, end) = if is_shown { (whole as usize + 1, end) } else { (whole as usize, whole * period) };
        Axis { period, count, end, factor: 1, limit: Some(count) }.or_none(end)
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
        let is_complete = self.limit.is_none_or(|limit| index < limit);
        is_complete.then_some((index / self.factor.max(1)).min(last))
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
pub(super) fn points(summary: &Summary) -> (Vec<Point>, Axis) {
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
            Axis {
                period: period.as_secs_f64(),
                count: points.len(),
                end: last.at.as_secs_f64(),
                factor: 1,
                limit: None,
            }
        }
        _ => Axis::default(),
    };
    (points, axis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarser_axis_leaves_out_the_same_bins() {
        let axis = Axis { period: 1.0, count: 3, end: 3.0, factor: 1, limit: Some(3) };
        let coarser = axis.coarser(2);
        assert_eq!([0, 1, 2, 3, 4].map(|index| coarser.bin(index)), [Some(0), Some(0), Some(1), None, None]);
        let ended = Axis { limit: None, ..axis };
        assert_eq!([2, 3, 4].map(|index| ended.coarser(2).bin(index)), [Some(1); 3]);
    }
}
