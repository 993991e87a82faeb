//! Reading a `molotov.json`: tests by name, with their options. What is wrong in it is shown where it stands.

use std::{borrow::Cow, collections::BTreeMap, fmt, fs, ops::Range, path::Path, time::Duration};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{duration, options};
use crate::{
    options::{Args, Color, Threshold},
    secrets,
    suggest::nearest,
};

/// The option names that a test may have, with underscores.
const OPTIONS: [&str; 31] = [
    "scenario",
    "single_run",
    "single_mode",
    "debug",
    "verbose",
    "workers",
    "ramp_up",
    "sizing",
    "sizing_tolerance",
    "delay",
    "console_update",
    "processes",
    "duration",
    "max_runs",
    "quiet",
    "exception",
    "fail",
    "console",
    "statsd",
    "statsd_address",
    "uvloop",
    "use_extension",
    "force_shutdown",
    "threads",
    "seed",
    "report",
    "threshold",
    "list",
    "color",
    "timeout",
    "show_secrets",
];

/// What a `molotov.json` holds.
#[derive(Debug)]
pub(crate) struct Config {
    file: File,
    /// Variables of the environment, for who installs a test before it runs.
    pub(crate) env: BTreeMap<String, String>,
    /// The file of packages that the tests need, likewise.
    pub(crate) requirements: Option<String>,
    /// Where the tests stand, by name.
    tests: BTreeMap<String, Range<usize>>,
    /// Where the object of the tests stands.
    place: Range<usize>,
    warnings: Vec<String>,
}

/// Why a `molotov.json` cannot be followed: the message with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a file.
///
/// # Errors
///
/// When it is not there, is no JSON, or does not have the shape of a `molotov.json`.
pub(crate) fn read(path: &Path) -> Result<Config, ConfigError> {
    let name = path.display();
    let bytes =
        fs::read(path).map_err(|error| ConfigError(format!("cannot read the configuration `{name}`: {error}")))?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(ConfigError(format!("the configuration `{name}` is UTF-16; save it as UTF-8")));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| ConfigError(format!("the configuration `{name}` is not UTF-8: {}", error.utf8_error())))?;
    Config::parse(File { name: name.to_string(), text })
}

/// The text, with its name.
#[derive(Debug, Clone)]
struct File {
    name: String,
    text: String,
}

impl File {
    fn error(&self, message: &str, place: Range<usize>, label: &str) -> ConfigError {
        ConfigError(self.show(Level::ERROR, message, place, label, None))
    }

    fn show(&self, level: Level<'_>, message: &str, place: Range<usize>, label: &str, help: Option<&str>) -> String {
        let place = place.start.min(self.text.len())..place.end.min(self.text.len());
        let text = secrets::mask_json(&self.text);
        let snippet = Snippet::source(&text)
            .path(&self.name)
            .annotation(AnnotationKind::Primary.span(first_line(&self.text, place)).label(label));
        let report = level.primary_title(message).element(snippet);
        let report: Vec<Group<'_>> = match help {
            Some(help) => vec![report.element(Level::HELP.message(help))],
            None => vec![report],
        };
        let shown = Renderer::plain().render(&report);
        // Who shows it writes that word in its own way.
        let bare = shown.strip_prefix("error: ").or(shown.strip_prefix("warning: ")).unwrap_or(&shown);
        bare.trim_end().to_owned()
    }

    /// The warning about an entry whose name was used before.
    fn repeated(&self, entry: &Entry<'_>, earlier: &Entry<'_>) -> String {
        let message = format!("`{}` is set more than once; the last value is used", entry.name);
        let line = self.text[..earlier.name_place.start.min(self.text.len())].matches('\n').count() + 1;
        let help = format!("remove the earlier one, in line {line}");
        self.show(Level::WARNING, &message, entry.name_place.clone(), "this one is used", Some(&help))
    }

    fn place_of(&self, part: &str) -> Range<usize> {
        let start = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        start..start + part.len()
    }
}

/// Of a place over several lines, the first: that is enough to find it.
fn first_line(text: &str, place: Range<usize>) -> Range<usize> {
    let end = text[place.clone()].find('\n').map_or(place.end, |end| place.start + end);
    place.start..end.max(place.start)
}

/// A value of the file, and where it stands.
#[derive(Clone, Copy)]
struct Value<'a> {
    file: &'a File,
    raw: &'a RawValue,
}

