//! Where a new load test gets Molotov from.

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
    /// A checkout, the crate in it, or a wheel.
    Path(PathBuf),
    /// A git repository.
    Git {
        address: String,
        /// `None` for the newest commit.
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
    /// Parses the value of the option, or an answer, and checks that a load test in this language can use it.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is neither a path nor an address, or the path contains no Molotov for this language.
    pub(super) fn parse(value: &str, language: Language) -> Result<Source, String> {
        let source = match (fs::canonicalize(value), Url::parse(value.strip_prefix("git+").unwrap_or(value))) {
            (Ok(path), _) => Source::Path(path),
            (Err(_), Ok(url)) if matches!(url.scheme(), "https" | "http" | "ssh" | "git") && url.has_host() => {
                Source::Git { address: url.into(), commit: None }
            }
            (Err(_), Ok(url)) if url.scheme() == "file" => match url.to_file_path() {
                Ok(path) if path.exists() => Source::Git { address: url.into(), commit: None },
                _ => return Err(format!("there is no repository at `{value}`")),
            },
            (Err(_), _) if is_scp_like(value) => {
                // Neither cargo nor pip supports the short form.
                Source::Git { address: format!("ssh://{}", value.replacen(':', "/", 1)), commit: None }
            }
            (Err(error), _) => {
                return Err(format!(
                    "`{value}` is neither the address of a git repository nor a path ({error}); name {}",
                    language.sources()
                ));
            }
        };
        source.dependency(language).map(|_| source)
    }

    /// Where this command was installed from. `None` if the installation does not record it, or a load test in this language
    /// cannot use it.
    ///
    /// cargo and pip record the source of an installation. A command that was built but not installed is inside its checkout.
    pub(super) fn installed(language: Language, wheel: Option<&Wheel>) -> Option<Source> {
        let source = match wheel {
            Some(wheel) => recorded_by_pip(&wheel.packages, language),
            None => {
                let program = env::current_exe().ok()?;
                recorded_by_cargo(&program, language).or_else(|| Some(Source::Path(enclosing_checkout(&program)?)))
            }
        };
        source.filter(|source| source.dependency(language).is_ok())
    }

    /// The dependency of the load test: a value for its `Cargo.toml`, or an argument of `pip install`.
    ///
    /// # Errors
    ///
    /// Returns an error if the path contains no Molotov for this language, or is not UTF-8.
    pub(super) fn dependency(&self, language: Language) -> Result<String, String> {
        match language {
            Language::Rust => self.cargo_dependency(),
            Language::Python => self.pip_requirement(),
        }
    }

    fn cargo_dependency(&self) -> Result<String, String> {
        Ok(match self {
            Source::Registry => toml_string(env!("CARGO_PKG_VERSION")),
            Source::Git { address, commit: None } => format!("{{ git = {} }}", toml_string(address)),
            Source::Git { address, commit: Some(commit) } => {
                format!("{{ git = {}, rev = {} }}", toml_string(address), toml_string(commit))
            }
            Source::Path(path) => {
                let sdk = [path.join("molotov"), path.clone()].into_iter().find(|path| is_sdk(path));
                let sdk = sdk.ok_or_else(|| {
                    format!(
                        "{} does not contain the crate `molotov`; name {}",
                        path.display(),
                        Language::Rust.sources()
                    )
                })?;
                format!("{{ path = {} }}", toml_string(&utf8(&sdk)?))
            }
        })
    }

    fn pip_requirement(&self) -> Result<String, String> {
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
    /// The valid sources, for error messages.
    pub(super) fn sources(self) -> &'static str {
        match self {
            Language::Rust => "a checkout of Molotov or the address of its git repository",
            Language::Python => {
                "a checkout of Molotov, a wheel `molotov_rs-*.whl` or the address of its git repository"
            }
        }
    }
}

/// Whether this is an address such as `git@example.com:team/molotov.git`.
fn is_scp_like(value: &str) -> bool {
    let Some((host, path)) = value.split_once(':') else { return false };
    host.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('/'))
        && !path.is_empty()
}

