//! Options as JSON, in a `molotov.json` and when a script changes them.

use std::fmt;

use serde_json::value::RawValue;

use super::{Args, InvalidValue, Options, schema::OptionSpec, value::ValueKind};

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
    /// The index of the invalid item, if the value is a list.
    pub(crate) item: Option<usize>,
}

impl InvalidJson {
    /// Creates the error that the value of `what` has the wrong kind.
    pub(crate) fn kind(what: &str, expected: &str, json: &str) -> InvalidJson {
        let message = format!("{what} must be {expected}, but is {}", JsonKind::of(json));
        InvalidJson { message, label: format!("expected {expected}"), item: None }
    }

    fn value(what: &str, error: &InvalidValue) -> InvalidJson {
        InvalidJson { message: format!("{what}: {}", error.why()), label: error.why().to_owned(), item: None }
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
            (ValueKind::Flag, _) => return Err(wrong("true or false")),
            (ValueKind::Count | ValueKind::Number, _) => return Err(wrong("a number")),
            (ValueKind::Time, _) => return Err(wrong("a time")),
            (ValueKind::Text, _) => return Err(wrong("a string")),
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
        for (n, item) in items.into_iter().enumerate() {
            let at = |error| InvalidJson { item: Some(n), ..error };
            let text: String = serde_json::from_str(item.get())
                .map_err(|_| at(InvalidJson::kind(&format!("each of {what}"), "a string", item.get())))?;
            options.add((self.read)(&text).map_err(|error| at(InvalidJson::value(what, &error)))?);
        }
        Ok(options)
    }
}

impl Args {
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
