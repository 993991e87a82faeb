//! The conditions of a search, and what a block of measures says about them.

use super::interval::{self, Interval, Quotient};
use crate::{
    metrics::{Counts, Histogram, Snapshot, Starts},
    options::{
        Args,
        threshold::{Comparison, Metric, Subject, Threshold},
    },
    report::Custom,
    run::{StepVerdict, Summary, ThresholdResult},
};

/// From this share of growth on, the service does not keep up.
const GROWS: f64 = 0.01;
/// Growth that is certain counts from this share on.
const CERTAINLY_GROWS: f64 = 0.002;
/// Up to this share, growth that the measures do not show is tolerated.
const MAY_GROW: f64 = 0.05;
/// The same while the search grows. The ends of the interval are judged again.
const MAY_GROW_COARSE: f64 = 0.3;
/// While the search grows, a share is small if it is probably below this.
const SMALL: f64 = 0.3;

/// Something that the service must do at a load.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// It meets a threshold.
    Threshold(Threshold),
    /// Not more than this share of the scenarios fails.
    Failures(f64),
    /// As many scenarios end as start.
    KeepsUp,
}

/// How sure an outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Met,
    Broken,
    /// The interval holds the limit. `likely` is the outcome if there are no more measures; `None` if the value is near the limit.
    Unclear {
        likely: Option<bool>,
    },
}

impl Condition {
    /// The conditions that options ask for. `keeps_up`: scenarios start at a rate.
    pub(super) fn of(args: &Args, keeps_up: bool) -> Vec<Condition> {
        // A failed check is no failed scenario.
        let counts = |threshold: &Threshold| {
            matches!(threshold.metric, Metric::Failures | Metric::Successes) && !threshold.is_custom()
        };
        let tolerance = (!args.threshold.iter().any(counts)).then_some(args.sizing_tolerance / 100.0);
        let thresholds = args.threshold.iter().cloned().map(Condition::Threshold);
        let others = tolerance.map(Condition::Failures).into_iter().chain(keeps_up.then_some(Condition::KeepsUp));
        thresholds.chain(others).collect()
    }

    /// What a block of measures says about the condition.
    pub(super) fn block(&self, block: &Snapshot, seconds: f64) -> Quotient {
        match self {
            Condition::Failures(_) => {
                let totals = block.totals();
                Quotient::new(totals.failed as f64, (totals.ok + totals.failed) as f64)
            }
            Condition::KeepsUp => {
                let Starts { started, dropped, .. } = block.all_starts();
                let due = (started + dropped) as f64;
                Quotient::new(due - block.totals().total() as f64, due)
            }
            Condition::Threshold(threshold) => of_threshold(threshold, block, seconds),
        }
    }

    /// Judges a step. `long` says that it has been held for long enough to judge what has no interval, and `coarse` that a rough
    /// answer suffices.
    pub(super) fn judge(&self, blocks: &[Quotient], step: &Summary, long: bool, coarse: bool) -> Outcome {
        match self {
            Condition::Failures(tolerance) => share_below(blocks, *tolerance, coarse),
            Condition::KeepsUp => {
                let Some(growth) = interval::mean(blocks) else { return Outcome::Unclear { likely: None } };
                let sum: f64 = blocks.iter().map(|block| block.of).sum();
                let is_small = growth.value <= GROWS || sum < 3.0;
                if growth.low > 0.0 && growth.value > CERTAINLY_GROWS && sum >= 3.0 {
                    Outcome::Broken
                } else if is_small && growth.high < if coarse { MAY_GROW_COARSE } else { MAY_GROW } {
                    Outcome::Met
                } else {
                    Outcome::Unclear {
                        likely: if is_small { Some(true) } else { (growth.value > 2.0 * MAY_GROW).then_some(false) },
                    }
                }
            }
            Condition::Threshold(threshold) => judge_threshold(threshold, blocks, step, long, coarse),
        }
    }

    /// Adds the counter that the condition names with 0 if it was not used in a step, since another step may use it.
    pub(super) fn add_counter(&self, step: &mut Snapshot) {
        if let Condition::Threshold(Threshold { subject: Some(Subject::Counters), name: Some(name), .. }) = self {
            step.counters.entry(name.name.as_str().into()).or_default();
        }
    }

