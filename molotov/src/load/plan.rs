//! The plan of a load, and how options become one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Levels, schedule::starts_before};
use crate::{
    format,
    options::{Args, Arrivals, Level, Rate, WhenBusy},
};

/// The most workers of each process under a rate, unless `--workers` is given.
pub(crate) const MAX_OPEN_WORKERS: usize = 10_000;

/// The length of an unlimited load: longer than any run.
pub(crate) const FOREVER: Duration = Duration::from_secs(200 * 365 * 86_400);

/// The load of a run: streams that run at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) streams: Vec<Stream>,
}

/// A part of the load that has its own workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// The scenario that it runs; `None` for all scenarios without their own rate, which are picked by weight.
    pub(crate) scenario: Option<String>,
    pub(crate) model: Model,
}

/// What decides when scenarios start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Model {
    Closed(ClosedModel),
    Open(OpenModel),
}

/// A closed loop: each worker starts its next scenario when the previous one ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClosedModel {
    /// The number of workers of each process. Worker `i` runs while it is above `i`.
    pub(crate) workers: Levels,
    /// How long each worker runs, from its own start; `None` if only the levels end it.
    pub(crate) span: Option<Duration>,
    /// How many scenarios each worker runs, if that is limited.
    pub(crate) runs: Option<u64>,
    /// The sleep after each scenario, in addition to its own delay.
    pub(crate) delay: Duration,
}

/// An open model: scenarios start at planned times, whatever the service does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenModel {
    /// The rate over time of the whole run, in millionths of a start per hour.
    pub(crate) rate: Levels,
    pub(crate) arrivals: Arrivals,
    pub(crate) when_busy: WhenBusy,
    /// The most workers of each process.
    pub(crate) workers: usize,
    /// The seed of the spacing.
    pub(crate) seed: u64,
}

