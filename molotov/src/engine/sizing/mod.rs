//! Sizing: finds what a service bears.
//!
//! Without thresholds and without a rate, workers start one after the other until too many scenarios fail ([`ramp`]). Otherwise,
//! a [`search`] tries constant loads, step by step, for the highest one that meets all conditions.

mod bracket;
mod condition;
mod interval;
mod ramp;
mod search;
#[cfg(test)]
mod simulation;
mod step;

pub(super) use self::search::Moment;
use self::{ramp::Ramp, search::Search};
use crate::{
    engine::plan::Plan,
    load::Load,
    metrics::{Counts, Snapshot},
    run::{SizingProgress, SizingResult},
};

/// The sizing of a run.
#[derive(Debug)]
pub(super) enum Sizing {
    Ramp(Ramp),
    Search(Box<Search>),
}

/// What a sizing wants from the run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    /// This load from now on.
    Load(Load),
    /// The end of the run.
    Stop,
}

impl Sizing {
    /// Returns a sizing if the options of a plan ask for one.
    pub(super) fn of(plan: &Plan) -> Option<Sizing> {
        plan.args.sizing.then(|| match plan.args.searches_capacity() {
            true => Sizing::Search(Box::new(Search::new(&plan.args, &plan.load))),
            false => Sizing::Ramp(Ramp::new(&plan.args)),
        })
    }

    /// Whether it decides the load over time.
    pub(super) fn is_search(&self) -> bool {
        matches!(self, Sizing::Search(_))
    }

    /// Takes what a member measured.
    pub(super) fn measured(&mut self, measures: &Snapshot) {
        if let Sizing::Search(search) = self {
            search.measured(measures);
        }
    }

    /// Notes that the run was paused: what a step measured is not that of a steady load.
    pub(super) fn disturbed(&mut self) {
        if let Sizing::Search(search) = self {
            search.disturbed();
        }
    }

    /// Decides what comes next. Called ten times a second.
    pub(super) fn advance(&mut self, moment: Moment, totals: Counts, load: &Load) -> Option<Action> {
        match self {
            Sizing::Ramp(ramp) => ramp.sample(moment.now, totals, moment.workers).then_some(Action::Stop),
            Sizing::Search(search) => search.advance(moment, load),
        }
    }

    /// The progress of the sizing.
    pub(super) fn progress(&self) -> SizingProgress {
        match self {
            Sizing::Ramp(ramp) => ramp.progress(),
            Sizing::Search(search) => search.progress(),
        }
    }

    /// The result. `interrupted` says that the run was stopped from outside.
    pub(super) fn result(&self, interrupted: bool, most_workers: usize) -> SizingResult {
        match self {
            Sizing::Ramp(ramp) => ramp.result(interrupted, most_workers),
            Sizing::Search(search) => SizingResult::Capacity(search.result(interrupted)),
        }
    }
}
