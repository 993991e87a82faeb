//! Report files, written at the end of a run.
//!
//! A regular file is written whole or not at all: beside its place, then renamed. What cannot be replaced by a rename (a FIFO, a
//! device, a file that is a mount of its own) is written in place.

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
use super::{csv::csv, json::json};
use crate::{
    options::{
        ReportTarget,
        report_target::{Format, beside, resolved},
    },
    run::Summary,
};

/// How long a FIFO without a reader is waited for.
const READER: Duration = Duration::from_secs(10);

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report `{target}`: {source}")]
pub struct WriteError {
    target: String,
    source: io::Error,
}

/// Writes a report of a run.
///
/// Links are followed, and a file that exists keeps its mode.
///
/// # Errors
///
/// When the file cannot be written. A regular file that exists keeps its contents then.
pub fn write(summary: &Summary, target: &ReportTarget) -> Result<(), WriteError> {
    let text = match target.format {
        Format::Json => json(summary),
        #[cfg(feature = "html-report")]
        Format::Html => html(summary),
        #[cfg(not(feature = "html-report"))]
        Format::Html => {
            let why = crate::missing::missing("there are no HTML reports", "html-report");
            let source = io::Error::new(io::ErrorKind::Unsupported, why);
            return Err(WriteError { target: target.to_string(), source });
        }
        Format::Csv => csv(summary),
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
    fn a_report_replaces_an_older_one_and_keeps_its_mode() {
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
            check(&at(link));
            write(&at(link)).unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
            assert!(fs::read_to_string(at(file)).unwrap().len() > 3, "{file}");
        }
    }

    #[test]
    fn a_fifo_gets_the_report() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo.json");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        check(&path);
        let (place, reader) = (path.clone(), path.clone());
        let reader = thread::spawn(move || fs::read_to_string(reader).unwrap());
        write(&place).unwrap();
        assert!(reader.join().unwrap().starts_with('{'));
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo(), "it is still a FIFO");
    }

    #[test]
    fn a_full_device_is_an_error() {
        check(Path::new("json:/dev/full"));
        let error = write(Path::new("json:/dev/full")).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    }
}
