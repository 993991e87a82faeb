//! How a run is doing that is not over, for a glance. [`Conclusion`](super::Conclusion) says how it ended.

use super::{Light, Progress, Summary, ThresholdResult, Totals};
use crate::format;

/// How well a run is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "dashboard"), allow(dead_code, reason = "only the dashboard uses it"))]
pub(crate) struct Standing {
    pub(crate) light: Light,
    /// The standing in a word.
    pub(crate) word: &'static str,
    /// What led to it, the longest text first.
    pub(crate) details: Vec<String>,
}

#[cfg_attr(not(feature = "dashboard"), allow(dead_code, reason = "only the dashboard uses it"))]
impl Standing {
    /// Returns the standing. Lost measures come first, as in the conclusion of a run, then broken thresholds, then failures.
    pub(crate) fn of(progress: &Progress, thresholds: &[ThresholdResult]) -> Standing {
        let totals = &progress.totals;
        let ended = totals.successes + totals.failures;
        let failed_share = format!("{} failed", format::percent(totals.failures, ended));
        let failures = match (ended, totals.failures) {
            (0, _) => "no scenario has ended".to_owned(),
            (_, 0) => "no failures".to_owned(),
            _ => format!("{} ({})", failed_of_ended(totals), format::percent(totals.failures, ended)),
        };
        let all = thresholds.len();
        let of = |count: usize| match all {
            1 => "threshold".to_owned(),
            _ if count == all => format!("{all} thresholds"),
            _ => format!("{count} of {all} thresholds"),
        };
        let listed = |results: &[&ThresholdResult], word: &str| -> Vec<String> {
            let head = format!("{} {word}", of(results.len()));
            let names: Vec<_> = results.iter().map(|result| result.expression.as_str()).collect();
            let first = format!("{}: {}", head, names[0]);
            vec![
                format!("{head}: {}; {failures}", names.join("; ")),
                format!("{head}: {}", names.join("; ")),
                first,
                head,
            ]
        };
        let with = |light: Light| -> Vec<&ThresholdResult> {
            thresholds.iter().filter(|result| result.light() == light).collect()
        };
        if progress.measures_lost {
            let head = "measures were lost".to_owned();
            return Standing { light: Light::Broken, word: "LOST", details: vec![format!("{head}; {failures}"), head] };
        }
        let warm_up_left = progress.warm_up_until.saturating_sub(totals.elapsed);
        if !warm_up_left.is_zero() {
            let left = format!("warm-up, {} s left", warm_up_left.as_secs_f64().ceil());
            let details = vec![format!("{left}; not counted"), left, "warm-up".to_owned()];
            return Standing { light: Light::Unknown, word: "WAITING", details };
        }
        let (broken, close, met) = (with(Light::Broken), with(Light::Close), with(Light::Met));
        if !broken.is_empty() {
            return Standing { light: Light::Broken, word: "BROKEN", details: listed(&broken, "broken") };
        }
        if ended > 0 && totals.failures * 2 >= ended {
            return Standing { light: Light::Broken, word: "FAILING", details: vec![failures, failed_share] };
        }
        if !close.is_empty() {
            return Standing { light: Light::Close, word: "CLOSE", details: listed(&close, "close to the limit") };
        }
        if !met.is_empty() {
            let head = format!("{} met", of(met.len()));
            return Standing { light: Light::Met, word: "OK", details: vec![format!("{head}; {failures}"), head] };
        }
        let (light, word) = match (ended, totals.failures) {
            (0, _) => (Light::Unknown, "WAITING"),
            (_, 0) => (Light::Met, "OK"),
            _ => (Light::Close, "FAILURES"),
        };
        Standing { light, word, details: vec![failures, failed_share] }
    }
}

/// `3 of 10 scenarios failed`, or `10 scenarios ended, none failed`.
pub(super) fn failed_of_ended(totals: &Totals) -> String {
    let ended = format::plural(totals.successes + totals.failures, "scenario");
    match totals.failures {
        0 => format!("{ended} ended, none failed"),
        failed => format!("{} of {ended} failed", format::count(failed)),
    }
}

impl Summary {
    /// Returns how a run is doing that is not over, in a few sentences.
    #[cfg_attr(not(feature = "html-report"), allow(dead_code, reason = "only the page uses it"))]
    pub(crate) fn standing_sentence(&self) -> String {
        let all = self.thresholds.len() as u64;
        let count = |light| self.thresholds.iter().filter(|result| result.light() == light).count() as u64;
        let (broken, unknown) = (count(Light::Broken), count(Light::Unknown));
        let are = |count: u64| if count == 1 { "is" } else { "are" };
        let thresholds = match (all, broken, unknown) {
            (0, ..) => String::new(),
            (1, 0, 0) => "The threshold is met so far. ".to_owned(),
            (1, 0, _) => "The threshold has no measures yet. ".to_owned(),
            (1, ..) => "The threshold is broken so far. ".to_owned(),
            (_, 0, 0) => format!("All {all} thresholds are met so far. "),
            (_, 0, _) if unknown == all => "The thresholds have no measures yet. ".to_owned(),
            (_, 0, _) => format!("{} of {all} thresholds {} met so far. ", all - unknown, are(all - unknown)),
            _ => format!("{broken} of {all} thresholds {} broken so far. ", are(broken)),
        };
        let scenarios = match self.totals.successes + self.totals.failures {
            0 => "No scenario has ended.".to_owned(),
            _ => format!("{}.", failed_of_ended(&self.totals)),
        };
        thresholds + &scenarios
    }
}
