//! What a shard records, and when it reports to the coordinator.

use std::time::{Duration, Instant};

use super::Shard;
use crate::{
    engine::{
        stall::{BIN, BinEnd, Kind},
        update::Update,
    },
    metrics::{Outcome, Recorder, Snapshot},
};

/// Shards report at multiples of this period since the start of the run. It divides a second, so that no report spans two
/// seconds.
pub(super) const REPORT_PERIOD: Duration = BIN;

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
        self.waited(Kind::Scenarios, &self.plan.scenarios[index].name, took, ended);
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
        let measures = self.recorders.take(self.clock.at(self.clock.epoch() + until));
        if let Some(bins) = &self.bins {
            let (is_paused, paused) = (self.clock.is_paused(), self.clock.paused());
            let workers = if self.clock.now() < self.args.warm_up { 0 } else { self.active.get() };
            let end = BinEnd { until, workers, is_paused, paused };
            self.outbox.send(Update::Bins(bins.take(&end, &measures)));
        }
        for measures in measures {
            if let Some(statsd) = &self.statsd {
                measures.starts.iter().for_each(|(scenario, starts)| statsd.starts(scenario, starts));
            }
            self.outbox.send(Update::Measures(Box::new(Snapshot { until, ..measures })));
        }
        self.outbox.send(Update::Reported(until));
        if let Some(statsd) = &self.statsd {
            statsd.flush();
        }
    }

    /// Notes how long an operation took. Only long ones are of interest.
    #[inline]
    pub(in crate::engine) fn waited(&self, kind: Kind, name: &str, took: Duration, ended: Instant) {
        if took >= BIN
            && let Some(bins) = &self.bins
        {
            let ended = ended.saturating_duration_since(self.clock.epoch());
            bins.waited(kind, name, ended.saturating_sub(took), ended);
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
