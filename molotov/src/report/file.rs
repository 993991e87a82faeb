//! Report files: what `--report` names, checked before the run and written at its end.
//!
//! A regular file is written whole or not at all: beside its place, then renamed. What cannot be replaced by a rename (a FIFO, a
//! device, a file that is a mount of its own) is written in place.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{Access, OFlags, access, fcntl_getfl, fcntl_setfl};

use super::{Summary, csv::csv, html::html, json::json};

/// How long a FIFO without a reader is waited for.
const READER: Duration = Duration::from_secs(10);

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report `{}`: {source}", .path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

/// Writes a report of a run to `FILE` or `FORMAT:FILE`, as `--report` takes them.
///
/// Without a format, the file name ends in `.json`, `.html` or `.csv`. The file `-` is standard output. Links are followed, and a
/// file that exists keeps its mode.
///
/// # Errors
///
/// When the file cannot be written. A regular file that exists keeps its contents then.
pub fn write(summary: &Summary, path: &Path) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_owned(), source };
    let report = Report::parse(path).map_err(|why| failed(io::Error::new(io::ErrorKind::InvalidInput, why)))?;
    let text = match report.format {
        Format::Json => json(summary),
        Format::Html => html(summary),
        Format::Csv => csv(summary),
    };
    report.write(text.as_bytes()).map_err(failed)
}

/// Whether a report can be written there, to be asked before the run.
///
/// # Errors
///
/// One sentence that says what is wrong with the path.
pub fn check(path: &Path) -> Result<(), String> {
    Report::parse(path)?.check()
}

/// Whether this report goes to standard output.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    Report::parse(path).is_ok_and(|report| report.is_standard_output())
}

const KNOWN: &str = "name a file that ends in .json, .html or .csv, or put the format first, as in `json:-`";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Html,
    Csv,
}

impl Format {
    fn of(name: &str) -> Option<Format> {
        Some(match &*name.to_ascii_lowercase() {
            "json" => Format::Json,
            "html" => Format::Html,
            "csv" => Format::Csv,
            _ => return None,
        })
    }
}

/// What `--report` names.
#[derive(Debug)]
struct Report {
    format: Format,
    path: PathBuf,
}

impl Report {
    fn parse(written: &Path) -> Result<Report, String> {
        let prefixed = written.to_str().and_then(|text| text.split_once(':'));
        if let Some((Some(format), path)) = prefixed.map(|(format, path)| (Format::of(format), path)) {
            return match path {
                "" => Err(format!("`{}` names no file; {KNOWN}", written.display())),
                path => Ok(Report { format, path: path.into() }),
            };
        }
        match written.extension().and_then(|extension| Format::of(extension.to_str()?)) {
            Some(format) => Ok(Report { format, path: written.to_owned() }),
            None => Err(format!("`{}` has no known format; {KNOWN}", written.display())),
        }
    }

