//! Evaluates thresholds.

mod custom;
#[cfg(test)]
mod tests;

pub(crate) use self::custom::Custom;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    format,
    metrics::{Histogram, Snapshot, Starts, Stats},
    options::threshold::{Comparison, Metric, Name, Subject, Threshold, ThresholdError, Times},
    run::{Summary, ThresholdResult},
    suggest::nearest,
};

/// The measures of a subject that takes time, by name.
fn rows(subject: Subject, snapshot: &Snapshot) -> &BTreeMap<Arc<str>, Stats> {
    match subject {
        Subject::Requests => &snapshot.requests,
        Subject::Steps => &snapshot.steps,
        Subject::Tags => &snapshot.tags,
        _ => &snapshot.scenarios,
    }
}

/// Says that nothing with a name was measured, and which name may be meant.
fn unknown<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!("no {kind} named `{name}` was measured{near}")
}

impl Threshold {
    /// Refuses a name that cannot be measured in a run of the scenarios `running`. `registered` are all scenarios of the program.
    ///
    /// Other names are not known before the run, so a name is refused only if it has to be a scenario, or
    /// looks like a misspelled one.
    pub(crate) fn check(&self, running: &[&str], registered: &[&str]) -> Result<(), ThresholdError> {
        let Some(Name { name, at }) = &self.name else { return Ok(()) };
        let has_to_be_a_scenario = match self.subject {
            Some(Subject::Scenarios) => true,
            Some(_) => return Ok(()),
            None => self.is_of_starts(),
        };
        if running.contains(&&**name) || !has_to_be_a_scenario && is_a_request(name) {
            return Ok(());
        }
        let why = if registered.contains(&&**name) {
            format!("the scenario `{name}` does not run: it is not selected, or its weight is 0")
        } else {
            match (nearest(name, running.iter().copied()), has_to_be_a_scenario) {
                (Some(near), true) => format!("there is no scenario `{name}`; did you mean `{near}`?"),
                (Some(near), false) => {
                    let measure = &self.text[..at.start].trim_end();
                    format!(
                        "there is no scenario `{name}`; did you mean `{near}`? For a request or a step of that name, write \
                         `requests.{measure}({name})` or `steps.{measure}({name})`"
                    )
                }
                (None, true) => format!("there is no scenario `{name}`; there are: {}", running.join(", ")),
                (None, false) => return Ok(()),
            }
        };
        Err(ThresholdError { why, text: self.text.clone(), at: at.clone() })
    }

    /// Evaluates the threshold. A threshold with a name that was never measured is broken, even `failures(name) == 0`.
    pub fn judge(&self, summary: &Summary) -> ThresholdResult {
        self.judge_measures(&summary.snapshot, summary.totals.active())
    }

    /// Evaluates the threshold on the measures so far. `active` is the time in which they were taken.
    pub(crate) fn judge_measures(&self, snapshot: &Snapshot, active: Duration) -> ThresholdResult {
        let actual = if self.is_of_starts() {
            self.starts(snapshot).and_then(|starts| self.measure_starts(&starts))
        } else if self.is_custom() {
            self.custom(snapshot).and_then(|custom| self.measure_custom(&custom, active))
        } else {
            self.stats(snapshot).and_then(|stats| self.measure(&stats, active))
        };
        let passed = actual.as_ref().is_ok_and(|actual| match self.comparison {
            Comparison::Less => *actual < self.value,
            Comparison::AtMost => *actual <= self.value,
            Comparison::More => *actual > self.value,
            Comparison::AtLeast => *actual >= self.value,
            Comparison::Equal => *actual == self.value,
            Comparison::Unequal => *actual != self.value,
        });
        let measured = actual.as_ref().ok().copied();
        let is_bound = !matches!(self.comparison, Comparison::Equal | Comparison::Unequal);
        // A share of 100 % is not close to 99 %: what counts is how much is missing.
        let is_far = |measured: f64| (self.value - measured).abs() >= 0.1 * (1.0 - self.value);
        let is_bound = is_bound && !(self.share && self.value > 0.5 && measured.is_some_and(is_far));
        let (actual, reason) = match actual {
            Ok(actual) => (Some(self.shown(actual)), None),
            Err(reason) => (None, Some(reason)),
        };
        ThresholdResult { expression: self.text.clone(), actual, measured, limit: self.value, reason, passed, is_bound }
    }

    /// The measures that the threshold applies to, or the reason why there are none.
    pub(crate) fn stats(&self, snapshot: &Snapshot) -> Result<Stats, String> {
        let Some(Name { name, .. }) = &self.name else {
            let mut all = Stats::default();
            rows(self.kind(), snapshot).values().for_each(|stats| all.merge(&self.timed(stats)));
            return Ok(all);
        };
        let subjects = match (self.subject, self.times) {
            (Some(subject), _) => vec![subject],
            (None, Times::Connect) => vec![Subject::Requests],
            (None, _) => Subject::UNNAMED.to_vec(),
        };
        let rows = || subjects.iter().map(|subject| rows(*subject, snapshot));
        if let Some(stats) = rows().find_map(|rows| rows.get(&**name)) {
            return Ok(self.timed(stats).into_owned());
        }
        let kind = self.subject.map_or("scenario, request or step", Subject::singular);
        Err(unknown(kind, name, rows().flat_map(|rows| rows.keys().map(|name| &**name))))
    }

