//! The verdict on the run so far.

use super::State;
use crate::{
    format,
    run::{Light, ThresholdResult},
};

/// How well the run is doing, at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Verdict {
    pub(in super::super) light: Light,
    /// The verdict in a word.
    pub(in super::super) word: &'static str,
    /// What led to it, the longest text first.
    pub(in super::super) details: Vec<String>,
}

impl State {
    /// The verdict on the measures so far. Lost measures come first, as in the conclusion of the run, then broken thresholds, then failures.
    pub(in super::super) fn verdict(&self) -> Verdict {
        let totals = &self.progress.totals;
        let ended = totals.successes + totals.failures;
        let failures = match (ended, totals.failures) {
            (0, _) => "no scenario has ended".to_owned(),
            (_, 0) => "no failures".to_owned(),
            (_, failed) => format!(
                "{} of {} failed ({})",
                format::count(failed),
                format::plural(ended, "scenario"),
                format::percent(failed, ended)
            ),
        };
        let failed_share = format!("{} failed", format::percent(totals.failures, ended));
        let all = self.thresholds.len();
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
            self.thresholds.iter().filter(|result| result.light() == light).collect()
        };
        if self.progress.measures_lost {
            let head = "measures were lost".to_owned();
            return Verdict { light: Light::Broken, word: "LOST", details: vec![format!("{head}; {failures}"), head] };
        }
        let warm_up_left = self.progress.warm_up_until.saturating_sub(totals.elapsed);
        if !warm_up_left.is_zero() {
            let left = format!("warm-up, {} s left", warm_up_left.as_secs_f64().ceil());
            let details = vec![format!("{left}; not counted"), left, "warm-up".to_owned()];
            return Verdict { light: Light::Unknown, word: "WAITING", details };
        }
        let (broken, close, met) = (with(Light::Broken), with(Light::Close), with(Light::Met));
        if !broken.is_empty() {
            return Verdict { light: Light::Broken, word: "BROKEN", details: listed(&broken, "broken") };
        }
        if ended > 0 && totals.failures * 2 >= ended {
            return Verdict { light: Light::Broken, word: "FAILING", details: vec![failures, failed_share] };
        }
        if !close.is_empty() {
            return Verdict { light: Light::Close, word: "CLOSE", details: listed(&close, "close to the limit") };
        }
        if !met.is_empty() {
            let head = format!("{} met", of(met.len()));
            return Verdict { light: Light::Met, word: "OK", details: vec![format!("{head}; {failures}"), head] };
        }
        let (light, word) = match (ended, totals.failures) {
            (0, _) => (Light::Unknown, "WAITING"),
            (_, 0) => (Light::Met, "OK"),
            _ => (Light::Close, "FAILURES"),
        };
        Verdict { light, word, details: vec![failures, failed_share] }
    }
}
