//! The values of a `molotov.json` with their places.

use std::{borrow::Cow, fmt, ops::Range};

use annotate_snippets::Level;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::source::{ConfigError, Source};
use crate::options::json::{InvalidJson, JsonKind};

/// A value in the file.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) source: &'a Source,
    pub(super) raw: &'a RawValue,
}

/// A name and its value.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) name_place: Range<usize>,
    pub(super) value: Value<'a>,
}

impl Member<'_> {
    /// The warning that the name is repeated.
    fn repeated(&self, earlier: &Member<'_>) -> String {
        let source = self.value.source;
        let message = format!("`{}` is set more than once; the last value is used", self.name);
        let line = source.text[..earlier.name_place.start.min(source.text.len())].matches('\n').count() + 1;
        let help = format!("remove the earlier one in line {line}");
        source.show(Level::WARNING, &message, self.name_place.clone(), "this one is used", Some(&help))
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object in order, including repeated ones.
struct Members<'a>(Vec<(Name<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Members(entries))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

impl<'a> Value<'a> {
    pub(super) fn place(&self) -> Range<usize> {
        self.source.place_of(self.raw.get())
    }

    pub(super) fn json(&self) -> &'a str {
        self.raw.get()
    }

    /// The error at the place of the value, or of a part of it.
    pub(super) fn refused(&self, error: &InvalidJson) -> ConfigError {
        let whole = self.place();
        let place = match &error.part {
            Some(part) => whole.start + part.start..whole.start + part.end,
            None => whole,
        };
        self.source.error(&error.message, place, &error.label)
    }

    pub(super) fn is_null(&self) -> bool {
        JsonKind::of(self.json()) == JsonKind::Null
    }

    /// Returns the members of an object. The last of repeated members is returned, as in Python's JSON reader, with a warning.
    pub(super) fn members(&self, what: &str, warnings: &mut Vec<String>) -> Result<Vec<Member<'a>>, ConfigError> {
        let Ok(Members(members)) = serde_json::from_str::<Members<'a>>(self.json()) else {
            return Err(self.refused(&InvalidJson::kind(what, "an object", self.json())));
        };
        let mut known: Vec<Member<'a>> = Vec::new();
        for (Name(name), raw) in members {
            let value = Value { source: self.source, raw };
            let name_place = match &name {
                // With its quotes.
                Cow::Borrowed(name) => {
                    let place = self.source.place_of(name);
                    place.start.saturating_sub(1)..place.end + 1
                }
                Cow::Owned(_) => value.place(),
            };
            let member = Member { name, name_place, value };
            match known.iter_mut().find(|earlier| earlier.name == member.name) {
                Some(earlier) => {
                    warnings.push(member.repeated(earlier));
                    *earlier = member;
                }
                None => known.push(member),
            }
        }
        Ok(known)
    }

    pub(super) fn texts(&self, what: &str) -> Result<Vec<String>, ConfigError> {
        let wrong = |_| self.refused(&InvalidJson::kind(what, "an array of strings", self.json()));
        serde_json::from_str(self.json()).map_err(wrong)
    }

    pub(super) fn text(&self, what: &str) -> Result<String, ConfigError> {
        let wrong = |_| self.refused(&InvalidJson::kind(what, "a string", self.json()));
        serde_json::from_str(self.json()).map_err(wrong)
    }
}
