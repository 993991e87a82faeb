//! Evaluates thresholds on checks, counters, values and gauges.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use super::unknown;
use crate::{
    metrics::{Check, Gauge, Snapshot, Values},
    options::threshold::{Metric, Name, Subject, Threshold},
    suggest::nearest,
};

/// What scenarios recorded and a threshold applies to.
pub(crate) enum Custom<'a> {
    Check(Cow<'a, Check>),
    Counter(u64),
    Values(&'a Values),
    Gauge(Gauge),
}

impl Threshold {
    /// Whether it applies to what scenarios record, and not to something that takes time.
    pub(crate) fn is_custom(&self) -> bool {
        self.subject.is_some_and(Subject::is_custom)
    }

    /// Whether it applies to numbers that scenarios record, which have no unit.
    pub(super) fn is_a_value(&self) -> bool {
        matches!(self.subject, Some(Subject::Values | Subject::Gauges))
    }

    /// What the threshold applies to, or the reason why there is nothing.
    ///
    /// A counter that was never used is 0, unless its name is similar to that of another counter.
    pub(crate) fn custom<'a>(&self, snapshot: &'a Snapshot) -> Result<Custom<'a>, String> {
        let Some(Name { name, .. }) = &self.name else {
            let mut all = Check::default();
            snapshot.checks.values().for_each(|check| all.merge(check));
            return if all.total() == 0 {
                Err("no check was made".to_owned())
            } else {
                Ok(Custom::Check(Cow::Owned(all)))
            };
        };
        let kind = self.subject.map_or("name", Subject::singular);
        match self.subject {
            Some(Subject::Counters) => match snapshot.counters.get(&**name) {
                Some(count) => Ok(Custom::Counter(*count)),
                None if nearest(name, keys(&snapshot.counters)).is_none() => Ok(Custom::Counter(0)),
                None => Err(unknown(kind, name, keys(&snapshot.counters))),
            },
            Some(Subject::Values) => row(kind, name, &snapshot.values).map(Custom::Values),
            Some(Subject::Gauges) => row(kind, name, &snapshot.gauges).map(|gauge| Custom::Gauge(*gauge)),
            _ => row(kind, name, &snapshot.checks).map(|check| Custom::Check(Cow::Borrowed(check))),
        }
    }

    /// The measured value, or the reason why there is none.
    pub(super) fn measure_custom(&self, custom: &Custom<'_>, active: Duration) -> Result<f64, String> {
        let per_second = |count: u64| match active.as_secs_f64() {
            seconds if seconds > 0.0 => count as f64 / seconds,
            _ => 0.0,
        };
        Ok(match custom {
            Custom::Check(check) => {
                let part = match self.metric {
                    Metric::Failures => check.failed,
                    Metric::Count => check.total(),
                    _ => check.passed,
                };
                if self.share { part as f64 / check.total().max(1) as f64 } else { part as f64 }
            }
            Custom::Counter(count) if self.metric == Metric::Rate => per_second(*count),
            Custom::Counter(count) => *count as f64,
            Custom::Values(values) => match self.metric {
                Metric::Percentile(percent) => values.percentile(percent),
                Metric::Min => values.min(),
                Metric::Max => values.max(),
                Metric::Count => values.count() as f64,
                Metric::Rate => per_second(values.count()),
                _ => values.mean(),
            },
            Custom::Gauge(gauge) => match self.metric {
                Metric::Min => gauge.min,
                Metric::Max => gauge.max,
                _ => gauge.last,
            },
        })
    }
}

fn keys<T>(rows: &BTreeMap<Arc<str>, T>) -> impl Iterator<Item = &str> {
    rows.keys().map(|name| &**name)
}

fn row<'a, T>(kind: &str, name: &str, rows: &'a BTreeMap<Arc<str>, T>) -> Result<&'a T, String> {
    rows.get(name).ok_or_else(|| unknown(kind, name, keys(rows)))
}
