//! The rows of the table: what was measured for each of them, in which order they are shown, and which one is selected.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::State;
use crate::{
    metrics::{Snapshot, Stats},
    run::{CourseBin, Courses, LatencySource},
};

/// The rate of the last seconds covers this time.
pub(in super::super) const LAST_SECONDS: Duration = Duration::from_secs(5);

/// The name under which all rows of a kind are counted together.
const ALL: &str = "";

/// The order of the rows in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) enum Sort {
    #[default]
    Name,
    Count,
    Failed,
    P95,
}

impl Sort {
    pub(in super::super) fn next(self) -> Sort {
        match self {
            Sort::Name => Sort::Count,
            Sort::Count => Sort::Failed,
            Sort::Failed => Sort::P95,
            Sort::P95 => Sort::Name,
        }
    }

    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Count => "count",
            Sort::Failed => "failed",
            Sort::P95 => "p95",
        }
    }
}

/// What the rows of a part of the table measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Kind {
    Scenario,
    Request,
    Step,
    /// Requests with a tag.
    Tag,
    Check,
    Counter,
    Value,
    Gauge,
}

impl Kind {
    /// Those with courses, whose rows can be opened.
    const EACH: [Kind; 3] = [Kind::Scenario, Kind::Request, Kind::Step];
    /// The parts of the table, from top to bottom.
    const ALL: [Kind; 8] =
        [Kind::Scenario, Kind::Request, Kind::Step, Kind::Tag, Kind::Check, Kind::Counter, Kind::Value, Kind::Gauge];

