//! `molostart`: creates a load test that is ready to run.

mod commands;
mod files;
mod questions;
mod source;

use std::{
    ffi::OsString,
    io::{self, BufRead, Write},
    path::PathBuf,
};

use clap::{Parser, ValueEnum};
use molotov::cli::{Program, Wheel, masked};

use self::{questions::Questions, source::Source};
use crate::{parse, print_error};

inventory::submit! {
    Program { name: "molostart", run: main }
}

/// Creates a small load test that is ready to run.
///
/// Asks for everything that the options do not specify. Never overwrites existing files.
#[derive(Debug, Parser)]
#[command(name = "molostart", version, max_term_width = 120)]
pub struct Start {
    /// Directory to create the load test in [default: asks]
    directory: Option<PathBuf>,
    /// Language of the load test [default: asks]
    #[arg(short, long, value_enum, ignore_case = true)]
    language: Option<Language>,
    /// Create a Makefile
    #[arg(long, overrides_with = "no_makefile")]
    makefile: bool,
    /// Do not create a Makefile
    #[arg(long, overrides_with = "makefile")]
    no_makefile: bool,
    /// The Molotov to use: a checkout, a wheel, or the address of a git repository [default: the one that this command was
    /// installed from]
    #[arg(long, value_name = "PATH|GIT")]
    source: Option<String>,
    /// Ask no questions and use the defaults
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// A crate, which cargo runs
    Rust,
    /// A script, which the molotov command runs
    Python,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
        }
    }
}

/// Runs a command line and returns the exit code.
pub fn main(line: Vec<OsString>, wheel: Option<Wheel>) -> u8 {
    let start: Start = match parse(line) {
        Ok(start) => start,
        Err(code) => return code,
    };
    match start.run(wheel.as_ref(), &mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => 0,
        Err(message) => {
            print_error(&message);
            1
        }
    }
}