    /// What a threshold without a name applies to.
    fn kind(&self) -> Subject {
        let default = if self.times == Times::Connect { Subject::Requests } else { Subject::Scenarios };
        self.subject.unwrap_or(default)
    }

    /// A row whose latencies are the times that the threshold applies to.
    fn timed<'a>(&self, stats: &'a Stats) -> Cow<'a, Stats> {
        let times = match self.times {
            Times::Latency | Times::Lag => return Cow::Borrowed(stats),
            Times::Service => stats.service_times(),
            Times::Connect => &stats.connect,
        };
        Cow::Owned(Stats { latency: times.clone(), ..stats.clone() })
    }

    pub(crate) fn is_of_starts(&self) -> bool {
        self.times == Times::Lag || self.metric.is_of_starts()
    }

    /// The starts that the threshold applies to, or the reason why there are none.
    pub(crate) fn starts(&self, snapshot: &Snapshot) -> Result<Starts, String> {
        let all = snapshot.all_starts();
        match &self.name {
            _ if all.is_empty() => Err("no scenario was planned to start at a rate".to_owned()),
            None => Ok(all),
            Some(Name { name, .. }) => snapshot.starts.get(&**name).cloned().ok_or_else(|| {
                format!("the starts of `{name}` are not counted apart, because it does not have its own rate")
            }),
        }
    }

    /// The measured value of starts, or the reason why there is none.
    fn measure_starts(&self, starts: &Starts) -> Result<f64, String> {
        let count = match self.metric {
            Metric::Late => starts.late,
            Metric::Dropped => starts.dropped,
            Metric::Unstarted => starts.unstarted,
            Metric::Achieved => starts.started,
            _ if starts.lag.is_empty() => return Err("no scenario started".to_owned()),
            _ => return Ok(self.time_in(&starts.lag)),
        };
        Ok(if self.share { count as f64 / starts.planned().max(1) as f64 } else { count as f64 })
    }

    /// The time that the metric takes from a distribution, in seconds.
    fn time_in(&self, times: &Histogram) -> f64 {
        let time = match self.metric {
            Metric::Percentile(percent) => times.percentile(percent),
            Metric::Min => times.min(),
            Metric::Max => times.max(),
            _ => times.mean(),
        };
        time.as_secs_f64()
    }

    /// The measured value, or the reason why there is none.
    fn measure(&self, stats: &Stats, elapsed: Duration) -> Result<f64, String> {
        let ended = stats.counts.ok + stats.counts.failed;
        let nothing = || match &self.name {
            Some(Name { name, .. }) => format!("`{name}` never ended"),
            None => format!("no {} ended", self.kind().singular()),
        };
        let part = |part: u64| match (self.share, ended) {
            (false, _) => Ok(part as f64),
            (true, 0) => Err(nothing()),
            (true, ended) => Ok(part as f64 / ended as f64),
        };
        match self.metric {
            // No request waited.
            metric if metric.is_a_time() && self.times == Times::Connect && ended > 0 => {
                Ok(self.time_in(&stats.latency))
            }
            metric if metric.is_a_time() && stats.latency.is_empty() => Err(nothing()),
            Metric::Rate => {
                let seconds = elapsed.as_secs_f64();
                Ok(if seconds > 0.0 { ended as f64 / seconds } else { 0.0 })
            }
            Metric::Count => Ok(ended as f64),
            Metric::Successes => part(stats.counts.ok),
            Metric::Failures => part(stats.counts.failed),
            Metric::Interrupted => part(stats.counts.interrupted),
            _ => Ok(self.time_in(&stats.latency)),
        }
    }

    /// The unit of the measured value and the limit: `s`, `per_s`, `share`, `count`, or `value` for a number that scenarios record.
    pub(super) fn unit(&self) -> &'static str {
        match self.metric {
            metric if self.is_a_value() && (metric.is_a_time() || metric == Metric::Last) => "value",
            metric if metric.is_a_time() => "s",
            Metric::Rate => "per_s",
            _ if self.share => "share",
            _ => "count",
        }
    }

    fn shown(&self, actual: f64) -> String {
        match self.unit() {
            "value" => format::value(actual),
            "s" => format::latency(Duration::try_from_secs_f64(actual).unwrap_or_default()),
            "per_s" => format!("{}/s", format::rate(actual)),
            "share" => format!("{:.2} %", actual * 100.0),
            _ => format!("{actual:.0}"),
        }
    }
}

/// Returns whether a name has the form of the default names of requests, such as `GET /cart`.
fn is_a_request(name: &str) -> bool {
    let method = name.split_once(' ').map_or("", |(method, _)| method);
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase())
}
