//! Packs the files of a run.

use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::{
    super::protocol::Sha256,
    {ArchiveError, COUNT_LIMIT, FOLDER_LIMIT, Limit, SIZE_LIMIT},
};

/// Folders that are never packed unless they are named: version control, dependencies and caches that can be made again.
const LEFT_OUT: [&str; 13] = [
    ".git",
    ".hg",
    ".svn",
    ".bzr",
    ".jj",
    "__pycache__",
    "__pypackages__",
    ".mypy_cache",
    ".tox",
    ".nox",
    ".ipynb_checkpoints",
    "node_modules",
    "conda-meta",
];

/// The files of a run, packed.
#[derive(Debug)]
pub(crate) struct Archive {
    /// The compressed archive.
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: Sha256,
    /// The names of the files in the archive, sorted.
    pub(crate) files: Vec<String>,
    /// The folder in the archive that stands for the working directory.
    pub(crate) directory: String,
    /// The folder that was packed as the top of the archive.
    top: PathBuf,
    working_directory: PathBuf,
}

/// What to pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents<'a> {
    /// The directory that the run works in, which relative paths are relative to.
    pub(crate) directory: &'a Path,
    /// Folders that are packed because something in them is needed, such as that of the script.
    pub(crate) folders: &'a [PathBuf],
    /// Files and folders that the user has named.
    pub(crate) named: &'a [PathBuf],
    /// Files that are not needed, such as the reports that the run writes.
    pub(crate) left_out: &'a [PathBuf],
}

/// Packs files. The archive has the layout of the folders here, so that relative paths, `..` included, lead to the same files.
///
/// Links are followed: the archive contains the files that they lead to.
///
/// # Errors
///
/// If a file cannot be read, or the files are too large.
pub(crate) fn pack(contents: Contents<'_>) -> Result<Archive, ArchiveError> {
    let directory = absolute(contents.directory, Path::new("."));
    let here = |path: &PathBuf| absolute(&directory, path);
    let left_out: Vec<_> = contents.left_out.iter().map(here).collect();
    let mut found = Found::default();
    for folder in contents.folders {
        let within = FOLDER_LIMIT;
        let full = here(folder);
        let before = found.size;
        found.add(&full, &left_out, &mut Vec::new()).and_then(|()| found.check(before + within)).map_err(|error| {
            match error {
                ArchiveError::TooLarge(limit) => ArchiveError::FolderTooLarge { path: folder.clone(), limit },
                other => other,
            }
        })?;
    }
    for path in contents.named {
        found.add_named(&here(path), &left_out)?;
    }
    found.check(SIZE_LIMIT)?;

    let all = contents.folders.iter().chain(contents.named).map(here);
    let top = all.fold(directory.clone(), |top, path| common(&top, &path));
    let name = |path: &Path| match path.strip_prefix(&top).unwrap_or(path).to_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(ArchiveError::Name(path.to_owned())),
    };
    let mut builder = Builder::new(GzBuilder::new().write(Vec::new(), Compression::default()));
    let mut files = Vec::new();
    for (path, entry) in &found.entries {
        let shown = name(path)?;
        if shown.is_empty() {
            continue;
        }
        append(&mut builder, path, &shown, entry)?;
        if let Entry::File { .. } = entry {
            files.push(shown);
        }
    }
    let bytes = builder.into_inner().and_then(GzEncoder::finish);
    let bytes = bytes.map_err(|error| ArchiveError::Read { path: top.clone(), error })?;
    let hash = Sha256::of(&bytes);
    let relative = name(&directory)?;
    Ok(Archive { hash, bytes, files, directory: relative, top, working_directory: directory })
}

impl Archive {
    /// Returns the path in the archive of a file here, relative to the working directory; `None` if it is not below the top.
    pub(crate) fn relative(&self, path: &Path) -> Option<PathBuf> {
        let path = absolute(&self.working_directory, path);
        if !path.starts_with(&self.top) {
            return None;
        }
        let common = common(&self.working_directory, &path);
        let up = self.working_directory.strip_prefix(&common).ok()?.components().map(|_| Component::ParentDir);
        Some(up.chain(path.strip_prefix(&common).ok()?.components()).collect())
    }
}

/// What is packed under a path.
#[derive(Debug)]
enum Entry {
    Folder,
    File { size: u64, is_executable: bool },
}

/// The files to pack.
#[derive(Debug, Default)]
struct Found {
    entries: BTreeMap<PathBuf, Entry>,
    size: u64,
}

