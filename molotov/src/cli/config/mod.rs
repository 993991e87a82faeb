//! Reads a `molotov.json`: tests by name, with their options. Errors show the place in the file.

mod source;
mod value;

use std::{collections::BTreeMap, fs, ops::Range, path::Path};

use annotate_snippets::Level;
use serde_json::value::RawValue;

pub(crate) use self::source::ConfigError;
use self::{
    source::{Source, offset},
    value::{Member, Value},
};
use crate::{
    options::{OPTIONS, Options},
    suggest::nearest,
};

/// The contents of a `molotov.json`.
#[derive(Debug)]
pub(crate) struct Config {
    source: Source,
    /// Environment variables to set before the test is installed and run.
    pub(crate) env: BTreeMap<String, String>,
    /// The file that lists the packages to install before.
    pub(crate) requirements: Option<String>,
    /// The files that a run on other machines needs, instead of the folder of its script. Relative to the folder of this file.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "runs on other machines need them"))]
    pub(crate) files: Option<Vec<String>>,
    /// The places of the tests, by name.
    tests: BTreeMap<String, Range<usize>>,
    /// The place of the object `tests`.
    place: Range<usize>,
    warnings: Vec<String>,
}

/// The options of a command line and of a test.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) options: Options,
    /// The names of the options that the test sets.
    pub(crate) in_file: Vec<&'static str>,
    /// Warnings about the file and overridden options.
    pub(crate) warnings: Vec<String>,
}

/// Reads a file.
///
/// # Errors
///
/// If the file cannot be read, is not JSON, or does not have the structure of a `molotov.json`.
pub(crate) fn read(path: &Path) -> Result<Config, ConfigError> {
    let name = path.display();
    let bytes =
        fs::read(path).map_err(|error| ConfigError(format!("cannot read the configuration `{name}`: {error}")))?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(ConfigError(format!("the configuration `{name}` is UTF-16; save it as UTF-8")));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| ConfigError(format!("the configuration `{name}` is not UTF-8: {}", error.utf8_error())))?;
    Config::parse(Source { name: name.to_string(), text })
}

impl Config {
    fn parse(source: Source) -> Result<Config, ConfigError> {
        if source.text.starts_with('\u{feff}') {
            let message = "the configuration begins with a byte order mark; save it as UTF-8 without one";
            return Err(source.error(message, 0..'\u{feff}'.len_utf8(), "the byte order mark"));
        }
        let raw: &RawValue = match serde_json::from_str(&source.text) {
            Ok(raw) => raw,
            Err(error) => {
                let at = offset(&source.text, error.line(), error.column());
                let message = error.to_string();
                let why = message.split(" at line ").next().unwrap_or(&message);
                return Err(source.error(
                    &format!("invalid JSON: {why}"),
                    at..at + source.text[at..].chars().next().map_or(0, char::len_utf8),
                    why,
                ));
            }
        };
        let whole = Value { source: &source, raw };
        let mut warnings = Vec::new();
        let members = whole.members("the configuration", &mut warnings)?;
        let Some(molotov) = members.iter().find(|member| member.name == "molotov") else {
            return Err(source.error(
                "there is no `molotov` in the configuration",
                whole.place(),
                "`molotov` is missing",
            ));
        };
        let (mut env, mut requirements, mut files, mut tests) = (BTreeMap::new(), None, None, None);
        let place = molotov.value.place();
        for member in molotov.value.members("`molotov`", &mut warnings)? {
            match &*member.name {
                "env" => {
                    for variable in member.value.members("`env`", &mut warnings)? {
                        let what = format!("the variable `{}`", variable.name);
                        env.insert(variable.name.into_owned(), variable.value.text(&what)?);
                    }
                }
                "requirements" if member.value.is_null() => {}
                "requirements" => requirements = Some(member.value.text("`requirements`")?),
                "files" if member.value.is_null() => {}
                "files" => files = Some(member.value.texts("`files`")?),
                "tests" => {
                    let mut known = BTreeMap::new();
                    for test in member.value.members("`tests`", &mut warnings)? {
                        // `options` warns of repeated keys in the test.
                        test.value.members(&format!("the test `{}`", test.name), &mut Vec::new())?;
                        known.insert(test.name.into_owned(), test.value.place());
                    }
                    tests = Some((known, member.value.place()));
                }
                _ => warnings.push(unknown(&member, &["env", "files", "requirements", "tests"])),
            }
        }
        let Some((tests, place)) = tests else {
            return Err(source.error("there are no `tests` in `molotov`", place, "`tests` is missing"));
        };
        Ok(Config { env, requirements, files, tests, place, warnings, source })
    }

