//! Stages of a plan of load, such as `30s:200`.

use std::{fmt, str::FromStr, time::Duration};

use serde_json::Value as Json;

use super::{
    InvalidValue, Rate, duration,
    table::MAX_WORKERS,
    value::{Value, ValueKind},
};

/// A part of a plan of load. Within its time, the load changes evenly to its level.
///
/// ```
/// # use molotov::{Rate, Stage, secs};
/// // In 30 s to 200 workers of each process.
/// assert_eq!("30s:200".parse::<Stage>()?, Stage::workers(secs(30), 200));
/// // A jump to 500 starts per second.
/// assert_eq!("0s:500/s".parse::<Stage>()?, Stage::rate(secs(0), Rate::per_second(500)));
/// # Ok::<(), molotov::options::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// How long the change takes. 0 jumps to the level.
    pub time: Duration,
    /// The level at the end of the stage.
    pub to: Level,
}

/// A level of load: a number of workers, or a rate of starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The number of workers of each process.
    Workers(usize),
    /// The rate at which scenarios start, over the whole run.
    Rate(Rate),
}

impl Stage {
    /// Returns a stage that ends with this number of workers of each process.
    #[must_use]
    pub const fn workers(time: Duration, workers: usize) -> Stage {
        Stage { time, to: Level::Workers(workers) }
    }

    /// Returns a stage that ends with scenarios starting at this rate, in the whole run.
    #[must_use]
    pub const fn rate(time: Duration, rate: Rate) -> Stage {
        Stage { time, to: Level::Rate(rate) }
    }
}

fn wrong() -> InvalidValue {
    "write a time and a level: `30s:200` for workers, `30s:500/s` for a rate".into()
}

impl FromStr for Stage {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Stage, InvalidValue> {
        let (time, level) = text.trim().split_once(':').ok_or_else(wrong)?;
        let time = duration::parse(time.trim())?;
        let level = level.trim();
        let to = match level.contains('/') {
            true => Level::Rate(level.parse()?),
            false => Level::Workers(level.parse().map_err(|_| wrong())?),
        };
        Ok(Stage { time, to })
    }
}

/// Parses the stage, so that [`LoadTest::stages`](crate::LoadTest::stages) takes texts.
impl TryFrom<&str> for Stage {
    type Error = InvalidValue;

    fn try_from(text: &str) -> Result<Stage, InvalidValue> {
        text.parse()
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time.as_secs_f64();
        match self.to {
            Level::Workers(workers) => write!(f, "{time}s:{workers}"),
            Level::Rate(rate) => write!(f, "{time}s:{rate}"),
        }
    }
}

/// The stages of a plan, in order. Commas separate stages in one text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stages(pub Vec<Stage>);

impl Stages {
    /// Returns whether they are stages of a rate.
    pub(crate) fn are_of_a_rate(&self) -> bool {
        matches!(self.0.first(), Some(Stage { to: Level::Rate(_), .. }))
    }

    /// Returns how long all stages last together.
    pub(crate) fn length(&self) -> Duration {
        self.0.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.time))
    }

    /// Collects stages.
    ///
    /// # Errors
    ///
    /// The first error of a stage that is invalid.
    pub(crate) fn collect<I>(stages: I) -> Result<Stages, InvalidValue>
    where
        I: IntoIterator<Item: TryInto<Stage, Error: Into<InvalidValue>>>,
    {
        stages.into_iter().map(|stage| stage.try_into().map_err(Into::into)).collect::<Result<_, _>>().map(Stages)
    }

    /// Refuses stages of workers beside stages of a rate, and too many workers.
    pub(crate) fn check_levels(&self) -> Result<(), InvalidValue> {
        if self.0.iter().any(|stage| matches!(stage.to, Level::Workers(workers) if workers > MAX_WORKERS)) {
            return Err(format!("the maximum is {MAX_WORKERS} workers").into());
        }
        let rates = self.0.iter().filter(|stage| matches!(stage.to, Level::Rate(_))).count();
        match rates {
            0 => Ok(()),
            rates if rates == self.0.len() => Ok(()),
            _ => Err("write all stages for workers (`30s:200`) or all for a rate (`30s:500/s`)".into()),
        }
    }
}

impl Value for Stages {
    type One = Stages;

    const KIND: ValueKind = ValueKind::List;

    fn read(text: &str) -> Result<Stages, InvalidValue> {
        Stages::collect(text.split(','))
    }

    fn from_one(one: Stages) -> Stages {
        one
    }

    fn add(&mut self, later: Stages) {
        self.0.extend(later.0);
    }

    fn nothing() -> Option<Stages> {
        Some(Stages::default())
    }

    fn check(&self, check: fn(&Stages) -> Result<(), InvalidValue>) -> Result<(), InvalidValue> {
        check(self)
    }

    fn json(&self) -> Json {
        self.0.iter().map(|stage| Json::from(stage.to_string())).collect()
    }
}
