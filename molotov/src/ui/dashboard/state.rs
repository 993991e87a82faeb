//! The state of the dashboard: what the run has sent, and what the user has chosen to see.

mod activity;
mod generator;
mod table;
mod trend;

use std::time::Duration;

use self::{activity::Activity, generator::Generator, table::Table, trend::Trend};
pub(super) use self::{
    generator::{GeneratorPoint, Recent},
    table::{Kind, LAST_SECONDS, RowId, Sort, ended},
    trend::TrendPoint,
};
use crate::{
    metrics::{Check, ErrorGroup, Snapshot},
    run::{COMPLETE_AFTER, ErrorKey, GeneratorLimit, MemberSummary, Progress, ThresholdResult, Timeline},
    ui::{RunLimits, screen_event::ScreenEvent},
};

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
    pub(super) table: Table,
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
    pub(super) generator: Generator,
    /// What each agent or process measured.
    pub(super) members: Vec<MemberSummary>,
    pub(super) trend: Trend,
    /// Changes with what views show.
    revision: u64,
    second: u64,
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
                if self.view == View::Activity {
                    self.revise();
                }
            }
            ScreenEvent::Measures(member, measures) => {
                if let Some(label) = &member {
                    MemberSummary::of(&mut self.members, label).add(&measures);
                }
                if !measures.warm_up {
                    self.totals.merge(&measures);
                }
                self.timeline.add(&measures);
                self.table.add(&measures);
                self.generator.add(self.second, member, &measures);
            }
            ScreenEvent::Progress(progress) => {
                self.progress = progress;
                self.timeline.warm_up(progress.warm_up_until);
                if let Some(plan) = &progress.plan {
                    self.timeline.planned(progress.totals.elapsed, plan.planned_in_all);
                }
                self.timeline.tick(progress.totals.elapsed, progress.workers);
                // Until then, the last second is not complete.
                self.tick(progress.totals.elapsed.saturating_sub(COMPLETE_AFTER).as_secs());
            }
            ScreenEvent::Workers(member, running) => self.generator.set_workers(member, running),
            ScreenEvent::Finish(_) | ScreenEvent::End => {}
        }
    }

    /// Notes that views show something new.
    pub(super) fn revise(&mut self) {
        self.revision += 1;
    }

    /// The seconds of the run that are complete.
    pub(super) fn second(&self) -> u64 {
        self.second
    }

    /// A number that changes with what views show. The numbers around the views change more often.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Updates what changes once a second.
    fn tick(&mut self, second: u64) {
        if second <= self.second {
            return;
        }
        self.second = second;
        self.revise();
        self.trend.update(&self.timeline);
        self.table.tick(self.progress.totals.elapsed, &self.totals);
        let latest = self.trend.points().next_back().and_then(|point| point.latency.p95);
        self.generator.tick(second, latest);
        let active = self.progress.totals.active();
        let thresholds = self.limits.thresholds.iter();
        self.thresholds = thresholds.map(|threshold| threshold.judge_measures(&self.totals, active)).collect();
    }

    /// How often an error occurred in each [period](crate::run::Courses::period) of the run.
    pub(super) fn course(&self, group: &ErrorGroup) -> &[u64] {
        self.timeline.courses().errors().get(&ErrorKey::of(group)).map_or(&[], Vec::as_slice)
    }

    /// The groups of errors that match the filter, the most frequent first.
    pub(super) fn matching_errors(&self) -> Vec<&ErrorGroup> {
        let is_matching = |group: &&ErrorGroup| {
            let place = group.place.as_deref().unwrap_or_default();
            [&group.kind, &group.message, place, &group.scenario].into_iter().any(|text| self.matches(text))
        };
        let mut errors = self.errors();
        errors.retain(is_matching);
        errors
    }

    /// The groups of errors, the most frequent first.
    pub(super) fn errors(&self) -> Vec<&ErrorGroup> {
        let mut errors: Vec<_> = self.totals.errors.iter().collect();
        // Groups with the same count keep their order between ticks.
        errors.sort_by(|one, other| {
            let by_count =
                other.count.cmp(&one.count).then(one.first.cmp(&other.first)).then_with(|| one.kind.cmp(&other.kind));
            by_count.then_with(|| one.place.cmp(&other.place)).then_with(|| one.scenario.cmp(&other.scenario))
        });
        errors
    }

    /// The checks that failed, the most frequent first.
    pub(super) fn failed_checks(&self) -> Vec<(&str, &Check)> {
        let checks = self.totals.checks.iter().filter(|(_, check)| check.failed > 0);
        let mut checks: Vec<_> = checks.map(|(name, check)| (&**name, check)).collect();
        checks.sort_by_key(|(_, check)| std::cmp::Reverse(check.failed));
        checks
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

    /// What in the load generator limits the run or distorts its measurements, if anything does.
    pub(super) fn generator_limit(&self) -> Option<GeneratorLimit> {
        GeneratorLimit::of(&self.totals, &self.members)
    }

    /// Whether agents generate the load.
    pub(super) fn has_agents(&self) -> bool {
        self.members.iter().any(|member| member.label.is_agent())
    }

    /// The number of rows of the view.
    pub(super) fn length(&self) -> usize {
        match self.view {
            View::Live | View::Distribution => 0,
            View::Activity => self.activity.len(),
            View::Table => self.table_rows().len(),
            View::Errors => self.matching_errors().len(),
            View::Generator => self.generator.rows(),
        }
    }
}