impl Found {
    /// Adds a path that the user has named, whatever its name is.
    fn add_named(&mut self, path: &Path, left_out: &[PathBuf]) -> Result<(), ArchiveError> {
        let metadata = metadata(path)?;
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(ArchiveError::Special(path.to_owned()));
        }
        self.add(path, left_out, &mut Vec::new())
    }

    /// Adds a file, or a folder with what is in it. `outer` are the folders that are being read, by device and number.
    fn add(&mut self, path: &Path, left_out: &[PathBuf], outer: &mut Vec<(u64, u64)>) -> Result<(), ArchiveError> {
        let metadata = metadata(path)?;
        if metadata.is_file() {
            let is_executable = metadata.permissions().mode() & 0o111 != 0;
            let entry = Entry::File { size: metadata.len(), is_executable };
            if self.entries.insert(path.to_owned(), entry).is_none() {
                self.size += metadata.len();
            }
            return self.check(u64::MAX);
        }
        let identity = (metadata.dev(), metadata.ino());
        // A link to an outer folder has no end.
        if !metadata.is_dir() || outer.contains(&identity) {
            return Ok(());
        }
        self.entries.insert(path.to_owned(), Entry::Folder);
        let unreadable = |error| ArchiveError::Read { path: path.to_owned(), error };
        outer.push(identity);
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let inner = entry.map_err(unreadable)?.path();
            if !is_left_out(&inner) && !left_out.contains(&inner) {
                self.add(&inner, left_out, outer)?;
            }
        }
        outer.pop();
        Ok(())
    }

    /// Checks that the number of files, and their size, are within the limits.
    fn check(&self, size: u64) -> Result<(), ArchiveError> {
        if self.entries.len() as u64 > COUNT_LIMIT {
            return Err(ArchiveError::TooLarge(Limit::Count(COUNT_LIMIT)));
        }
        if self.size > size.min(SIZE_LIMIT) {
            return Err(ArchiveError::TooLarge(Limit::Size(size.min(SIZE_LIMIT))));
        }
        Ok(())
    }
}

/// Whether a path in a folder is no part of a load test. Links that lead nowhere are not, either.
fn is_left_out(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    // Kubernetes mounts files as links into a folder whose name begins with two dots.
    if LEFT_OUT.iter().any(|left_out| name == *left_out) || name.as_encoded_bytes().starts_with(b"..") {
        return true;
    }
    let Ok(metadata) = fs::metadata(path) else {
        return fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink());
    };
    if !metadata.is_dir() {
        let is_compiled = path.extension().is_some_and(|extension| extension == "pyc");
        return !metadata.is_file() || is_compiled || name == ".DS_Store";
    }
    let is_environment = path.join("pyvenv.cfg").is_file() || path.join("conda-meta").is_dir();
    let is_build = name == "target" && path.with_file_name("Cargo.toml").is_file();
    is_environment || is_build || is_cache(path)
}

/// Whether a folder is marked as a cache, as cargo, pytest and many other programs do (<https://bford.info/cachedir/>).
fn is_cache(folder: &Path) -> bool {
    const SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";
    let mut start = Vec::new();
    let read = File::open(folder.join("CACHEDIR.TAG")).map(|file| file.take(SIGNATURE.len() as u64));
    read.and_then(|mut file| file.read_to_end(&mut start)).is_ok() && start == SIGNATURE
}

fn append(
    builder: &mut Builder<GzEncoder<Vec<u8>>>,
    path: &Path,
    name: &str,
    entry: &Entry,
) -> Result<(), ArchiveError> {
    let failed = |error| ArchiveError::Read { path: path.to_owned(), error };
    let mut header = Header::new_gnu();
    match *entry {
        Entry::Folder => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            builder.append_data(&mut header, name, io::empty()).map_err(failed)
        }
        Entry::File { size, is_executable } => {
            header.set_entry_type(EntryType::Regular);
            header.set_mode(if is_executable { 0o755 } else { 0o644 });
            header.set_size(size);
            // A file that grows is cut, and one that shrinks is an error: the header has its size.
            let file = File::open(path).map_err(failed)?.take(size);
            let mut file = Counted { file, read: 0 };
            builder.append_data(&mut header, name, &mut file).map_err(failed)?;
            match file.read == size {
                true => Ok(()),
                false => Err(failed(io::Error::other("it changed while it was read"))),
            }
        }
    }
}

/// Counts the bytes that are read.
struct Counted<R> {
    file: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read += count as u64;
        Ok(count)
    }
}

fn metadata(path: &Path) -> Result<Metadata, ArchiveError> {
    fs::metadata(path).map_err(|error| ArchiveError::Read { path: path.to_owned(), error })
}

/// Returns an absolute path without `.` and `..`. Links keep their names.
fn absolute(directory: &Path, path: &Path) -> PathBuf {
    let joined = directory.join(path);
    let joined = std::path::absolute(&joined).unwrap_or(joined);
    let mut result = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

/// Returns the deepest folder that contains both paths, or is one of them.
fn common(one: &Path, other: &Path) -> PathBuf {
    one.components().zip(other.components()).take_while(|(one, other)| one == other).map(|(one, _)| one).collect()
}
