//! Options of single scenarios.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    InvalidValue, Rate,
    value::{Value, ValueKind, positive_rate},
};

/// Options of a scenario, which take precedence over the arguments of its attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScenarioOptions {
    /// The rate at which it starts; `None`: that of its attribute.
    pub rate: Option<Rate>,
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
        let options = |options: &ScenarioOptions| match options.rate {
            Some(rate) => serde_json::json!({ "rate": rate.to_string() }),
            None => serde_json::json!({}),
        };
        self.iter().map(|(name, one)| (name.clone(), options(one))).collect()
    }
}

/// Refuses rates of 0, which code can set.
pub(super) fn check(scenarios: &BTreeMap<String, ScenarioOptions>) -> Result<(), InvalidValue> {
    scenarios.values().filter_map(|options| options.rate).try_for_each(positive_rate)
}
