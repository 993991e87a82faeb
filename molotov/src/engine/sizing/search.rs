//! The search for the capacity: holds constant loads, one after the other, and judges each.

use std::time::Duration;

use super::{
    Action,
    bracket::{Bounds, Bracket, Next},
    condition::Condition,
    step::{Judged, Limit, PERIOD, Patience, Step},
};
use crate::{
    load::{Load, Model},
    metrics::Snapshot,
    options::{Args, Rate},
    run::{Capacity, LoadUnit, SearchEnd, SizingProgress, SizingStep, StepVerdict},
};

/// A step is held for at least this part of the time of the search, within limits.
const MIN_PART: u32 = 120;
const MIN_HOLD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// A step is held for at most this part of the time of the search, within limits.
const MAX_PART: u32 = 8;
const MAX_HOLD: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));
/// The longest time for which a step waits until the scenarios of the last one have ended.
const MAX_SETTLING: Duration = Duration::from_secs(30);
/// How long after that the plan of a drain would start scenarios again.
const DRAINED_BY: Duration = Duration::from_secs(1);
/// A step at a rate is measured after this many of its scenarios have ended.
const FIRST_ENDED: u64 = 3;
/// The lowest rate is this part of the first one.
const LOWEST: f64 = 128.0;
/// The highest number of workers of a process.
const MOST_WORKERS: f64 = 10_000.0;
/// The highest rate, in starts per second.
const HIGHEST_RATE: f64 = 1_000_000.0;
/// If the service time has grown by this factor, the service is the reason for busy workers.
const SLOWER: u32 = 2;

/// What the run looks like at a moment.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Moment {
    /// The time on the run's clock.
    pub(in crate::engine) now: Duration,
    /// The time up to which all members have reported, in real time of the run.
    pub(in crate::engine) reported: Duration,
    /// How many workers run.
    pub(in crate::engine) workers: usize,
}

/// A search for the highest load that meets all conditions.
#[derive(Debug)]
pub(in crate::engine) struct Search {
    unit: LoadUnit,
    conditions: Vec<Condition>,
    patience: Patience,
    /// For each stream, its level for a load of 1; 0 if the search does not change it.
    levels: Vec<f64>,
    /// How many processes share the load, if it is one of workers.
    processes: f64,
    bracket: Bracket,
    /// The load of this step.
    load: f64,
    state: State,
    /// When the search begins and when its time is over, on the run's clock.
    begin: Duration,
    over: Duration,
    /// Scenarios that have started and ended at a rate so far.
    started: u64,
    ended: u64,
    /// The average number of scenarios in progress in the last step that met all conditions, and their service time.
    in_progress: f64,
    service: Option<(f64, Duration)>,
    /// The loads at which all workers were busy, and the service time there.
    busy: Vec<(f64, Duration)>,
    /// Whether the last step was limited by the generator, and is tried again.
    retried: bool,
    steps: Vec<SizingStep>,
    end: Option<SearchEnd>,
}

#[derive(Debug)]
enum State {
    /// Before the search begins.
    Waiting,
    /// No scenarios start until those of an overload have ended.
    Draining {
        since: Duration,
        limit: f64,
        started: u64,
        quiet_since: Duration,
    },
    /// Scenarios of the step before are in progress.
    Settling {
        since: Duration,
        until_ended: u64,
    },
    Holding(Box<Step>),
    Over,
}

impl Search {
    pub(super) fn new(args: &Args, load: &Load) -> Search {
        let closed = load.streams.iter().position(|stream| matches!(stream.model, Model::Closed(_)));
        let weighted = load.streams.iter().position(|stream| stream.scenario.is_none());
        let time = args.search_time();
        let over = load.end().unwrap_or(time);
        let begin = over.saturating_sub(time).max(args.warm_up);
        // Just before the end of a jump, the level is still the old one.
        let at_begin = begin + Duration::from_micros(1);
        let level = |index: usize| match &load.streams[index].model {
            Model::Closed(closed) => closed.workers.at(at_begin),
            Model::Open(open) => open.rate.at(at_begin),
        };
        let per_second = Rate::per_second(1.0).micros_per_hour() as f64;
        let mut levels = vec![0.0; load.streams.len()];
        let (unit, processes, start) = match (weighted, closed) {
            (Some(main), Some(_)) => {
                levels[main] = 1.0;
                (LoadUnit::Workers, args.processes as f64, level(main))
            }
            (Some(main), None) => {
                levels[main] = per_second;
                (LoadUnit::Rate, 1.0, level(main) / per_second)
            }
            (None, _) => {
                // Scenarios with their own rates keep their proportions.
                let sum: f64 = (0..levels.len()).map(level).sum();
                (0..levels.len()).for_each(|index| levels[index] = per_second * level(index) / sum.max(1.0));
                (LoadUnit::Rate, 1.0, sum / per_second)
            }
        };
        let bounds = match unit {
            LoadUnit::Workers => Bounds {
                start: start.max(1.0) * processes,
                min: processes,
                max: MOST_WORKERS * processes,
                unit: Some(processes),
            },
            LoadUnit::Rate => {
                let start = if start > 0.0 { start } else { 1.0 };
                Bounds { start, min: start / LOWEST, max: HIGHEST_RATE, unit: None }
            }
        };
        let part = |parts: u32, (least, most): (Duration, Duration)| (time / parts).clamp(least, most);
        Search {
            unit,
            conditions: Condition::of(args, unit == LoadUnit::Rate),
            patience: Patience { min: part(MIN_PART, MIN_HOLD), max: part(MAX_PART, MAX_HOLD) },
            levels,
            processes,
            bracket: Bracket::new(bounds),
            load: bounds.start,
            state: State::Waiting,
            begin,
            over,
            started: 0,
            ended: 0,
            in_progress: 0.0,
            service: None,
            busy: Vec::new(),
            retried: false,
            steps: Vec::new(),
            end: None,
        }
    }