    /// Why the condition cannot be judged, in a sentence, if it names nothing that was measured while scenarios ended.
    pub(super) fn unknown_name(&self, step: &Snapshot) -> Option<String> {
        let Condition::Threshold(threshold) = self else { return None };
        if threshold.name.is_none() || step.totals().total() == 0 {
            return None;
        }
        let reason = if threshold.is_of_starts() {
            threshold.starts(step).err()
        } else if threshold.is_custom() {
            threshold.custom(step).err()
        } else {
            threshold.stats(step).err()
        };
        reason.map(|reason| format!("The threshold `{}` cannot be judged: {reason}.", threshold.text))
    }

    /// The value in a step, as tables show it.
    pub(super) fn result(&self, blocks: &[Quotient], step: &Summary) -> ThresholdResult {
        let (of, by) = blocks.iter().fold((0.0, 0.0), |(of, by), block| (of + block.of, by + block.by));
        let share = if by > 0.0 { of / by } else { 0.0 };
        let percent = |share: f64| Some(format!("{:.2} %", share * 100.0));
        match self {
            Condition::Threshold(threshold) => threshold.judge(step),
            Condition::Failures(tolerance) => ThresholdResult {
                expression: format!("failures <= {}%", tolerance * 100.0),
                actual: percent(share),
                measured: Some(share),
                limit: *tolerance,
                reason: None,
                passed: share <= *tolerance,
                is_bound: true,
            },
            Condition::KeepsUp => ThresholdResult {
                expression: "ended / started >= 99%".to_owned(),
                actual: percent((1.0 - share).clamp(0.0, 1.0)),
                measured: Some((1.0 - share).clamp(0.0, 1.0)),
                limit: 1.0 - GROWS,
                reason: None,
                passed: share <= GROWS,
                is_bound: true,
            },
        }
    }
}

/// What share of the samples of a threshold may be on the wrong side, if it is a condition on a share.
fn allowed(threshold: &Threshold) -> Option<f64> {
    if matches!(threshold.comparison, Comparison::Equal | Comparison::Unequal) {
        return None;
    }
    let (upper, value) = (is_upper(threshold), threshold.value);
    match threshold.metric {
        Metric::Percentile(percent) if upper => Some(1.0 - percent / 100.0),
        Metric::Percentile(percent) => Some(percent / 100.0),
        metric if metric.is_a_time() || !threshold.share => None,
        _ => Some(if upper { value } else { 1.0 - value }),
    }
}

fn is_upper(threshold: &Threshold) -> bool {
    matches!(threshold.comparison, Comparison::Less | Comparison::AtMost)
}

fn of_threshold(threshold: &Threshold, block: &Snapshot, seconds: f64) -> Quotient {
    if threshold.is_of_starts() {
        return of_starts(threshold, &threshold.starts(block).unwrap_or_default());
    }
    if threshold.is_custom() {
        // A counter that was not used is 0.
        let is_timed = threshold.metric == Metric::Rate || threshold.subject == Some(Subject::Counters);
        let nothing = Quotient::new(0.0, if is_timed { seconds } else { 0.0 });
        return threshold.custom(block).map_or(nothing, |custom| of_custom(threshold, &custom, seconds));
    }
    let stats = threshold.stats(block).unwrap_or_default();
    let Counts { ok, failed, interrupted, .. } = stats.counts;
    let ended = ok + failed;
    match threshold.metric {
        Metric::Percentile(_) | Metric::Mean => of_times(threshold, &stats.latency),
        Metric::Rate => Quotient::new(ended as f64, seconds),
        Metric::Successes => wrong(threshold, ok, ended),
        Metric::Failures => wrong(threshold, failed, ended),
        Metric::Interrupted => wrong(threshold, interrupted, ended),
        _ => Quotient::new(0.0, ended as f64),
    }
}

fn of_starts(threshold: &Threshold, starts: &Starts) -> Quotient {
    let wrong = |part| wrong(threshold, part, starts.planned());
    match threshold.metric {
        Metric::Percentile(_) | Metric::Mean => of_times(threshold, &starts.lag),
        Metric::Late => wrong(starts.late),
        Metric::Dropped => wrong(starts.dropped),
        Metric::Unstarted => wrong(starts.unstarted),
        Metric::Achieved => wrong(starts.started),
        _ => Quotient::new(0.0, starts.planned() as f64),
    }
}

