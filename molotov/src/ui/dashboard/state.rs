//! The state of the dashboard: what the run has sent, and what the user has chosen to see.

mod activity;
mod trend;
mod verdict;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

pub(super) use self::trend::TrendPoint;
use self::{activity::Activity, trend::Trend};
use crate::{
    metrics::{ErrorGroup, Health, Snapshot, Stats},
    run::{ErrorKey, Progress, ThresholdResult, Timeline},
    ui::{RunLimits, screen_event::ScreenEvent},
};

/// The number of seconds over which the health of a process is shown.
const RECENT: u64 = 5;

/// A view, which takes most of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum View {
    #[default]
    Live,
    Table,
    Distribution,
    Errors,
    Generator,
    Activity,
}

impl View {
    pub(super) const ALL: [View; 6] =
        [View::Live, View::Table, View::Distribution, View::Errors, View::Generator, View::Activity];

    pub(super) fn name(self) -> &'static str {
        match self {
            View::Live => "Live",
            View::Table => "Table",
            View::Distribution => "Distribution",
            View::Errors => "Errors",
            View::Generator => "Generator",
            View::Activity => "Activity",
        }
    }

    pub(super) fn next(self) -> View {
        let at = View::ALL.iter().position(|view| *view == self).unwrap_or(0);
        View::ALL[(at + 1) % View::ALL.len()]
    }
}

/// The order of the rows in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sort {
    #[default]
    Name,
    Count,
    Failed,
    P95,
}

impl Sort {
    pub(super) fn next(self) -> Sort {
        match self {
            Sort::Name => Sort::Count,
            Sort::Count => Sort::Failed,
            Sort::Failed => Sort::P95,
            Sort::P95 => Sort::Name,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Count => "count",
            Sort::Failed => "failed",
            Sort::P95 => "p95",
        }
    }
}

/// The data that is shown, and how it is shown.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) limits: RunLimits,
    pub(super) view: View,
    pub(super) sort: Sort,
    pub(super) filter: String,
    /// The filter is being edited.
    pub(super) filtering: bool,
    pub(super) help: bool,
    pub(super) paused: bool,
    pub(super) stopping: bool,
    /// Lines up from the last one in the view of the activity; rows down from the first one in the other views.
    pub(super) scroll: usize,
    pub(super) selected: usize,
    pub(super) colored: bool,
    /// The terminal shows ASCII only.
    pub(super) ascii: bool,
    pub(super) activity: Activity,
    pub(super) totals: Snapshot,
    pub(super) progress: Progress,
    pub(super) timeline: Timeline,
    /// The thresholds, judged on the measures so far.
    pub(super) thresholds: Vec<ThresholdResult>,
    pub(super) processes: BTreeMap<Option<Arc<str>>, Recent>,
    /// The CPU time of the machine and the quota, without the other figures.
    pub(super) machine: Recent,
    pub(super) trend: Trend,
    second: u64,
}

/// The health of a process or of the machine over the last seconds.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<(u64, Health)>);

impl Recent {
    /// The merged health; `None` if nothing was received in the last seconds.
    pub(super) fn health(&self) -> Option<Health> {
        let mut all = self.0.front()?.1.clone();
        self.0.iter().skip(1).for_each(|(_, health)| all.merge(health));
        Some(all)
    }
}

impl State {
    pub(super) fn new(limits: RunLimits, colored: bool) -> State {
        State { limits, colored, ..State::default() }
    }

    /// Applies an event.
    pub(super) fn apply(&mut self, event: ScreenEvent) {
        match event {
            ScreenEvent::Line(line) => {
                // A view that is scrolled stays where it is.
                if self.activity.add(line) && self.view == View::Activity && self.scroll > 0 {
                    self.scroll = (self.scroll + 1).min(self.activity.len());
                }
            }
            ScreenEvent::Measures(process, measures) => {
                if !measures.warm_up {
                    self.totals.merge(&measures);
                }
                self.timeline.add(&measures);
                let health = measures.health;
                if !health.machine.total.is_zero() {
                    let Health { machine, quota, .. } = health;
                    self.machine.0.push_back((self.second, Health { machine, quota, ..Health::default() }));
                }
                // With several processes, the health of the machine comes from the coordinator.
                if !(health.process_wall + health.threads_wall).is_zero() {
                    self.processes.entry(process).or_default().0.push_back((self.second, health));
                }
            }
            ScreenEvent::Progress(progress) => {
                self.progress = progress;
                self.timeline.warm_up(progress.warm_up_until);
                if let Some(plan) = &progress.plan {
                    self.timeline.planned(progress.totals.elapsed, plan.planned_in_all);
                }
                self.timeline.tick(progress.totals.elapsed, progress.workers);
                self.tick(progress.totals.elapsed.as_secs());
            }
            ScreenEvent::Finish(_) | ScreenEvent::End => {}
        }
    }

