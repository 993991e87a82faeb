//! Snapshots of measurements: plain data that serialises and merges exactly.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Bottleneck, Check, ErrorGroup, Gauge, Health, Histogram, Outcome, Starts, Values, errors,
    names::{MAX_CUSTOM, MAX_NAMES, MAX_TAGS, OTHER},
};

/// At most this many statuses of a row are counted separately; the others are counted as `other`.
pub(super) const MAX_STATUSES: usize = 100;

/// At most this many servers are named.
const MAX_TARGETS: usize = 20;

/// The measurements of a shard, a process or a run.
///
/// ```no_run
/// # use molotov::LoadTest;
/// let report = LoadTest::new().workers(20).max_runs(10).run()?;
/// let snapshot = &report.summary().snapshot;
/// for (name, stats) in &snapshot.requests {
///     println!("{name}: {} bytes received, statuses {:?}", stats.bytes_in, stats.statuses);
/// }
/// if let Some(advice) = snapshot.advice() {
///     println!("{advice}");
/// }
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The time up to which it was measured, from the start of the run.
    pub until: Duration,
    /// Whether it was measured during the warm-up, which results leave out.
    pub warm_up: bool,
    /// Starts at a rate: those of each scenario that has its own rate, by name, and those of all others under an empty name.
    pub starts: BTreeMap<Arc<str>, Starts>,
    /// Scenarios by name.
    pub scenarios: BTreeMap<Arc<str>, Stats>,
    /// HTTP requests by their name, such as `GET /cart`, and operations of other protocols by protocol and name, such as
    /// `LINE echo`.
    pub requests: BTreeMap<Arc<str>, Stats>,
    /// Steps by the name given to `session.measure`, and groups by the name given to `ctx.group`.
    pub steps: BTreeMap<Arc<str>, Stats>,
    /// Requests by their tags, such as `region=eu`. A request is in the row of each of its tags.
    pub tags: BTreeMap<Arc<str>, Stats>,
    /// Checks by name.
    pub checks: BTreeMap<Arc<str>, Check>,
    /// Counters of the scenarios' own, by name.
    pub counters: BTreeMap<Arc<str>, u64>,
    /// Numbers that scenarios recorded, by name.
    pub values: BTreeMap<Arc<str>, Values>,
    /// Gauges of the scenarios' own, by name.
    pub gauges: BTreeMap<Arc<str>, Gauge>,
    /// Errors by kind, place and scenario, in the order of their first occurrence.
    pub errors: Vec<ErrorGroup>,
    /// Whether there were too many names, so that some share the rows named `other`.
    pub names_exceeded: bool,
    /// The servers that requests were sent to: the origins of their URLs, at most 20.
    pub targets: BTreeSet<Arc<str>>,
    /// The state of the load generator itself.
    pub health: Health,
}

/// The measurements of one scenario, request name or step.
///
/// ```
/// use std::time::Duration;
///
/// use molotov::metrics::Stats;
///
/// let mut stats = Stats::default();
/// stats.counts.ok = 2;
/// stats.latency = [20, 30].into_iter().map(Duration::from_millis).collect();
/// assert_eq!(stats.latency.count(), stats.counts.total());
/// assert_eq!(stats.latency.mean(), Duration::from_millis(25));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Requests: their protocol, such as `HTTP`; `None` if the row contains several.
    pub protocol: Option<Arc<str>>,
    /// The number of successes, failures and interruptions.
    pub counts: Counts,
    /// The durations of successes and failures. For scenarios that start at a rate, the response times: they count from the
    /// planned start.
    pub latency: Histogram,
    /// Scenarios that start at a rate: the service times, which count from the real start.
    pub service: Histogram,
    /// Requests: the time to the first byte of the response.
    pub first_byte: Histogram,
    /// Requests that found no idle connection: how long they waited until they could be sent. This includes waiting for the
    /// session's limits on connections, resolving the host, and the TCP and TLS handshakes. Requests on idle connections do not
    /// wait, and are not included. Sessions with a `reqwest` client do not report it.
    pub connect: Histogram,
    /// Requests: bytes received.
    pub bytes_in: u64,
    /// Requests: bytes sent.
    pub bytes_out: u64,
    /// Requests: the number that were sent again because a kept connection closed without a response.
    pub retried: u64,
    /// Requests: the number of responses with each status, such as `200`.
    pub statuses: BTreeMap<Arc<str>, u64>,
}

