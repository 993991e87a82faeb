//! The shell commands that build and run a new load test.

use std::path::Path;

use super::{Language, source::utf8};

/// The command that starts the service of the load test.
pub(super) fn start_service(language: Language, makefile: bool) -> &'static str {
    match (language, makefile) {
        (_, true) => "make service",
        (Language::Rust, false) => "cargo run --example service",
        (Language::Python, false) => "venv/bin/python service.py",
    }
}

/// The commands to run next, indented, one per line.
///
/// # Errors
///
/// Returns an error if the path of the directory is not UTF-8.
pub(super) fn next(directory: &Path, language: Language, makefile: bool, dependency: &str) -> Result<String, String> {
    let mut lines = Vec::new();
    if directory != Path::new(".") {
        lines.push(format!("cd {}", shell_quoted(&utf8(directory)?)));
    }
    let (build, run) = match (language, makefile) {
        (_, true) => (vec!["make build".to_owned()], "make smoke"),
        (Language::Rust, false) => (vec!["cargo build --examples".to_owned()], "cargo run -- -w 10 -d 5"),
        (Language::Python, false) => {
            let install = format!("venv/bin/pip install {}", shell_quoted(dependency));
            (vec!["python3 -m venv venv".to_owned(), install], "venv/bin/molotov -w 10 -d 5 loadtest.py")
        }
    };
    lines.extend(build);
    lines.push(format!("{} &", start_service(language, makefile)));
    lines.push(run.to_owned());
    Ok(lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"))
}

/// Quotes a text as one word of a shell command, if it needs quotes.
pub(super) fn shell_quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_quoted_keeps_plain_words_and_quotes_others() {
        assert_eq!(shell_quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(shell_quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_quoted(""), "''");
    }
}
