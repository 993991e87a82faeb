//! `molostart`: writes a load test that runs, to begin with.

mod source;

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
};

use clap::{Parser, ValueEnum};
use molotov::cli::{Program, Wheel, masked};

use self::source::{Source, utf8};
use crate::{complain, read};

inventory::submit! {
    Program { name: "molostart", run: main }
}

/// Writes a small load test, ready to run.
///
/// Asks for what the options do not say. Files that are there already are never overwritten.
#[derive(Debug, Parser)]
#[command(name = "molostart", version, max_term_width = 120)]
pub struct Start {
    /// Where to write it [default: asks]
    directory: Option<PathBuf>,
    /// What to write it in [default: asks]
    #[arg(short, long, value_enum, ignore_case = true)]
    language: Option<Language>,
    /// With a Makefile
    #[arg(long, overrides_with = "no_makefile")]
    makefile: bool,
    /// Without a Makefile
    #[arg(long, overrides_with = "makefile")]
    no_makefile: bool,
    /// Where Molotov comes from: a checkout, a wheel, or the address of a git repository [default: where this command was
    /// installed from]
    #[arg(long, value_name = "PATH|GIT")]
    source: Option<String>,
    /// Ask nothing, take the defaults
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// A crate, run by cargo
    Rust,
    /// A script, run by the molotov command
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

/// Runs a command line; gives the code to exit with.
pub fn main(line: Vec<OsString>, wheel: Option<Wheel>) -> u8 {
    let start: Start = match read(line) {
        Ok(start) => start,
        Err(code) => return code,
    };
    match start.run(wheel.as_ref(), &mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => 0,
        Err(message) => {
            complain(&message);
            1
        }
    }
}

/// A file to write, with its text.
type Written = (&'static str, String);

impl Start {
    fn run(&self, wheel: Option<&Wheel>, asked: &mut impl BufRead, out: &mut impl Write) -> Result<(), String> {
        let unwritten = |error: io::Error| format!("the answer cannot be written: {error}");
        writeln!(out, "**** Molotov Quickstart ****\n").map_err(unwritten)?;
        let default = if wheel.is_some() { Language::Python } else { Language::Rust };
        let mut answers = Answers { ask: !self.yes, asked, out };
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => {
                answers.to("Target directory", Some(PathBuf::from(".")), ".", |answer| Ok(PathBuf::from(answer)))?
            }
        };
        let language = match self.language {
            Some(language) => language,
            None => answers.to("Language, rust or python", Some(default), default.name(), |answer| {
                Language::from_str(answer, true).map_err(|_| "Please write `rust` or `python`.".to_owned())
            })?,
        };
        let makefile = match (self.makefile, self.no_makefile) {
            (true, _) => true,
            (_, true) => false,
            _ => answers.to("Create Makefile", Some(true), "y", |answer| match answer.to_lowercase().as_str() {
                "y" | "yes" => Ok(true),
                "n" | "no" => Ok(false),
                _ => Err("Please write `y` or `n`.".to_owned()),
            })?,
        };
        let source = match &self.source {
            Some(asked) => Source::read(asked, language).map_err(|message| format!("--source {message}"))?,
            None => {
                let installed = Source::installed(language, wheel);
                if self.yes && installed.is_none() {
                    return Err(format!(
                        "this command's installation does not record where it came from; name {} with --source",
                        language.sources()
                    ));
                }
                let shown = installed.as_ref().map(Source::to_string).unwrap_or_default();
                let shown = masked(&shown);
                answers
                    .to("Molotov, a path or git address", installed, &shown, |answer| Source::read(answer, language))?
            }
        };
        let dependency = source.dependency(language)?;
        let files = match language {
            Language::Rust => rust(&dependency, &package_name(&directory), makefile),
            Language::Python => python(&dependency, makefile),
        };
        let out = answers.out;
        write_all(&directory, &files, out)?;
        let commands = commands(&directory, language, makefile, &dependency)?;
        writeln!(
            out,
            "\nAll done. Happy breaking! Go on with:\n\n{commands}\n\n`{}` starts a small service to hit. To hit another one, set \
             SERVICE=http://...",
            service(language, makefile)
        )
        .map_err(unwritten)
    }
}

/// Questions and their answers.
struct Answers<'a, I, O> {
    ask: bool,
    asked: &'a mut I,
    out: &'a mut O,
}

