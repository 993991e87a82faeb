//! `molostart`: writes a load test that runs, to begin with.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
};

use clap::{Parser, ValueEnum};
use molotov::cli::{Program, Wheel};

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
    /// Where Molotov comes from: the path of a checkout or a wheel, or the address of a git repository [default: the registry]
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
    match start.run(wheel.is_some(), &mut io::stdin().lock(), &mut io::stdout().lock()) {
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
    fn run(&self, wheel: bool, asked: &mut impl BufRead, out: &mut impl Write) -> Result<(), String> {
        let unwritten = |error: io::Error| format!("the answer cannot be written: {error}");
        writeln!(out, "**** Molotov Quickstart ****\n").map_err(unwritten)?;
        let default = if wheel { Language::Python } else { Language::Rust };
        let mut answers = Answers { ask: !self.yes, asked, out };
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => answers.to("Target directory", ".", |answer| Some(PathBuf::from(answer)), "")?,
        };
        let language = match self.language {
            Some(language) => language,
            None => answers.to(
                "Language, rust or python",
                default.name(),
                |answer| Language::from_str(answer, true).ok(),
                "Please write `rust` or `python`.",
            )?,
        };
        let makefile = match (self.makefile, self.no_makefile) {
            (true, _) => true,
            (_, true) => false,
            _ => answers.to(
                "Create Makefile",
                "y",
                |answer| match answer.to_lowercase().as_str() {
                    "y" | "yes" => Some(true),
                    "n" | "no" => Some(false),
                    _ => None,
                },
                "Please write `y` or `n`.",
            )?,
        };
        let source = Source::read(self.source.as_deref())?;
        let files = match language {
            Language::Rust => rust(&source.crates()?, &package_name(&directory), makefile),
            Language::Python => python(&source.wheel()?, makefile),
        };
        let out = answers.out;
        write_all(&directory, &files, out)?;
        let commands = commands(&directory, language, makefile, &source)?;
        writeln!(
            out,
            "\nAll done. Happy breaking! Go on with:\n\n{commands}\n\nThe second last of these starts a small service to hit; \
             `SERVICE=http://...` before the last\none hits another."
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
    /// Asks until the answer can be understood; an empty one is the default.
    fn to<T>(
        &mut self,
        question: &str,
        default: &str,
        understand: impl Fn(&str) -> Option<T>,
        help: &str,
    ) -> Result<T, String> {
        let known = || understand(default).ok_or_else(|| format!("`{default}` is no answer to `{question}`"));
        if !self.ask {
            return known();
        }
        loop {
            let shown = write!(self.out, "> {question} [{default}]: ").and_then(|()| self.out.flush());
            shown.map_err(|error| format!("the question cannot be written: {error}"))?;
            let mut answer = String::new();
            match self.asked.read_line(&mut answer) {
                Ok(0) => return Err("there is no answer; --yes takes the defaults".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(format!("the answer cannot be read: {error}")),
            }
            match answer.trim() {
                "" => return known(),
                answer => match understand(answer) {
                    Some(understood) => return Ok(understood),
                    // Who closed the output sees no question either.
                    None => drop(writeln!(self.out, "{help}")),
                },
            }
        }
    }
}

/// Where Molotov comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    Registry,
    Path(PathBuf),
    Git(String),
}

impl Source {
    fn read(asked: Option<&str>) -> Result<Source, String> {
        let Some(asked) = asked else { return Ok(Source::Registry) };
        match fs::canonicalize(asked) {
            Ok(path) => Ok(Source::Path(path)),
            Err(_) if asked.contains("://") || asked.starts_with("git@") => {
                Ok(Source::Git(asked.strip_prefix("git+").unwrap_or(asked).to_owned()))
            }
            Err(error) => Err(format!("--source `{asked}`: {error}, and it is no address of a git repository")),
        }
    }

    /// As a dependency in a `Cargo.toml`.
    fn crates(&self) -> Result<String, String> {
        Ok(match self {
            Source::Registry => quoted(env!("CARGO_PKG_VERSION")),
            Source::Git(address) => format!("{{ git = {} }}", quoted(address)),
            Source::Path(path) => {
                let of_crate = [path.join("molotov"), path.clone()].into_iter().find(|path| is_the_crate(path));
                let path = of_crate.ok_or_else(|| {
                    format!("--source: {} is no checkout of Molotov, which a crate needs", path.display())
                })?;
                format!("{{ path = {} }}", quoted(&utf8(&path)?))
            }
        })
    }

    /// As an argument of `pip install`.
    fn wheel(&self) -> Result<String, String> {
        match self {
            Source::Registry => Ok(format!("molotov-rs=={}", env!("CARGO_PKG_VERSION"))),
            Source::Git(address) if address.starts_with("git@") => {
                Ok(format!("git+ssh://{}", address.replacen(':', "/", 1)))
            }
            Source::Git(address) => Ok(format!("git+{address}")),
            Source::Path(path) if path.is_dir() && !path.join("pyproject.toml").is_file() => {
                Err(format!("--source: {} is no checkout of Molotov, and no wheel", path.display()))
            }
            Source::Path(path) => utf8(path),
        }
    }
}

fn is_the_crate(path: &Path) -> bool {
    let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
    manifest.lines().any(|line| line.trim() == "name = \"molotov\"")
}

fn utf8(path: &Path) -> Result<String, String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("{} is not UTF-8, which files of text have to be", path.display()))
}