/// A name and its value.
struct Entry<'a> {
    name: Cow<'a, str>,
    name_place: Range<usize>,
    value: Value<'a>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The entries of an object in their order, repeated ones too.
struct Entries<'a>(Vec<(Name<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

impl<'a> Value<'a> {
    fn place(&self) -> Range<usize> {
        self.file.place_of(self.raw.get())
    }

    fn kind(&self) -> &'static str {
        match self.raw.get().as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    fn wrong(&self, what: &str, expected: &str) -> ConfigError {
        self.file.error(
            &format!("{what} has to be {expected}, and is {}", self.kind()),
            self.place(),
            &format!("expected {expected}"),
        )
    }

    fn refused(&self, what: &str, why: &str) -> ConfigError {
        self.file.error(&format!("{what}: {why}"), self.place(), why)
    }

    fn is_null(&self) -> bool {
        self.raw.get() == "null"
    }

    /// The entries of an object. Of those with the same name the last is returned, as Python's JSON reader does, with a
    /// warning.
    fn entries(&self, what: &str, warnings: &mut Vec<String>) -> Result<Vec<Entry<'a>>, ConfigError> {
        let Ok(Entries(entries)) = serde_json::from_str::<Entries<'a>>(self.raw.get()) else {
            return Err(self.wrong(what, "an object"));
        };
        let mut known: Vec<Entry<'a>> = Vec::new();
        for (Name(name), raw) in entries {
            let value = Value { file: self.file, raw };
            let name_place = match &name {
                // With its quotes.
                Cow::Borrowed(name) => {
                    let place = self.file.place_of(name);
                    place.start.saturating_sub(1)..place.end + 1
                }
                Cow::Owned(_) => value.place(),
            };
            let entry = Entry { name, name_place, value };
            match known.iter_mut().find(|earlier| earlier.name == entry.name) {
                Some(earlier) => {
                    warnings.push(self.file.repeated(&entry, earlier));
                    *earlier = entry;
                }
                None => known.push(entry),
            }
        }
        Ok(known)
    }

    fn text(&self, what: &str) -> Result<String, ConfigError> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.wrong(what, "a string"))
    }

    /// True or false, or a number, of which 0 is false: as Python takes them.
    fn boolean(&self, what: &str) -> Result<bool, ConfigError> {
        if let Ok(number) = serde_json::from_str::<f64>(self.raw.get()) {
            return Ok(number != 0.0);
        }
        serde_json::from_str(self.raw.get()).map_err(|_| self.wrong(what, "true or false"))
    }

    /// A string, or a list of strings.
    fn texts(&self, what: &str) -> Result<Vec<(String, Value<'a>)>, ConfigError> {
        if self.kind() == "a string" {
            return Ok(vec![(self.text(what)?, *self)]);
        }
        let parts: Vec<&'a RawValue> =
            serde_json::from_str(self.raw.get()).map_err(|_| self.wrong(what, "a string or a list of strings"))?;
        let parts = parts.into_iter().map(|raw| Value { file: self.file, raw });
        parts.map(|part| Ok((part.text(&format!("each of {what}"))?, part))).collect()
    }

    /// A number, read as the command line reads it.
    fn number<T>(&self, what: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        if self.kind() != "a number" {
            return Err(self.wrong(what, "a number"));
        }
        read(self.raw.get()).map_err(|why| self.refused(what, &why))
    }

    /// A number of seconds, or a string as on the command line.
    fn time(&self, what: &str, read: impl Fn(&str) -> Result<Duration, String>) -> Result<Duration, ConfigError> {
        match self.kind() {
            "a number" => self.number(what, read),
            "a string" => read(&self.text(what)?).map_err(|why| self.refused(what, &why)),
            _ => Err(self.wrong(what, "a time")),
        }
    }
}

