//! Thresholds: conditions such as `p95(browse) < 200ms`, which the report evaluates.

mod parse;

use std::{fmt, ops::Range, str::FromStr};

use self::parse::Reader;
pub use self::parse::ThresholdError;

/// A condition on the measures of a run: `[SUBJECT.][TIMES.]METRIC[(NAME)] OP VALUE`.
///
/// `NAME` is a scenario, a request or a step, as in `p95(browse) < 200ms` and `p99.9(GET /cart) < 1s`. Without a name, a threshold
/// applies to all scenarios (`failures < 1%`, `p95 < 2s`) or, with `requests.`, to all requests (`requests.p95 < 200ms`,
/// `requests.rate > 50/s`). `scenarios.`, `requests.` and `steps.` select the kind of a name. Otherwise it is the first kind with
/// this name, in this order.
///
/// Times are latencies, and for scenarios that start at a rate, response times, which count from the planned start. `service.`
/// selects the service times, which count from the real start: `service.p99(browse) < 200ms`. In a closed loop, they are the same.
/// `connect.` selects how long requests waited for a connection, if none was idle: `connect.p99 < 50ms`.
///
/// If scenarios start at a rate, thresholds may apply to the starts: `late`, `dropped` and `unstarted` are numbers, or shares of
/// the planned starts (`dropped < 1%`); `achieved` is the share of the planned starts that happened (`achieved > 99%`); `lag.`
/// selects the times from the planned starts to the real ones (`lag.p99 < 10ms`). Only scenarios with their own rate can be
/// named here. The warm-up counts for no threshold.
///
/// `checks` is the share of checks that passed: `checks > 99%` for all together, `checks(has items) > 99%` for one, and
/// `checks.failures(has items) < 10`. `counters(retries) < 100` and `counters.rate(retries) < 5/s` apply to a counter,
/// `values.p95(basket) < 500` to recorded numbers, and `gauges(queue) < 100` and `gauges.max(queue) < 200` to a gauge.
/// `tags.p95(region=eu) < 200ms` applies to the requests with a tag. These names are never those of scenarios, requests or steps.
///
/// ```
/// # use molotov::report::Threshold;
/// let threshold: Threshold = "p95(browse) < 200ms".parse()?;
/// let wrong = "p95(browse) < 200".parse::<Threshold>().unwrap_err();
/// assert_eq!(wrong.to_string(), "\
/// a time needs a unit: `200ms`, `1.5s`
///   p95(browse) < 200
///                 ^^^");
/// # Ok::<(), molotov::report::ThresholdError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    pub(crate) text: String,
    pub(crate) subject: Option<Subject>,
    pub(crate) times: Times,
    pub(crate) metric: Metric,
    pub(crate) name: Option<Name>,
    pub(crate) comparison: Comparison,
    pub(crate) value: f64,
    /// Whether the value is a share, from 0 to 1.
    pub(crate) share: bool,
}

/// A name in a threshold, and its place including the parentheses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) at: Range<usize>,
}

/// What a threshold applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Scenarios,
    Requests,
    Steps,
    Tags,
    Checks,
    Counters,
    Values,
    Gauges,
}

impl Subject {
    pub(crate) const ALL: [Subject; 8] = [
        Subject::Scenarios,
        Subject::Requests,
        Subject::Steps,
        Subject::Tags,
        Subject::Checks,
        Subject::Counters,
        Subject::Values,
        Subject::Gauges,
    ];

    /// What a name may be if the threshold does not say so, in the order of precedence.
    pub(crate) const UNNAMED: [Subject; 3] = [Subject::Scenarios, Subject::Requests, Subject::Steps];

    pub(crate) fn plural(self) -> &'static str {
        match self {
            Subject::Scenarios => "scenarios",
            Subject::Requests => "requests",
            Subject::Steps => "steps",
            Subject::Tags => "tags",
            Subject::Checks => "checks",
            Subject::Counters => "counters",
            Subject::Values => "values",
            Subject::Gauges => "gauges",
        }
    }

    pub(crate) fn singular(self) -> &'static str {
        self.plural().trim_end_matches('s')
    }

    /// Whether it is a number or a result that scenarios record, and not something that takes time.
    pub(crate) fn is_custom(self) -> bool {
        matches!(self, Subject::Checks | Subject::Counters | Subject::Values | Subject::Gauges)
    }
}

/// Which times a threshold applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Times {
    /// Latencies, which are response times at a rate.
    #[default]
    Latency,
    /// Service times.
    Service,
    /// The time from a planned start to the real one.
    Lag,
    /// Waits for connections.
    Connect,
}

impl Times {
    /// Those that a prefix selects.
    pub(crate) const NAMED: [(&'static str, Times); 3] =
        [("service", Times::Service), ("lag", Times::Lag), ("connect", Times::Connect)];
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Metric {
    Percentile(f64),
    Mean,
    Min,
    Max,
    Successes,
    Failures,
    Interrupted,
    Count,
    Rate,
    Late,
    Dropped,
    Unstarted,
    Achieved,
    /// The last value of a gauge.
    Last,
}

impl Metric {
    /// Whether it is a time, except for numbers that scenarios record.
    pub(crate) fn is_a_time(self) -> bool {
        matches!(self, Metric::Percentile(_) | Metric::Mean | Metric::Min | Metric::Max)
    }

    /// Whether it applies to starts at a rate.
    pub(crate) fn is_of_starts(self) -> bool {
        matches!(self, Metric::Late | Metric::Dropped | Metric::Unstarted | Metric::Achieved)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Control characters have no width, and would misplace the marker of an error.
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Reader { text: clean.trim(), at: 0 }.threshold()
    }
}
