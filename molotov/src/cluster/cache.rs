//! What an agent keeps between runs: programs and installed packages, by the hash of what they were made from.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::process::geteuid;

/// Returns the folder for one kind of contents, which only this user can write to: in `XDG_CACHE_HOME`, `~/.cache`, or, if these
/// cannot be written to, the directory for temporary files.
///
/// # Errors
///
/// If there is no such folder.
pub(super) fn folder(kind: &str) -> Result<PathBuf, String> {
    let of_user = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let of_user = of_user.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let mut refused = String::new();
    for (parent, name) in of_user
        .map(|parent| (parent, "molotov".to_owned()))
        .into_iter()
        .chain([(env::temp_dir(), format!("molotov-{}", geteuid().as_raw()))])
    {
        match create(&parent.join(name), kind) {
            Ok(path) => return Ok(path),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn create(top: &Path, kind: &str) -> Result<PathBuf, String> {
    let failed = |error| format!("cannot use the folder `{}` to keep files of runs: {error}", top.display());
    let path = top.join(kind);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
    for path in [top, &path] {
        // Not a link of another user to a folder of this one.
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        if !metadata.is_dir() || metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
            return Err(failed(io::Error::other("other users can write to it")));
        }
    }
    tempfile::tempfile_in(&path).map_err(failed)?;
    Ok(path)
}

/// Returns the entries of a folder, the one that was changed last first.
pub(super) fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<(SystemTime, PathBuf)> = (fs::read_dir(folder).into_iter().flatten())
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    entries.sort();
    entries.into_iter().rev().map(|(_, path)| path).collect()
}

/// Marks an entry as used now.
pub(super) fn touch(path: &Path) {
    // Only the order in which entries are removed depends on it.
    let _ = fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn folders_of_other_users_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let top = parent.path().join("molotov");
        let path = create(&top, "programs").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(create(&top, "programs").unwrap(), path);

        fs::set_permissions(&top, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(create(&top, "programs").unwrap_err().ends_with("other users can write to it"));
        fs::set_permissions(&top, fs::Permissions::from_mode(0o700)).unwrap();
        let link = parent.path().join("link");
        symlink(&top, &link).unwrap();
        assert!(create(&link, "programs").is_err());
    }
}