impl<I: BufRead, O: Write> Answers<'_, I, O> {
    /// Asks until the answer can be understood; an empty one is the default, if there is one.
    fn to<T>(
        &mut self,
        question: &str,
        mut default: Option<T>,
        shown: &str,
        understand: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        if !self.ask
            && let Some(default) = default.take()
        {
            return Ok(default);
        }
        loop {
            let prompt = if default.is_some() { format!("{question} [{shown}]") } else { question.to_owned() };
            let asked = write!(self.out, "> {prompt}: ").and_then(|()| self.out.flush());
            asked.map_err(|error| format!("the question cannot be written: {error}"))?;
            let mut answer = String::new();
            match self.asked.read_line(&mut answer) {
                Ok(0) if default.is_some() => return Err("there is no answer; --yes takes the defaults".to_owned()),
                Ok(0) => return Err("there is no answer; --source gives one".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(format!("the answer cannot be read: {error}")),
            }
            let understood = match (answer.trim(), default.take()) {
                ("", Some(default)) => return Ok(default),
                ("", None) => Err("This question has no default.".to_owned()),
                (answer, kept) => {
                    default = kept;
                    understand(answer)
                }
            };
            match understood {
                Ok(understood) => return Ok(understood),
                // Who closed the output sees no question either.
                Err(help) => drop(writeln!(self.out, "{help}")),
            }
        }
    }
}

/// One word of a shell.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// A name for the crate, after its directory.
fn package_name(directory: &Path) -> String {
    let whole = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let name = whole.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let fit: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let fit = fit.trim_matches(['-', '_']);
    match fit {
        "" => "loadtest".to_owned(),
        // Cargo refuses digits at the beginning, words of the language, and a crate that depends on its own name.
        _ if fit.starts_with(|c: char| c.is_ascii_digit()) || is_taken(fit) => format!("loadtest-{fit}"),
        fit => fit.to_owned(),
    }
}

fn is_taken(name: &str) -> bool {
    const TAKEN: [&str; 63] = [
        "molotov",
        "axum",
        "tokio",
        "test",
        "core",
        "std",
        "alloc",
        "proc_macro",
        "proc-macro",
        "build",
        "deps",
        "examples",
        "incremental",
        "abstract",
        "as",
        "async",
        "await",
        "become",
        "box",
        "break",
        "const",
        "continue",
        "crate",
        "do",
        "dyn",
        "else",
        "enum",
        "extern",
        "false",
        "final",
        "fn",
        "for",
        "gen",
        "if",
        "impl",
        "in",
        "let",
        "loop",
        "macro",
        "match",
        "mod",
        "move",
        "mut",
        "override",
        "priv",
        "pub",
        "ref",
        "return",
        "self",
        "static",
        "struct",
        "super",
        "trait",
        "true",
        "try",
        "type",
        "typeof",
        "unsafe",
        "unsized",
        "use",
        "virtual",
        "where",
        "while",
    ];
    TAKEN.contains(&name)
}

fn rust(dependency: &str, name: &str, makefile: bool) -> Vec<Written> {
    let fill = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{crate}}", &name.replace('-', "_"))
            .replace("{{molotov}}", dependency)
            .replace("{{service}}", service(Language::Rust, makefile))
    };
    let mut files = vec![
        ("Cargo.toml", fill(include_str!("../../templates/rust/manifest.toml"))),
        ("src/lib.rs", fill(include_str!("../../templates/rust/lib.rs"))),
        ("src/main.rs", fill(include_str!("../../templates/rust/main.rs"))),
        ("examples/service.rs", fill(include_str!("../../templates/rust/service.rs"))),
        ("tests/load.rs", fill(include_str!("../../templates/rust/load.rs"))),
        ("molotov.json", include_str!("../../templates/rust/molotov.json").to_owned()),
        (".gitignore", "/target\n".to_owned()),
    ];
    if makefile {
        files.push(("Makefile", include_str!("../../templates/rust/Makefile").to_owned()));
    }
    files
}

