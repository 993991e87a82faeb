//! Failures of scenarios and fixtures: counted, shown, and sent to the coordinator where they end the run.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::Shard;
use crate::{
    Failure,
    engine::{stop::Phase, update::Update},
    event::{Event, ScenarioInfo},
    metrics::ErrorSample,
    options::WorkerId,
    run::{FixtureFailure, Line, LineKind},
};

/// How many failures a shard shows per second. It counts the rest.
const MAX_LINES: u64 = 1_000;

/// Limits the lines about failures in each second.
#[derive(Default)]
pub(super) struct FailureLines {
    since: Cell<Option<Instant>>,
    count: Cell<u64>,
}

impl FailureLines {
    /// Counts a failure and returns whether to show it.
    fn count(&self) -> bool {
        self.count.set(self.count.get() + 1);
        self.count.get() <= MAX_LINES
    }

    /// Starts a new second if the last one is over or `now` is set. Returns how many failures of the last one were not shown.
    fn turn(&self, now: bool) -> u64 {
        if !now && self.since.get().is_some_and(|since| since.elapsed() < Duration::from_secs(1)) {
            return 0;
        }
        self.since.set(Some(Instant::now()));
        self.count.replace(0).saturating_sub(MAX_LINES)
    }
}

impl Shard {
    /// Handles a failed scenario that started at this time: errors, lines and listeners. The caller counts it.
    pub(in crate::engine) async fn failed(
        &self,
        worker: WorkerId,
        scenario: &ScenarioInfo,
        start: Duration,
        failure: Failure,
    ) {
        if self.args.exception {
            self.stop.raise(Phase::Stopping);
            self.outbox.send(Update::StopOnFailure);
        }
        self.recorders.at(start).error(ErrorSample {
            kind: failure.kind(),
            message: failure.message(),
            place: failure.place(),
            scenario: &scenario.name,
            detail: failure.backtrace().map(str::to_owned),
            at: std::time::SystemTime::now(),
        });
        // At full speed, a line for each failure would cost more than the scenario.
        if !self.args.quiet && self.failure_lines.count() {
            self.line(worker, LineKind::Failure, failure.describe(&scenario.name, self.backtraces));
        }
        if self.has_listeners() {
            self.notify(&Event::ScenarioFailure { scenario, failure: &failure, worker }).await;
        }
    }

    /// Shows how many failures of the last second were not shown.
    pub(in crate::engine) fn sum_up_failures(&self, now: bool) {
        let more = self.failure_lines.turn(now);
        if more > 0 && !self.args.quiet {
            self.outbox.send(Update::Line(Line::more_failures(more)));
        }
    }

    /// Handles the failure of a fixture that the run needs: the run stops.
    pub(in crate::engine) fn fixture_failed(&self, worker: WorkerId, failed: FixtureFailure, failure: Failure) {
        let text = failure.describe(&failed.fixture, self.backtraces);
        self.line(worker, LineKind::Failure, text);
        self.stop.raise(Phase::Stopping);
        self.outbox.send(Update::FixtureFailed(failed));
    }

    /// Handles the failure of a teardown, which does not stop the run.
    pub(in crate::engine) fn teardown_failed(&self, worker: WorkerId, fixture: &str, failure: Failure) {
        self.line(worker, LineKind::Warning, failure.describe(fixture, self.backtraces));
    }
}
