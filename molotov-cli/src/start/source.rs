//! Where a new load test takes Molotov from.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
};

use molotov::cli::Wheel;
use serde_json::Value;
use url::Url;

use super::Language;

/// Where Molotov comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The registry of the language, in the version of this command.
    Registry,
    /// A checkout or a wheel.
    Path(PathBuf),
    /// A repository.
    Git {
        address: String,
        /// The commit to take, or the newest.
        commit: Option<String>,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Registry => f.write_str("the registry"),
            Source::Path(path) => path.display().fmt(f),
            Source::Git { address, commit: None } => f.write_str(address),
            Source::Git { address, commit: Some(commit) } => write!(f, "{address}, commit {commit}"),
        }
    }
}

impl Source {
    /// Reads an answer or the option's value, and checks that a load test in this language can use it.
    ///
    /// # Errors
    ///
    /// When there is no Molotov for this language: what is there instead, and what to name.
    pub(super) fn read(asked: &str, language: Language) -> Result<Source, String> {
        let source = match (fs::canonicalize(asked), Url::parse(asked.strip_prefix("git+").unwrap_or(asked))) {
            (Ok(path), _) => Source::Path(path),
            (Err(_), Ok(url)) if matches!(url.scheme(), "https" | "http" | "ssh" | "git") && url.has_host() => {
                Source::Git { address: url.into(), commit: None }
            }
            (Err(_), Ok(url)) if url.scheme() == "file" => match url.to_file_path() {
                Ok(path) if path.exists() => Source::Git { address: url.into(), commit: None },
                _ => return Err(format!("`{asked}`: there is no such repository")),
            },
            (Err(_), _) if is_short_ssh(asked) => {
                // Neither cargo nor pip knows the short form.
                Source::Git { address: format!("ssh://{}", asked.replacen(':', "/", 1)), commit: None }
            }
            (Err(error), _) => {
                return Err(format!(
                    "`{asked}` is not the address of a git repository, and not a path either ({error}); name {}",
                    language.sources()
                ));
            }
        };
        source.dependency(language).map(|_| source)
    }

    /// Where this command was installed from, if its installation records that and a load test in this language can use it.
    ///
    /// Nothing is built in: cargo and pip record their sources, and a command that was only built is inside its checkout.
    pub(super) fn installed(language: Language, wheel: Option<&Wheel>) -> Option<Source> {
        let source = match wheel {
            Some(wheel) => of_pip(&wheel.packages, language),
            None => {
                let program = env::current_exe().ok()?;
                of_cargo(&program, language).or_else(|| Some(Source::Path(checkout_around(&program)?)))
            }
        };
        source.filter(|source| source.dependency(language).is_ok())
    }

    /// What the load test's build asks for: a dependency of a `Cargo.toml`, or an argument of `pip install`.
    ///
    /// # Errors
    ///
    /// When a path has no Molotov for this language, or is not UTF-8.
    pub(super) fn dependency(&self, language: Language) -> Result<String, String> {
        match language {
            Language::Rust => self.crates(),
            Language::Python => self.wheel(),
        }
    }

    fn crates(&self) -> Result<String, String> {
        Ok(match self {
            Source::Registry => quoted(env!("CARGO_PKG_VERSION")),
            Source::Git { address, commit: None } => format!("{{ git = {} }}", quoted(address)),
            Source::Git { address, commit: Some(commit) } => {
                format!("{{ git = {}, rev = {} }}", quoted(address), quoted(commit))
            }
            Source::Path(path) => {
                let of_crate = [path.join("molotov"), path.clone()].into_iter().find(|path| is_the_crate(path));
                let of_crate = of_crate.ok_or_else(|| {
                    format!("{} holds no crate `molotov`; name {}", path.display(), Language::Rust.sources())
                })?;
                format!("{{ path = {} }}", quoted(&utf8(&of_crate)?))
            }
        })
    }

    fn wheel(&self) -> Result<String, String> {
        match self {
            Source::Registry => Ok(format!("molotov-rs=={}", env!("CARGO_PKG_VERSION"))),
            Source::Git { address, commit: None } => Ok(format!("git+{address}")),
            Source::Git { address, commit: Some(commit) } => Ok(format!("git+{address}@{commit}")),
            Source::Path(path) if is_checkout(path) || is_wheel(path) => utf8(path),
            Source::Path(path) => Err(format!(
                "{} is neither a checkout nor a wheel of Molotov; name {}",
                path.display(),
                Language::Python.sources()
            )),
        }
    }
}

impl Language {
    /// What a source may be, for messages.
    pub(super) fn sources(self) -> &'static str {
        match self {
            Language::Rust => "a checkout of Molotov or the address of its git repository",
            Language::Python => {
                "a checkout of Molotov, a wheel `molotov_rs-*.whl` or the address of its git repository"
            }
        }
    }
}

