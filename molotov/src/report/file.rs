//! Report files: chosen by their names, checked before the run, and written whole or not at all.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Summary, csv::csv, html::html, json::json};

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report `{}`: {source}", .path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Writes a report of a run; the end of the file's name says which: `.json`, `.html` or `.csv`.
///
/// # Errors
///
/// When the file cannot be written; one that was there before is left as it was then.
pub fn write(summary: &Summary, path: &Path) -> Result<(), WriteError> {
    let text = match format(path) {
        Some(Format::Json) => json(summary),
        Some(Format::Html) => html(summary),
        Some(Format::Csv) => csv(summary),
        None => {
            let source = io::Error::new(io::ErrorKind::InvalidInput, KNOWN);
            return Err(WriteError { path: path.to_owned(), source });
        }
    };
    let beside = beside(path);
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(|source| {
        let _ = fs::remove_file(&beside);
        WriteError { path: path.to_owned(), source }
    })
}

/// Whether a report can be written there, to be asked before the run.
///
/// # Errors
///
/// One sentence about what is wrong with the path.
pub fn check(path: &Path) -> Result<(), String> {
    let shown = path.display();
    if format(path).is_none() {
        return Err(format!("`{shown}`: {KNOWN}"));
    }
    if path.is_dir() {
        return Err(format!("`{shown}` is a directory; name a file"));
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        return Err(format!("there is no directory `{}`; make it first", parent.display()));
    }
    // Only who tries it knows.
    let beside = beside(path);
    match fs::File::create(&beside) {
        Ok(_) => {
            let _ = fs::remove_file(&beside);
            Ok(())
        }
        Err(error) => Err(format!("`{shown}` cannot be written: {error}")),
    }
}

const KNOWN: &str = "a report is a file that ends in .json, .html or .csv";

enum Format {
    Json,
    Html,
    Csv,
}

fn format(path: &Path) -> Option<Format> {
    Some(match &*path.extension()?.to_str()?.to_ascii_lowercase() {
        "json" => Format::Json,
        "html" => Format::Html,
        "csv" => Format::Csv,
        _ => return None,
    })
}

/// Where a report is written before it takes its name.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_told_before() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("there.json")).unwrap();
        for (name, part) in [
            ("out.txt", "ends in .json, .html or .csv"),
            ("out", "ends in .json, .html or .csv"),
            ("there.json", "is a directory"),
            ("nowhere/out.json", "there is no directory"),
        ] {
            let error = check(&at(name)).unwrap_err();
            assert!(error.contains(part), "{name}: {error}");
        }
        check(&at("OUT.HTML")).unwrap();
        assert!(!at("OUT.HTML").exists(), "checking leaves nothing behind");
    }

    #[test]
    fn a_report_takes_the_place_of_an_older_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.json");
        fs::write(&path, "old").unwrap();
        write(&Summary::default(), &path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with('{'));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let error = write(&Summary::default(), &directory.path().join("nowhere/out.csv")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write the report `") && error.contains("nowhere/out.csv"), "{error}");
    }
}
