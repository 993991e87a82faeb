//! Options as JSON, in a `molotov.json` and when a script changes them.

use std::{collections::BTreeMap, fmt, ops::Range, str::FromStr, time::Duration};

use serde_json::value::RawValue;

use super::{
    Args, Delay, InvalidValue, Options, Rate, ScenarioOptions,
    schema::OptionSpec,
    value::{ValueKind, positive_rate},
};

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonKind {
    Object,
    List,
    String,
    Boolean,
    Null,
    Number,
}

impl JsonKind {
    /// Returns the kind of a value, which must not start with whitespace.
    pub(crate) fn of(json: &str) -> JsonKind {
        match json.as_bytes().first() {
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::List,
            Some(b'"') => JsonKind::String,
            Some(b't' | b'f') => JsonKind::Boolean,
            Some(b'n') => JsonKind::Null,
            _ => JsonKind::Number,
        }
    }
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JsonKind::Object => "an object",
            JsonKind::List => "a list",
            JsonKind::String => "a string",
            JsonKind::Boolean => "true or false",
            JsonKind::Null => "null",
            JsonKind::Number => "a number",
        })
    }
}

/// An invalid JSON value.
#[derive(Debug)]
pub(crate) struct InvalidJson {
    /// The error in one sentence that names the option.
    pub(crate) message: String,
    /// A short label for the place of the value.
    pub(crate) label: String,
    /// The place of the invalid part in the value; `None` if it is the whole value.
    pub(crate) part: Option<Range<usize>>,
}

impl InvalidJson {
    /// Creates the error that the value of `what` has the wrong kind.
    pub(crate) fn kind(what: &str, expected: &str, json: &str) -> InvalidJson {
        let message = format!("{what} must be {expected}, but is {}", JsonKind::of(json));
        InvalidJson { message, label: format!("expected {expected}"), part: None }
    }

    fn value(what: &str, error: &InvalidValue) -> InvalidJson {
        InvalidJson { message: format!("{what}: {}", error.why()), label: error.why().to_owned(), part: None }
    }

    /// Moves the place from a part to the value that contains it. `part` is a slice of `whole`.
    fn within(self, whole: &str, part: &str) -> InvalidJson {
        let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        let inner = self.part.unwrap_or(0..part.len());
        InvalidJson { part: Some(start + inner.start..start + inner.end), ..self }
    }
}

impl OptionSpec {
    /// Returns options with only this one set to a JSON value.
    ///
    /// # Errors
    ///
    /// If the value has the wrong kind or is invalid.
    pub(crate) fn read_json(&self, json: &str) -> Result<Options, InvalidJson> {
        let what = format!("`{}`", self.name);
        let wrong = |expected| InvalidJson::kind(&what, expected, json);
        let text = |expected| serde_json::from_str::<String>(json).map_err(|_| wrong(expected));
        let text = match (self.kind, JsonKind::of(json)) {
            (ValueKind::List, _) => return self.read_list(json, &what),
            (ValueKind::Scenarios, _) => {
                return Ok(Options { scenarios: Some(scenarios(json)?), ..Options::default() });
            }
            // The truth of numbers in Python.
            (ValueKind::Flag, JsonKind::Number)
                if serde_json::from_str::<f64>(json).is_ok_and(|number| number != 0.0) =>
            {
                "true".to_owned()
            }
            (ValueKind::Flag, JsonKind::Number) => "false".to_owned(),
            (ValueKind::Flag, JsonKind::Boolean)
            | (ValueKind::Count | ValueKind::Number | ValueKind::Time, JsonKind::Number) => json.to_owned(),
            (ValueKind::Count, JsonKind::Boolean) => u8::from(json == "true").to_string(),
            (ValueKind::Time, JsonKind::String) => text("a time")?,
            (ValueKind::Text, JsonKind::String) => text("a string")?,
            (ValueKind::Port, JsonKind::Number) => json.to_owned(),
            (ValueKind::Port, JsonKind::String) => text("a port or an address")?,
            (ValueKind::Flag, _) => return Err(wrong("true or false")),
            (ValueKind::Count | ValueKind::Number, _) => return Err(wrong("a number")),
            (ValueKind::Time, _) => return Err(wrong("a time")),
            (ValueKind::Text, _) => return Err(wrong("a string")),
            (ValueKind::Port, _) => return Err(wrong("a port or an address")),
        };
        (self.read)(&text).map_err(|error| InvalidJson::value(&what, &error))
    }

    /// Reads a string or a list of strings.
    fn read_list(&self, json: &str, what: &str) -> Result<Options, InvalidJson> {
        let wrong = || InvalidJson::kind(what, "a string or a list of strings", json);
        let items: Vec<&RawValue> = match JsonKind::of(json) {
            JsonKind::String => vec![serde_json::from_str(json).map_err(|_| wrong())?],
            _ => serde_json::from_str(json).map_err(|_| wrong())?,
        };
        let mut options = (self.nothing)().unwrap_or_default();
        for item in items {
            let at = |error: InvalidJson| error.within(json, item.get());
            let text: String = serde_json::from_str(item.get())
                .map_err(|_| at(InvalidJson::kind(&format!("each of {what}"), "a string", item.get())))?;
            options.add((self.read)(&text).map_err(|error| at(InvalidJson::value(what, &error)))?);
        }
        Ok(options)
    }
}