/// The source that `cargo install` recorded for this program.
fn recorded_by_cargo(program: &Path, language: Language) -> Option<Source> {
    let root = program.parent()?.parent()?;
    let record: Value = serde_json::from_slice(&fs::read(root.join(".crates2.json")).ok()?).ok()?;
    let package = record.get("installs")?.as_object()?.keys().find(|package| package.starts_with("molotov-cli "))?;
    let (kind, url) = package.split_once('(')?.1.strip_suffix(')')?.split_once('+')?;
    let mut url = Url::parse(url).ok()?;
    match kind {
        "path" => Some(Source::Path(enclosing_checkout(&url.to_file_path().ok()?)?)),
        // The load test would contain the password.
        "git" if url.password().is_none() => {
            let commit = url.fragment().map(str::to_owned);
            url.set_fragment(None);
            url.set_query(None);
            Some(Source::Git { address: url.into(), commit })
        }
        // cargo's registry does not have the wheel.
        "registry" if language == Language::Rust && url.as_str() == "https://github.com/rust-lang/crates.io-index" => {
            Some(Source::Registry)
        }
        _ => None,
    }
}

/// The source that pip or another installer recorded for the wheel in this directory (PEP 610).
fn recorded_by_pip(packages: &Path, language: Language) -> Option<Source> {
    let information = packages.join(concat!("molotov_rs-", env!("CARGO_PKG_VERSION"), ".dist-info"));
    let Ok(record) = fs::read(information.join("direct_url.json")) else {
        // It was installed from an index, which has no crates.
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

/// The checkout that contains this file or directory.
fn enclosing_checkout(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|directory| is_checkout(directory)).map(Path::to_owned)
}

fn is_checkout(directory: &Path) -> bool {
    is_sdk(&directory.join("molotov")) && directory.join("pyproject.toml").is_file()
}

fn is_wheel(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.is_file() && name.starts_with("molotov_rs-") && name.ends_with(".whl")
}

fn is_sdk(path: &Path) -> bool {
    let manifest = fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
    manifest.lines().any(|line| line.trim() == "name = \"molotov\"")
}

/// Converts a path to a string.
///
/// # Errors
///
/// Returns an error if the path is not UTF-8.
pub(super) fn utf8(path: &Path) -> Result<String, String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("the path {} is not UTF-8; rename it, or use another one", path.display()))
}

