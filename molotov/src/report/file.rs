//! Writes report files at the end of a run.
//!
//! A regular file is replaced atomically: a temporary file is renamed. A file that cannot be replaced (a FIFO, a device, a mounted
//! file) is written in place.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

#[cfg(feature = "html-report")]
use super::html::html;
#[cfg(feature = "junit-report")]
use super::junit::junit;
use super::{csv::csv, json::json, markdown::markdown};
use crate::{
    options::{
        ReportTarget,
        report_target::{Format, beside, resolved},
    },
    run::Summary,
};

/// How long to wait for the reader of a FIFO.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report `{target}`: {source}")]
pub struct WriteError {
    target: String,
    source: io::Error,
}

/// Writes a report of a run. Links are followed, and an existing file keeps its mode.
///
/// # Errors
///
/// If the file cannot be written. An existing regular file then keeps its contents.
///
/// ```no_run
/// # use molotov::{LoadTest, report, report::ReportTarget};
/// # fn sample() -> Result<(), Box<dyn std::error::Error>> {
/// let test = LoadTest::new().workers(20).max_runs(10).run()?;
/// report::write(test.summary(), &"run.json".parse::<ReportTarget>()?)?;
/// # Ok(()) }
/// ```
pub fn write(summary: &Summary, target: &ReportTarget) -> Result<(), WriteError> {
    let text = match target.format {
        Format::Csv => csv(summary),
        #[cfg(feature = "html-report")]
        Format::Html => html(summary),
        Format::Json => json(summary),
        #[cfg(feature = "junit-report")]
        Format::Junit => junit(summary),
        Format::Markdown => markdown(summary),
        #[cfg(not(all(feature = "html-report", feature = "junit-report")))]
        format => {
            let why = target.missing_feature().unwrap_or_else(|| format!("no report is written as {format:?}"));
            let source = io::Error::new(io::ErrorKind::Unsupported, why);
            return Err(WriteError { target: target.to_string(), source });
        }
    };
    target.write(text.as_bytes()).map_err(|source| WriteError { target: target.to_string(), source })
}

impl ReportTarget {
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
            Err(error) if place.exists() && may_be_writable_in_place(&error) => in_place(&place, text),
            done => done,
        }
    }
}

/// Returns whether the file may be writable although it cannot be replaced: it is mounted, or its directory is not writable.
fn may_be_writable_in_place(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), ResourceBusy | CrossesDevices | PermissionDenied | ReadOnlyFilesystem)
}

/// Writes a temporary file beside `place` and renames it.
fn replace(place: &Path, text: &[u8]) -> io::Result<()> {
    let beside = beside(place);
    let there = fs::metadata(place).ok();
    // The new file is never readable by more users than the old one.
    let mode = there.as_ref().map_or(0o666, |there| there.mode() & 0o777);
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside);
    let written = opened.and_then(|mut file| file.write_all(text)).and_then(|()| {
        if let Some(there) = there {
            fs::set_permissions(&beside, there.permissions())?;
            // Only root can change the owner. A report with another owner is better than none.
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

/// Writes to a FIFO when it has a reader. Fails if there is none within [`READER_TIMEOUT`].
fn write_fifo(path: &Path, text: &[u8]) -> io::Result<()> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let until = Instant::now() + READER_TIMEOUT;
    let mut fifo = loop {
        match OpenOptions::new().write(true).custom_flags(nonblocking).open(path) {
            Ok(fifo) => break fifo,
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                if Instant::now() >= until {
                    let why =
                        format!("no process has opened the FIFO for reading within {} s", READER_TIMEOUT.as_secs());
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn check(path: &Path) {
        ReportTarget::try_from(path).unwrap().check().unwrap();
    }

    fn write(path: &Path) -> Result<(), WriteError> {
        super::write(&Summary::default(), &ReportTarget::try_from(path).unwrap())
    }

    #[test]
    fn report_replaces_an_older_one_and_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let before = fs::metadata(&path).unwrap();
        write(&path).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.mode(), after.uid()), (before.mode(), before.uid()));
        assert!(fs::read_to_string(&path).unwrap().starts_with('{'));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let error = write(&directory.path().join("nowhere/out.csv")).unwrap_err().to_string();
        assert!(error.starts_with("cannot write the report `") && error.contains("nowhere/out.csv"), "{error}");
    }

    #[test]
    fn links_are_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("kept")).unwrap();
        fs::write(at("kept/old.json"), "old").unwrap();
        symlink("kept/old.json", at("first.json")).unwrap();
        symlink("first.json", at("second.json")).unwrap();
        // A link to a file that does not exist.
        symlink("kept/new.csv", at("new.csv")).unwrap();
        for (link, file) in [("second.json", "kept/old.json"), ("new.csv", "kept/new.csv")] {
            check(&at(link));
            write(&at(link)).unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
            assert!(fs::read_to_string(at(file)).unwrap().len() > 3, "{file}");
        }
    }

    #[test]
    fn report_is_written_to_a_fifo() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo.json");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        check(&path);
        let (place, reader) = (path.clone(), path.clone());
        let reader = thread::spawn(move || fs::read_to_string(reader).unwrap());
        write(&place).unwrap();
        assert!(reader.join().unwrap().starts_with('{'));
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo(), "the FIFO is not replaced");
    }

    #[test]
    fn full_device_is_an_error() {
        check(Path::new("json:/dev/full"));
        let error = write(Path::new("json:/dev/full")).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    }
}