/// The number of successes, failures and interruptions.
///
/// ```
/// use molotov::metrics::Counts;
///
/// let mut counts = Counts::default();
/// (counts.ok, counts.failed, counts.interrupted) = (3, 1, 2);
/// assert_eq!(counts.total(), 6);
/// assert_eq!(counts.failure_ratio(), 0.25);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: u64,
    /// Cancelled by the end of the run.
    pub interrupted: u64,
}

impl Counts {
    /// Returns the sum of all three.
    pub fn total(&self) -> u64 {
        self.ok + self.failed + self.interrupted
    }

    /// Returns the share of failures among successes and failures, from 0 to 1; 0 if there are none.
    pub fn failure_ratio(&self) -> f64 {
        match self.ok + self.failed {
            0 => 0.0,
            ended => self.failed as f64 / ended as f64,
        }
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Interrupted => self.interrupted += 1,
        }
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Counts) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.interrupted += other.interrupted;
    }
}

impl Snapshot {
    /// Adds the measurements of another shard or process, or of the same one later.
    pub fn merge(&mut self, other: &Snapshot) {
        self.until = self.until.max(other.until);
        for (name, starts) in &other.starts {
            self.starts.entry(Arc::clone(name)).or_default().merge(starts);
        }
        merge_rows(&mut self.scenarios, &other.scenarios, usize::MAX);
        let exceeded = merge_rows(&mut self.requests, &other.requests, MAX_NAMES)
            | merge_rows(&mut self.steps, &other.steps, MAX_NAMES)
            | merge_rows(&mut self.tags, &other.tags, MAX_TAGS)
            | merge_rows(&mut self.checks, &other.checks, MAX_NAMES)
            | merge_rows(&mut self.counters, &other.counters, MAX_CUSTOM)
            | merge_rows(&mut self.values, &other.values, MAX_CUSTOM)
            | merge_rows(&mut self.gauges, &other.gauges, MAX_CUSTOM);
        self.names_exceeded |= exceeded | other.names_exceeded;
        errors::merge(&mut self.errors, &other.errors);
        for target in &other.targets {
            if self.targets.len() < MAX_TARGETS {
                self.targets.insert(Arc::clone(target));
            }
        }
        self.health.merge(&other.health);
    }

    /// Returns whether nothing was measured, apart from the state of the load generator.
    pub(crate) fn is_empty(&self) -> bool {
        self.starts.is_empty()
            && self.scenarios.is_empty()
            && self.requests.is_empty()
            && self.steps.is_empty()
            && self.has_no_custom_measures()
            && self.errors.is_empty()
            && self.targets.is_empty()
    }

    /// Returns whether scenarios made no checks and recorded nothing of their own.
    pub(crate) fn has_no_custom_measures(&self) -> bool {
        self.checks.is_empty() && self.counters.is_empty() && self.values.is_empty() && self.gauges.is_empty()
    }

    /// Returns the starts of all scenarios together.
    pub fn all_starts(&self) -> Starts {
        let mut all = Starts::default();
        self.starts.values().for_each(|starts| all.merge(starts));
        all
    }

    /// Returns whether both may be merged while they wait for the coordinator or a screen. Measures of the warm-up and of the run
    /// stay apart, and with `exact`, those of different seconds do too.
    pub(crate) fn belongs_with(&self, other: &Snapshot, exact: bool) -> bool {
        self.warm_up == other.warm_up && (!exact || self.second() == other.second())
    }

    /// Returns the number of the second in which it was measured. The end of a second belongs to it.
    pub(crate) fn second(&self) -> u64 {
        self.until.saturating_sub(Duration::from_nanos(1)).as_secs()
    }

    /// Returns the counts of all scenarios together.
    pub fn totals(&self) -> Counts {
        let mut totals = Counts::default();
        self.scenarios.values().for_each(|stats| totals.merge(&stats.counts));
        totals
    }

    /// Returns what in the load generator limited the run or distorted its measurements, if anything did.
    pub fn bottleneck(&self) -> Option<Bottleneck> {
        self.health.bottleneck(&self.measured().1)
    }

    /// Returns one sentence that names the bottleneck in the load generator and what to do about it; `None` if there is none.
    pub fn advice(&self) -> Option<String> {
        let (subject, latency) = self.measured();
        self.health.advice(subject.name(), &latency)
    }

    /// Returns [`advice`](Self::advice) if the load generator delayed its own measurements, and not only shared a busy machine.
    pub(crate) fn distortion(&self) -> Option<String> {
        let (subject, latency) = self.measured();
        self.health.delays(&latency).then(|| self.health.advice(subject.name(), &latency)).flatten()
    }