impl Load {
    /// Returns the load that the options describe. `rates` are the scenarios that have their own rates. `weighted` is whether there
    /// are other scenarios. `runs` limits the scenarios of each worker of a closed loop.
    pub(crate) fn new(args: &Args, rates: &[(String, Rate)], weighted: bool, runs: Option<u64>) -> Load {
        let stream = |scenario, model| Stream { scenario, model };
        let own = rates.iter().map(|(name, rate)| {
            let rate = Levels::constant(rate.micros_per_hour(), length(args));
            stream(Some(name.clone()), Model::Open(OpenModel::new(args, rate)))
        });
        let all = weighted.then(|| stream(None, Model::of(args, runs)));
        let mut streams: Vec<Stream> = all.into_iter().chain(own).collect();
        // Streams with the same seed would start at the same times.
        for (number, stream) in streams.iter_mut().enumerate() {
            if let Model::Open(open) = &mut stream.model {
                open.seed = open.seed.wrapping_add((number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            }
        }
        Load { streams }
    }

    /// Returns whether any scenario starts at a rate.
    pub(crate) fn is_open(&self) -> bool {
        self.streams.iter().any(|stream| matches!(stream.model, Model::Open(_)))
    }

    /// Returns whether workers start all scenarios in a loop, without stages.
    pub(crate) fn is_closed(&self) -> bool {
        let is_plain = |stream: &Stream| matches!(&stream.model, Model::Closed(closed) if closed.span.is_some());
        self.streams.iter().all(is_plain)
    }

    /// Returns the streams whose scenarios start at a rate: the scenario, if it has its own rate, and the model.
    pub(crate) fn open(&self) -> impl Iterator<Item = (Option<&str>, &OpenModel)> {
        self.streams.iter().filter_map(|stream| match &stream.model {
            Model::Open(open) => Some((stream.scenario.as_deref(), open)),
            Model::Closed(_) => None,
        })
    }

    /// Returns the most threads that a process can have if each has a worker of every stream. A search for the capacity
    /// (`is_search`) may need more workers of a closed loop than it begins with. `workers` returns the workers of the process.
    pub(crate) fn most_threads(&self, is_search: bool, workers: impl Fn(&Model) -> usize) -> usize {
        let workers = |stream: &Stream| match &stream.model {
            Model::Closed(_) if is_search => usize::MAX,
            model => workers(model),
        };
        self.streams.iter().map(workers).min().unwrap_or(1)
    }

    /// Returns how many workers of a process the options ask for. A rate without a number of workers asks for none in particular.
    pub(crate) fn expected_workers(&self, args: &Args) -> usize {
        let workers = |stream: &Stream| match &stream.model {
            Model::Open(_) if args.given.workers.is_none() => 0,
            Model::Open(open) => open.workers,
            Model::Closed(closed) => usize::try_from(closed.workers.max()).unwrap_or(usize::MAX),
        };
        self.streams.iter().map(workers).fold(0, usize::saturating_add)
    }

    /// Adds or removes a tenth of the load from a time on. Each closed loop keeps at least `least` workers.
    #[must_use]
    pub(crate) fn changed(&self, time: Duration, more: bool, least: usize) -> Load {
        let changed = |stream: &Stream| {
            let mut stream = stream.clone();
            match &mut stream.model {
                Model::Open(open) => open.rate = open.rate.scaled_after(time, if more { 1.1 } else { 1.0 / 1.1 }),
                Model::Closed(closed) => {
                    let now = closed.workers.max_after(time);
                    let step = now.div_ceil(10);
                    let then = if more { now + step } else { now.saturating_sub(step).max(least as u64).min(now) };
                    if now > 0 {
                        closed.workers = closed.workers.scaled_after(time, then as f64 / now as f64);
                    }
                }
            }
            stream
        };
        Load { streams: self.streams.iter().map(changed).collect() }
    }

    /// Replaces the load of streams after a time by a constant: `None` leaves a stream as it is.
    #[must_use]
    pub(crate) fn constant_after(&self, time: Duration, levels: &[Option<u64>]) -> Load {
        let mut load = self.clone();
        for (stream, level) in load.streams.iter_mut().zip(levels) {
            let Some(level) = *level else { continue };
            let levels = match &mut stream.model {
                Model::Open(open) => &mut open.rate,
                Model::Closed(closed) => &mut closed.workers,
            };
            *levels = levels.constant_after(time, level);
        }
        load
    }

    /// Describes the highest load after a time: `200 workers`, `500/s`, or both. Rates are added up.
    pub(crate) fn describe(&self, time: Duration) -> String {
        let workers = self.streams.iter().find_map(|stream| match &stream.model {
            Model::Closed(closed) => Some(format::plural(closed.workers.max_after(time), "worker")),
            Model::Open(_) => None,
        });
        let rate = self.open().map(|(_, open)| open.rate.max_after(time)).fold(0, u64::saturating_add);
        // Changed rates have many digits.
        let digits = 10_u64.pow(rate.max(1).ilog10().saturating_sub(3));
        let rate =
            self.is_open().then(|| Rate::from_micros_per_hour((rate + digits / 2) / digits * digits).to_string());
        workers.into_iter().chain(rate).collect::<Vec<_>>().join(" and ")
    }

    /// Returns the rate at a time of the plan, in starts per second; `None` if no scenario starts at a rate.
    pub(crate) fn rate_at(&self, time: Duration) -> Option<f64> {
        let rate = |open: &OpenModel| Rate::from_micros_per_hour(open.rate.at(time) as u64).starts_per_second();
        self.is_open().then(|| self.open().map(|(_, open)| rate(open)).sum())
    }

    /// Returns the scenarios that have their own rate, and their rates at a time of the plan, in starts per second.
    pub(crate) fn own_rates_at(&self, time: Duration) -> impl Iterator<Item = (&str, f64)> {
        self.open().filter_map(move |(scenario, open)| {
            Some((scenario?, Rate::from_micros_per_hour(open.rate.at(time) as u64).starts_per_second()))
        })
    }

    /// Returns how many workers of each process closed loops have at a time of the plan.
    #[cfg_attr(not(feature = "dashboard"), allow(dead_code, reason = "only the feature `dashboard` uses it"))]
    pub(crate) fn workers_at(&self, time: Duration) -> f64 {
        let workers = |stream: &Stream| match &stream.model {
            Model::Closed(closed) => closed.workers.at(time).ceil(),
            Model::Open(_) => 0.0,
        };
        self.streams.iter().map(workers).sum()
    }

    /// Returns how many starts are planned before a time. For a Poisson process, it is the expected number.
    pub(crate) fn starts_before(&self, time: Duration) -> u64 {
        self.open().map(|(_, open)| starts_before(&open.rate, time)).sum()
    }

    /// Returns the time of the plan after which no start is planned; zero if no scenario starts at a rate.
    pub(crate) fn open_end(&self) -> Duration {
        self.open().map(|(_, open)| open.rate.end()).max().unwrap_or_default()
    }

    /// Returns when the plan ends; `None` for a closed loop without stages, which ends with its workers.
    pub(crate) fn end(&self) -> Option<Duration> {
        let end = |stream: &Stream| match &stream.model {
            Model::Open(open) => Some(open.rate.end()),
            Model::Closed(closed) => Some(closed.workers.end()).filter(|end| *end < FOREVER),
        };
        self.streams.iter().map(end).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl Model {
    fn of(args: &Args, runs: Option<u64>) -> Model {
        let starts_at_a_rate = args.rate.is_some() || args.stage.are_of_a_rate();
        if starts_at_a_rate {
            let first = args.rate.map_or(0, Rate::micros_per_hour);
            let rate = match args.stage.0.is_empty() {
                true => Levels::constant(first, length(args)),
                false => staged(args, first),
            };
            return Model::Open(OpenModel::new(args, rate));
        }
        let workers = args.workers as u64;
        let closed = ClosedModel { workers: Levels::default(), span: None, runs, delay: args.delay };
        if args.searches_capacity() {
            // Its options refuse stages of workers.
            let ramp_up = Levels::default().then(args.ramp_up, 0, workers);
            let levels = ramp_up.then(args.search_time(), workers, workers);
            return Model::Closed(ClosedModel { workers: levels, runs: None, ..closed });
        }
        Model::Closed(if args.stage.0.is_empty() {
            let levels = Levels::default().then(args.ramp_up, 0, workers).then(FOREVER, workers, workers);
            ClosedModel { workers: levels, span: Some(args.duration), ..closed }
        } else {
            let first = if args.given.workers.is_some() { workers } else { 0 };
            ClosedModel { workers: staged(args, first), ..closed }
        })
    }
}

impl OpenModel {
    /// Returns the average rate between two times of the plan, in starts per second.
    pub(crate) fn mean_rate(&self, from: Duration, to: Duration) -> f64 {
        let area = self.rate.double_area(to).saturating_sub(self.rate.double_area(from));
        match to.saturating_sub(from).as_nanos() {
            0 => 0.0,
            nanos => area as f64 / 2.0 / nanos as f64 / Rate::per_second(1.0).micros_per_hour() as f64,
        }
    }

    fn new(args: &Args, rate: Levels) -> OpenModel {
        OpenModel {
            rate,
            arrivals: args.arrivals,
            when_busy: args.when_busy,
            workers: if args.given.workers.is_some() { args.workers } else { MAX_OPEN_WORKERS },
            seed: args.seed.unwrap_or_else(|| fastrand::u64(..)),
        }
    }
}

/// How long a constant rate lasts: as long as the stages beside it, if there are any.
fn length(args: &Args) -> Duration {
    match args.stage.0.is_empty() {
        _ if args.searches_capacity() => args.stage.length().saturating_add(args.search_time()),
        true => args.duration,
        false => args.stage.length(),
    }
}

/// The levels of stages that begin at `first`. A search for the capacity follows them.
fn staged(args: &Args, first: u64) -> Levels {
    let (mut levels, mut level) = (Levels::default(), first);
    for stage in &args.stage.0 {
        let to = match stage.to {
            Level::Workers(workers) => workers as u64,
            Level::Rate(rate) => rate.micros_per_hour(),
        };
        levels = levels.then(stage.time, level, to);
        level = to;
    }
    if args.searches_capacity() { levels.then(args.search_time(), level, level) } else { levels }
}
