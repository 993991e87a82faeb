//! The run so far, as the summary of a run.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    metrics::Snapshot,
    options::Threshold,
    queue::{ReceiveError, Receiver},
    run::{MemberSummary, Progress, Summary},
    ui::{RunLimits, screen_event::ScreenEvent},
};

/// A run, as far as its events have been received.
pub(super) struct LiveRun {
    received: Receiver<ScreenEvent>,
    thresholds: Arc<[Threshold]>,
    /// Measures of one second that are not in the summary. It costs less to merge them with each other first, since there are few.
    pending: Option<Box<Snapshot>>,
    summary: Summary,
    ended: bool,
}

impl LiveRun {
    pub(super) fn new(received: Receiver<ScreenEvent>, limits: RunLimits) -> LiveRun {
        let summary = Summary {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            info: limits.info,
            load: limits.load,
            started: Some(SystemTime::now()),
            processes: 1,
            ..Summary::default()
        };
        LiveRun { received, thresholds: limits.thresholds, pending: None, summary, ended: false }
    }

    /// Applies the events that have arrived.
    pub(super) fn catch_up(&mut self) {
        while !self.ended {
            match self.received.try_receive() {
                Ok(event) => self.apply(event),
                Err(ReceiveError::Timeout | ReceiveError::Disconnected) => return,
            }
        }
    }

    /// The run as a summary: that of its end if it has ended.
    pub(super) fn summary(&mut self) -> &Summary {
        if !self.ended {
            self.add_pending();
            let Summary { snapshot, totals, .. } = &mut self.summary;
            // Measures arrive more often than the progress.
            let counts = snapshot.totals();
            (totals.successes, totals.failures, totals.interrupted) = (counts.ok, counts.failed, counts.interrupted);
            let judge = |threshold: &Threshold| threshold.judge_measures(snapshot, totals.active());
            self.summary.thresholds = self.thresholds.iter().map(judge).collect();
        }
        &self.summary
    }

    /// Returns whether the summary of the end has arrived. It does not arrive if the run panics.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    fn apply(&mut self, event: ScreenEvent) {
        match event {
            ScreenEvent::Line(_) | ScreenEvent::End => {}
            ScreenEvent::Measures(member, measures) => {
                if let Some(label) = member {
                    MemberSummary::of(&mut self.summary.members, &label).add(&measures);
                }
                match &mut self.pending {
                    Some(pending) if pending.belongs_with(&measures, true) => pending.merge(&measures),
                    _ => {
                        self.add_pending();
                        self.pending = Some(measures);
                    }
                }
            }
            ScreenEvent::Workers(member, running) => {
                MemberSummary::of(&mut self.summary.members, &member).ran(running);
            }
            ScreenEvent::Progress(progress) => self.progress(&progress),
            ScreenEvent::Finish(summary) => {
                self.summary = *summary;
                self.ended = true;
            }
        }
    }

    fn add_pending(&mut self) {
        let Some(measures) = self.pending.take() else { return };
        self.summary.timeline.add(&measures);
        match measures.warm_up {
            true => self.summary.warm_up.get_or_insert_default().merge(&measures),
            false => self.summary.snapshot.merge(&measures),
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let Progress { totals, workers, processes, warm_up_until, plan, .. } = *progress;
        // Before the timeline completes their second.
        let second = |time: Duration| time.saturating_sub(Duration::from_nanos(1)).as_secs();
        if self.pending.as_ref().is_some_and(|measures| second(measures.until) < second(totals.elapsed)) {
            self.add_pending();
        }
        let summary = &mut self.summary;
        summary.totals = totals;
        summary.workers = summary.workers.max(workers);
        summary.processes = summary.processes.max(processes);
        summary.timeline.warm_up(warm_up_until);
        if let Some(plan) = plan {
            summary.timeline.planned(totals.elapsed, plan.planned_in_all);
            summary.planned_time = totals.active();
        }
        summary.timeline.tick(totals.elapsed, workers);
    }
}