/// `git@example.com:team/molotov.git`.
fn is_short_ssh(asked: &str) -> bool {
    let Some((host, path)) = asked.split_once(':') else { return false };
    host.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('/'))
        && !path.is_empty()
}

/// What `cargo install` has recorded for this program.
fn of_cargo(program: &Path, language: Language) -> Option<Source> {
    let root = program.parent()?.parent()?;
    let record: Value = serde_json::from_slice(&fs::read(root.join(".crates2.json")).ok()?).ok()?;
    let package = record.get("installs")?.as_object()?.keys().find(|package| package.starts_with("molotov-cli "))?;
    let (kind, url) = package.split_once('(')?.1.strip_suffix(')')?.split_once('+')?;
    let mut url = Url::parse(url).ok()?;
    match kind {
        "path" => Some(Source::Path(checkout_around(&url.to_file_path().ok()?)?)),
        // A password would be written into the load test.
        "git" if url.password().is_none() => {
            let commit = url.fragment().map(str::to_owned);
            url.set_fragment(None);
            url.set_query(None);
            Some(Source::Git { address: url.into(), commit })
        }
        // The wheel is not in cargo's registry.
        "registry" if language == Language::Rust && url.as_str() == "https://github.com/rust-lang/crates.io-index" => {
            Some(Source::Registry)
        }
        _ => None,
    }
}

/// What pip, or another installer, has recorded for the wheel in this directory (PEP 610).
fn of_pip(packages: &Path, language: Language) -> Option<Source> {
    let information = packages.join(concat!("molotov_rs-", env!("CARGO_PKG_VERSION"), ".dist-info"));
    let Ok(record) = fs::read(information.join("direct_url.json")) else {
        // It came from an index, which has no crates.
        return (information.is_dir() && language == Language::Python).then_some(Source::Registry);
    };
    let record: Value = serde_json::from_slice(&record).ok()?;
    let url = Url::parse(record.get("url")?.as_str()?).ok()?;
    if let Some(repository) = record.get("vcs_info") {
        let commit = repository.get("commit_id").and_then(Value::as_str).map(str::to_owned);
        return (repository.get("vcs")? == "git").then(|| Source::Git { address: url.into(), commit });
    }
    Some(Source::Path(url.to_file_path().ok()?))
}

/// The checkout that holds this file or directory.
fn checkout_around(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|directory| is_checkout(directory)).map(Path::to_owned)
}

fn is_checkout(directory: &Path) -> bool {
    is_the_crate(&directory.join("molotov")) && directory.join("pyproject.toml").is_file()
}

fn is_wheel(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.is_file() && name.starts_with("molotov_rs-") && name.ends_with(".whl")
}

fn is_the_crate(path: &Path) -> bool {
    let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
    manifest.lines().any(|line| line.trim() == "name = \"molotov\"")
}

/// A path as text.
///
/// # Errors
///
/// When it is not UTF-8.
pub(super) fn utf8(path: &Path) -> Result<String, String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("{} is not UTF-8, which files of text have to be", path.display()))
}

