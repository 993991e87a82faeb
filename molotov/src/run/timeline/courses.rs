//! The courses of names, statuses and errors: what ended under each of them over time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::metrics::{ErrorGroup, Histogram, MAX_ERRORS, MAX_NAMES, OTHER, OTHER_ERRORS, Snapshot, Stats};

/// The most bins. A longer run merges neighbours, so bins are 1 s, 2 s, 4 s, ... long.
const MAX_BINS: usize = 120;
/// The most statuses. All others share `other`.
const MAX_STATUSES: usize = 100;

/// What ended under each name, status and error over the time of a run, in at most 120 bins of equal length.
///
/// The bins include the warm-up, except scenarios that began in it and ended after its last point, and what belongs to them. A course ends with the last bin in which something ended, so it may be shorter than
/// [`len`](Self::len).
///
/// ```no_run
/// # use molotov::LoadTest;
/// let report = LoadTest::new().workers(20).max_runs(10).run()?;
/// let courses = report.summary().timeline.courses();
/// for (name, bins) in courses.requests() {
///     for (number, bin) in bins.iter().enumerate() {
///         let at = courses.period() * number as u32;
///         println!("{name} at {at:?}: {} failed, p95 {:?}", bin.failed, bin.latency.percentile(95.0));
///     }
/// }
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Courses {
    /// The length of a bin in seconds; 0 means 1.
    seconds: u32,
    /// The number of bins so far.
    bins: usize,
    /// The end of the last measures.
    until: Duration,
    scenarios: Rows,
    requests: Rows,
    steps: Rows,
    statuses: BTreeMap<Arc<str>, Vec<u64>>,
    errors: BTreeMap<ErrorKey, Vec<u64>>,
}

/// Bins by name.
type Rows = BTreeMap<Arc<str>, Vec<CourseBin>>;

/// What ended under a name in a bin. See [`Courses`] for an example.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct CourseBin {
    /// Successes.
    pub ok: u64,
    /// Failures.
    pub failed: u64,
    /// The latencies of both; the response times of scenarios that start at a rate. Percentiles of all bins but the last are at
    /// most 1 % too high; minimum, maximum and mean are exact.
    pub latency: Histogram,
}

/// What the errors of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ErrorKey {
    /// A short name for the error: its type, or the kind of a request's error.
    pub kind: String,
    /// `file:line` of the source, if known.
    pub place: Option<String>,
    /// The scenario in which they occurred.
    pub scenario: String,
}

impl ErrorKey {
    /// The key of a group.
    pub fn of(group: &ErrorGroup) -> ErrorKey {
        ErrorKey { kind: group.kind.clone(), place: group.place.clone(), scenario: group.scenario.clone() }
    }
}

/// What the bins of a course count.
trait Bin: Clone + Default {
    fn merge(&mut self, later: &Self);
    /// Saves memory, since the bin is complete.
    fn complete(&mut self) {}
}

impl Bin for u64 {
    fn merge(&mut self, later: &u64) {
        *self += later;
    }
}

impl Bin for CourseBin {
    fn merge(&mut self, later: &CourseBin) {
        self.ok += later.ok;
        self.failed += later.failed;
        self.latency.merge(&later.latency);
    }

    fn complete(&mut self) {
        self.latency.make_compact();
    }
}

impl Courses {
    /// The length of a bin.
    pub fn period(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds.max(1)))
    }

    /// The end of the last measures, as time since the start of the run.
    #[cfg_attr(not(feature = "html-report"), allow(dead_code, reason = "only the HTML report uses it"))]
    pub(crate) fn until(&self) -> Duration {
        self.until
    }

    /// The number of bins until the last measure.
    pub fn len(&self) -> usize {
        self.bins
    }

    /// Returns whether nothing has ended.
    pub fn is_empty(&self) -> bool {
        self.bins == 0
    }

    /// Scenarios by name.
    pub fn scenarios(&self) -> &BTreeMap<Arc<str>, Vec<CourseBin>> {
        &self.scenarios
    }

    /// Requests by name.
    pub fn requests(&self) -> &BTreeMap<Arc<str>, Vec<CourseBin>> {
        &self.requests
    }

    /// Steps by name.
    pub fn steps(&self) -> &BTreeMap<Arc<str>, Vec<CourseBin>> {
        &self.steps
    }

    /// The number of responses with each status, as text.
    pub fn statuses(&self) -> &BTreeMap<Arc<str>, Vec<u64>> {
        &self.statuses
    }

    /// The number of errors of each group.
    pub fn errors(&self) -> &BTreeMap<ErrorKey, Vec<u64>> {
        &self.errors
    }

    /// Adds measures to the bin in which they end.
    pub(crate) fn add(&mut self, measures: &Snapshot) {
        let index = loop {
            let index = measures.until.saturating_sub(Duration::from_nanos(1)).as_nanos() / self.period().as_nanos();
            match usize::try_from(index) {
                Ok(index) if index < MAX_BINS => break index,
                _ => self.coarsen(),
            }
        };
        if index >= self.bins {
            self.each_row(|bins| bins.iter_mut().rev().take(2).for_each(Bin::complete));
            self.bins = index + 1;
        }
        self.until = self.until.max(measures.until);
        for (rows, measured, limit) in [
            (&mut self.scenarios, &measures.scenarios, usize::MAX),
            (&mut self.requests, &measures.requests, MAX_NAMES),
            (&mut self.steps, &measures.steps, MAX_NAMES),
        ] {
            for (name, stats) in measured {
                let Stats { counts, latency, .. } = stats;
                let ended = CourseBin { ok: counts.ok, failed: counts.failed, latency: latency.clone() };
                if counts.ok + counts.failed > 0 {
                    bin(rows, name, index, limit).merge(&ended);
                }
            }
        }
        for (status, count) in measures.requests.values().flat_map(|stats| &stats.statuses) {
            *bin(&mut self.statuses, status, index, MAX_STATUSES) += count;
        }
        for group in &measures.errors {
            // As in a summary, errors past the limit share a group.
            let mut key = ErrorKey::of(group);
            if self.errors.len() >= MAX_ERRORS && !self.errors.contains_key(&key) {
                key = ErrorKey { kind: OTHER_ERRORS.to_owned(), place: None, scenario: String::new() };
            }
            *at(self.errors.entry(key).or_default(), index) += group.count;
        }
    }

    /// Merges bins in pairs.
    fn coarsen(&mut self) {
        self.seconds = self.seconds.max(1) * 2;
        self.bins = self.bins.div_ceil(2);
        self.each_row(|bins| *bins = in_pairs(bins));
        self.statuses.values_mut().for_each(|bins| *bins = in_pairs(bins));
        self.errors.values_mut().for_each(|bins| *bins = in_pairs(bins));
    }

    fn each_row(&mut self, change: impl FnMut(&mut Vec<CourseBin>)) {
        let Courses { scenarios, requests, steps, .. } = self;
        scenarios.values_mut().chain(requests.values_mut()).chain(steps.values_mut()).for_each(change);
    }
}

