//! The plan of the load over time, as plain data: how many workers run, or at which rate scenarios start.
//!
//! A [`Load`] has one [`Stream`] for the scenarios that are picked by weight, and one for each scenario with a rate of its own.
//! The engine's pacing asks it when something starts, and screens show what is ahead.

mod conflicts;
mod levels;
mod plan;
mod schedule;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    conflicts::{check_options, check_scenarios},
    levels::Levels,
    plan::{ClosedModel, FOREVER, Load, Model, OpenModel, Stream},
    schedule::{Arrival, Schedule, Share},
};
