//! The run so far, as the summary of a run.

use std::{sync::Arc, time::SystemTime};

use crate::{
    metrics::{Seconds, Snapshot},
    options::Threshold,
    queue::{ReceiveError, Receiver},
    run::{COMPLETE_AFTER, MemberSummary, Progress, Summary},
    ui::{RunLimits, screen_event::ScreenEvent},
};

/// A run, as far as its events have been received.
pub(super) struct LiveRun {
    received: Receiver<ScreenEvent>,
    thresholds: Arc<[Threshold]>,
    /// Measures that are not in the summary.
    arriving: Seconds,
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
        LiveRun { received, thresholds: limits.thresholds, arriving: Seconds::default(), summary, ended: false }
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
            let seconds = self.arriving.take();
            self.complete(seconds);
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
                self.arriving.add(*measures);
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

    fn complete(&mut self, seconds: Vec<Snapshot>) {
        for measures in seconds {
            self.summary.timeline.add(&measures);
            match measures.warm_up {
                true => self.summary.warm_up.get_or_insert_default().merge(&measures),
                false => self.summary.snapshot.merge(&measures),
            }
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let Progress { totals, workers, processes, warm_up_until, plan, .. } = *progress;
        // Before the timeline completes their second.
        let seconds = self.arriving.take_complete(totals.elapsed.saturating_sub(COMPLETE_AFTER));
        self.complete(seconds);
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
