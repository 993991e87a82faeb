//! The sequence of scenarios that a worker runs.

use super::{panic, shard_plan::ShardPlan};
use crate::{
    Failure,
    options::{Args, StepId},
    session::Context,
    suggest::nearest,
};

/// The scenarios that a worker runs, one after the other.
pub(super) struct ScenarioSequence<'a> {
    plan: &'a ShardPlan,
    mode: Mode,
    backtraces: bool,
}

enum Mode {
    /// Every scenario once, in name order, which is the order of the plan.
    Once,
    /// The user's picker names each scenario.
    Picked,
    /// Random scenarios, by weight.
    Weighted,
    /// The only scenario of the stream.
    Only(usize),
}

/// The next step of a worker.
pub(super) enum Next {
    /// Run the scenario with this index in the plan.
    Scenario(usize),
    /// The picker failed or named no scenario of this run.
    Unknown(Failure),
}

impl<'a> ScenarioSequence<'a> {
    /// Returns the sequence of a worker, whose stream may have a single scenario.
    pub(super) fn new(plan: &'a ShardPlan, only: Option<usize>, args: &Args) -> ScenarioSequence<'a> {
        let mode = if let Some(only) = only {
            Mode::Only(only)
        } else if args.single_run {
            Mode::Once
        } else if plan.selection.picker.is_some() && args.single_mode.is_none() {
            Mode::Picked
        } else {
            Mode::Weighted
        };
        ScenarioSequence { plan, mode, backtraces: args.verbose > 0 }
    }

    /// Returns the next scenario. Steps count from 1.
    pub(super) fn next(&mut self, context: &Context, step: u64) -> Next {
        match self.mode {
            Mode::Once => Next::Scenario(self.plan.selection.weighted[step as usize - 1]),
            Mode::Weighted => Next::Scenario(self.plan.selection.pick(context.random())),
            Mode::Picked => self.pick(context, StepId(step)),
            Mode::Only(index) => Next::Scenario(index),
        }
    }

    fn unknown(&self, name: &str) -> Failure {
        let names = self.plan.names();
        let known: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let listed = known.join(", ");
        Failure::msg(match nearest(name, known.iter().copied()) {
            Some(near) => format!(
                "the picker named `{name}`, which is not a scenario of this run; did you mean `{near}`? There are: \
                 {listed}"
            ),
            None => format!("the picker named `{name}`, which is not a scenario of this run; there are: {listed}"),
        })
    }

    fn pick(&self, context: &Context, step: StepId) -> Next {
        let Some(picker) = &self.plan.selection.picker else {
            return Next::Unknown(Failure::msg("there is no picker"));
        };
        let picked = panic::catch(self.backtraces, || picker.pick(context, step));
        match picked.unwrap_or_else(|caught| Err(caught.into())) {
            Ok(name) => match self.plan.index_of(&name) {
                Some(index) if self.plan.selection.weighted.binary_search(&index).is_err() => {
                    Next::Unknown(Failure::msg(format!(
                        "the picker named `{name}`, which starts at its own rate; pick among the scenarios without one"
                    )))
                }
                Some(index) => Next::Scenario(index),
                None => Next::Unknown(self.unknown(&name)),
            },
            Err(failure) => Next::Unknown(failure),
        }
    }
}