impl Config {
    fn parse(file: File) -> Result<Config, ConfigError> {
        if file.text.starts_with('\u{feff}') {
            let message = "the configuration begins with a byte order mark; save it as UTF-8 without one";
            return Err(file.error(message, 0..'\u{feff}'.len_utf8(), "the byte order mark"));
        }
        let raw: &RawValue = match serde_json::from_str(&file.text) {
            Ok(raw) => raw,
            Err(error) => {
                let at = offset(&file.text, error.line(), error.column());
                let message = error.to_string();
                let why = message.split(" at line ").next().unwrap_or(&message);
                return Err(file.error(
                    &format!("this is no JSON: {why}"),
                    at..at + file.text[at..].chars().next().map_or(0, char::len_utf8),
                    why,
                ));
            }
        };
        let whole = Value { file: &file, raw };
        let mut warnings = Vec::new();
        let entries = whole.entries("the configuration", &mut warnings)?;
        let Some(molotov) = entries.iter().find(|entry| entry.name == "molotov") else {
            return Err(file.error(
                "there is no `molotov` in the configuration",
                whole.place(),
                "`molotov` is missing",
            ));
        };
        let (mut env, mut requirements, mut tests) = (BTreeMap::new(), None, None);
        let place = molotov.value.place();
        for entry in molotov.value.entries("`molotov`", &mut warnings)? {
            match &*entry.name {
                "env" => {
                    for variable in entry.value.entries("`env`", &mut warnings)? {
                        let what = format!("the variable `{}`", variable.name);
                        env.insert(variable.name.into_owned(), variable.value.text(&what)?);
                    }
                }
                "requirements" if entry.value.is_null() => {}
                "requirements" => requirements = Some(entry.value.text("`requirements`")?),
                "tests" => {
                    let mut known = BTreeMap::new();
                    for test in entry.value.entries("`tests`", &mut warnings)? {
                        // Whoever runs the test is warned of what is repeated in it.
                        test.value.entries(&format!("the test `{}`", test.name), &mut Vec::new())?;
                        known.insert(test.name.into_owned(), test.value.place());
                    }
                    tests = Some((known, entry.value.place()));
                }
                name => warnings.push(unknown(&file, &entry, name, &["env", "requirements", "tests"])),
            }
        }
        let Some((tests, place)) = tests else {
            return Err(file.error("there are no `tests` in `molotov`", place, "`tests` is missing"));
        };
        Ok(Config { env, requirements, tests, place, warnings, file })
    }

    /// The options of a test, over those of the command line, of which `given` were given; with what is worth a warning.
    ///
    /// # Errors
    ///
    /// When there is no such test, or an option of it is wrong.
    pub(crate) fn apply(&self, test: &str, args: Args, given: &[String]) -> Result<(Args, Vec<String>), ConfigError> {
        let Some(place) = self.tests.get(test) else {
            let names: Vec<_> = self.tests.keys().map(String::as_str).collect();
            let known = match &names[..] {
                [] => "there is none".to_owned(),
                names => format!("there are: {}", names.join(", ")),
            };
            let help = nearest(test, &names).map(|near| format!("did you mean `{near}`?"));
            let message = format!("there is no test `{test}`; {known}");
            let shown = self.file.show(Level::ERROR, &message, self.place.clone(), "not among these", help.as_deref());
            return Err(ConfigError(shown));
        };
        let raw = serde_json::from_str(&self.file.text[place.clone()]);
        let raw: &RawValue = raw.map_err(|error| ConfigError(error.to_string()))?;
        let mut args = Args { scenario: None, ..args };
        let mut warnings = self.warnings.clone();
        let mut overridden = Vec::new();
        for entry in (Value { file: &self.file, raw }).entries("the test", &mut warnings)? {
            if entry.value.is_null() {
                continue;
            }
            if OPTIONS.contains(&&*entry.name) {
                let before = given.iter().any(|given| *given == *entry.name).then(|| args.clone());
                set(&mut args, &entry.name, entry.value)?;
                if before.is_some_and(|before| before != args) {
                    overridden.push(format!("`--{}`", entry.name.replace('_', "-")));
                }
            } else {
                warnings.push(unknown(&self.file, &entry, &entry.name, &OPTIONS));
                let value = serde_json::from_str(entry.value.raw.get());
                let value = value.map_err(|error| entry.value.refused("the value", &error.to_string()))?;
                args.extra.insert(entry.name.into_owned(), value);
            }
        }
        if !overridden.is_empty() {
            let (file, overridden) = (&self.file.name, overridden.join(", "));
            warnings.push(format!("the test `{test}` of `{file}` overrides {overridden} of the command line"));
        }
        Ok((args, warnings))
    }
}

