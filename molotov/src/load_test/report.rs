//! The results of a load test, for the tests of users.

use std::time::Duration;

use crate::{
    metrics::{Check, Counts, ErrorGroup, Gauge, Stats, Values},
    report::Threshold,
    run::Summary,
};

/// The results of a load test.
///
/// [`Display`](std::fmt::Display) formats them as the table that a run prints at its end.
///
/// ```no_run
/// # use molotov::{LoadTest, secs};
/// let report = LoadTest::new().workers(50).duration(secs(10)).run()?;
/// println!("{report}");
/// assert_eq!(report.failures(), 0, "{:#?}", report.errors());
/// let browse = report.scenario("browse").expect("`browse` has run");
/// assert!(browse.percentile(95.0) < secs(0.2), "{report}");
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Report {
    pub(super) summary: Summary,
}

impl Report {
    /// Returns how many scenarios succeeded.
    pub fn successes(&self) -> u64 {
        self.summary.totals.successes
    }

    /// Returns how many scenarios failed.
    pub fn failures(&self) -> u64 {
        self.summary.totals.failures
    }

    /// Returns how many scenarios were interrupted by the end of the run.
    pub fn interrupted(&self) -> u64 {
        self.summary.totals.interrupted
    }

    /// Returns the time from the start to the end of the run.
    pub fn elapsed(&self) -> Duration {
        self.summary.totals.elapsed
    }

    /// Asserts a condition in the syntax of `--threshold`; see [`Threshold`].
    ///
    /// A condition without a name applies to all scenarios together, or with `requests.` to all requests.
    ///
    /// ```no_run
    /// # use molotov::LoadTest;
    /// let report = LoadTest::new().workers(50).max_runs(20).run()?;
    /// report.assert("failures == 0");
    /// report.assert("requests.p95 < 200ms");
    /// report.assert("p99(GET /cart) < 1s");
    /// report.assert("checks(has items) > 99%");
    /// report.assert("values.p95(basket) < 500");
    /// # Ok::<(), molotov::LoadTestError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the condition is false, if nothing with that name was measured, or if the condition cannot be parsed. The
    /// message contains the measured value and the table.
    #[track_caller]
    pub fn assert(&self, threshold: &str) {
        let judged = match threshold.parse::<Threshold>() {
            Ok(threshold) => threshold.judge(&self.summary),
            Err(error) => panic!("{error}"),
        };
        assert!(judged.passed, "`{}` does not hold: {}\n{self}", judged.expression, judged.outcome());
    }

