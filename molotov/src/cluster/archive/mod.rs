//! Archives of the files that a run needs: a folder or named paths, as a compressed tar file that is named by its hash.
//!
//! The same files make the same archive on any machine: names are sorted, and times and owners are left out.

mod pack;
mod unpack;

use std::{fmt, io, path::PathBuf};

pub(crate) use self::{
    pack::{Archive, Contents, pack},
    unpack::unpack,
};

/// The largest size of the files in a folder that is packed because it contains the script, in bytes.
const FOLDER_LIMIT: u64 = 64 << 20;
/// The largest size of the files in an archive, in bytes.
const SIZE_LIMIT: u64 = 1 << 30;
/// The largest number of files and folders in an archive.
const COUNT_LIMIT: u64 = 50_000;

/// Why files cannot be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("cannot send `{}` to the agents: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot send `{}` to the agents: it is neither a file nor a folder", .0.display())]
    Special(PathBuf),
    #[error("cannot send `{}` to the agents: its name is not UTF-8", .0.display())]
    Name(PathBuf),
    #[error(
        "the folder `{}` contains more than {limit}, which is too much to send to the agents; name the files that the \
         run needs with `files` in a molotov.json, or move the script into a folder of its own",
        path.display()
    )]
    FolderTooLarge { path: PathBuf, limit: Limit },
    #[error("the files of the run contain more than {0}, which is too much to send to the agents; name fewer `files`")]
    TooLarge(Limit),
    #[error("the archive of the run was changed on its way: its SHA-256 is {found}, and {expected} is expected")]
    Changed { found: String, expected: String },
    #[error("the archive of the run is damaged: {0}")]
    Damaged(io::Error),
    #[error("refused the archive of the run: `{0}` would be outside of its folder")]
    Leaves(String),
    #[error("refused the archive of the run: `{0}` is a link")]
    Link(String),
    #[error("refused the archive of the run: `{0}` is neither a file nor a folder")]
    Device(String),
    #[error("refused the archive of the run: it contains `{0}` twice")]
    Twice(String),
    #[error("refused the archive of the run: it contains more than {0}")]
    Bomb(Limit),
    #[error("cannot write `{}`: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
}

/// The limit that an archive exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// In bytes.
    Size(u64),
    Count(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Size(bytes) => write!(f, "{} MiB", bytes >> 20),
            Limit::Count(count) => write!(f, "{count} files"),
        }
    }
}

#[cfg(test)]
mod tests;