fn of_custom(threshold: &Threshold, custom: &Custom<'_>, seconds: f64) -> Quotient {
    match (custom, threshold.metric) {
        (Custom::Check(check), Metric::Failures) => wrong(threshold, check.failed, check.total()),
        (Custom::Check(check), Metric::Successes) => wrong(threshold, check.passed, check.total()),
        (Custom::Check(check), _) => Quotient::new(0.0, check.total() as f64),
        (Custom::Counter(count), Metric::Rate) => Quotient::new(*count as f64, seconds),
        (Custom::Values(values), Metric::Rate) => Quotient::new(values.count() as f64, seconds),
        (Custom::Counter(_), _) => Quotient::new(0.0, seconds),
        (Custom::Values(values), Metric::Mean) => Quotient::new(values.sum(), values.count() as f64),
        (Custom::Values(values), Metric::Percentile(_)) => {
            let above = above(values.iter(), threshold.value, threshold.comparison);
            let count = values.count() as f64;
            Quotient::new(if is_upper(threshold) { above } else { count - above }, count)
        }
        (Custom::Values(values), _) => Quotient::new(0.0, values.count() as f64),
        (Custom::Gauge(_), _) => Quotient::new(0.0, 1.0),
    }
}

fn of_times(threshold: &Threshold, times: &Histogram) -> Quotient {
    let count = times.count() as f64;
    if threshold.metric == Metric::Mean {
        return Quotient::new(times.mean().as_secs_f64() * count, count);
    }
    let times = times.iter().map(|(time, count)| (time.as_secs_f64(), count));
    let above = above(times, threshold.value, threshold.comparison);
    Quotient::new(if is_upper(threshold) { above } else { count - above }, count)
}

/// The samples on the wrong side of a share.
fn wrong(threshold: &Threshold, part: u64, all: u64) -> Quotient {
    let part = if is_upper(threshold) { part } else { all.saturating_sub(part) };
    Quotient::new(part as f64, all as f64)
}

/// Returns how many samples are on the far side of the limit, given each value and its count.
fn above(samples: impl Iterator<Item = (f64, u64)>, limit: f64, comparison: Comparison) -> f64 {
    let at_limit = matches!(comparison, Comparison::Less | Comparison::AtLeast);
    let is_above = |value: f64| if at_limit { value >= limit } else { value > limit };
    samples.filter(|(value, _)| is_above(*value)).map(|(_, count)| count as f64).sum()
}

fn judge_threshold(threshold: &Threshold, blocks: &[Quotient], step: &Summary, long: bool, coarse: bool) -> Outcome {
    if let Some(allowed) = allowed(threshold) {
        return share_below(blocks, allowed, coarse);
    }
    let result = threshold.judge(step);
    let samples: f64 = blocks.iter().map(|block| block.by).sum();
    match (threshold.metric, threshold.comparison) {
        (Metric::Mean | Metric::Rate, Comparison::Less | Comparison::AtMost) => {
            below(interval::mean(blocks), threshold.value, 0.9)
        }
        (Metric::Mean | Metric::Rate, Comparison::More | Comparison::AtLeast) => {
            let mirrored =
                |interval: Interval| Interval { low: -interval.high, value: -interval.value, high: -interval.low };
            below(interval::mean(blocks).map(mirrored), -threshold.value, 1.1)
        }
        // More measures do not mend a maximum or a number.
        (_, Comparison::Less | Comparison::AtMost) if !result.passed && samples > 0.0 => Outcome::Broken,
        _ if long && samples > 0.0 && result.passed => Outcome::Met,
        _ if long && samples > 0.0 => Outcome::Broken,
        _ => Outcome::Unclear { likely: None },
    }
}

/// Judges a share that must be below a limit.
fn share_below(blocks: &[Quotient], limit: f64, coarse: bool) -> Outcome {
    let interval = interval::share(blocks);
    match interval {
        Some(interval) if coarse && interval.value <= limit / 2.0 && interval.high < SMALL => Outcome::Met,
        _ => below(interval, limit, 0.5),
    }
}

