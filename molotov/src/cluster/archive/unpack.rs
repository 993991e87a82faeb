//! Unpacks the files of a run into an empty folder. Archives come from another machine, so nothing in them is trusted.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;
use tar::EntryType;

use super::{
    super::protocol::Sha256,
    {ArchiveError, COUNT_LIMIT, Limit, SIZE_LIMIT},
};

/// Unpacks an archive into a folder, which is created if there is none, and in which nothing with the same names exists.
///
/// # Errors
///
/// If the hash of the bytes is another one, if an entry is no file or folder or would be outside of the folder, if the contents are
/// too large, or if a file cannot be written.
pub(crate) fn unpack(bytes: &[u8], hash: Sha256, into: &Path) -> Result<(), ArchiveError> {
    unpack_within(bytes, hash, into, SIZE_LIMIT, COUNT_LIMIT)
}

/// Unpacks an archive with at most `size` bytes of contents in at most `count` files.
pub(super) fn unpack_within(
    bytes: &[u8],
    hash: Sha256,
    into: &Path,
    size: u64,
    count: u64,
) -> Result<(), ArchiveError> {
    let found = Sha256::of(bytes);
    if found != hash {
        return Err(ArchiveError::Changed { found: found.to_string(), expected: hash.to_string() });
    }
    let write = |path: &Path, error| ArchiveError::Write { path: path.to_owned(), error };
    fs::create_dir_all(into).map_err(|error| write(into, error))?;
    // Entries have headers and padding of up to 2 KiB, beside long names.
    let mut contents = Limited { reader: GzDecoder::new(bytes), left: size.saturating_add(count * 4_096) };
    let mut archive = tar::Archive::new(&mut contents);
    let (mut written, mut entries, mut files) = (0, 0, BTreeSet::new());
    let result = (|| {
        for entry in archive.entries().map_err(ArchiveError::Damaged)? {
            let mut entry = entry.map_err(ArchiveError::Damaged)?;
            entries += 1;
            if entries > count {
                return Err(ArchiveError::Bomb(Limit::Count(count)));
            }
            let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path =
                inside(&entry.path().map_err(ArchiveError::Damaged)?).ok_or(ArchiveError::Leaves(shown.clone()))?;
            let target = into.join(&path);
            match entry.header().entry_type() {
                EntryType::Directory => fs::create_dir_all(&target).map_err(|error| write(&target, error))?,
                EntryType::Regular => {
                    written += entry.size();
                    if written > size {
                        return Err(ArchiveError::Bomb(Limit::Size(size)));
                    }
                    if !files.insert(path) {
                        return Err(ArchiveError::Twice(shown));
                    }
                    if let Some(parent) = target.parent() {
                        fs::create_dir_all(parent).map_err(|error| write(parent, error))?;
                    }
                    let is_executable = entry.header().mode().map_err(ArchiveError::Damaged)? & 0o100 != 0;
                    let mut options = OpenOptions::new();
                    options.write(true).create_new(true).mode(if is_executable { 0o755 } else { 0o644 });
                    let mut file = options.open(&target).map_err(|error| write(&target, error))?;
                    copy(&mut entry, &mut file).map_err(|error| match error {
                        Copy::Read(error) => ArchiveError::Damaged(error),
                        Copy::Write(error) => write(&target, error),
                    })?;
                }
                EntryType::Link | EntryType::Symlink => return Err(ArchiveError::Link(shown)),
                _ => return Err(ArchiveError::Device(shown)),
            }
        }
        Ok(())
    })();
    match result {
        Err(ArchiveError::Damaged(_)) if contents.left == 0 => Err(ArchiveError::Bomb(Limit::Size(size))),
        other => other,
    }
}

/// Returns a path without `.`; `None` if it could lead out of the folder that it is joined to.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => result.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(result)
}

enum Copy {
    Read(io::Error),
    Write(io::Error),
}

fn copy(from: &mut impl Read, to: &mut impl io::Write) -> Result<(), Copy> {
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer).map_err(Copy::Read)? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count]).map_err(Copy::Write)?,
        }
    }
}

/// Reads up to a number of bytes, after which reading fails.
struct Limited<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("the contents are too large"));
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.reader.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}
