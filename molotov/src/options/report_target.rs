//! The destination and the format of a report, as `--report` names them.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use rustix::fs::{Access, access};

use super::InvalidValue;
use crate::missing::missing;

const KNOWN: &str = "name a file that ends in .json, .html, .csv, .xml or .md, or put the format first, as in `json:-`";

/// A report to write: `FILE` or `FORMAT:FILE`.
///
/// The formats are `json`, `html`, `csv`, `junit` (or `xml`) and `markdown` (or `md`). Without a format, the file name ends in `.json`, `.html`, `.csv`,
/// `.xml` (JUnit) or `.md`. The file `-` is standard output.
///
/// ```
/// use molotov::report::ReportTarget;
///
/// let target: ReportTarget = "json:-".parse()?;
/// assert_eq!(target.to_string(), "json:-");
/// assert!("junit.xml".parse::<ReportTarget>().is_ok());
/// assert!("out.txt".parse::<ReportTarget>().is_err());
/// # Ok::<(), molotov::options::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTarget {
    written: PathBuf,
    pub(crate) format: Format,
    pub(crate) path: PathBuf,
}

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Html,
    Json,
    Junit,
    Markdown,
}

impl Format {
    /// The format with this name.
    fn named(name: &str) -> Option<Format> {
        Some(match &*name.to_ascii_lowercase() {
            "csv" => Format::Csv,
            "html" => Format::Html,
            "json" => Format::Json,
            "junit" | "xml" => Format::Junit,
            "markdown" | "md" => Format::Markdown,
            _ => return None,
        })
    }

    /// The format of files with this extension.
    fn with_extension(extension: &str) -> Option<Format> {
        match &*extension.to_ascii_lowercase() {
            name @ ("csv" | "html" | "json" | "md" | "xml") => Format::named(name),
            _ => None,
        }
    }
}

impl fmt::Display for ReportTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.display().fmt(f)
    }
}

impl FromStr for ReportTarget {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<ReportTarget, InvalidValue> {
        Path::new(text).try_into()
    }
}

impl TryFrom<&Path> for ReportTarget {
    type Error = InvalidValue;

    fn try_from(written: &Path) -> Result<ReportTarget, InvalidValue> {
        let target = |format, path: &Path| ReportTarget { written: written.to_owned(), format, path: path.to_owned() };
        let prefixed = written.to_str().and_then(|text| text.split_once(':'));
        if let Some((Some(format), path)) = prefixed.map(|(format, path)| (Format::named(format), path)) {
            return match path {
                "" => Err(format!("`{}` names no file; {KNOWN}", written.display()).into()),
                path => Ok(target(format, Path::new(path))),
            };
        }
        match written.extension().and_then(|extension| Format::with_extension(extension.to_str()?)) {
            Some(format) => Ok(target(format, written)),
            None => Err(format!("`{}` has no known format; {KNOWN}", written.display()).into()),
        }
    }
}

impl ReportTarget {
    /// Returns whether the report goes to standard output: `-`, `/dev/stdout`, or the file that standard output is redirected to.
    pub(crate) fn is_standard_output(&self) -> bool {
        if self.path.as_os_str() == "-" {
            return true;
        }
        match (fs::metadata(&self.path), rustix::fs::fstat(rustix::stdio::stdout())) {
            (Ok(file), Ok(stdout)) => (file.dev(), file.ino()) == (stdout.st_dev, stdout.st_ino),
            _ => false,
        }
    }

    /// The message about the feature that this report needs; `None` if the feature is on.
    pub(crate) fn missing_feature(&self) -> Option<String> {
        let feature = match self.format {
            Format::Html if !cfg!(feature = "html-report") => "html-report",
            Format::Junit if !cfg!(feature = "junit-report") => "junit-report",
            _ => return None,
        };
        Some(missing(format!("`{self}` cannot be written"), feature))
    }