/// A string of TOML: that of JSON is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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
        text.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_")).replace("{{molotov}}", dependency)
    };
    let mut files = vec![
        ("Cargo.toml", fill(include_str!("../templates/rust/manifest.toml"))),
        ("src/lib.rs", fill(include_str!("../templates/rust/lib.rs"))),
        ("src/main.rs", fill(include_str!("../templates/rust/main.rs"))),
        ("examples/service.rs", fill(include_str!("../templates/rust/service.rs"))),
        ("tests/load.rs", fill(include_str!("../templates/rust/load.rs"))),
        ("molotov.json", include_str!("../templates/rust/molotov.json").to_owned()),
        (".gitignore", "/target\n".to_owned()),
    ];
    if makefile {
        files.push(("Makefile", include_str!("../templates/rust/Makefile").to_owned()));
    }
    files
}

fn python(package: &str, makefile: bool) -> Vec<Written> {
    let mut files = vec![
        ("loadtest.py", include_str!("../templates/python/loadtest.py").to_owned()),
        ("service.py", include_str!("../templates/python/service.py").to_owned()),
        ("molotov.json", include_str!("../templates/python/molotov.json").to_owned()),
        (".gitignore", "/venv\n__pycache__/\n".to_owned()),
    ];
    if makefile {
        // `$` begins a variable of make, and `#` a comment.
        let package = word(package).replace('$', "$$").replace('#', "\\#");
        files.push(("Makefile", include_str!("../templates/python/Makefile").replace("{{package}}", &package)));
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

/// What to type next, a line each.
fn commands(directory: &Path, language: Language, makefile: bool, source: &Source) -> Result<String, String> {
    let mut lines = Vec::new();
    if directory != Path::new(".") {
        lines.push(format!("cd {}", word(&utf8(directory)?)));
    }
    match (language, makefile) {
        (Language::Rust, true) => lines.extend(["make build", "make service &", "make smoke"].map(str::to_owned)),
        (Language::Rust, false) => {
            lines.extend(
                ["cargo build --examples", "cargo run --example service &", "cargo run -- -w 10 -d 5"]
                    .map(str::to_owned),
            );
        }
        (Language::Python, true) => lines.extend(["make build", "make service &", "make smoke"].map(str::to_owned)),
        (Language::Python, false) => {
            lines.push("python3 -m venv venv".to_owned());
            lines.push(format!("venv/bin/pip install {}", word(&source.wheel()?)));
            lines.push("venv/bin/python service.py &".to_owned());
            lines.push("venv/bin/molotov -w 10 -d 5 loadtest.py".to_owned());
        }
    }
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
        let mut out = Vec::new();
        let done = start(line).run(false, &mut answers.as_bytes(), &mut out);
        (done, String::from_utf8(out).unwrap())
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
        let (done, out) = answer(&[], &format!("{}\ncobol\nPython\nperhaps\nN\n", target.display()));
        done.unwrap();
        assert!(
            out.contains("> Target directory [.]: > Language, rust or python [rust]: Please write `rust`"),
            "{out}"
        );
        assert!(out.contains("> Create Makefile [y]: Please write `y` or `n`."), "{out}");
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
        let (done, out) = answer(&[target, "--language", "rust", "--makefile"], "");
        done.unwrap();
        assert!(!out.contains('>'), "{out}");
        assert_eq!(
            files(directory.path()),
            [".gitignore", "Cargo.toml", "Makefile", "examples", "molotov.json", "src", "tests"]
        );
        let manifest = fs::read_to_string(directory.path().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(concat!("molotov = \"", env!("CARGO_PKG_VERSION"), "\"")), "{manifest}");
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
    fn sources_are_told_apart() {
        let git = Source::read(Some("https://example.com/molotov.git")).unwrap();
        assert_eq!(git.crates().unwrap(), r#"{ git = "https://example.com/molotov.git" }"#);
        assert_eq!(git.wheel().unwrap(), "git+https://example.com/molotov.git");
        let ssh = Source::read(Some("git@example.com:team/molotov.git")).unwrap();
        assert_eq!(ssh.wheel().unwrap(), "git+ssh://git@example.com/team/molotov.git");
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let path = Source::read(checkout.to_str()).unwrap();
        assert_eq!(
            path.crates().unwrap(),
            format!("{{ path = {} }}", quoted(checkout.join("molotov").to_str().unwrap()))
        );
        assert_eq!(path.wheel().unwrap(), checkout.to_str().unwrap());
        assert!(Source::read(Some("/nowhere/at/all")).unwrap_err().contains("No such file"));
        let other = tempfile::tempdir().unwrap();
        let other = Source::read(other.path().to_str()).unwrap();
        assert!(other.crates().unwrap_err().contains("is no checkout of Molotov"));
        assert!(other.wheel().unwrap_err().contains("is no checkout of Molotov"));
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
    fn words_of_a_shell_and_strings_of_toml_hold_anything() {
        assert_eq!(word("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(word(""), "''");
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\n""#);
    }
}