impl Start {
    fn run(&self, wheel: Option<&Wheel>, input: &mut impl BufRead, output: &mut impl Write) -> Result<(), String> {
        let write_error = |error: io::Error| format!("cannot write to standard output: {error}");
        writeln!(output, "**** Molotov Quickstart ****\n").map_err(write_error)?;
        let mut questions = Questions { ask: !self.yes, input, output };
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => {
                questions.ask("Target directory", Some(PathBuf::from(".")), ".", |answer| Ok(PathBuf::from(answer)))?
            }
        };
        let default = if wheel.is_some() { Language::Python } else { Language::Rust };
        let language = match self.language {
            Some(language) => language,
            None => questions.ask("Language, rust or python", Some(default), default.name(), |answer| {
                Language::from_str(answer, true).map_err(|_| "Please write `rust` or `python`.".to_owned())
            })?,
        };
        let makefile = match (self.makefile, self.no_makefile) {
            (true, _) => true,
            (_, true) => false,
            _ => questions.ask("Create Makefile", Some(true), "y", |answer| match answer.to_lowercase().as_str() {
                "y" | "yes" => Ok(true),
                "n" | "no" => Ok(false),
                _ => Err("Please write `y` or `n`.".to_owned()),
            })?,
        };
        let dependency = self.source(language, wheel, &mut questions)?.dependency(language)?;
        let output = questions.output;
        let generated = match language {
            Language::Rust => files::rust(&dependency, &directory, makefile),
            Language::Python => files::python(&dependency, makefile),
        };
        files::write_all(&directory, &generated, output)?;
        let commands = commands::next(&directory, language, makefile, &dependency)?;
        writeln!(
            output,
            "\nAll done. Happy breaking! Next, run:\n\n{commands}\n\n`{}` starts a small service to test. To test another one, \
             set SERVICE=http://...",
            commands::start_service(language, makefile)
        )
        .map_err(write_error)
    }

    /// Where the load test gets Molotov from: the option, or the answer to a question.
    fn source<I: BufRead, O: Write>(
        &self,
        language: Language,
        wheel: Option<&Wheel>,
        questions: &mut Questions<'_, I, O>,
    ) -> Result<Source, String> {
        if let Some(source) = &self.source {
            return Source::parse(source, language).map_err(|message| format!("--source {message}"));
        }
        let installed = Source::installed(language, wheel);
        if self.yes && installed.is_none() {
            return Err(format!(
                "this command's installation does not record where it came from; name {} with --source",
                language.sources()
            ));
        }
        let shown = installed.as_ref().map(Source::to_string).unwrap_or_default();
        let shown = masked(&shown);
        questions.ask("Molotov, a path or git address", installed, &shown, |answer| Source::parse(answer, language))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// Runs a command line with answers on standard input. Returns the result and the output.
    fn run(line: &[&str], answers: &str) -> (Result<(), String>, String) {
        run_from(None, line, answers)
    }

    fn run_from(wheel: Option<&Wheel>, line: &[&str], answers: &str) -> (Result<(), String>, String) {
        let start = Start::try_parse_from([&["molostart"], line].concat()).unwrap();
        let mut output = Vec::new();
        let result = start.run(wheel, &mut answers.as_bytes(), &mut output);
        (result, String::from_utf8(output).unwrap())
    }

    /// The checkout that contains this crate.
    fn checkout() -> &'static str {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_str().unwrap()
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn asks_for_what_the_options_do_not_specify() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("my test");
        let (result, output) =
            run(&[], &format!("{}\ncobol\nPython\nperhaps\nN\n/nowhere\n{}\n", target.display(), checkout()));
        result.unwrap();
        for part in [
            "> Target directory [.]: > Language, rust or python [rust]: Please write `rust`",
            "> Create Makefile [y]: Please write `y` or `n`.",
            "`/nowhere` is neither the address of a git repository nor a path",
            &format!("venv/bin/pip install {}\n", commands::shell_quoted(checkout())),
            &format!("cd '{}'", target.display()),
        ] {
            assert!(output.contains(part), "no {part:?} in {output}");
        }
        assert_eq!(names(&target), [".gitignore", "loadtest.py", "molotov.json", "service.py"]);
        let (result, output) = run(&[], "");
        assert_eq!(result.unwrap_err(), "standard input ended before an answer; --yes uses the defaults");
        assert!(!output.contains("Language"), "{output}");
    }

    #[test]
    fn does_not_ask_for_what_the_options_specify() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().to_str().unwrap();
        let (result, output) = run(&[target, "--language", "rust", "--makefile", "--source", checkout()], "");
        result.unwrap();
        assert!(!output.contains('>'), "{output}");
        assert_eq!(
            names(directory.path()),
            [".gitignore", "Cargo.toml", "Makefile", "examples", "molotov.json", "src", "tests"]
        );
        let manifest = fs::read_to_string(directory.path().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("molotov = {{ path = \"{}/molotov\" }}", checkout())), "{manifest}");
    }

    #[test]
    fn asks_for_the_source_if_the_installation_does_not_record_it() {
        let place = tempfile::tempdir().unwrap();
        let wheel = Wheel { python: PathBuf::from("python3"), packages: place.path().to_owned() };
        let target = place.path().join("new");
        let line = [target.to_str().unwrap(), "--language", "python", "--no-makefile"];
        let (result, _) = run_from(Some(&wheel), &[&line[..], &["--yes"]].concat(), "");
        let error = result.unwrap_err();
        assert!(error.contains("does not record where it came from; name a checkout of Molotov"), "{error}");
        assert!(error.ends_with("with --source") && !target.exists(), "{error}");
        let (result, output) = run_from(Some(&wheel), &line, "\n");
        assert_eq!(result.unwrap_err(), "standard input ended before an answer; give it with --source");
        assert!(output.contains("> Molotov, a path or git address: This question has no default.\n"), "{output}");
        run_from(Some(&wheel), &line, &format!("{}\n", checkout())).0.unwrap();
        assert!(target.join("loadtest.py").exists());
    }

    #[test]
    fn an_invalid_source_is_an_error_that_names_the_option() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("new");
        let line = [target.to_str().unwrap(), "--language", "rust", "--yes", "--source", "9.9.9"];
        let error = run(&line, "").0.unwrap_err();
        assert!(error.starts_with("--source `9.9.9` is neither the address of a git repository"), "{error}");
        assert!(!target.exists());
    }

    #[test]
    fn writes_nothing_if_a_file_exists() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().to_str().unwrap();
        fs::write(directory.path().join("molotov.json"), "mine").unwrap();
        let (result, _) = run(&[target, "--yes", "--language", "python"], "");
        assert_eq!(
            result.unwrap_err(),
            format!("{target} already contains molotov.json; nothing was written; remove it or name another directory")
        );
        assert_eq!(names(directory.path()), ["molotov.json"]);
        assert_eq!(fs::read_to_string(directory.path().join("molotov.json")).unwrap(), "mine");
    }

    #[test]
    fn does_not_write_through_dangling_links() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(directory.path().join("nowhere"), directory.path().join("loadtest.py")).unwrap();
        let (result, _) = run(&[directory.path().to_str().unwrap(), "--yes", "--language", "python"], "");
        assert!(result.unwrap_err().contains("already contains loadtest.py"));
    }
}