/// Judges a value that must be below a limit. Below the part `far` of the limit, it is likely to stay there.
fn below(interval: Option<Interval>, limit: f64, far: f64) -> Outcome {
    match interval {
        None => Outcome::Unclear { likely: None },
        Some(interval) if interval.high < limit => Outcome::Met,
        Some(interval) if interval.low > limit => Outcome::Broken,
        // Nothing may be on the wrong side.
        Some(interval) if limit == 0.0 && interval.value > 0.0 => Outcome::Broken,
        Some(interval) if interval.value <= far * limit => Outcome::Unclear { likely: Some(true) },
        Some(interval) => Outcome::Unclear { likely: (interval.value > limit / far).then_some(false) },
    }
}

/// The outcome of a step whose conditions have these outcomes, and whether it is certain.
pub(super) fn together(outcomes: &[Outcome]) -> (StepVerdict, bool) {
    let any = |outcome| outcomes.contains(&outcome);
    if any(Outcome::Broken) {
        return (StepVerdict::Broken, true);
    }
    let is_clear = outcomes.iter().all(|outcome| *outcome == Outcome::Met);
    let verdict = if any(Outcome::Unclear { likely: None }) {
        StepVerdict::Unclear
    } else if any(Outcome::Unclear { likely: Some(false) }) {
        StepVerdict::Broken
    } else {
        StepVerdict::Met
    };
    (verdict, is_clear)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        metrics::{Limits, NOWHERE, Recorder},
        run::Totals,
    };

    /// Judges a condition on a step of ten seconds, with a block of measures for each.
    fn judge(text: &str, second: impl Fn(&Recorder, u32)) -> (Outcome, Option<String>) {
        let condition = Condition::Threshold(text.parse().unwrap());
        let mut snapshot = Snapshot::default();
        let blocks: Vec<Quotient> = (0..10)
            .map(|number| {
                let recorder = Recorder::new(Limits::default());
                let browse = recorder.scenario_id("browse");
                recorder.scenario(browse, crate::metrics::Outcome::Ok, Duration::from_millis(1));
                second(&recorder, number);
                let measures = recorder.take();
                snapshot.merge(&measures);
                condition.block(&measures, 1.0)
            })
            .collect();
        condition.add_counter(&mut snapshot);
        let totals = Totals { elapsed: Duration::from_secs(10), ..Totals::default() };
        let step = Summary { totals, snapshot, ..Summary::default() };
        (condition.judge(&blocks, &step, true, false), condition.unknown_name(&step.snapshot))
    }

    #[test]
    fn checks_and_own_values_decide_a_search() {
        let second = |recorder: &Recorder, number: u32| {
            for n in 0..200 {
                recorder.check("has items", "browse", (n % 40 == 0).then_some((None, NOWHERE)));
                recorder.value("basket", f64::from(n));
            }
            recorder.count("retries", 4);
            recorder.gauge("queue", f64::from(number), Duration::from_secs(number.into()));
        };
        for (text, outcome) in [
            ("checks(has items) > 90%", Outcome::Met),
            ("checks > 99%", Outcome::Broken),
            ("checks.failures(has items) < 8%", Outcome::Met),
            ("checks.failures(has items) < 1%", Outcome::Broken),
            ("values.p95(basket) < 198", Outcome::Met),
            ("values.p95(basket) < 150", Outcome::Broken),
            ("values.mean(basket) > 50", Outcome::Met),
            ("values.max(basket) < 100", Outcome::Broken),
            ("counters.rate(retries) < 5/s", Outcome::Met),
            ("counters.rate(retries) < 3/s", Outcome::Broken),
            ("counters(retries) < 30", Outcome::Broken),
            ("counters(refunds) < 1", Outcome::Met),
            ("counters(retires) < 1", Outcome::Met),
            ("gauges(queue) < 10", Outcome::Met),
            ("gauges.max(queue) < 5", Outcome::Broken),
        ] {
            assert_eq!(judge(text, second), (outcome, None), "{text}");
        }
        let (outcome, unknown) = judge("checks(has item) > 90%", second);
        assert_eq!(outcome, Outcome::Unclear { likely: None });
        assert!(unknown.unwrap().ends_with("no check named `has item` was measured; did you mean `has items`?."));
    }

    #[test]
    fn failed_checks_do_not_replace_the_limit_of_failed_scenarios() {
        let conditions = |text: &str| {
            let threshold = vec![text.parse().unwrap()];
            Condition::of(&Args { threshold, ..Args::default() }, false).len()
        };
        assert_eq!(["failures < 1%", "checks.failures < 1%", "checks > 99%"].map(conditions), [1, 2, 2]);
    }
}
