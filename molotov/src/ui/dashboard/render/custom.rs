//! Rows of the table for tags, checks, counters, values and gauges.

use ratatui::style::Style;

use super::{
    super::state::{Kind, RowId, State},
    columns::Row,
    style::Palette,
};
use crate::{
    format,
    metrics::{Check, Gauge, Values},
    report::layout::harmless,
};

/// Returns the row of something that has no time; `None` for other rows. The columns are those of the table.
pub(super) fn row(state: &State, id: &RowId) -> Option<Row> {
    let cells = match (id.kind, id.is_all()) {
        (Kind::Scenario | Kind::Request | Kind::Step, _) | (Kind::Tag, false) => return None,
        (Kind::Check, true) => {
            let mut all = Check::default();
            state.totals.checks.values().for_each(|check| all.merge(check));
            check(state, id, &all)
        }
        // The columns of gauges have their own heads.
        (Kind::Gauge, true) => ["Last", "Min", "Max"].map(plain).into(),
        (_, true) => Vec::new(),
        (Kind::Check, false) => check(state, id, state.totals.checks.get(&id.name)?),
        (Kind::Counter, false) => counted(state, id, *state.totals.counters.get(&id.name)?),
        (Kind::Value, false) => values(state, id, state.totals.values.get(&id.name)?),
        (Kind::Gauge, false) => gauge(state.totals.gauges.get(&id.name)?),
    };
    let name = match id.is_all() {
        true => format::plural(state.number_of(id.kind), id.kind.name()),
        false => format!("  {}", harmless(&id.name)),
    };
    Some(Row { name, cells })
}

fn plain(text: impl Into<String>) -> (String, Style) {
    (text.into(), Style::new())
}

fn check(state: &State, id: &RowId, check: &Check) -> Vec<(String, Style)> {
    let bad = if check.failed > 0 { Palette::of(state).bad() } else { Style::new() };
    let mut cells = counted(state, id, check.total());
    cells[1] = (format::count(check.failed), bad);
    cells[2] = (format::percent(check.failed, check.total()), bad);
    cells
}

/// The cells of a number of events: the count, two of failures, the rate of the run and that of the last seconds.
fn counted(state: &State, id: &RowId, count: u64) -> Vec<(String, Style)> {
    let seconds = state.progress.totals.active().as_secs_f64();
    let rate = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let now = state.recent_rate(id).map_or("–".to_owned(), format::rate);
    let now = if id.is_all() { String::new() } else { now };
    [format::count(count), String::new(), String::new(), format::rate(rate), now].map(plain).into()
}

fn values(state: &State, id: &RowId, values: &Values) -> Vec<(String, Style)> {
    let at = |percent| values.percentile_if_enough(percent).map_or("–".to_owned(), format::value);
    let numbers = [at(50.0), at(95.0), at(99.0), format::value(values.mean()), format::value(values.max())];
    let mut cells = counted(state, id, values.count());
    cells.extend(numbers.map(plain));
    cells
}

fn gauge(gauge: &Gauge) -> Vec<(String, Style)> {
    [gauge.last, gauge.min, gauge.max].map(|value| plain(format::value(value))).into()
}
