//! What was run: the program, its command line and its options.

use std::{collections::BTreeMap, ffi::OsString};

use serde::Serialize;

use crate::{options::Args, secrets};

/// What was run, and where. Secrets are masked.
///
/// ```no_run
/// # use molotov::LoadTest;
/// let report = LoadTest::new().workers(20).max_runs(10).run()?;
/// let info = &report.summary().info;
/// println!("{} on {}, seed {:?}", info.program, info.host, info.seed);
/// # Ok::<(), molotov::LoadTestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// The script, or the name of the Rust program.
    pub program: String,
    /// `Python` or `Rust`; `Rust and Python` if a Rust program also runs scripts.
    pub language: String,
    /// The command line; `None` if the run was started by code.
    pub command: Option<String>,
    /// The options that were given, by name, from the command line, a `molotov.json` and code.
    pub options: BTreeMap<String, serde_json::Value>,
    /// The seed, if one was given.
    pub seed: Option<u64>,
    /// The name of the host that generated the load.
    pub host: String,
}

impl RunInfo {
    /// Describes a run of this process with these options.
    pub(crate) fn new(args: &Args) -> RunInfo {
        let program = std::env::args_os().next().unwrap_or_default();
        let program = std::path::Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let masked = |text: &str| if args.show_secrets { text.to_owned() } else { secrets::mask(text).into_owned() };
        RunInfo {
            program,
            language: "Rust".to_owned(),
            command: None,
            options: args.given_values().map(|(name, value)| (name.to_owned(), mask_value(value, &masked))).collect(),
            seed: args.seed,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }

    /// Replaces the options.
    pub(crate) fn with_options(self, args: &Args) -> RunInfo {
        let RunInfo { options, seed, .. } = RunInfo::new(args);
        RunInfo { options, seed, ..self }
    }

    /// Adds the command line. A script runs instead of the program that the line names first.
    pub(crate) fn with_command(self, line: &[OsString], script: Option<&str>, language: &str) -> RunInfo {
        let mut words = line.iter().map(|word| word.to_string_lossy());
        let first = words.next().unwrap_or_default();
        let first = first.rsplit('/').next().unwrap_or_default().to_owned();
        let words = std::iter::once(quoted(&first)).chain(words.map(|word| quoted(&secrets::mask(&word))));
        RunInfo {
            command: Some(words.collect::<Vec<_>>().join(" ")),
            program: script.map_or(self.program, str::to_owned),
            language: language.to_owned(),
            ..self
        }
    }
}

/// Masks the secrets in the texts of a value.
fn mask_value(value: serde_json::Value, masked: &impl Fn(&str) -> String) -> serde_json::Value {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => String(masked(&text)),
        Array(values) => Array(values.into_iter().map(|value| mask_value(value, masked)).collect()),
        Object(values) => Object(values.into_iter().map(|(name, value)| (name, mask_value(value, masked))).collect()),
        other => other,
    }
}

/// Quotes a word for a shell, if it needs quotes.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    #[test]
    fn command_line_is_quoted_and_secrets_are_masked() {
        let options = Options {
            statsd_address: Some("udp://user:hunter2@127.0.0.1:8125".to_owned()),
            seed: Some(Some(7)),
            ..Options::default()
        };
        let line = ["/usr/bin/molotov", "-w", "2", "it's.py", "--statsd-address", "udp://user:hunter2@127.0.0.1:8125"];
        let line: Vec<_> = line.into_iter().map(Into::into).collect();
        let info = RunInfo::new(&options.resolve()).with_command(&line, Some("it's.py"), "Python");
        assert_eq!(
            info.command.as_deref(),
            Some(r"molotov -w 2 'it'\''s.py' --statsd-address 'udp://user:***@127.0.0.1:8125'")
        );
        assert_eq!((info.program.as_str(), info.language.as_str(), info.seed), ("it's.py", "Python", Some(7)));
        assert_eq!(info.options["statsd_address"], "udp://user:***@127.0.0.1:8125");
        assert!(!info.host.is_empty());
    }
}