    /// Standard output goes by several names: `-`, `/dev/stdout`, or the file it is redirected to.
    fn is_standard_output(&self) -> bool {
        if self.path.as_os_str() == "-" {
            return true;
        }
        match (fs::metadata(&self.path), rustix::fs::fstat(rustix::stdio::stdout())) {
            (Ok(file), Ok(stdout)) => (file.dev(), file.ino()) == (stdout.st_dev, stdout.st_ino),
            _ => false,
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.is_standard_output() {
            return Ok(());
        }
        let shown = self.path.display();
        let unwritable = |error: io::Error| format!("`{shown}` cannot be written: {error}");
        match fs::metadata(&self.path) {
            Ok(there) if there.is_dir() => return Err(format!("`{shown}` is a directory; name a file")),
            Ok(there) => {
                access(&self.path, Access::WRITE_OK).map_err(|error| unwritable(error.into()))?;
                if !there.is_file() {
                    // A FIFO is opened when there is something to read.
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(error)),
        }
        let place = resolved(&self.path).map_err(unwritable)?;
        let parent = parent(&place);
        if !parent.is_dir() {
            return Err(format!("there is no directory `{}`; create it first", parent.display()));
        }
        // Only an attempt shows whether it works.
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

    fn write(&self, text: &[u8]) -> io::Result<()> {
        if self.is_standard_output() {
            let mut out = io::stdout().lock();
            return out.write_all(text).and_then(|()| out.flush());
        }
        match fs::metadata(&self.path) {
            Ok(there) if there.file_type().is_fifo() => return write_fifo(&self.path, text),
            Ok(there) if !there.is_file() => return in_place(&self.path, text),
            _ => {}
        }
        let place = resolved(&self.path)?;
        match replace(&place, text) {
            Err(error) if place.exists() && rename_is_the_trouble(&error) => in_place(&place, text),
            done => done,
        }
    }
}

/// Whether the file may be writable although it cannot be replaced: a mount, or a directory where others may not create files.
fn rename_is_the_trouble(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), ResourceBusy | CrossesDevices | PermissionDenied | ReadOnlyFilesystem)
}

/// Writes a file beside `place`, then renames it.
fn replace(place: &Path, text: &[u8]) -> io::Result<()> {
    let beside = beside(place);
    let there = fs::metadata(place).ok();
    // Never readable by more users than the old file was.
    let mode = there.as_ref().map_or(0o666, |there| there.mode() & 0o777);
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside);
    let written = opened.and_then(|mut file| file.write_all(text)).and_then(|()| {
        if let Some(there) = there {
            fs::set_permissions(&beside, there.permissions())?;
            // Only root can give files away; the report is worth more than its owner.
            let _ = std::os::unix::fs::chown(&beside, Some(there.uid()), Some(there.gid()));
        }
        fs::rename(&beside, place)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn in_place(path: &Path, text: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).truncate(true).open(path)?.write_all(text)
}

/// Writes to a FIFO once it has a reader, and fails if none comes.
fn write_fifo(path: &Path, text: &[u8]) -> io::Result<()> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let until = Instant::now() + READER;
    let mut fifo = loop {
        match OpenOptions::new().write(true).custom_flags(nonblocking).open(path) {
            Ok(fifo) => break fifo,
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                if Instant::now() >= until {
                    let why = format!("no process has opened the FIFO for reading within {} s", READER.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error),
        }
    };
    let flags = fcntl_getfl(&fifo)?;
    fcntl_setfl(&fifo, flags - OFlags::NONBLOCK)?;
    fifo.write_all(text)
}

/// The place that links lead to, whether or not a file is there.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        match fs::read_link(&place) {
            Ok(target) => place = parent(&place).join(target),
            // No link, or nothing there.
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
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn reports_that_cannot_be_written_are_refused_before_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("there.json")).unwrap();
        symlink("nowhere/out.json", at("dangling.json")).unwrap();
        for (name, part) in [
            ("out.txt", "has no known format; name a file that ends in .json, .html or .csv"),
            ("out", "has no known format"),
            ("-", "has no known format"),
            ("there.json", "is a directory"),
            ("nowhere/out.json", "there is no directory"),
            ("dangling.json", "there is no directory"),
        ] {
            let error = check(&at(name)).unwrap_err();
            assert!(error.contains(part), "{name}: {error}");
        }
        assert!(check(Path::new("json:")).unwrap_err().contains("names no file"));
        assert!(check(Path::new("xml:-")).unwrap_err().contains("has no known format"));
        for path in ["json:-", "CSV:/dev/stdout", "html:/dev/null"] {
            check(Path::new(path)).unwrap();
        }
        check(&at("OUT.HTML")).unwrap();
        assert!(!at("OUT.HTML").exists(), "checking leaves nothing behind");
    }

    #[test]
    fn a_report_replaces_an_older_one_and_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let before = fs::metadata(&path).unwrap();
        write(&Summary::default(), &path).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.mode(), after.uid()), (before.mode(), before.uid()));
        assert!(fs::read_to_string(&path).unwrap().starts_with('{'));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let error = write(&Summary::default(), &directory.path().join("nowhere/out.csv")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write the report `") && error.contains("nowhere/out.csv"), "{error}");
    }

    #[test]
    fn links_are_followed_and_stay() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("kept")).unwrap();
        fs::write(at("kept/old.json"), "old").unwrap();
        symlink("kept/old.json", at("first.json")).unwrap();
        symlink("first.json", at("second.json")).unwrap();
        // One that leads to a file that is not there yet.
        symlink("kept/new.csv", at("new.csv")).unwrap();
        for (link, file) in [("second.json", "kept/old.json"), ("new.csv", "kept/new.csv")] {
            check(&at(link)).unwrap();
            write(&Summary::default(), &at(link)).unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
            assert!(fs::read_to_string(at(file)).unwrap().len() > 3, "{file}");
        }
        symlink("endless.json", at("endless.json")).unwrap();
        assert!(check(&at("endless.json")).unwrap_err().contains("symbolic links"));
    }

    #[test]
    fn a_fifo_gets_the_report() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo.json");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        check(&path).unwrap();
        let (place, reader) = (path.clone(), path.clone());
        let reader = thread::spawn(move || fs::read_to_string(reader).unwrap());
        write(&Summary::default(), &place).unwrap();
        assert!(reader.join().unwrap().starts_with('{'));
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo(), "it is still a FIFO");
    }

    #[test]
    fn a_full_device_is_an_error() {
        check(Path::new("json:/dev/full")).unwrap();
        let error = write(&Summary::default(), Path::new("json:/dev/full")).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    }
}
