//! The plan of the load over time, as plain data: how many workers run, or at which rate scenarios start.
//!
//! A [`Load`] has one [`Stream`] for the scenarios that are picked by weight, and one for each scenario that has a rate. The
//! engine's pacing follows it, and screens show the part that is ahead.

mod conflicts;
mod levels;
mod part;
mod plan;
mod schedule;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    conflicts::{check_options, check_scenarios},
    levels::Levels,
    part::Part,
    plan::{ClosedModel, FOREVER, Load, Model, OpenModel, Stream},
    schedule::{Arrival, Schedule},
};
