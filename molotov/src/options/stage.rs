//! Stages of a plan of load, such as `30s:200`.

use std::{fmt, str::FromStr, time::Duration};

use serde_json::Value as Json;

use super::{
    InvalidValue, Rate, duration,
    value::{Value, ValueKind},
};

/// A part of a plan of load: in this time, the load changes evenly to this level.
///
/// ```
/// # use molotov::{Level, Rate, Stage, secs};
/// assert_eq!("30s:200".parse::<Stage>()?, Stage { time: secs(30), to: Level::Workers(200) });
/// assert_eq!("0s:500/s".parse::<Stage>()?, Stage { time: secs(0), to: Level::Rate(Rate::per_second(500.0)) });
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
    /// How many scenarios start in a time, in the whole run.
    Rate(Rate),
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

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time.as_secs_f64();
        match self.to {
            Level::Workers(workers) => write!(f, "{time}s:{workers}"),
            Level::Rate(rate) => write!(f, "{time}s:{rate}"),
        }
    }
}

/// The stages of a plan, in order. A text may have several, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stages(pub Vec<Stage>);

impl Stages {
    /// Returns whether they are stages of a rate.
    pub(crate) fn are_of_a_rate(&self) -> bool {
        matches!(self.0.first(), Some(Stage { to: Level::Rate(_), .. }))
    }

    /// Refuses stages of workers beside stages of a rate.
    pub(super) fn of_one_kind(&self) -> Result<(), InvalidValue> {
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
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Stages)
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