    /// Returns the results of a scenario by name, or `None` if it never ran.
    pub fn scenario(&self, name: &str) -> Option<Row<'_>> {
        self.row(self.summary.snapshot.scenarios.get(name))
    }

    /// Returns the results of a request by name, such as `"GET /users/{n}"`, or `None` if it was never sent.
    pub fn request(&self, name: &str) -> Option<Row<'_>> {
        self.row(self.summary.snapshot.requests.get(name))
    }

    /// Returns the results of a step that [`Context::measure`](crate::session::Context::measure) recorded, or `None`.
    pub fn step(&self, name: &str) -> Option<Row<'_>> {
        self.row(self.summary.snapshot.steps.get(name))
    }

    /// Returns the results of the requests with a tag, such as `"region=eu"`, or `None` if there were none.
    pub fn tag(&self, tag: &str) -> Option<Row<'_>> {
        self.row(self.summary.snapshot.tags.get(tag))
    }

    /// Returns the results of a check that [`Context::check`](crate::session::Context::check) or
    /// [`Response::check`](crate::session::Response::check) made, or `None`.
    ///
    /// ```no_run
    /// # use molotov::LoadTest;
    /// let report = LoadTest::new().workers(50).max_runs(20).run()?;
    /// let check = report.check("has items").expect("`browse` makes this check");
    /// assert!(check.pass_ratio() > 0.99, "{:?}", check.sample);
    /// # Ok::<(), molotov::LoadTestError>(())
    /// ```
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.summary.snapshot.checks.get(name)
    }

    /// Returns all checks by name.
    pub fn checks(&self) -> impl Iterator<Item = (&str, &Check)> {
        self.summary.snapshot.checks.iter().map(|(name, check)| (&**name, check))
    }

    /// Returns a counter of [`Context::count`](crate::session::Context::count), or 0 if nothing counted.
    ///
    /// ```no_run
    /// # use molotov::LoadTest;
    /// let report = LoadTest::new().workers(50).max_runs(20).run()?;
    /// assert!(report.counter("retries") < 100, "{report}");
    /// # Ok::<(), molotov::LoadTestError>(())
    /// ```
    pub fn counter(&self, name: &str) -> u64 {
        self.summary.snapshot.counters.get(name).copied().unwrap_or_default()
    }

    /// Returns the distribution of the numbers that [`Context::record`](crate::session::Context::record) recorded, or `None`.
    ///
    /// ```no_run
    /// # use molotov::LoadTest;
    /// let report = LoadTest::new().workers(50).max_runs(20).run()?;
    /// let baskets = report.values("basket").expect("`buy` records baskets");
    /// assert!(baskets.percentile(95.0) < 500.0, "{report}");
    /// # Ok::<(), molotov::LoadTestError>(())
    /// ```
    pub fn values(&self, name: &str) -> Option<&Values> {
        self.summary.snapshot.values.get(name)
    }

    /// Returns the last, lowest and highest value of a gauge of [`Context::gauge`](crate::session::Context::gauge), or `None`.
    pub fn gauge(&self, name: &str) -> Option<Gauge> {
        self.summary.snapshot.gauges.get(name).copied()
    }

    /// Returns the names of the scenarios that ran.
    pub fn scenario_names(&self) -> impl Iterator<Item = &str> {
        self.summary.snapshot.scenarios.keys().map(AsRef::as_ref)
    }

    /// Returns the names of the requests that were sent.
    pub fn request_names(&self) -> impl Iterator<Item = &str> {
        self.summary.snapshot.requests.keys().map(AsRef::as_ref)
    }

    /// Returns the errors, grouped by kind and place.
    pub fn errors(&self) -> &[ErrorGroup] {
        &self.summary.snapshot.errors
    }

    /// Returns all results as plain data.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn row<'a>(&'a self, stats: Option<&'a Stats>) -> Option<Row<'a>> {
        stats.map(|stats| Row { stats, elapsed: self.summary.totals.active() })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::report::text::table(&self.summary, 100, false))
    }
}

/// The results of one scenario, request or step: a row of the table.
///
/// ```no_run
/// # use molotov::{LoadTest, load_test::Row};
/// fn describe(row: Row<'_>) -> String {
///     let (rate, p99) = (row.rate(), row.percentile(99.0));
///     format!("{} of {} failed, {rate:.0} per second, p99 {p99:?}", row.failures(), row.count())
/// }
/// let report = LoadTest::new().workers(50).max_runs(20).run()?;
/// for name in report.request_names() {
///     println!("{name}: {}", describe(report.request(name).expect("the report has this row")));
/// }
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    stats: &'a Stats,
    elapsed: Duration,
}

impl Row<'_> {
    /// Returns how many succeeded, failed and were interrupted.
    pub fn counts(&self) -> Counts {
        self.stats.counts
    }

    /// Returns the sum of successes and failures.
    pub fn count(&self) -> u64 {
        self.stats.counts.ok + self.stats.counts.failed
    }

    /// Returns how many succeeded.
    pub fn successes(&self) -> u64 {
        self.stats.counts.ok
    }

    /// Returns how many failed.
    pub fn failures(&self) -> u64 {
        self.stats.counts.failed
    }

    /// Returns how many requests were sent again because a reused connection was closed without a response. It is 0 for scenarios
    /// and steps.
    pub fn retried(&self) -> u64 {
        self.stats.retried
    }

    /// Returns how many ended per second, on average over the run without pauses.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { self.count() as f64 / seconds } else { 0.0 }
    }

    /// Returns the mean time, or zero if none ended.
    pub fn mean(&self) -> Duration {
        self.stats.latency.mean()
    }

    /// Returns the time within which `percent` of them ended, with three significant digits: `percentile(99.9)`.
    pub fn percentile(&self, percent: f64) -> Duration {
        self.stats.latency.percentile(percent)
    }

    /// Returns the longest time.
    pub fn max(&self) -> Duration {
        self.stats.latency.max()
    }

    /// Returns each status with the number of responses that had it, such as `("200", 12)`. Only requests have statuses.
    pub fn statuses(&self) -> impl Iterator<Item = (&str, u64)> {
        self.stats.statuses.iter().map(|(status, count)| (&**status, *count))
    }

    /// Returns all results as plain data.
    pub fn stats(&self) -> &Stats {
        self.stats
    }
}