fn python(package: &str, makefile: bool) -> Vec<Written> {
    let mut files = vec![
        (
            "loadtest.py",
            include_str!("../../templates/python/loadtest.py")
                .replace("{{service}}", service(Language::Python, makefile)),
        ),
        ("service.py", include_str!("../../templates/python/service.py").to_owned()),
        ("molotov.json", include_str!("../../templates/python/molotov.json").to_owned()),
        (".gitignore", "/venv\n__pycache__/\n".to_owned()),
    ];
    if makefile {
        // `$` begins a variable of make, and `#` a comment.
        let package = word(package).replace('$', "$$").replace('#', "\\#");
        files.push(("Makefile", include_str!("../../templates/python/Makefile").replace("{{package}}", &package)));
    }
    files
}

/// Writes the files, or none of them.
fn write_all(directory: &Path, files: &[Written], out: &mut impl Write) -> Result<(), String> {
    // A name that leads nowhere counts as there: writing would go through it.
    let there = |name: &str| fs::symlink_metadata(directory.join(name)).is_ok();
    let taken: Vec<_> = files.iter().map(|(name, _)| *name).filter(|name| there(name)).collect();
    if !taken.is_empty() {
        let (is, they) = if taken.len() == 1 { ("is", "it") } else { ("are", "them") };
        return Err(format!(
            "{} {is} in {} already; nothing was written, so as not to overwrite {they}",
            taken.join(", "),
            directory.display()
        ));
    }
    for (name, text) in files {
        let path = directory.join(name);
        let unwritten = |error: io::Error| format!("{}: {error}", path.display());
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(unwritten)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(unwritten)?;
        file.write_all(text.as_bytes()).map_err(unwritten)?;
        // Who closed the pipe misses it.
        let _ = writeln!(out, "… {}", path.display());
    }
    Ok(())
}

/// What to type to start the service that the load test brings along.
fn service(language: Language, makefile: bool) -> &'static str {
    match (language, makefile) {
        (_, true) => "make service",
        (Language::Rust, false) => "cargo run --example service",
        (Language::Python, false) => "venv/bin/python service.py",
    }
}

