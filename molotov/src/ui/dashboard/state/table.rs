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
}

impl Kind {
    const EACH: [Kind; 3] = [Kind::Scenario, Kind::Request, Kind::Step];

    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Kind::Scenario => "scenario",
            Kind::Request => "request",
            Kind::Step => "step",
        }
    }

    fn stats(self, measures: &Snapshot) -> &BTreeMap<Arc<str>, Stats> {
        match self {
            Kind::Scenario => &measures.scenarios,
            Kind::Request => &measures.requests,
            Kind::Step => &measures.steps,
        }
    }

    fn stats_mut(self, measures: &mut Snapshot) -> &mut BTreeMap<Arc<str>, Stats> {
        match self {
            Kind::Scenario => &mut measures.scenarios,
            Kind::Request => &mut measures.requests,
            Kind::Step => &mut measures.steps,
        }
    }

    fn bins(self, courses: &Courses) -> &BTreeMap<Arc<str>, Vec<CourseBin>> {
        match self {
            Kind::Scenario => courses.scenarios(),
            Kind::Request => courses.requests(),
            Kind::Step => courses.steps(),
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

    /// Returns whether this is the row of all scenarios, requests or steps together.
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
            kind.stats_mut(&mut all).insert(ALL.into(), together);
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
        let each = Kind::EACH.into_iter().flat_map(|kind| {
            let rows = kind.stats(totals).iter().chain(kind.stats(&self.all));
            rows.map(move |(name, stats)| (RowId { kind, name: name.clone() }, ended(stats)))
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
        for kind in Kind::EACH {
            let mut rows: Vec<_> = kind.stats(&self.totals).iter().filter(|(name, _)| self.matches(name)).collect();
            if rows.is_empty() {
                continue;
            }
            match self.sort {
                Sort::Name => {}
                Sort::Count => rows.sort_by_key(|(_, stats)| Reverse(ended(stats))),
                Sort::Failed => rows.sort_by_key(|(_, stats)| Reverse(stats.counts.failed)),
                Sort::P95 => rows.sort_by_cached_key(|(_, stats)| Reverse(stats.latency.percentile(95.0))),
            }
            all.push(RowId::all(kind));
            all.extend(rows.into_iter().map(|(name, _)| RowId { kind, name: name.clone() }));
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
        kind.stats(&self.totals).len() as u64
    }

    /// The number of rows without a filter, except those of all together.
    pub(in super::super) fn number_of_rows(&self) -> u64 {
        Kind::EACH.into_iter().map(|kind| self.number_of(kind)).sum()
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
        let rows = self.table_rows();
        let Some((index, _)) = self.selected_row() else { return };
        let index = index.saturating_add_signed(down).min(rows.len() - 1);
        self.table.selected = rows.into_iter().nth(index);
    }

    /// Opens the selected row.
    pub(in super::super) fn open_row(&mut self) {
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
        let rows = self.table_rows();
        if rows.is_empty() {
            return;
        }
        let chosen = self.distribution_row();
        let index = rows.iter().position(|row| *row == chosen).unwrap_or(0);
        let index = index.saturating_add_signed(down).min(rows.len() - 1);
        self.table.distribution = rows.into_iter().nth(index);
    }
}