    /// Returns what was wrong with the load generator and what to do about it, without a subject.
    pub(crate) fn bottleneck_reason(&self) -> Option<String> {
        let (subject, latency) = self.measured();
        self.health.reason(subject.name(), &latency)
    }

    /// Returns the latencies of requests, or else of steps, or else of scenarios, and which of them.
    pub(crate) fn measured(&self) -> (LatencySubject, Histogram) {
        let kinds = [
            (LatencySubject::Requests, &self.requests),
            (LatencySubject::Steps, &self.steps),
            (LatencySubject::Scenarios, &self.scenarios),
        ];
        let (subject, rows) = kinds.into_iter().find(|(_, rows)| !rows.is_empty()).unwrap_or(kinds[0]);
        let mut latency = Histogram::default();
        latency.merge_all(rows.values().map(|stats| &stats.latency));
        (subject, latency)
    }

    /// Returns the memory used for measurements, in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let rows = self.scenarios.iter().chain(&self.requests).chain(&self.steps);
        let rows = rows.map(|(name, stats)| {
            let histograms = [&stats.latency, &stats.service, &stats.first_byte, &stats.connect]
                .map(Histogram::memory)
                .iter()
                .sum::<usize>();
            2 * size_of::<Stats>() + name.len() + stats.statuses.len() * 32 + histograms
        });
        rows.sum::<usize>() + self.health.lag.memory()
    }
}

/// Which latencies the load generator is compared with. Later ones are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum LatencySubject {
    #[default]
    Scenarios,
    Steps,
    Requests,
}

impl LatencySubject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            LatencySubject::Scenarios => "scenarios",
            LatencySubject::Steps => "steps",
            LatencySubject::Requests => "requests",
        }
    }
}

/// What a row contains.
pub(super) trait Merge: Clone {
    /// Adds what was measured elsewhere or later.
    fn add(&mut self, other: &Self);
}

macro_rules! merge {
    ($($type:ty),*) => {
        $(impl Merge for $type {
            fn add(&mut self, other: &Self) {
                self.merge(other);
            }
        })*
    };
}
merge!(Stats, Check, Values, Gauge);

impl Merge for u64 {
    fn add(&mut self, other: &u64) {
        *self = self.saturating_add(*other);
    }
}

/// Merges rows by name, and returns whether there were more than `limit`. Those past the limit share the row `other`.
fn merge_rows<T: Merge>(rows: &mut BTreeMap<Arc<str>, T>, others: &BTreeMap<Arc<str>, T>, limit: usize) -> bool {
    others.iter().fold(false, |exceeded, (name, row)| exceeded | merge_row(rows, name, row, limit))
}

/// Merges one row. The name is converted only if the row is new.
pub(super) fn merge_row<T: Merge, N>(rows: &mut BTreeMap<Arc<str>, T>, name: &N, row: &T, limit: usize) -> bool
where
    N: AsRef<str> + Clone + Into<Arc<str>>,
{
    if let Some(known) = rows.get_mut(name.as_ref()) {
        known.add(row);
        return false;
    }
    if rows.len() < limit || name.as_ref() == OTHER {
        rows.insert(name.clone().into(), row.clone());
        return false;
    }
    rows.entry(OTHER.into()).and_modify(|other| other.add(row)).or_insert_with(|| row.clone());
    true
}

impl Stats {
    /// Returns the service times, which count from the real start. They differ from the latency only for scenarios that start at a
    /// rate.
    pub fn service_times(&self) -> &Histogram {
        if self.service.is_empty() { &self.latency } else { &self.service }
    }

    /// Adds the measurements of `other`.
    pub fn merge(&mut self, other: &Stats) {
        if self.counts.total() == 0 {
            self.protocol.clone_from(&other.protocol);
        } else if other.counts.total() > 0 && self.protocol != other.protocol {
            self.protocol = None;
        }
        self.counts.merge(&other.counts);
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.first_byte.merge(&other.first_byte);
        self.connect.merge(&other.connect);
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.retried += other.retried;
        for (status, count) in &other.statuses {
            let is_known = self.statuses.len() < MAX_STATUSES || self.statuses.contains_key(status);
            let status = if is_known { Arc::clone(status) } else { OTHER.into() };
            *self.statuses.entry(status).or_default() += count;
        }
    }
}