    /// Takes what a member measured.
    pub(super) fn measured(&mut self, measures: &Snapshot) {
        self.started += measures.all_starts().started;
        self.ended += measures.totals().total();
        if let State::Holding(step) = &mut self.state {
            step.add(&self.conditions, measures);
        }
    }

    /// Starts the step again.
    pub(super) fn disturbed(&mut self) {
        if let State::Holding(_) = self.state {
            self.state = State::Settling { since: Duration::MAX, until_ended: self.ended };
        }
    }

    /// Decides what comes next.
    pub(super) fn advance(&mut self, moment: Moment, load: &Load) -> Option<Action> {
        let Moment { now, reported, workers } = moment;
        let (in_progress, asked) = (self.in_progress(workers), self.asked());
        match &mut self.state {
            State::Waiting => {
                if now < self.begin {
                    return None;
                }
                self.next(moment, load, false)
            }
            State::Draining { since, limit, started, quiet_since } => {
                if *started != self.started {
                    (*started, *quiet_since) = (self.started, now);
                }
                // Planned starts that were late happen until then.
                let is_quiet = now >= *quiet_since + 2 * PERIOD;
                if is_quiet && in_progress <= *limit || now >= *since + MAX_SETTLING {
                    return Some(self.change(moment, load));
                }
                None
            }
            State::Settling { since, until_ended } => {
                if *since == Duration::MAX {
                    *since = now;
                }
                let has_started = self.unit == LoadUnit::Rate || workers as f64 >= self.load;
                let is_settled = self.ended >= *until_ended && has_started && now >= *since + 2 * PERIOD;
                if is_settled || now >= *since + MAX_SETTLING {
                    self.state = State::Holding(Box::new(Step::new(reported)));
                }
                None
            }
            State::Holding(step) => {
                let coarse = self.bracket.broken().is_none();
                let mut judged = step.judge(&self.conditions, self.patience, reported, asked, coarse)?;
                judged.step.rates = load.own_rates_at(now).map(|(name, rate)| (name.to_owned(), rate)).collect();
                let in_progress = self.in_progress(workers);
                self.judged(judged, in_progress);
                let overloaded = self.steps.last().is_some_and(|step| step.verdict != StepVerdict::Met);
                self.next(moment, load, overloaded)
            }
            State::Over => None,
        }
    }

    /// Scenarios that have started and not ended.
    fn in_progress(&self, workers: usize) -> f64 {
        match self.unit {
            LoadUnit::Rate => self.started.saturating_sub(self.ended) as f64,
            LoadUnit::Workers => workers as f64,
        }
    }

    /// The rate of the step, in starts per second.
    fn asked(&self) -> Option<f64> {
        (self.unit == LoadUnit::Rate).then_some(self.load)
    }