    /// Checks before a run that the report can be written. The check does not change any file.
    ///
    /// # Errors
    ///
    /// If the file is a directory, its directory does not exist, or permission is missing.
    pub fn check(&self) -> Result<(), InvalidValue> {
        if let Some(missing) = self.missing_feature() {
            return Err(missing.into());
        }
        if self.is_standard_output() {
            return Ok(());
        }
        let shown = self.path.display();
        let unwritable = |error: io::Error| InvalidValue::from(format!("`{shown}` cannot be written: {error}"));
        match fs::metadata(&self.path) {
            Ok(there) if there.is_dir() => return Err(format!("`{shown}` is a directory; name a file").into()),
            Ok(there) => {
                access(&self.path, Access::WRITE_OK).map_err(|error| unwritable(error.into()))?;
                if !there.is_file() {
                    // A FIFO can be opened only when a reader has opened it.
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(error)),
        }
        let place = resolved(&self.path).map_err(unwritable)?;
        let parent = parent(&place);
        if !parent.is_dir() {
            return Err(format!("there is no directory `{}`; create it first", parent.display()).into());
        }
        // Permissions alone do not tell whether a file can be created.
        let beside = beside(&place);
        match File::create(&beside) {
            Ok(_) => {
                let _ = fs::remove_file(&beside);
                Ok(())
            }
            Err(_) if place.exists() => OpenOptions::new().write(true).open(&place).map(drop).map_err(unwritable),
            Err(error) => Err(unwritable(error)),
        }
    }
}

/// Checks that no two reports are written to the same regular file.
///
/// # Errors
///
/// If two of them are. The message names both.
pub(crate) fn check_distinct(targets: &[ReportTarget]) -> Result<(), InvalidValue> {
    let mut places: Vec<(PathBuf, &ReportTarget)> = Vec::new();
    for target in targets.iter().filter(|target| !target.is_standard_output()) {
        // Several reports can be written to a device or a FIFO.
        if fs::metadata(&target.path).is_ok_and(|there| !there.is_file()) {
            continue;
        }
        let Ok(place) = resolved(&target.path) else { continue };
        let Ok(directory) = fs::canonicalize(parent(&place)) else { continue };
        let place = directory.join(place.file_name().unwrap_or_default());
        if let Some((_, other)) = places.iter().find(|(known, _)| *known == place) {
            return Err(format!("`{other}` and `{target}` are the same file; name another file for one of them").into());
        }
        places.push((place, target));
    }
    Ok(())
}

/// Follows links, and returns a path that is no link. The file need not exist.
pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_owned();
    // Linux follows up to 40 links.
    for _ in 0..40 {
        match fs::read_link(&place) {
            Ok(target) => place = parent(&place).join(target),
            // Not a link, or not found.
            Err(_) => return Ok(place),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The path of the temporary file that is renamed to `path`.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn check(path: &Path) -> Result<(), InvalidValue> {
        ReportTarget::try_from(path)?.check()
    }

    #[test]
    fn refuses_two_reports_in_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        symlink("a.json", at("link.csv")).unwrap();
        let check = |paths: [String; 2]| check_distinct(&paths.map(|path| path.parse().unwrap()));
        for other in ["a.json", "./a.json", "link.csv"] {
            let error = check([at("a.json"), at(other)]).unwrap_err().to_string();
            assert!(error.contains(&format!("a.json` and `{}` are the same file", at(other))), "{error}");
        }
        check([at("a.json"), format!("csv:{}", at("a.json"))]).unwrap_err();
        check([at("a.json"), at("a.csv")]).unwrap();
        check(["json:-", "csv:-"].map(str::to_owned)).unwrap();
        check(["json:/dev/null", "csv:/dev/null"].map(str::to_owned)).unwrap();
    }

    #[test]
    fn refuses_reports_that_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("there.json")).unwrap();
        symlink("nowhere/out.json", at("dangling.json")).unwrap();
        symlink("endless.json", at("endless.json")).unwrap();
        for (name, part) in [
            ("out.txt", "has no known format; name a file that ends in .json, .html, .csv, .xml or .md"),
            ("out", "has no known format"),
            ("-", "has no known format"),
            ("there.json", "is a directory"),
            ("nowhere/out.json", "there is no directory"),
            ("dangling.json", "there is no directory"),
            ("endless.json", "symbolic links"),
        ] {
            let error = check(&at(name)).unwrap_err().to_string();
            assert!(error.contains(part), "{name}: {error}");
        }
        assert!(check(Path::new("json:")).unwrap_err().to_string().contains("names no file"));
        assert!(check(Path::new("text:-")).unwrap_err().to_string().contains("has no known format"));
        for path in ["json:-", "CSV:/dev/stdout", "html:/dev/null", "junit:-", "xml:-", "markdown:-", "md:-"] {
            check(Path::new(path)).unwrap();
        }
        for (path, format) in [
            ("out.xml", Format::Junit),
            ("SUMMARY.MD", Format::Markdown),
            ("junit:out.json", Format::Junit),
            ("xml:-", Format::Junit),
            ("md:-", Format::Markdown),
            ("markdown:notes.txt", Format::Markdown),
            ("out.markdown.json", Format::Json),
        ] {
            assert_eq!(path.parse::<ReportTarget>().unwrap().format, format, "{path}");
        }
        check(&at("OUT.HTML")).unwrap();
        assert!(!at("OUT.HTML").exists(), "the check changes no files");
    }
}
