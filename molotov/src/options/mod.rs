//! The options of a run ([`Args`]), which fixtures and contexts can read, and the types of their values.

// An option is an entry of `table.rs`. The command line, a `molotov.json` and code each produce `Options`, which are merged by
// precedence. `Options::resolve` turns them into the `Args` of the run.

mod arrivals;
mod base_url;
mod color;
mod delay;
mod duration;
mod headers;
mod invalid;
pub(crate) mod json;
mod on_lost;
mod rate;
pub(crate) mod report_target;
mod scenarios;
mod schema;
mod sources;
mod stage;
pub(crate) mod statsd_address;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod threshold;
mod value;
mod web_address;

pub use self::{
    arrivals::{Arrivals, WhenBusy},
    base_url::BaseUrl,
    color::Color,
    delay::Delay,
    headers::{Cookie, Header},
    invalid::InvalidValue,
    on_lost::OnLost,
    rate::Rate,
    report_target::ReportTarget,
    scenarios::ScenarioOptions,
    stage::{Level, Stage, Stages},
    table::Args,
    threshold::{Threshold, ThresholdError},
    web_address::WebAddress,
};
pub(crate) use self::{
    schema::OptionSpec,
    sources::{Source, Sources},
    table::{OPTIONS, Options, option_table},
    value::{Value, ValueKind},
};

impl Options {
    /// Returns the options of a run: those that are given, and defaults for the others.
    pub(crate) fn resolve(self) -> Args {
        let mut args = Args::default();
        args.change(self);
        args
    }

    /// Returns the options that `upper` sets to another value.
    pub(crate) fn overridden_by<'a>(&'a self, upper: &'a Options) -> impl Iterator<Item = &'static OptionSpec> + 'a {
        let differ = |entry: &&OptionSpec| match ((entry.given)(self), (entry.given)(upper)) {
            (Some(lower), Some(upper)) => lower != upper,
            _ => false,
        };
        OPTIONS.iter().filter(differ)
    }

    /// Checks values that were set by code. Parsed values are already checked.
    ///
    /// # Errors
    ///
    /// If a value is invalid. The message names the option.
    pub(crate) fn check(&self) -> Result<(), String> {
        OPTIONS.iter().try_for_each(|entry| (entry.check)(self).map_err(|error| format!("{}: {error}", entry.name)))
    }
}

/// The number of a worker, from 0 in each process.
///
/// ```
/// # use molotov::prelude::*;
/// #[setup]
/// async fn account(WorkerId(worker): WorkerId) -> SessionOptions {
///     SessionOptions::new().header("x-account", format!("user-{worker}"))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub usize);

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a scenario within its worker, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u64);