/// The bin of a name. Names past the limit share `other`.
fn bin<'a, T: Bin>(rows: &'a mut BTreeMap<Arc<str>, Vec<T>>, name: &Arc<str>, index: usize, limit: usize) -> &'a mut T {
    let is_known = rows.len() < limit || rows.contains_key(name);
    let name = if is_known { Arc::clone(name) } else { OTHER.into() };
    at(rows.entry(name).or_default(), index)
}

fn at<T: Bin>(bins: &mut Vec<T>, index: usize) -> &mut T {
    if bins.len() <= index {
        bins.resize(index + 1, T::default());
    }
    &mut bins[index]
}

fn in_pairs<T: Bin>(bins: &[T]) -> Vec<T> {
    let pair = |pair: &[T]| {
        let mut bin = pair[0].clone();
        pair[1..].iter().for_each(|later| bin.merge(later));
        bin
    };
    bins.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::metrics::{ErrorSample, HTTP, Limits, OperationSample, Outcome, Recorder, Status};

    fn second(number: u64) -> Snapshot {
        let recorder = Recorder::new(Limits::default());
        recorder.scenario(recorder.scenario_id("browse"), Outcome::Failed, Duration::from_millis(number));
        let (status, total) =
            (Some(Status::Code(if number.is_multiple_of(2) { 200 } else { 503 })), Duration::from_millis(5));
        let (connect, first_byte) = (None, None);
        let outcome = if number.is_multiple_of(2) { Outcome::Ok } else { Outcome::Failed };
        let sample =
            OperationSample { outcome, status, connect, first_byte, total, bytes_in: 1, bytes_out: 1, retried: 0 };
        recorder.operation(HTTP, "GET /", &sample);
        recorder.error(ErrorSample {
            kind: "Failure",
            message: "it failed",
            place: None,
            scenario: "browse",
            detail: None,
            at: SystemTime::UNIX_EPOCH,
        });
        Snapshot { until: Duration::from_secs(number), ..recorder.take() }
    }

    #[test]
    fn bins_lose_nothing_and_grow_with_the_run() {
        let mut courses = Courses::default();
        for number in 1..=1_000 {
            courses.add(&second(number));
        }
        // A late measure.
        courses.add(&second(3));
        assert_eq!((courses.period(), courses.len()), (Duration::from_secs(16), 63));
        let scenario: &[CourseBin] = &courses.scenarios()["browse"];
        assert_eq!(scenario.iter().map(|bin| bin.failed).collect::<Vec<_>>(), {
            let mut counts = vec![16; 63];
            (counts[0], counts[62]) = (17, 8);
            counts
        });
        assert_eq!(scenario.iter().map(|bin| bin.latency.count()).sum::<u64>(), 1_001);
        assert_eq!(scenario[1].latency.max(), Duration::from_millis(32));
        let request = &courses.requests()["GET /"];
        assert_eq!((request[2].ok, request[2].failed), (8, 8));
        assert_eq!(courses.statuses()["503"][2], 8);
        let error = ErrorKey { kind: "Failure".to_owned(), place: None, scenario: "browse".to_owned() };
        assert_eq!(courses.errors()[&error].iter().sum::<u64>(), 1_001);
    }

    #[test]
    fn names_past_the_limit_share_a_course() {
        let mut courses = Courses::default();
        for name in 0..MAX_NAMES + 20 {
            let mut measures = second(1);
            let stats = measures.requests.remove("GET /").unwrap_or_default();
            measures.requests.insert(format!("GET /{name}").into(), stats);
            courses.add(&measures);
        }
        assert_eq!(courses.requests().len(), MAX_NAMES + 1);
        assert_eq!(courses.requests()[OTHER][0].failed, 20);
        for line in 0..MAX_ERRORS + 30 {
            let mut measures = second(1);
            measures.errors[0].place = Some(format!("shop.rs:{line}"));
            courses.add(&measures);
        }
        let rest = courses.errors().iter().find(|(key, _)| key.kind == OTHER_ERRORS).map(|(_, bins)| bins[0]);
        // One place was free before.
        assert_eq!((courses.errors().len(), rest), (MAX_ERRORS + 1, Some(31)));
    }
}
