//! The options of a run, as fixtures and contexts see them ([`Args`]), and the types of their values.

// An option is an entry of `table.rs`, from which everything else is made. The command line, a `molotov.json` and code each
// give `Options`; one is laid over the other, and `Options::resolve` makes the `Args` of the run.

mod color;
mod duration;
mod invalid;
pub(crate) mod json;
pub(crate) mod report_target;
mod schema;
pub(crate) mod statsd_address;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod threshold;
mod value;

pub use self::{
    color::Color,
    invalid::InvalidValue,
    report_target::ReportTarget,
    table::Args,
    threshold::{Threshold, ThresholdError},
};
pub(crate) use self::{
    schema::Entry,
    table::{ENTRIES, Options, option_table},
    value::{Shape, Value},
};

impl Options {
    /// The options of a run: those that are given, and the defaults of all others.
    pub(crate) fn resolve(self) -> Args {
        let mut args = Args::default();
        args.change(self);
        args
    }

    /// The options that have another value in `upper`, and lose it there.
    pub(crate) fn overridden_by<'a>(&'a self, upper: &'a Options) -> impl Iterator<Item = &'static Entry> + 'a {
        let differ = |entry: &&Entry| match ((entry.given)(self), (entry.given)(upper)) {
            (Some(lower), Some(upper)) => lower != upper,
            _ => false,
        };
        ENTRIES.iter().filter(differ)
    }

    /// Checks values that code has set. Those that were read have been checked.
    ///
    /// # Errors
    ///
    /// The name of the option, and what is wrong with its value.
    pub(crate) fn check(&self) -> Result<(), String> {
        ENTRIES.iter().try_for_each(|entry| (entry.check)(self).map_err(|error| format!("{}: {error}", entry.name)))
    }
}

/// Number of a worker, from 0 in every process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub usize);

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a scenario's run within its worker, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u64);
