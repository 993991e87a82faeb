//! What the dashboard knows: fed by lines, measures and progress, and by the keys of who looks at it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    metrics::{ErrorGroup, Health, Snapshot, Stats},
    run::{Line, Progress, Timeline},
    ui::{About, feed::Feed},
};

/// Lines kept; older ones go.
const LINES: usize = 2_000;
/// Seconds of an error's course kept.
pub(super) const COURSE: usize = 120;

/// Seconds that a process's health is shown over.
const RECENT: u64 = 5;

/// What the screen shows most of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum View {
    #[default]
    Live,
    Table,
    Errors,
    Generator,
}

impl View {
    pub(super) const ALL: [View; 4] = [View::Live, View::Table, View::Errors, View::Generator];

    pub(super) fn name(self) -> &'static str {
        match self {
            View::Live => "Live",
            View::Table => "Scenarios & requests",
            View::Errors => "Errors",
            View::Generator => "Generator",
        }
    }

    pub(super) fn next(self) -> View {
        let at = View::ALL.iter().position(|view| *view == self).unwrap_or(0);
        View::ALL[(at + 1) % View::ALL.len()]
    }
}

/// What the table is sorted by.
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

/// Everything that is shown, and how.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) about: About,
    pub(super) view: View,
    pub(super) sort: Sort,
    pub(super) filter: String,
    /// The filter is being written.
    pub(super) filtering: bool,
    pub(super) help: bool,
    pub(super) paused: bool,
    pub(super) stopping: bool,
    /// Lines up from the end, in the live view; rows down from the start, in the others.
    pub(super) scroll: usize,
    pub(super) selected: usize,
    pub(super) colored: bool,
    pub(super) lines: VecDeque<Line>,
    pub(super) totals: Snapshot,
    pub(super) progress: Progress,
    pub(super) timeline: Timeline,
    pub(super) processes: BTreeMap<Option<Arc<str>>, Recent>,
    /// The machine's CPU time and quota alone.
    pub(super) machine: Recent,
    courses: HashMap<ErrorKey, Course>,
    second: u64,
}

/// How a process, or the machine, fared in the last seconds.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<(u64, Health)>);

impl Recent {
    /// All of it; `None` where nothing came any more.
    pub(super) fn health(&self) -> Option<Health> {
        let mut all = self.0.front()?.1.clone();
        self.0.iter().skip(1).for_each(|(_, health)| all.merge(health));
        Some(all)
    }
}

/// What makes errors the same.
type ErrorKey = (String, Option<String>, String);

fn key_of(group: &ErrorGroup) -> ErrorKey {
    (group.kind.clone(), group.place.clone(), group.scenario.clone())
}

#[derive(Debug, Default)]
struct Course {
    seen: u64,
    counts: VecDeque<u64>,
}

impl State {
    pub(super) fn new(about: About, colored: bool) -> State {
        State { about, colored, ..State::default() }
    }

    /// Takes what is told.
    pub(super) fn feed(&mut self, feed: Feed) {
        match feed {
            Feed::Line(line) => {
                if self.lines.len() >= LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back(line);
                // What one looks at stays where it is.
                if self.view == View::Live && self.scroll > 0 {
                    self.scroll = (self.scroll + 1).min(self.lines.len());
                }
            }
            Feed::Measures(process, measures) => {
                self.totals.merge(&measures);
                self.timeline.add(&measures);
                let health = measures.health;
                if !health.machine.total.is_zero() {
                    let Health { machine, quota, .. } = health;
                    self.machine.0.push_back((self.second, Health { machine, quota, ..Health::default() }));
                }
                // With several processes, what is known of the machine comes from none of them.
                if !(health.process_wall + health.threads_wall).is_zero() {
                    self.processes.entry(process).or_default().0.push_back((self.second, health));
                }
            }
            Feed::Progress(progress) => {
                self.progress = progress;
                self.timeline.tick(progress.totals.elapsed, progress.workers);
                self.tick(progress.totals.elapsed.as_secs());
            }
            Feed::Finish(_) | Feed::End => {}
        }
    }

    /// A second is over: the errors' courses go on by one.
    fn tick(&mut self, second: u64) {
        if second <= self.second {
            return;
        }
        let passed = (second - self.second).min(COURSE as u64);
        self.second = second;
        for recent in self.processes.values_mut().chain([&mut self.machine]) {
            recent.0.retain(|(at, _)| at + RECENT >= second);
        }
        for group in &self.totals.errors {
            let course = self.courses.entry(key_of(group)).or_default();
            for _ in 1..passed {
                course.counts.push_back(0);
            }
            course.counts.push_back(group.count - course.seen);
            course.seen = group.count;
        }
        for course in self.courses.values_mut() {
            while course.counts.len() > COURSE {
                course.counts.pop_front();
            }
        }
    }

    /// How often an error happened in each of the last seconds.
    pub(super) fn course(&self, group: &ErrorGroup) -> Vec<u64> {
        self.courses.get(&key_of(group)).map(|course| course.counts.iter().copied().collect()).unwrap_or_default()
    }

    /// The groups of errors, the most frequent first.
    pub(super) fn errors(&self) -> Vec<&ErrorGroup> {
        let mut errors: Vec<_> =
            self.totals.errors.iter().filter(|group| self.fits(&group.kind) || self.fits(&group.message)).collect();
        // Groups with the same count keep their order from one tick to the next.
        errors.sort_by(|one, other| {
            let by_count =
                other.count.cmp(&one.count).then(one.first.cmp(&other.first)).then_with(|| one.kind.cmp(&other.kind));
            by_count.then_with(|| one.place.cmp(&other.place)).then_with(|| one.scenario.cmp(&other.scenario))
        });
        errors
    }

    /// The rows of the table that fit the filter, in its order: kind, name, measures.
    pub(super) fn rows(&self) -> Vec<(&'static str, &str, &Stats)> {
        let kinds =
            [("scenario", &self.totals.scenarios), ("request", &self.totals.requests), ("step", &self.totals.steps)];
        let mut all = Vec::new();
        for (kind, rows) in kinds {
            let mut rows: Vec<_> = rows.iter().filter(|(name, _)| self.fits(name)).collect();
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

    pub(super) fn fits(&self, text: &str) -> bool {
        self.filter.is_empty() || text.to_lowercase().contains(&self.filter.to_lowercase())
    }

    /// How far the run is, 0 to 1, and how long it takes still; `None` where it has no end.
    pub(super) fn done(&self) -> Option<(f64, Option<Duration>)> {
        // A pause stands still.
        let active = self.progress.totals.active();
        let ended = self.progress.totals.successes + self.progress.totals.failures;
        if let Some(runs) = self.about.runs.filter(|runs| *runs > 0) {
            let share = (ended as f64 / runs as f64).min(1.0);
            let left = (share > 0.0).then(|| active.mul_f64((1.0 - share) / share));
            return Some((share, left));
        }
        let duration = self.about.duration?;
        let share = (active.as_secs_f64() / duration.as_secs_f64().max(1e-9)).min(1.0);
        Some((share, Some(duration.saturating_sub(active))))
    }

    /// How far the view may be scrolled.
    pub(super) fn length(&self) -> usize {
        match self.view {
            View::Live => self.lines.len(),
            View::Table => self.rows().len(),
            View::Errors => self.errors().len(),
            View::Generator => self.processes.len(),
        }
    }
}