/// A string of TOML: that of JSON is one.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const VERSION: &str = env!("CARGO_PKG_VERSION");

    fn checkout() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    /// What both languages ask for.
    fn both(asked: &str) -> [Result<String, String>; 2] {
        [Language::Rust, Language::Python]
            .map(|language| Source::read(asked, language).and_then(|source| source.dependency(language)))
    }

    #[test]
    fn addresses_become_dependencies_that_cargo_and_pip_understand() {
        for (asked, address) in [
            ("https://example.com/molotov.git", "https://example.com/molotov.git"),
            ("git+https://example.com/molotov.git", "https://example.com/molotov.git"),
            ("git@example.com:team/molotov.git", "ssh://git@example.com/team/molotov.git"),
        ] {
            let expected = [format!("{{ git = \"{address}\" }}"), format!("git+{address}")];
            assert_eq!(both(asked).map(Result::unwrap), expected, "{asked}");
        }
    }

    #[test]
    fn paths_are_checked_for_what_the_language_needs() {
        let here = checkout().to_str().unwrap();
        let [rust, python] = both(here).map(Result::unwrap);
        assert_eq!(rust, format!("{{ path = \"{here}/molotov\" }}"));
        assert_eq!(python, here);

        let directory = tempfile::tempdir().unwrap();
        let [rust, python] = both(directory.path().to_str().unwrap()).map(Result::unwrap_err);
        assert!(rust.contains("holds no crate `molotov`; name a checkout of Molotov or the address"), "{rust}");
        assert!(python.contains("is neither a checkout nor a wheel of Molotov; name a checkout"), "{python}");

        let [wheel, other] =
            ["molotov_rs-0.1.0-cp311-cp311-linux_x86_64.whl", "other-1.0-py3-none-any.whl"].map(|name| {
                let path = directory.path().join(name);
                fs::write(&path, "").unwrap();
                path.canonicalize().unwrap().to_str().unwrap().to_owned()
            });
        let [rust, python] = both(&wheel);
        assert!(rust.unwrap_err().contains("holds no crate"));
        assert_eq!(python.unwrap(), wheel);
        assert!(both(&other)[1].is_err());
    }

    #[test]
    fn what_is_no_source_is_refused_with_what_would_be_one() {
        // Versions are in no registry that this command knows of.
        for asked in ["/nowhere/at/all", "9.9.9", "molotov==0.1.0", "molotov", "https:", "x:y", "ftp://example.com/x"] {
            for refused in both(asked) {
                let told = refused.unwrap_err();
                assert!(told.starts_with(&format!("`{asked}` is not the address")), "{told}");
                assert!(told.contains("name a checkout of Molotov"), "{told}");
            }
        }
        let told = both("file:///nowhere/at/all")[0].clone().unwrap_err();
        assert_eq!(told, "`file:///nowhere/at/all`: there is no such repository");
    }

    #[test]
    fn a_command_that_was_only_built_takes_its_checkout() {
        let found = Source::installed(Language::Rust, None);
        assert_eq!(found, checkout_around(&env::current_exe().unwrap()).map(Source::Path));
        let found = checkout_around(&checkout().join("target/debug/molostart")).unwrap();
        assert_eq!(found, checkout());
    }

    #[test]
    fn what_cargo_has_recorded_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("bin/molostart");
        let found = |package: &str, language| {
            let record = serde_json::json!({"installs": {"mdbook 1.0.0 (x+https://example.com/)": {}, package: {}}});
            fs::write(root.path().join(".crates2.json"), record.to_string()).unwrap();
            of_cargo(&program, language)
        };
        let url = Url::from_file_path(checkout().join("molotov-cli")).unwrap();
        let path = found(&format!("molotov-cli 0.1.0 (path+{url})"), Language::Rust);
        assert_eq!(path, Some(Source::Path(checkout().to_owned())));
        assert_eq!(found("molotov-cli 0.1.0 (path+file:///nowhere/at/all)", Language::Rust), None);

        let git =
            found("molotov-cli 0.1.0 (git+https://example.com/m.git?branch=main#0123abc)", Language::Rust).unwrap();
        assert_eq!(git.crates().unwrap(), r#"{ git = "https://example.com/m.git", rev = "0123abc" }"#);
        assert_eq!(git.wheel().unwrap(), "git+https://example.com/m.git@0123abc");

        assert_eq!(found("molotov-cli 0.1.0 (git+https://me:secret@example.com/m.git#0123abc)", Language::Rust), None);

        let registry = "molotov-cli 0.1.0 (registry+https://github.com/rust-lang/crates.io-index)";
        assert_eq!(found(registry, Language::Rust), Some(Source::Registry));
        assert_eq!(found(registry, Language::Python), None);
        assert_eq!(found("molotov-cli 0.1.0 (registry+https://example.com/index)", Language::Rust), None);
        assert_eq!(found("other 0.1.0 (path+file:///)", Language::Rust), None);
        assert_eq!(of_cargo(Path::new("/nowhere/bin/molostart"), Language::Rust), None);
    }

    #[test]
    fn what_pip_has_recorded_is_taken() {
        let packages = tempfile::tempdir().unwrap();
        let information = packages.path().join(format!("molotov_rs-{VERSION}.dist-info"));
        let wheel = Wheel { python: PathBuf::from("python3"), packages: packages.path().to_owned() };
        let found = |language| Source::installed(language, Some(&wheel));
        assert_eq!(found(Language::Python), None);
        // From an index.
        fs::create_dir(&information).unwrap();
        assert_eq!(found(Language::Python), Some(Source::Registry));
        assert_eq!(found(Language::Rust), None);

        let record = |text: String| fs::write(information.join("direct_url.json"), text).unwrap();
        let url = Url::from_directory_path(checkout()).unwrap();
        record(format!(r#"{{"url": "{}", "dir_info": {{}}}}"#, url.as_str().trim_end_matches('/')));
        for language in [Language::Rust, Language::Python] {
            assert_eq!(found(language), Some(Source::Path(checkout().to_owned())));
        }
        record(
            r#"{"url": "https://example.com/m.git", "vcs_info": {"vcs": "git", "commit_id": "0123abc"}}"#.to_owned(),
        );
        assert_eq!(found(Language::Rust).unwrap().to_string(), "https://example.com/m.git, commit 0123abc");
        // A wheel that has been removed since, as in an image.
        record(r#"{"url": "file:///nowhere/molotov_rs-0.1.0-cp311.whl", "archive_info": {}}"#.to_owned());
        assert_eq!(found(Language::Python), None);
    }

    #[test]
    fn strings_of_toml_hold_anything() {
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\n""#);
    }
}
