//! What was run: the program, its command line and its options.

use std::{collections::BTreeMap, ffi::OsString};

use serde::Serialize;

use crate::{options::Args, secrets, vars::Scope};

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
        RunInfo {
            program,
            language: "Rust".to_owned(),
            command: None,
            options: (args.given_values())
                .map(|(name, value)| match args.show_secrets {
                    true => (name.to_owned(), value),
                    false => (name.to_owned(), mask_value(name, value)),
                })
                .collect(),
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
        let mut command = vec![quoted(&first)];
        let mut option = String::new();
        for word in words {
            command.push(quoted(&mask_word(&option, &word)));
            option = word.into_owned();
        }
        RunInfo {
            command: Some(command.join(" ")),
            program: script.map_or(self.program, str::to_owned),
            language: language.to_owned(),
            ..self
        }
    }
}

/// Masks the secrets in the texts of the value of an option.
fn mask_value(option: &str, value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => String(mask_text(option, &text)),
        Array(values) => Array(values.into_iter().map(|value| mask_value(option, value)).collect()),
        Object(values) => Object(values.into_iter().map(|(name, value)| (name, mask_value(option, value))).collect()),
        other => other,
    }
}

/// Masks the secrets in a word of a command line. `before` is the word before it, which may be the option that it belongs to.
fn mask_word(before: &str, word: &str) -> String {
    let is = |written: &str, long: &str| written.len() > 3 && long.starts_with(written);
    for long in ["--header", "--cookie"] {
        let option = &long[2..];
        if is(before, long) {
            return mask_text(option, word);
        }
        // `--cookie=id=1`
        if let Some((written, value)) = word.split_once('=')
            && is(written, long)
        {
            return format!("{written}={}", mask_text(option, value));
        }
    }
    // `-H "A: b"`, or after other letters
    if header_letter(before).is_some_and(|end| end == before.len()) {
        return mask_text("header", word);
    }
    // `-HA:b`
    if let Some(end) = header_letter(word) {
        return format!("{}{}", &word[..end], mask_text("header", &word[end..]));
    }
    secrets::mask(word).into_owned()
}

/// Returns where the letter of `--header` ends in a word of short options: after `-cvH`.
fn header_letter(word: &str) -> Option<usize> {
    let letters = word.strip_prefix('-')?;
    let flags = letters.bytes().take_while(u8::is_ascii_lowercase).count();
    letters[flags..].starts_with('H').then_some(flags + 2)
}

fn mask_text(option: &str, text: &str) -> String {
    if Scope::shows_secrets() {
        return text.to_owned();
    }
    match (option, text.split_once([':', '='])) {
        ("cookie", Some((name, _))) => format!("{name}={}", secrets::MASK),
        ("header", Some((name, _))) if secrets::is_secret_header_name(name) => format!("{name}: {}", secrets::MASK),
        _ => secrets::mask(text).into_owned(),
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
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
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

    #[test]
    fn headers_and_cookies_are_masked() {
        for (words, shown) in [
            (&["-H", "Authorization: Bearer x"][..], "-H 'Authorization: ***'"),
            (&["-cH", "X-Api-Key: x"], "-cH 'X-Api-Key: ***'"),
            (&["-HAuthorization:x"], "'-HAuthorization: ***'"),
            (&["-cHCookie:x"], "'-cHCookie: ***'"),
            (&["-H", "-H"], "-H -H"),
            (&["--header=Authorization: x"], "'--header=Authorization: ***'"),
            (&["--head", "Authorization: x"], "--head 'Authorization: ***'"),
            (&["-H", "Accept: */*"], "-H 'Accept: */*'"),
            (&["--cookie", "id=hunter2; b=3"], "--cookie 'id=***'"),
            (&["--cookie=id=hunter2"], "'--cookie=id=***'"),
            (&["--host", "http://ada:pw@h"], "--host 'http://ada:***@h'"),
            (&["--config", "a=b"], "--config a=b"),
        ] {
            let line: Vec<_> = ["molotov"].iter().chain(words).map(Into::into).collect();
            let info = RunInfo::default().with_command(&line, None, "Rust");
            assert_eq!(info.command.as_deref(), Some(format!("molotov {shown}").as_str()));
        }
        let args = Args::default();
        let given = Options {
            header: Some(vec!["Authorization: x".parse().unwrap(), "A: b".parse().unwrap()]),
            cookie: Some(vec!["id=1".parse().unwrap()]),
            host: Some(Some("http://ada:pw@h".parse().unwrap())),
            ..Options::default()
        };
        let info = RunInfo::new(&Args { given, ..args });
        assert_eq!(info.options["header"], serde_json::json!(["Authorization: ***", "A: b"]));
        assert_eq!(info.options["cookie"], serde_json::json!(["id=***"]));
        assert_eq!(info.options["host"], "http://ada:***@h");
    }
}
