//! The result of a sizing.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::ThresholdResult;
use crate::{format, metrics::Counts, options::Rate};

/// The result of a sizing.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SizingResult {
    /// The share of failures exceeded the tolerance.
    Found {
        /// How many workers were running when failures crossed the tolerance.
        workers: usize,
        /// Share of failures in the last minute, from 0 to 1.
        ratio: f64,
        /// What ended in the last minute.
        minute: Counts,
    },
    /// The run ended before failures exceeded the tolerance.
    NotReached {
        /// The most workers that ran at once.
        workers: usize,
    },
    /// The run was stopped before that.
    Interrupted,
    /// The result of a search for the capacity.
    Capacity(Capacity),
}

/// What a search found out about the capacity of the service: the highest load at which it meets all thresholds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Capacity {
    /// The unit of all loads.
    pub unit: LoadUnit,
    /// The lower end of the interval: the service met the thresholds at this load. `None` if it never did.
    pub met: Option<f64>,
    /// The upper end of the interval: the service broke a threshold at this load. `None` if it never did.
    pub broken: Option<f64>,
    /// Why the search ended.
    pub end: SearchEnd,
    /// The steps of the search, in order.
    pub steps: Vec<SizingStep>,
}

/// The unit of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadUnit {
    /// Starts per second.
    Rate,
    /// Workers in all processes.
    Workers,
}

/// Why a search for the capacity ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchEnd {
    /// The interval is narrow enough.
    Found,
    /// Even the lowest load broke a threshold.
    NeverMet,
    /// The load cannot be raised, for the reason in this sentence.
    Limited(String),
    /// The time was over.
    OutOfTime,
    /// The run was stopped.
    Interrupted,
}

/// A step of a search: a constant load, and how the service bore it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SizingStep {
    /// The load, in the unit of the search.
    pub load: f64,
    /// The rates of the scenarios that have their own, in starts per second.
    pub rates: BTreeMap<String, f64>,
    /// How long it was measured.
    pub time: Duration,
    /// Scenarios that started per second.
    pub started: f64,
    /// Scenarios that ended per second.
    pub ended: f64,
    /// The conditions of the search in this step: the thresholds, and the others.
    pub conditions: Vec<ThresholdResult>,
    /// The outcome.
    pub verdict: StepVerdict,
}

/// The outcome of a step of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepVerdict {
    /// The service met all thresholds.
    Met,
    /// The service broke a threshold.
    Broken,
    /// The measures did not suffice to decide.
    Unclear,
    /// The load generator did not make the load.
    Limited,
}

impl SizingResult {
    /// Whether it is a search for the capacity that tried its loads and found none that meets the thresholds.
    pub(crate) fn found_nothing(&self) -> bool {
        matches!(self, SizingResult::Capacity(capacity) if capacity.met.is_none() && capacity.end != SearchEnd::Interrupted)
    }
}

impl LoadUnit {
    /// Formats a load: `200/s`, `12 workers`.
    pub fn format(self, load: f64) -> String {
        match self {
            LoadUnit::Rate if load >= 1.0 => format!("{}/s", (load * 100.0).round() / 100.0),
            LoadUnit::Rate => Rate::per_second(load).to_string(),
            LoadUnit::Workers => format::plural(load as u64, "worker"),
        }
    }

    /// Returns its name in reports: `starts_per_second` or `workers`.
    pub fn name(self) -> &'static str {
        match self {
            LoadUnit::Rate => "starts_per_second",
            LoadUnit::Workers => "workers",
        }
    }
}

impl SearchEnd {
    /// Returns its name in reports: `found`, `never_met`, `limited`, `out_of_time` or `interrupted`.
    pub fn name(&self) -> &'static str {
        match self {
            SearchEnd::Found => "found",
            SearchEnd::NeverMet => "never_met",
            SearchEnd::Limited(_) => "limited",
            SearchEnd::OutOfTime => "out_of_time",
            SearchEnd::Interrupted => "interrupted",
        }
    }
}

impl StepVerdict {
    /// Returns its name in reports: `met`, `broken`, `unclear` or `limited`.
    pub fn name(self) -> &'static str {
        match self {
            StepVerdict::Met => "met",
            StepVerdict::Broken => "broken",
            StepVerdict::Unclear => "unclear",
            StepVerdict::Limited => "limited",
        }
    }
}

/// One sentence without a period: `Capacity: between 190/s and 205/s`.
impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = |load| self.unit.format(load);
        match (self.met, self.broken) {
            (Some(met), Some(broken)) => write!(f, "Capacity: between {} and {}", load(met), load(broken)),
            (Some(met), None) => write!(f, "Capacity: at least {}", load(met)),
            (None, Some(broken)) => write!(f, "Capacity: less than {}", load(broken)),
            (None, None) => f.write_str("Capacity: unknown"),
        }
    }
}

/// The progress of a sizing.
///
/// It displays as a short text: `3.1 % of 5 % fail`, or `400/s, capacity above 200/s`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SizingProgress {
    /// Workers are added until too many scenarios fail.
    Failures {
        /// Share of failures in the last minute, from 0 to 1.
        ratio: f64,
        /// The share of failures at which the sizing ends.
        tolerance: f64,
    },
    /// The capacity is searched in steps.
    Search {
        /// The unit of all loads.
        unit: LoadUnit,
        /// The load now.
        load: f64,
        /// The number of the step, from 1.
        step: usize,
        /// The highest load that met all thresholds so far.
        met: Option<f64>,
        /// The lowest load that broke a threshold so far.
        broken: Option<f64>,
    },
}

impl fmt::Display for SizingProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            SizingProgress::Failures { ratio, tolerance } => {
                write!(f, "{:.1} % of {} % fail", ratio * 100.0, tolerance * 100.0)
            }
            SizingProgress::Search { unit, load, step, met, broken } => {
                write!(f, "step {step} at {}", unit.format(load))?;
                match (met, broken) {
                    (Some(met), Some(broken)) => {
                        write!(f, ", capacity {} to {}", unit.format(met), unit.format(broken))
                    }
                    (Some(met), None) => write!(f, ", capacity above {}", unit.format(met)),
                    (None, Some(broken)) => write!(f, ", capacity below {}", unit.format(broken)),
                    (None, None) => Ok(()),
                }
            }
        }
    }
}
