//! The starts of scenarios at a rate, compared with the plan.

use std::{borrow::Cow, time::Duration};

use super::Summary;
use crate::{load::OpenModel, metrics::Starts};

/// What the plan asked for, and what happened: over the whole run, or for the scenarios that share a rate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StreamStarts<'a> {
    /// The scenario that has this rate; `None` for all scenarios without their own rate, and for all streams together.
    pub(crate) scenario: Option<&'a str>,
    /// The average rate of the plan, in starts per second.
    pub(crate) asked: f64,
    /// The average rate at which scenarios started, over the same time.
    pub(crate) achieved: f64,
    pub(crate) starts: Cow<'a, Starts>,
}

impl Summary {
    /// Returns the starts of all streams together; `None` if no scenario starts at a rate.
    pub(crate) fn all_starts(&self) -> Option<StreamStarts<'_>> {
        let time = self.load.open().map(|(_, model)| self.planned_time_of(model)).max()?.as_secs_f64();
        let asked = self.load.open().map(|(_, model)| self.asked(model) * self.planned_time_of(model).as_secs_f64());
        let asked = per_second(asked.sum(), time);
        let starts = self.snapshot.all_starts();
        let achieved = per_second(starts.started as f64, time);
        Some(StreamStarts { scenario: None, asked, achieved, starts: Cow::Owned(starts) })
    }

    /// Returns the starts of each stream, in the order of the plan.
    pub(crate) fn starts_by_stream(&self) -> impl Iterator<Item = StreamStarts<'_>> {
        self.load.open().map(|(scenario, model)| {
            let starts = self.snapshot.starts.get(scenario.unwrap_or_default());
            let starts = starts.map_or(Cow::Owned(Starts::default()), Cow::Borrowed);
            let achieved = per_second(starts.started as f64, self.planned_time_of(model).as_secs_f64());
            StreamStarts { scenario, asked: self.asked(model), achieved, starts }
        })
    }

    /// The average rate of a plan.
    fn asked(&self, model: &OpenModel) -> f64 {
        let warm_up = self.totals.warm_up;
        model.mean_rate(warm_up, warm_up + self.planned_time_of(model))
    }

    /// How much of a plan the run followed, without the warm-up.
    fn planned_time_of(&self, model: &OpenModel) -> Duration {
        self.planned_time.min(model.rate.end().saturating_sub(self.totals.warm_up))
    }
}

fn per_second(count: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { count / seconds } else { 0.0 }
}