    /// Returns the options of a test, and warnings about the file.
    ///
    /// # Errors
    ///
    /// If there is no such test, or one of its options is invalid.
    pub(crate) fn options(&self, test: &str) -> Result<(Options, Vec<String>), ConfigError> {
        let Some(place) = self.tests.get(test) else { return Err(self.no_test(test)) };
        let raw = serde_json::from_str(&self.source.text[place.clone()]);
        let raw: &RawValue = raw.map_err(|error| ConfigError(error.to_string()))?;
        let mut warnings = self.warnings.clone();
        let mut options = Options::default();
        for member in (Value { source: &self.source, raw }).members("the test", &mut warnings)? {
            if member.value.is_null() {
                continue;
            }
            match OPTIONS.iter().find(|entry| entry.in_file && entry.name == member.name) {
                Some(entry) => {
                    let given = entry.read_json(member.value.json());
                    options.add(given.map_err(|error| member.value.refused(&error))?);
                }
                None => {
                    let known: Vec<_> = OPTIONS.iter().filter(|entry| entry.in_file).map(|entry| entry.name).collect();
                    warnings.push(unknown(&member, &known));
                    let value = serde_json::from_str(member.value.json()).map_err(|error| {
                        let why = error.to_string();
                        self.source.error(&format!("the value: {why}"), member.value.place(), &why)
                    })?;
                    options.extra.insert(member.name.into_owned(), value);
                }
            }
        }
        Ok((options, warnings))
    }

    /// Returns the options of a test over those of the command line.
    ///
    /// # Errors
    ///
    /// As for [`options`](Self::options).
    pub(crate) fn over(&self, test: &str, line: Options) -> Result<Configured, ConfigError> {
        let (options, mut warnings) = self.options(test)?;
        // On the command line, the name of the test is in the place of a script.
        let line = Options { scenario: None, ..line };
        let overridden: Vec<_> = line.overridden_by(&options).map(|entry| format!("`--{}`", entry.long())).collect();
        if !overridden.is_empty() {
            let (file, overridden) = (&self.source.name, overridden.join(", "));
            warnings.push(format!("the test `{test}` in `{file}` overrides {overridden} of the command line"));
        }
        let in_file =
            OPTIONS.iter().filter(|entry| (entry.given)(&options).is_some()).map(|entry| entry.name).collect();
        Ok(Configured { options: options.over(line), in_file, warnings })
    }

    /// Shows an error at the name of a scenario in `scenarios` of a test.
    pub(crate) fn show_scenario(&self, test: &str, scenario: &str, error: &str) -> Option<ConfigError> {
        fn member<'a>(value: Value<'a>, name: &str) -> Option<Member<'a>> {
            value.members("", &mut Vec::new()).ok()?.into_iter().find(|member| member.name == name)
        }
        let raw: &RawValue = serde_json::from_str(&self.source.text[self.tests.get(test)?.clone()]).ok()?;
        let scenarios = member(Value { source: &self.source, raw }, "scenarios")?;
        let place = member(scenarios.value, scenario)?.name_place;
        Some(self.source.error(error, place, "not a scenario"))
    }

    fn no_test(&self, test: &str) -> ConfigError {
        let names: Vec<_> = self.tests.keys().map(String::as_str).collect();
        let known = match &names[..] {
            [] => "there is none".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        let help = nearest(test, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no test `{test}`; {known}");
        let place = self.place.clone();
        ConfigError(self.source.show(Level::ERROR, &message, place, "not among these", help.as_deref()))
    }
}

fn unknown(member: &Member<'_>, known: &[&str]) -> String {
    let help = nearest(&member.name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let message = format!("`{}` is not an option; scripts can read it", member.name);
    let (source, place) = (member.value.source, member.name_place.clone());
    source.show(Level::WARNING, &message, place, "unknown option", help.as_deref())
}

#[cfg(test)]
mod tests;