/// Sets an option, checked as in a file; `null` takes a limit away.
///
/// # Errors
///
/// When the value cannot be used: why, in one line.
#[cfg(feature = "python")]
pub(super) fn change(args: &mut Args, name: &str, json: String) -> Result<(), String> {
    match (name, &*json) {
        ("max_runs", "null") => args.max_runs = None,
        ("fail", "null") => args.fail = None,
        ("seed", "null") => args.seed = None,
        _ => {
            let file = File { name: String::new(), text: json };
            let raw: &RawValue = serde_json::from_str(&file.text).map_err(|error| error.to_string())?;
            // The rest shows the place in the file.
            let first = |error: ConfigError| error.0.lines().next().unwrap_or_default().to_owned();
            set(args, name, Value { file: &file, raw }).map_err(first)?;
        }
    }
    Ok(())
}

fn set(args: &mut Args, name: &str, value: Value<'_>) -> Result<(), ConfigError> {
    let what = format!("`{name}`");
    let what = what.as_str();
    match name {
        "scenario" => args.scenario = Some(value.text(what)?),
        "single_run" => args.single_run = value.boolean(what)?,
        "single_mode" => args.single_mode = Some(value.text(what)?),
        "debug" => args.debug = value.boolean(what)?,
        "verbose" if value.kind() == "true or false" => args.verbose = value.boolean(what)?.into(),
        "verbose" => args.verbose = value.number(what, options::whole)?.try_into().unwrap_or(u8::MAX),
        "workers" => args.workers = value.number(what, options::workers)?,
        "ramp_up" => args.ramp_up = value.time(what, duration::parse)?,
        "sizing" => args.sizing = value.boolean(what)?,
        "sizing_tolerance" => args.sizing_tolerance = value.number(what, options::percent)?,
        "delay" => args.delay = value.time(what, duration::parse)?,
        "console_update" => args.console_update = value.time(what, duration::parse)?,
        "processes" => args.processes = value.number(what, options::processes)?,
        "duration" => args.duration = value.time(what, duration::parse)?,
        "max_runs" => args.max_runs = Some(value.number(what, options::whole)?).filter(|runs| *runs > 0),
        "quiet" => args.quiet = value.boolean(what)?,
        "exception" => args.exception = value.boolean(what)?,
        "fail" => args.fail = Some(value.number(what, options::whole)?),
        "console" => args.console = value.boolean(what)?,
        "statsd" => args.statsd = value.boolean(what)?,
        "statsd_address" => {
            let address = value.text(what)?;
            args.statsd_address = options::statsd_address(&address).map_err(|why| value.refused(what, &why))?;
        }
        "uvloop" => args.uvloop = value.boolean(what)?,
        "use_extension" => args.use_extension = value.texts(what)?.into_iter().map(|(name, _)| name).collect(),
        "force_shutdown" => args.force_shutdown = value.boolean(what)?,
        "threads" => args.threads = Some(value.number(what, options::threads)?),
        "seed" => args.seed = Some(value.number(what, options::whole)?),
        "report" => {
            args.report = Vec::new();
            for (path, at) in value.texts(what)? {
                args.report.push(options::report(&path).map_err(|error| at.refused(what, error.why()))?);
            }
        }
        "threshold" => {
            args.threshold = Vec::new();
            for (text, at) in value.texts(what)? {
                args.threshold.push(text.parse::<Threshold>().map_err(|why| at.refused(what, why.why()))?);
            }
        }
        "list" => args.list = value.boolean(what)?,
        "color" => {
            args.color = match &*value.text(what)? {
                "auto" => Color::Auto,
                "always" => Color::Always,
                "never" => Color::Never,
                _ => return Err(value.refused(what, "write `auto`, `always` or `never`")),
            }
        }
        "timeout" => args.timeout = value.time(what, duration::parse_positive)?,
        "show_secrets" => args.show_secrets = value.boolean(what)?,
        _ => unreachable!("`{name}` is among the options"),
    }
    Ok(())
}

fn unknown(file: &File, entry: &Entry<'_>, name: &str, known: &[&str]) -> String {
    let help = nearest(name, known).map(|near| format!("did you mean `{near}`?"));
    let message = format!("`{name}` is not known; it is kept for scripts to read");
    file.show(Level::WARNING, &message, entry.name_place.clone(), "no option of this name", help.as_deref())
}

/// Where a line and column of serde's are, in bytes: lines count from 1, columns are bytes from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