    /// Returns whether its rows can be opened.
    fn opens(self) -> bool {
        Kind::EACH.contains(&self)
    }

    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Kind::Scenario => "scenario",
            Kind::Request => "request",
            Kind::Step => "step",
            Kind::Tag => "tag",
            Kind::Check => "check",
            Kind::Counter => "counter",
            Kind::Value => "value",
            Kind::Gauge => "gauge",
        }
    }

    /// The rows that measure time.
    fn stats(self, measures: &Snapshot) -> &BTreeMap<Arc<str>, Stats> {
        static NONE: BTreeMap<Arc<str>, Stats> = BTreeMap::new();
        match self {
            Kind::Scenario => &measures.scenarios,
            Kind::Request => &measures.requests,
            Kind::Step => &measures.steps,
            Kind::Tag => &measures.tags,
            Kind::Check | Kind::Counter | Kind::Value | Kind::Gauge => &NONE,
        }
    }

    /// The names of all rows.
    fn names(self, measures: &Snapshot) -> Vec<&Arc<str>> {
        match self {
            Kind::Check => measures.checks.keys().collect(),
            Kind::Counter => measures.counters.keys().collect(),
            Kind::Value => measures.values.keys().collect(),
            Kind::Gauge => measures.gauges.keys().collect(),
            _ => self.stats(measures).keys().collect(),
        }
    }

    /// How much was counted in a row, and how much of it failed.
    fn counts(self, measures: &Snapshot, name: &str) -> (u64, u64) {
        let counts = match self {
            Kind::Check => measures.checks.get(name).map(|check| (check.total(), check.failed)),
            Kind::Counter => measures.counters.get(name).map(|count| (*count, 0)),
            Kind::Value => measures.values.get(name).map(|values| (values.count(), 0)),
            Kind::Gauge => None,
            _ => self.stats(measures).get(name).map(|stats| (ended(stats), stats.counts.failed)),
        };
        counts.unwrap_or_default()
    }

    /// Adds a row that measures time.
    fn insert(self, measures: &mut Snapshot, name: Arc<str>, stats: Stats) {
        let rows = match self {
            Kind::Scenario => &mut measures.scenarios,
            Kind::Request => &mut measures.requests,
            Kind::Tag => &mut measures.tags,
            _ => &mut measures.steps,
        };
        rows.insert(name, stats);
    }

    fn bins(self, courses: &Courses) -> &BTreeMap<Arc<str>, Vec<CourseBin>> {
        static NONE: BTreeMap<Arc<str>, Vec<CourseBin>> = BTreeMap::new();
        match self {
            Kind::Scenario => courses.scenarios(),
            Kind::Request => courses.requests(),
            Kind::Step => courses.steps(),
            _ => &NONE,
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct RowId {
    pub(in super::super) kind: Kind,
    /// Empty for the row of all together.
    pub(in super::super) name: Arc<str>,
}

impl RowId {
    fn all(kind: Kind) -> RowId {
        RowId { kind, name: ALL.into() }
    }

    /// Returns whether this is the row of all of a kind together.
    pub(in super::super) fn is_all(&self) -> bool {
        self.name.is_empty()
    }
}

/// What the table needs besides the totals, and what the user has selected.
#[derive(Debug, Default)]
pub(in super::super) struct Table {
    /// All rows of a kind together, under an empty name.
    all: Snapshot,
    /// Their courses.
    courses: Courses,
    /// The number of operations by row, at some times of the last seconds.
    counts: VecDeque<(Duration, BTreeMap<RowId, u64>)>,
    /// The selected row; `None` before a key is pressed.
    selected: Option<RowId>,
    /// The selected row fills the view.
    opened: bool,
    /// The row in the view of the distribution; `None` for the most important one.
    distribution: Option<RowId>,
}

impl Table {
    /// Adds measures.
    pub(super) fn add(&mut self, measures: &Snapshot) {
        let mut all = Snapshot { until: measures.until, ..Snapshot::default() };
        for kind in Kind::EACH {
            let mut rows = kind.stats(measures).values();
            let Some(mut together) = rows.next().cloned() else { continue };
            rows.for_each(|stats| together.merge(stats));
            kind.insert(&mut all, ALL.into(), together);
        }
        self.courses.add(&all);
        if !measures.warm_up {
            self.all.merge(&all);
        }
    }

    /// Notes the counts of the rows, once a second.
    pub(super) fn tick(&mut self, elapsed: Duration, totals: &Snapshot) {
        while self.counts.front().is_some_and(|(at, _)| *at + LAST_SECONDS < elapsed) {
            self.counts.pop_front();
        }
        let each = Kind::ALL.into_iter().flat_map(|kind| {
            let of = |measures| kind.names(measures).into_iter().map(move |name| (measures, name));
            let rows = of(totals).chain(of(&self.all));
            rows.map(move |(measures, name)| (RowId { kind, name: name.clone() }, kind.counts(measures, name).0))
        });
        self.counts.push_back((elapsed, each.collect()));
    }
}

/// The number of operations that succeeded or failed.
pub(in super::super) fn ended(stats: &Stats) -> u64 {
    stats.counts.ok + stats.counts.failed
}

impl State {
    /// The rows of the table that match the filter, sorted. The row of all together comes first in each part.
    pub(in super::super) fn table_rows(&self) -> Vec<RowId> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let mut names = kind.names(&self.totals);
            names.retain(|name| self.matches(name));
            if names.is_empty() {
                continue;
            }
            let p95 = |name: &str| kind.stats(&self.totals).get(name).map(|stats| stats.latency.percentile(95.0));
            match self.sort {
                Sort::Name => {}
                Sort::Count => names.sort_by_cached_key(|name| Reverse(kind.counts(&self.totals, name).0)),
                Sort::Failed => names.sort_by_cached_key(|name| Reverse(kind.counts(&self.totals, name).1)),
                Sort::P95 => names.sort_by_cached_key(|name| Reverse(p95(name))),
            }
            all.push(RowId::all(kind));
            all.extend(names.into_iter().map(|name| RowId { kind, name: name.clone() }));
        }
        all
    }

    /// Returns whether a row matches the filter.
    pub(in super::super) fn has_rows(&self) -> bool {
        Kind::EACH.into_iter().any(|kind| kind.stats(&self.totals).keys().any(|name| self.matches(name)))
    }

    /// What was measured for a row, without the warm-up.
    pub(in super::super) fn stats(&self, row: &RowId) -> Cow<'_, Stats> {
        let measures = if row.is_all() { &self.table.all } else { &self.totals };
        row.kind.stats(measures).get(&row.name).map_or_else(Cow::default, Cow::Borrowed)
    }

    /// What ended over time under a row, in bins of [`Courses::period`].
    pub(in super::super) fn bins(&self, row: &RowId) -> &[CourseBin] {
        row.kind.bins(self.courses(row)).get(&row.name).map_or(&[], Vec::as_slice)
    }

    /// The courses that contain a row.
    pub(in super::super) fn courses(&self, row: &RowId) -> &Courses {
        if row.is_all() { &self.table.courses } else { self.timeline.courses() }
    }

    /// The number of rows that a row of all together stands for.
    pub(in super::super) fn number_of(&self, kind: Kind) -> u64 {
        kind.names(&self.totals).len() as u64
    }

    /// The number of rows without a filter, except those of all together.
    pub(in super::super) fn number_of_rows(&self) -> u64 {
        Kind::ALL.into_iter().map(|kind| self.number_of(kind)).sum()
    }

    /// The rate of a row in the last seconds; `None` before two seconds have passed.
    pub(in super::super) fn recent_rate(&self, row: &RowId) -> Option<f64> {
        let ((since, before), (now, counts)) = (self.table.counts.front()?, self.table.counts.back()?);
        let count = counts.get(row)?.saturating_sub(before.get(row).copied().unwrap_or(0));
        let passed = now.saturating_sub(*since).as_secs_f64();
        (passed >= 0.9).then(|| count as f64 / passed)
    }

    /// The selected row of the table, and its index; the first one unless another was selected. `None` without rows.
    pub(in super::super) fn selected_row(&self) -> Option<(usize, RowId)> {
        let rows = self.table_rows();
        let selected = self.table.selected.as_ref().and_then(|row| rows.iter().position(|one| one == row));
        let index = selected.unwrap_or(0);
        Some((index, rows.into_iter().nth(index)?))
    }

    /// Selects a row that is this number of rows further down.
    pub(in super::super) fn select_row(&mut self, down: isize) {
        let mut rows = self.table_rows();
        let Some((index, _)) = self.selected_row() else { return };
        if self.table.opened {
            rows.retain(|row| row.kind.opens());
        }
        let index = index.saturating_add_signed(down).min(rows.len() - 1);
        self.table.selected = rows.into_iter().nth(index);
    }

    /// Opens the selected row, if it has a course.
    pub(in super::super) fn open_row(&mut self) {
        if self.selected_row().is_some_and(|(_, row)| !row.kind.opens()) {
            return;
        }
        // From now on it is this row, even if another becomes the first one.
        self.table.selected = self.selected_row().map(|(_, row)| row);
        self.table.opened = self.table.selected.is_some();
    }

    /// Closes the row that is open. Returns whether there was one.
    pub(in super::super) fn close_row(&mut self) -> bool {
        std::mem::take(&mut self.table.opened)
    }

    /// The row that fills the view.
    pub(in super::super) fn opened_row(&self) -> Option<RowId> {
        if self.table.opened { self.table.selected.clone() } else { None }
    }

    /// The row in the view of the distribution: all requests, or all scenarios in a run without requests, unless another was
    /// chosen.
    pub(in super::super) fn distribution_row(&self) -> RowId {
        let source = match self.timeline.latency_source() {
            LatencySource::Requests => Kind::Request,
            _ => Kind::Scenario,
        };
        self.table.distribution.clone().unwrap_or_else(|| RowId::all(source))
    }

    /// Chooses a row for the view of the distribution that is this number of rows further down in the table.
    pub(in super::super) fn select_distribution(&mut self, down: isize) {
        let mut rows = self.table_rows();
        rows.retain(|row| row.kind.opens());
        if rows.is_empty() {
            return;
        }
        let chosen = self.distribution_row();
        let index = rows.iter().position(|row| *row == chosen).unwrap_or(0);
        let index = index.saturating_add_signed(down).min(rows.len() - 1);
        self.table.distribution = rows.into_iter().nth(index);
    }
}
