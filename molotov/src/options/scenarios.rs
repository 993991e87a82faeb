//! Options of single scenarios.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value as Json;

use super::{
    Delay, InvalidValue, Rate,
    value::{Value, ValueKind, positive_rate},
};

/// Options of a scenario, which take precedence over the arguments of its attribute.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct ScenarioOptions {
    /// The rate at which it starts; `None`: that of its attribute.
    pub rate: Option<Rate>,
    /// The delay after each of its runs; `None`: that of its attribute.
    pub delay: Option<Delay>,
    /// The time from one start to the next; `None`: that of its attribute.
    pub pacing: Option<Duration>,
}

/// By the name of the scenario.
impl Value for BTreeMap<String, ScenarioOptions> {
    type One = Self;

    const KIND: ValueKind = ValueKind::Scenarios;

    fn read(_: &str) -> Result<Self, InvalidValue> {
        Err("write an object in a `molotov.json`".into())
    }

    fn from_one(one: Self) -> Self {
        one
    }

    fn add(&mut self, later: Self) {
        self.extend(later);
    }

    fn nothing() -> Option<Self> {
        Some(BTreeMap::new())
    }

    fn check(&self, check: fn(&Self) -> Result<(), InvalidValue>) -> Result<(), InvalidValue> {
        check(self)
    }

    fn json(&self) -> Json {
        let options = |options: &ScenarioOptions| {
            let ScenarioOptions { rate, delay, pacing } = options;
            let texts = [
                ("rate", rate.map(|rate| rate.to_string())),
                ("delay", delay.map(|delay| delay.to_string())),
                ("pacing", pacing.map(|pacing| Delay::from(pacing).to_string())),
            ];
            texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Json::from(text?)))).collect::<Json>()
        };
        self.iter().map(|(name, one)| (name.clone(), options(one))).collect()
    }
}

/// Refuses rates of 0, which code can set.
pub(super) fn check(scenarios: &BTreeMap<String, ScenarioOptions>) -> Result<(), InvalidValue> {
    scenarios.values().filter_map(|options| options.rate).try_for_each(positive_rate)
}