/// Parses `{"browse": {"rate": "10/s"}}`.
///
/// # Errors
///
/// If the JSON value has another structure, or a rate is invalid.
fn scenarios(json: &str) -> Result<BTreeMap<String, ScenarioOptions>, InvalidJson> {
    let scenarios = object("`scenarios`", json)?;
    scenarios
        .into_iter()
        .map(|(name, options)| {
            Ok((name.clone(), one(&name, options.get()).map_err(|error| error.within(json, options.get()))?))
        })
        .collect()
}

fn one(scenario: &str, json: &str) -> Result<ScenarioOptions, InvalidJson> {
    let mut options = ScenarioOptions::default();
    for (name, value) in object(&format!("the scenario `{scenario}` in `scenarios`"), json)? {
        let value = value.get();
        let read = match &*name {
            "rate" => rate(scenario, value).map(|rate| options.rate = rate),
            "delay" => time::<Delay>(scenario, "delay", value).map(|delay| options.delay = delay),
            "pacing" => time(scenario, "pacing", value).and_then(|pacing: Option<Delay>| {
                let pacing = pacing.map(|pacing| pacing.mean());
                if pacing.is_some_and(|pacing| pacing.is_zero()) {
                    let what = format!("the `pacing` of the scenario `{scenario}`");
                    return Err(InvalidJson::value(&what, &"write a time longer than 0".into()));
                }
                options.pacing = pacing;
                Ok(())
            }),
            _ => Err(InvalidJson {
                message: format!("`{name}` is not an option of a scenario; there are `rate`, `delay` and `pacing`"),
                label: "unknown option".to_owned(),
                part: None,
            }),
        };
        read.map_err(|error| error.within(json, value))?;
    }
    Ok(options)
}

fn rate(scenario: &str, json: &str) -> Result<Option<Rate>, InvalidJson> {
    let what = format!("the `rate` of the scenario `{scenario}`");
    match JsonKind::of(json) {
        JsonKind::Null => Ok(None),
        JsonKind::String => {
            let text: String = serde_json::from_str(json).map_err(|_| InvalidJson::kind(&what, "a string", json))?;
            let rate = text.parse().and_then(|rate| positive_rate(rate).map(|()| rate));
            rate.map(Some).map_err(|error| InvalidJson::value(&what, &error))
        }
        _ => Err(InvalidJson::kind(&what, "a string such as \"10/s\"", json)),
    }
}

/// Parses a time in seconds, or a text.
fn time<T: FromStr<Err = InvalidValue> + From<Duration>>(
    scenario: &str,
    option: &str,
    json: &str,
) -> Result<Option<T>, InvalidJson> {
    let what = format!("the `{option}` of the scenario `{scenario}`");
    let text = match JsonKind::of(json) {
        JsonKind::Null => return Ok(None),
        JsonKind::String => serde_json::from_str(json).map_err(|_| InvalidJson::kind(&what, "a string", json))?,
        JsonKind::Number => json.trim().to_owned(),
        _ => return Err(InvalidJson::kind(&what, "a number of seconds, or a string such as \"1s..3s\"", json)),
    };
    text.parse().map(Some).map_err(|error| InvalidJson::value(&what, &error))
}

fn object<'a>(what: &str, json: &'a str) -> Result<BTreeMap<String, &'a RawValue>, InvalidJson> {
    serde_json::from_str(json).map_err(|_| InvalidJson::kind(what, "an object", json))
}

impl Args {
    /// Returns the options that are given, as a JSON object.
    #[cfg(feature = "cluster")]
    #[allow(dead_code, reason = "the coordinator that uses it is being written")]
    pub(crate) fn to_json(&self) -> String {
        let given = self.given_values().map(|(name, value)| (name.to_owned(), value));
        let extra = self.extra.iter().map(|(name, value)| (name.clone(), value.clone()));
        serde_json::Value::Object(given.chain(extra).collect()).to_string()
    }

    /// Returns the options that [`to_json`](Self::to_json) has written.
    ///
    /// # Errors
    ///
    /// If a value is invalid.
    #[cfg(feature = "cluster")]
    pub(crate) fn from_json(json: &str) -> Result<Args, String> {
        let mut options = Options::default();
        for (name, value) in object("the options", json).map_err(|error| error.message)? {
            match super::OPTIONS.iter().find(|entry| entry.name == name) {
                _ if JsonKind::of(value.get()) == JsonKind::Null => {}
                Some(entry) => options.add(entry.read_json(value.get()).map_err(|error| error.message)?),
                None => {
                    let value = serde_json::from_str(value.get()).map_err(|error| format!("`{name}`: {error}"))?;
                    options.extra.insert(name, value);
                }
            }
        }
        Ok(options.resolve())
    }

    /// Sets an option to a JSON value; `null` removes a limit.
    ///
    /// # Errors
    ///
    /// If the value is invalid. The message has one line.
    #[cfg(feature = "python")]
    pub(crate) fn change_to_json(&mut self, entry: &OptionSpec, json: &str) -> Result<(), String> {
        let nothing = (JsonKind::of(json) == JsonKind::Null).then(|| (entry.nothing)()).flatten();
        let options = nothing.map_or_else(|| entry.read_json(json), Ok).map_err(|error| error.message)?;
        self.change(options);
        Ok(())
    }
}