    fn judged(&mut self, judged: Judged, in_progress: f64) {
        let Judged { mut step, limit, service, unknown } = judged;
        step.load = self.load;
        let mut reason = None;
        match limit {
            Some(Limit::Workers) => {
                if self
                    .service
                    .is_some_and(|(load, before)| load < self.load && service > before.saturating_mul(SLOWER))
                {
                    step.verdict = StepVerdict::Broken;
                } else {
                    self.busy.push((self.load, service));
                    // It counts as the upper end until a lower load shows what the service time is.
                    reason = self.service.is_some().then(|| self.workers_are_busy());
                }
            }
            Some(Limit::Generator(why)) => reason = Some(why),
            None => {}
        }
        let is_retried = std::mem::replace(&mut self.retried, reason.is_some());
        if step.verdict == StepVerdict::Met {
            self.in_progress = in_progress;
            if self.service.is_none_or(|(load, _)| load < self.load) {
                self.service = Some((self.load, service));
            }
            let is_slower =
                |(load, busy): &(f64, Duration)| *load > self.load && *busy > service.saturating_mul(SLOWER);
            if self.busy.iter().any(|busy| !is_slower(busy)) {
                reason = Some(self.workers_are_busy());
            }
        }
        let outcome = match step.verdict {
            StepVerdict::Limited if reason.is_none() => StepVerdict::Broken,
            verdict => verdict,
        };
        // An overloaded service bears what it ends.
        let bore = (self.unit == LoadUnit::Rate
            && outcome == StepVerdict::Broken
            && step.ended > 0.0
            && step.ended < 0.97 * step.started)
            .then_some((step.ended, step.ended * step.time.as_secs_f64()));
        match reason {
            Some(_) if step.verdict == StepVerdict::Limited && !is_retried => {}
            Some(why) => {
                if step.verdict == StepVerdict::Met {
                    self.bracket.add(self.load, outcome, bore);
                }
                self.end = Some(SearchEnd::Limited(why));
            }
            None => self.bracket.add(self.load, outcome, bore),
        }
        // The first step has been held for as long as any.
        if let Some(why) = unknown.filter(|_| self.steps.is_empty() && step.verdict == StepVerdict::Unclear) {
            self.end = Some(SearchEnd::Limited(why));
        }
        self.steps.push(step);
    }

    fn workers_are_busy(&self) -> String {
        let lowest = self.busy.iter().map(|(load, _)| *load).fold(self.load, f64::min);
        format!(
            "At {}, all workers were busy, although the service was not slower; allow more with `--workers`.",
            self.unit.format(lowest)
        )
    }

    /// Begins the next step, or ends the search.
    fn next(&mut self, moment: Moment, load: &Load, overloaded: bool) -> Option<Action> {
        if self.end.is_none() && moment.now + self.patience.min + PERIOD >= self.over {
            self.end = Some(SearchEnd::OutOfTime);
        }
        if self.end.is_none() {
            match if self.retried { Next::Try(self.load) } else { self.bracket.next() } {
                Next::Try(load) => self.load = load,
                Next::Found => self.end = Some(SearchEnd::Found),
                Next::NeverMet => self.end = Some(SearchEnd::NeverMet),
                Next::Unbroken => {
                    self.end = Some(SearchEnd::Limited("The search does not try a higher load.".to_owned()));
                }
            }
        }
        if self.end.is_some() {
            self.state = State::Over;
            return Some(Action::Stop);
        }
        if self.steps.is_empty() {
            // The plan of the run begins with this load.
            self.settle(moment);
            return None;
        }
        if overloaded && self.unit == LoadUnit::Rate {
            let limit = if self.in_progress > 0.0 { self.in_progress } else { 0.05 * self.in_progress(moment.workers) };
            let (since, started) = (moment.now, self.started);
            self.state = State::Draining { since, limit, started, quiet_since: since };
            // A plan without further starts would end the run.
            let resume = (since + MAX_SETTLING + DRAINED_BY).min(self.over.saturating_sub(DRAINED_BY));
            let drained = self.at(since, load, 0.0);
            return Some(Action::Load(self.at(resume.max(since), &drained, self.load)));
        }
        Some(self.change(moment, load))
    }

    fn change(&mut self, moment: Moment, load: &Load) -> Action {
        self.settle(moment);
        Action::Load(self.at(moment.now, load, self.load))
    }

    fn settle(&mut self, moment: Moment) {
        let in_progress = self.in_progress(moment.workers) as u64;
        // Until the first scenarios of the step have ended, more start than end at any load.
        let first = if self.unit == LoadUnit::Rate { FIRST_ENDED } else { 0 };
        let until_ended = self.ended + in_progress + first;
        self.state = State::Settling { since: moment.now, until_ended };
    }

    /// The load of the run with this one from now on.
    fn at(&self, now: Duration, load: &Load, value: f64) -> Load {
        let level = |level: &f64| (*level > 0.0).then(|| (level * value / self.processes).round() as u64);
        load.constant_after(now, &self.levels.iter().map(level).collect::<Vec<_>>())
    }

    pub(super) fn progress(&self) -> SizingProgress {
        SizingProgress::Search {
            unit: self.unit,
            load: self.load,
            step: self.steps.len() + usize::from(!matches!(self.state, State::Over)),
            met: self.bracket.met(),
            broken: self.bracket.broken(),
        }
    }

    /// What is known so far.
    pub(super) fn result(&self, interrupted: bool) -> Capacity {
        let end = match &self.end {
            Some(end) => end.clone(),
            None if interrupted => SearchEnd::Interrupted,
            None => SearchEnd::OutOfTime,
        };
        Capacity {
            unit: self.unit,
            met: self.bracket.met(),
            broken: self.bracket.broken(),
            end,
            steps: self.steps.clone(),
        }
    }
}
