//! What a shard records, and when it reports to the coordinator.

use std::time::{Duration, Instant};

use super::Shard;
use crate::{
    engine::update::Update,
    metrics::{Outcome, Recorder, Snapshot},
};

/// Shards report at multiples of this period since the start of the run. It divides a second, so that no report spans two
/// seconds.
pub(super) const REPORT_PERIOD: Duration = Duration::from_millis(200);

impl Shard {
    /// Records how a run of a scenario ended.
    /// With a planned start, `lag` is the time from it to the real one.
    pub(in crate::engine) fn record_scenario(
        &self,
        recorder: &Recorder,
        index: usize,
        outcome: Outcome,
        lag: Option<Duration>,
        started: Instant,
        ended: Instant,
    ) {
        // A scenario that blocks the thread also delays the shard's loop. What ended before this scenario belongs to an earlier
        // report.
        self.report_if_due(ended);
        let (id, took) = (self.plan.scenarios[index].id, ended - started);
        match lag {
            None => recorder.scenario(id, outcome, took),
            Some(lag) => recorder.planned_scenario(id, outcome, lag, took),
        }
    }

    /// Reports if the current period is over at `now`.
    pub(in crate::engine) fn report_if_due(&self, now: Instant) {
        let due = self.due.get();
        if now < due {
            return;
        }
        self.report(due - self.clock.epoch());
        let missed = (now - due).as_nanos() / REPORT_PERIOD.as_nanos();
        self.due.set(due + REPORT_PERIOD * (u32::try_from(missed).unwrap_or(u32::MAX - 1) + 1));
    }

    /// Reports everything measured since the last report. `until` is the end of the period, from the start of the run.
    pub(in crate::engine) fn report(&self, until: Duration) {
        self.outbox.send(Update::Workers { running: self.running.get(), most: self.most.get() });
        for measures in self.recorders.take(self.clock.at(self.clock.epoch() + until)) {
            self.outbox.send(Update::Measures(Box::new(Snapshot { until, ..measures })));
        }
        self.outbox.send(Update::Reported(until));
        if let Some(statsd) = &self.statsd {
            statsd.flush();
        }
    }

    /// A session dropped a cookie of this server.
    pub(in crate::engine) fn cookie_dropped(&self, host: &str) {
        if let Some(dropped) = self.cookies.dropped(host) {
            self.outbox.send(Update::CookieDropped(dropped));
        }
    }

    /// A request was answered with this status.
    pub(in crate::engine) fn answered(&self, status: u16) {
        if let Some(dropped) = self.cookies.answered(status) {
            self.outbox.send(Update::CookieDropped(dropped));
        }
    }
}
