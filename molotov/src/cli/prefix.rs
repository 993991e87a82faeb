//! Abbreviated options: `--proc 2` is `--processes 2` if no other option starts with `--proc`.

use std::ffi::OsString;

/// A prefix of several options.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous {
    pub(super) written: String,
    pub(super) candidates: Vec<String>,
}

/// Replaces abbreviated long options by their full names.
///
/// An exact name is never an abbreviation. Options of the `original` take precedence over `ours`, so that command lines that
/// were written for the original keep their meaning.
pub(super) fn expand(
    arguments: impl IntoIterator<Item = OsString>,
    original: &[&str],
    ours: &[&str],
) -> Result<Vec<OsString>, Ambiguous> {
    let mut options_over = false;
    arguments
        .into_iter()
        .map(|argument| {
            options_over |= argument == "--";
            let Some(option) = argument.to_str().and_then(|text| text.strip_prefix("--")) else { return Ok(argument) };
            if options_over {
                return Ok(argument);
            }
            let (written, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option, None),
            };
            let Some(name) = resolve(written, original, ours)? else { return Ok(argument) };
            Ok(match value {
                Some(value) => format!("--{name}={value}").into(),
                None => format!("--{name}").into(),
            })
        })
        .collect()
}

/// Returns the option that `written` stands for; `None` if there is none, which the parser reports.
fn resolve<'a>(written: &str, original: &[&'a str], ours: &[&'a str]) -> Result<Option<&'a str>, Ambiguous> {
    if let Some(exact) = original.iter().chain(ours).find(|name| **name == written) {
        return Ok(Some(exact));
    }
    for names in [original, ours] {
        let fitting: Vec<&str> = names.iter().copied().filter(|name| name.starts_with(written)).collect();
        match fitting[..] {
            [] => {}
            [name] => return Ok(Some(name)),
            _ => {
                let mut candidates: Vec<String> = fitting.into_iter().map(ToOwned::to_owned).collect();
                candidates.sort();
                return Err(Ambiguous { written: written.to_owned(), candidates });
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn expanded(line: &str) -> Result<String, Ambiguous> {
        let original = ["processes", "ramp-up", "console", "console-update", "config"];
        let ours = ["report", "threads", "threshold", "color", "prompt"];
        let out = expand(line.split(' ').map(OsString::from), &original, &ours)?;
        Ok(out.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn prefixes_become_full_names() {
        for (line, full) in [
            ("--process 2", "--processes 2"),
            ("--proc=2 -v", "--processes=2 -v"),
            ("--console", "--console"),
            ("--console-u=1", "--console-update=1"),
            // `report` starts with it too, but the option of the original takes precedence.
            ("--r 3", "--ramp-up 3"),
            ("--pro 3", "--processes 3"),
            ("--re a.json", "--report a.json"),
            ("--col never", "--color never"),
            ("--nope", "--nope"),
            ("-r 3", "-r 3"),
            ("-- --proc", "-- --proc"),
            ("--re=--proc", "--report=--proc"),
        ] {
            assert_eq!(expanded(line).as_deref(), Ok(full), "{line}");
        }
    }

    #[test]
    fn ambiguous_prefixes_are_errors() {
        let error = expanded("--c").unwrap_err();
        assert_eq!(error.candidates, ["config", "console", "console-update"]);
        let error = expanded("--th=1").unwrap_err();
        assert_eq!(
            error,
            Ambiguous { written: "th".to_owned(), candidates: vec!["threads".to_owned(), "threshold".to_owned()] }
        );
    }

    #[test]
    #[cfg(unix)]
    fn arguments_that_are_not_utf8_pass_through() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(b"--proc\xff".to_vec());
        assert_eq!(expand([odd.clone()], &["processes"], &[]), Ok(vec![odd]));
    }
}
