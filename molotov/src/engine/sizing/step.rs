//! A step of a search: what it measures, and when it is decided.

use std::{collections::BTreeMap, time::Duration};

use super::{
    condition::{Condition, Outcome, together},
    interval::Quotient,
};
use crate::{
    metrics::{Snapshot, Starts},
    run::{SizingStep, StepVerdict, Summary, Totals},
};

/// Members report their measures at multiples of this period.
pub(super) const PERIOD: Duration = Duration::from_millis(200);
/// A broken condition ends a step after this time.
const FIRST_LOOK: Duration = Duration::from_millis(1_000);
/// Steps between the ends of the bracket are held for this many times the shortest time.
const FINE: u32 = 2;
/// Each look is this much later than the last.
const NEXT_LOOK: f64 = 1.2;
/// More starts than this share without a free worker show that the workers do not suffice.
const EXHAUSTED: f64 = 0.01;
/// Fewer starts than this share of the plan show that the generator does not suffice.
const STARTED: f64 = 0.97;
/// A start lag of this share of the latencies distorts them.
const LATE: f64 = 0.25;
/// Start lags below this do not count.
const LEAST_LATE: Duration = Duration::from_millis(5);

/// How long steps are held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

/// What is measured at a load.
#[derive(Debug)]
pub(super) struct Step {
    /// The time up to which the members had reported when the step began, in real time of the run.
    from: Duration,
    next_look: Duration,
    /// For each period, what it says about each condition.
    blocks: Vec<Vec<Quotient>>,
    snapshot: Snapshot,
}

/// The outcome of a step.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) step: SizingStep,
    /// Why the generator, and not the service, did not bear the load.
    pub(super) limit: Option<Limit>,
    /// The mean service time of its scenarios.
    pub(super) service: Duration,
    /// Why a threshold could not be judged, in a sentence: it names nothing that was measured.
    pub(super) unknown: Option<String>,
}

/// What kept the generator from making the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Limit {
    /// All workers were busy. The service may be the reason.
    Workers,
    /// The machine or the process, described in a sentence.
    Generator(String),
}

impl Step {
    pub(super) fn new(from: Duration) -> Step {
        Step { from, next_look: FIRST_LOOK, blocks: Vec::new(), snapshot: Snapshot::default() }
    }

    /// Adds measures, unless a part of them is older than the step.
    pub(super) fn add(&mut self, conditions: &[Condition], measures: &Snapshot) {
        let Some(until) = measures.until.checked_sub(self.from).filter(|until| !until.is_zero()) else { return };
        let index = ((until.as_nanos() - 1) / PERIOD.as_nanos()) as usize;
        if self.blocks.len() <= index {
            let empty: Vec<_> = conditions
                .iter()
                .map(|condition| condition.block(&Snapshot::default(), PERIOD.as_secs_f64()))
                .collect();
            self.blocks.resize(index + 1, empty);
        }
        for (sum, condition) in self.blocks[index].iter_mut().zip(conditions) {
            let block = condition.block(measures, 0.0);
            *sum = Quotient::new(sum.of + block.of, sum.by + block.by);
        }
        self.snapshot.merge(measures);
    }