    /// Updates what changes once a second.
    fn tick(&mut self, second: u64) {
        self.trend.update(&self.timeline);
        if second <= self.second {
            return;
        }
        self.second = second;
        for recent in self.processes.values_mut().chain([&mut self.machine]) {
            recent.0.retain(|(at, _)| at + RECENT >= second);
        }
        let active = self.progress.totals.active();
        let thresholds = self.limits.thresholds.iter();
        self.thresholds = thresholds.map(|threshold| threshold.judge_measures(&self.totals, active)).collect();
    }

    /// How often an error occurred in each [period](crate::run::Courses::period) of the run.
    pub(super) fn course(&self, group: &ErrorGroup) -> &[u64] {
        self.timeline.courses().errors().get(&ErrorKey::of(group)).map_or(&[], Vec::as_slice)
    }

    /// The groups of errors, the most frequent first.
    pub(super) fn errors(&self) -> Vec<&ErrorGroup> {
        let mut errors: Vec<_> = self
            .totals
            .errors
            .iter()
            .filter(|group| self.matches(&group.kind) || self.matches(&group.message))
            .collect();
        // Groups with the same count keep their order between ticks.
        errors.sort_by(|one, other| {
            let by_count =
                other.count.cmp(&one.count).then(one.first.cmp(&other.first)).then_with(|| one.kind.cmp(&other.kind));
            by_count.then_with(|| one.place.cmp(&other.place)).then_with(|| one.scenario.cmp(&other.scenario))
        });
        errors
    }

    /// The rows of the table that match the filter, sorted: kind, name and measures.
    pub(super) fn rows(&self) -> Vec<(&'static str, &str, &Stats)> {
        let kinds =
            [("scenario", &self.totals.scenarios), ("request", &self.totals.requests), ("step", &self.totals.steps)];
        let mut all = Vec::new();
        for (kind, rows) in kinds {
            let mut rows: Vec<_> = rows.iter().filter(|(name, _)| self.matches(name)).collect();
            match self.sort {
                Sort::Name => {}
                Sort::Count => rows.sort_by_key(|(_, stats)| std::cmp::Reverse(stats.counts.ok + stats.counts.failed)),
                Sort::Failed => rows.sort_by_key(|(_, stats)| std::cmp::Reverse(stats.counts.failed)),
                Sort::P95 => rows.sort_by_key(|(_, stats)| std::cmp::Reverse(stats.latency.percentile(95.0))),
            }
            all.extend(rows.into_iter().map(|(name, stats)| (kind, &**name, stats)));
        }
        all
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.filter.is_empty() || text.to_lowercase().contains(&self.filter.to_lowercase())
    }

    /// The progress of the run, from 0 to 1, and the estimated time that is left; `None` if the run has no limit.
    pub(super) fn completion(&self) -> Option<(f64, Option<Duration>)> {
        // Pauses do not count.
        let active = self.progress.totals.without_pauses();
        let ended = self.progress.totals.successes + self.progress.totals.failures;
        if let Some(runs) = self.limits.runs.filter(|runs| *runs > 0) {
            let share = (ended as f64 / runs as f64).min(1.0);
            let left = (share > 0.0).then(|| active.mul_f64((1.0 - share) / share));
            return Some((share, left));
        }
        let duration = self.limits.duration?;
        let share = (active.as_secs_f64() / duration.as_secs_f64().max(1e-9)).min(1.0);
        Some((share, Some(duration.saturating_sub(active))))
    }

    /// The planned rate at a time of the run, without the changes of the user; `None` if no scenario starts at a rate.
    pub(super) fn planned_rate(&self, at: Duration) -> Option<f64> {
        self.limits.load.rate_at(at.saturating_sub(self.progress.totals.paused))
    }

    /// The number of workers that the stages plan for a time of the run; `None` if the run has no stages of workers.
    pub(super) fn planned_workers(&self, at: Duration) -> Option<f64> {
        let load = &self.limits.load;
        let workers = load.workers_at(at.saturating_sub(self.progress.totals.paused));
        (!load.is_open() && !load.is_closed()).then(|| workers * self.progress.processes.max(1) as f64)
    }

    /// When the plan ends, if it does.
    pub(super) fn plan_end(&self) -> Option<Duration> {
        Some(self.limits.load.end()? + self.progress.totals.paused)
    }

    /// What the keys `+` and `-` change.
    pub(super) fn changeable(&self) -> &'static str {
        let load = &self.limits.load;
        match load.is_open() {
            true if load.streams.len() > load.open().count() => "load",
            true => "rate",
            false => "workers",
        }
    }

    /// The number of rows of the view.
    pub(super) fn length(&self) -> usize {
        match self.view {
            View::Live | View::Distribution => 0,
            View::Activity => self.activity.len(),
            View::Table => self.rows().len(),
            View::Errors => self.errors().len(),
            View::Generator => self.processes.len(),
        }
    }
}