/// A TOML string. Every JSON string is one.
fn toml_string(text: &str) -> String {
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

    /// The dependencies of a Rust and of a Python load test.
    fn dependencies(value: &str) -> [Result<String, String>; 2] {
        [Language::Rust, Language::Python]
            .map(|language| Source::parse(value, language).and_then(|source| source.dependency(language)))
    }

    #[test]
    fn addresses_become_dependencies_that_cargo_and_pip_understand() {
        for (value, address) in [
            ("https://example.com/molotov.git", "https://example.com/molotov.git"),
            ("git+https://example.com/molotov.git", "https://example.com/molotov.git"),
            ("git@example.com:team/molotov.git", "ssh://git@example.com/team/molotov.git"),
        ] {
            let expected = [format!("{{ git = \"{address}\" }}"), format!("git+{address}")];
            assert_eq!(dependencies(value).map(Result::unwrap), expected, "{value}");
        }
    }

    #[test]
    fn paths_must_contain_molotov_for_the_language() {
        let here = checkout().to_str().unwrap();
        let [rust, python] = dependencies(here).map(Result::unwrap);
        assert_eq!(rust, format!("{{ path = \"{here}/molotov\" }}"));
        assert_eq!(python, here);

        let directory = tempfile::tempdir().unwrap();
        let [rust, python] = dependencies(directory.path().to_str().unwrap()).map(Result::unwrap_err);
        assert!(
            rust.contains("does not contain the crate `molotov`; name a checkout of Molotov or the address"),
            "{rust}"
        );
        assert!(python.contains("is neither a checkout nor a wheel of Molotov; name a checkout"), "{python}");

        let [wheel, other] =
            ["molotov_rs-0.1.0-cp311-cp311-linux_x86_64.whl", "other-1.0-py3-none-any.whl"].map(|name| {
                let path = directory.path().join(name);
                fs::write(&path, "").unwrap();
                path.canonicalize().unwrap().to_str().unwrap().to_owned()
            });
        let [rust, python] = dependencies(&wheel);
        assert!(rust.unwrap_err().contains("does not contain the crate"));
        assert_eq!(python.unwrap(), wheel);
        assert!(dependencies(&other)[1].is_err());
    }

    #[test]
    fn other_values_are_errors_that_name_valid_sources() {
        // Versions are not supported.
        for value in ["/nowhere/at/all", "9.9.9", "molotov==0.1.0", "molotov", "https:", "x:y", "ftp://example.com/x"] {
            for result in dependencies(value) {
                let error = result.unwrap_err();
                assert!(error.starts_with(&format!("`{value}` is neither the address")), "{error}");
                assert!(error.contains("name a checkout of Molotov"), "{error}");
            }
        }
        let error = dependencies("file:///nowhere/at/all")[0].clone().unwrap_err();
        assert_eq!(error, "there is no repository at `file:///nowhere/at/all`");
    }

    #[test]
    fn a_command_that_is_not_installed_uses_its_checkout() {
        let found = Source::installed(Language::Rust, None);
        assert_eq!(found, enclosing_checkout(&env::current_exe().unwrap()).map(Source::Path));
        let found = enclosing_checkout(&checkout().join("target/debug/molostart")).unwrap();
        assert_eq!(found, checkout());
    }

    #[test]
    fn uses_the_source_that_cargo_recorded() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("bin/molostart");
        let found = |package: &str, language| {
            let record = serde_json::json!({"installs": {"mdbook 1.0.0 (x+https://example.com/)": {}, package: {}}});
            fs::write(root.path().join(".crates2.json"), record.to_string()).unwrap();
            recorded_by_cargo(&program, language)
        };
        let url = Url::from_file_path(checkout().join("molotov-cli")).unwrap();
        let path = found(&format!("molotov-cli 0.1.0 (path+{url})"), Language::Rust);
        assert_eq!(path, Some(Source::Path(checkout().to_owned())));
        assert_eq!(found("molotov-cli 0.1.0 (path+file:///nowhere/at/all)", Language::Rust), None);

        let git =
            found("molotov-cli 0.1.0 (git+https://example.com/m.git?branch=main#0123abc)", Language::Rust).unwrap();
        assert_eq!(git.cargo_dependency().unwrap(), r#"{ git = "https://example.com/m.git", rev = "0123abc" }"#);
        assert_eq!(git.pip_requirement().unwrap(), "git+https://example.com/m.git@0123abc");

        assert_eq!(found("molotov-cli 0.1.0 (git+https://me:secret@example.com/m.git#0123abc)", Language::Rust), None);

        let registry = "molotov-cli 0.1.0 (registry+https://github.com/rust-lang/crates.io-index)";
        assert_eq!(found(registry, Language::Rust), Some(Source::Registry));
        assert_eq!(found(registry, Language::Python), None);
        assert_eq!(found("molotov-cli 0.1.0 (registry+https://example.com/index)", Language::Rust), None);
        assert_eq!(found("other 0.1.0 (path+file:///)", Language::Rust), None);
        assert_eq!(recorded_by_cargo(Path::new("/nowhere/bin/molostart"), Language::Rust), None);
    }

    #[test]
    fn uses_the_source_that_pip_recorded() {
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
        // The wheel was removed after its installation, as in the image.
        record(r#"{"url": "file:///nowhere/molotov_rs-0.1.0-cp311.whl", "archive_info": {}}"#.to_owned());
        assert_eq!(found(Language::Python), None);
    }

    #[test]
    fn toml_strings_escape_special_characters() {
        assert_eq!(toml_string("a\"b\\c\n"), r#""a\"b\\c\n""#);
    }
}