    /// Judges the step at `until`, if it is decided or was held for long enough. `asked` is the planned rate, in starts per second.
    /// `coarse` says that a rough answer suffices.
    pub(super) fn judge(
        &mut self,
        conditions: &[Condition],
        patience: Patience,
        until: Duration,
        asked: Option<f64>,
        coarse: bool,
    ) -> Option<Judged> {
        let time = until.saturating_sub(self.from);
        if time < self.next_look.min(patience.max) {
            return None;
        }
        self.next_look = self.next_look.mul_f64(NEXT_LOOK);
        conditions.iter().for_each(|condition| condition.add_counter(&mut self.snapshot));
        let summary = Summary {
            totals: Totals { elapsed: time, ..Totals::default() },
            snapshot: std::mem::take(&mut self.snapshot),
            ..Summary::default()
        };
        // Members that are ahead have reported later periods.
        let periods = (time.as_nanos() / PERIOD.as_nanos()) as usize;
        let of = |condition: usize| -> Vec<Quotient> {
            self.blocks.iter().take(periods).map(|block| block[condition]).collect()
        };
        let long = time >= 2 * patience.min;
        let judge = |(index, condition): (usize, &Condition)| condition.judge(&of(index), &summary, long, coarse);
        let outcomes: Vec<Outcome> = conditions.iter().enumerate().map(judge).collect();
        let (mut verdict, is_certain) = together(&outcomes);
        let mut limit = self.limit(&summary.snapshot, time, asked);
        let fails = conditions
            .iter()
            .zip(&outcomes)
            .any(|(condition, outcome)| matches!((condition, outcome), (Condition::Failures(_), Outcome::Broken)));
        // A slow generator does not make scenarios fail.
        if verdict == StepVerdict::Broken && is_certain && limit.is_none() && !fails {
            limit = distorted(&summary.snapshot);
        }
        let is_over = match (verdict, &limit) {
            (_, Some(_)) => true,
            (StepVerdict::Broken, None) if is_certain => true,
            _ => is_certain && time >= if coarse { patience.min } else { FINE * patience.min } || time >= patience.max,
        };
        if !is_over {
            self.snapshot = summary.snapshot;
            return None;
        }
        if limit.is_some() {
            verdict = StepVerdict::Limited;
        } else if verdict == StepVerdict::Unclear && summary.snapshot.totals().total() == 0 {
            // Scenarios that never end.
            verdict = StepVerdict::Broken;
        }
        let per_second = |count: u64| count as f64 / time.as_secs_f64();
        let totals = summary.snapshot.totals();
        let results = conditions.iter().enumerate().map(|(index, condition)| condition.result(&of(index), &summary));
        Some(Judged {
            step: SizingStep {
                load: 0.0,
                rates: BTreeMap::new(),
                time,
                started: per_second(summary.snapshot.all_starts().started),
                ended: per_second(totals.total()),
                conditions: results.collect(),
                verdict,
            },
            limit,
            service: mean_service(&summary.snapshot),
            unknown: conditions.iter().find_map(|condition| condition.unknown_name(&summary.snapshot)),
        })
    }

    /// What kept the generator from starting as many scenarios as planned.
    fn limit(&self, snapshot: &Snapshot, time: Duration, asked: Option<f64>) -> Option<Limit> {
        let asked = asked? * time.as_secs_f64();
        let Starts { started, dropped, exhausted, .. } = snapshot.all_starts();
        let due = (started + dropped) as f64;
        if exhausted >= 3 && exhausted as f64 > EXHAUSTED * due {
            return Some(Limit::Workers);
        }
        let missing = STARTED * asked - due;
        (missing > 3.0 + 3.0 * asked.sqrt()).then(|| {
            match snapshot.advice() {
                Some(reason) => Limit::Generator(reason),
                // All workers wait for a service that does not respond.
                None if snapshot.totals().total() == 0 => Limit::Workers,
                None => Limit::Generator("The load generator did not start as many scenarios as planned.".to_owned()),
            }
        })
    }
}

/// Why measures of a broken step are those of the generator.
fn distorted(snapshot: &Snapshot) -> Option<Limit> {
    let starts = snapshot.all_starts();
    let mut latency = crate::metrics::Histogram::default();
    snapshot.scenarios.values().for_each(|stats| latency.merge(&stats.latency));
    let lag = starts.lag.percentile(95.0);
    let is_late = lag >= LEAST_LATE.max(latency.percentile(95.0).mul_f64(LATE));
    let late = || format!("The load generator started scenarios up to {} late (p95).", crate::format::latency(lag));
    match snapshot.distortion() {
        Some(advice) => Some(Limit::Generator(advice)),
        None => is_late.then(|| Limit::Generator(late())),
    }
}

fn mean_service(snapshot: &Snapshot) -> Duration {
    let (mut sum, mut count) = (0.0, 0);
    for stats in snapshot.scenarios.values() {
        let times = if stats.service.is_empty() { &stats.latency } else { &stats.service };
        sum += times.mean().as_secs_f64() * times.count() as f64;
        count += times.count();
    }
    // Scenarios that have not ended are slower than any that have.
    if count == 0 { Duration::MAX } else { Duration::from_secs_f64(sum / count as f64) }
}