/// What to type next, a line each.
fn commands(directory: &Path, language: Language, makefile: bool, dependency: &str) -> Result<String, String> {
    let mut lines = Vec::new();
    if directory != Path::new(".") {
        lines.push(format!("cd {}", word(&utf8(directory)?)));
    }
    let (build, run) = match (language, makefile) {
        (_, true) => (vec!["make build".to_owned()], "make smoke"),
        (Language::Rust, false) => (vec!["cargo build --examples".to_owned()], "cargo run -- -w 10 -d 5"),
        (Language::Python, false) => {
            let install = format!("venv/bin/pip install {}", word(dependency));
            (vec!["python3 -m venv venv".to_owned(), install], "venv/bin/molotov -w 10 -d 5 loadtest.py")
        }
    };
    lines.extend(build);
    lines.push(format!("{} &", service(language, makefile)));
    lines.push(run.to_owned());
    Ok(lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn start(line: &[&str]) -> Start {
        Start::try_parse_from([&["molostart"], line].concat()).unwrap()
    }

    fn answer(line: &[&str], answers: &str) -> (Result<(), String>, String) {
        answer_as(None, line, answers)
    }

    fn answer_as(wheel: Option<&Wheel>, line: &[&str], answers: &str) -> (Result<(), String>, String) {
        let mut out = Vec::new();
        let done = start(line).run(wheel, &mut answers.as_bytes(), &mut out);
        (done, String::from_utf8(out).unwrap())
    }

    /// A checkout, wherever the tests are built.
    fn checkout() -> &'static str {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_str().unwrap()
    }

    fn files(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_not_said_is_asked() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("my test");
        let (done, out) =
            answer(&[], &format!("{}\ncobol\nPython\nperhaps\nN\n/nowhere\n{}\n", target.display(), checkout()));
        done.unwrap();
        assert!(
            out.contains("> Target directory [.]: > Language, rust or python [rust]: Please write `rust`"),
            "{out}"
        );
        assert!(out.contains("> Create Makefile [y]: Please write `y` or `n`."), "{out}");
        assert!(out.contains("`/nowhere` is not the address of a git repository, and not a path either"), "{out}");
        assert!(out.contains(&format!("venv/bin/pip install {}\n", word(checkout()))), "{out}");
        assert!(out.contains(&format!("cd '{}'", target.display())), "{out}");
        assert_eq!(files(&target), [".gitignore", "loadtest.py", "molotov.json", "service.py"]);
        let (done, out) = answer(&[], "");
        assert_eq!(done.unwrap_err(), "there is no answer; --yes takes the defaults");
        assert!(!out.contains("Language"), "{out}");
    }

    #[test]
    fn what_is_said_is_not_asked() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().to_str().unwrap();
        let (done, out) = answer(&[target, "--language", "rust", "--makefile", "--source", checkout()], "");
        done.unwrap();
        assert!(!out.contains('>'), "{out}");
        assert_eq!(
            files(directory.path()),
            [".gitignore", "Cargo.toml", "Makefile", "examples", "molotov.json", "src", "tests"]
        );
        let manifest = fs::read_to_string(directory.path().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("molotov = {{ path = \"{}/molotov\" }}", checkout())), "{manifest}");
    }

    #[test]
    fn a_source_that_nothing_has_recorded_is_asked_for() {
        let place = tempfile::tempdir().unwrap();
        let wheel = Wheel { python: PathBuf::from("python3"), packages: place.path().to_owned() };
        let target = place.path().join("new");
        let line = [target.to_str().unwrap(), "--language", "python", "--no-makefile"];
        let (done, _) = answer_as(Some(&wheel), &[&line[..], &["--yes"]].concat(), "");
        let told = done.unwrap_err();
        assert!(told.contains("does not record where it came from; name a checkout of Molotov"), "{told}");
        assert!(told.ends_with("with --source") && !target.exists(), "{told}");
        let (done, out) = answer_as(Some(&wheel), &line, "\n");
        assert_eq!(done.unwrap_err(), "there is no answer; --source gives one");
        assert!(out.contains("> Molotov, a path or git address: This question has no default.\n"), "{out}");
        answer_as(Some(&wheel), &line, &format!("{}\n", checkout())).0.unwrap();
        assert!(target.join("loadtest.py").exists());
    }

    #[test]
    fn a_wrong_source_is_named_with_its_option() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("new");
        let line = [target.to_str().unwrap(), "--language", "rust", "--yes", "--source", "9.9.9"];
        let told = answer(&line, "").0.unwrap_err();
        assert!(told.starts_with("--source `9.9.9` is not the address of a git repository"), "{told}");
        assert!(!target.exists());
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_written_by_half() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().to_str().unwrap();
        fs::write(directory.path().join("molotov.json"), "mine").unwrap();
        let (done, _) = answer(&[target, "--yes", "--language", "python"], "");
        assert_eq!(
            done.unwrap_err(),
            format!("molotov.json is in {target} already; nothing was written, so as not to overwrite it")
        );
        assert_eq!(files(directory.path()), ["molotov.json"]);
        assert_eq!(fs::read_to_string(directory.path().join("molotov.json")).unwrap(), "mine");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_written_through() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(directory.path().join("nowhere"), directory.path().join("loadtest.py")).unwrap();
        let (done, _) = answer(&[directory.path().to_str().unwrap(), "--yes", "--language", "python"], "");
        assert!(done.unwrap_err().starts_with("loadtest.py is in "));
    }

    #[test]
    fn every_directory_gives_a_name_that_cargo_takes() {
        for (directory, name) in [
            ("/x/shop", "shop"),
            ("/x/My Shop!", "my-shop"),
            ("/x/2fast", "loadtest-2fast"),
            ("/x/molotov", "loadtest-molotov"),
            ("/x/async", "loadtest-async"),
            ("/x/漢字", "loadtest"),
            ("/", "loadtest"),
        ] {
            assert_eq!(package_name(Path::new(directory)), name);
        }
    }

    #[test]
    fn words_of_a_shell_hold_anything() {
        assert_eq!(word("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(word(""), "''");
    }
}
