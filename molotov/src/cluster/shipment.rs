//! What a run sends to its agents: the files of its script, and what a `molotov.json` adds.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::archive::{self, Archive, ArchiveError, Contents};

/// Where the files of a run come from. Paths are relative to the working directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// The script or module of the run.
    pub(crate) script: Option<String>,
    /// Its extensions: paths or modules.
    pub(crate) extensions: Vec<String>,
    /// The files that the configuration names, instead of the folder of the script.
    pub(crate) files: Option<Vec<PathBuf>>,
    /// The requirements file.
    pub(crate) requirements: Option<PathBuf>,
    /// Environment variables of the configuration.
    pub(crate) env: BTreeMap<String, String>,
    /// The files that the run writes.
    pub(crate) reports: Vec<PathBuf>,
}

/// What a run sends to its agents.
#[derive(Debug, Default)]
pub(crate) struct Shipment {
    pub(crate) archive: Option<Archive>,
    /// The script or module, as an agent finds it.
    pub(crate) script: Option<String>,
    /// The extensions, as an agent finds them.
    pub(crate) extensions: Vec<String>,
    /// The requirements file, relative to the folder that the run works in.
    pub(crate) requirements: Option<String>,
    pub(crate) env: Vec<(String, String)>,
}

impl Sources {
    /// Packs the files of a run that works in a directory.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or the files are too large.
    pub(crate) fn pack(self, directory: &Path) -> Result<Shipment, ArchiveError> {
        let Sources { script, extensions, files, requirements, env, reports } = self;
        let is_file = |name: &String| directory.join(name).is_file();
        let programs: Vec<PathBuf> =
            script.iter().chain(&extensions).filter(|name| is_file(name)).map(Into::into).collect();
        let mut named: Vec<_> = requirements.iter().cloned().chain(programs.iter().cloned()).collect();
        let folders = match files {
            Some(files) => {
                named.extend(files);
                Vec::new()
            }
            None => match &script {
                Some(script) if is_file(script) => vec![folder(Path::new(script))],
                // A module, which is found from the working directory.
                Some(_) => vec![directory.to_owned()],
                None => Vec::new(),
            },
        };
        let env = env.into_iter().collect();
        if folders.is_empty() && named.is_empty() {
            return Ok(Shipment { script, extensions, env, ..Shipment::default() });
        }
        let archive = archive::pack(Contents { directory, folders: &folders, named: &named, left_out: &reports })?;
        let there = |name: String| match archive.relative(Path::new(&name)) {
            Some(path) if is_file(&name) => path.to_string_lossy().into_owned(),
            _ => name,
        };
        Ok(Shipment {
            script: script.map(there),
            extensions: extensions.into_iter().map(there).collect(),
            requirements: requirements.map(|path| there(path.to_string_lossy().into_owned())),
            env,
            archive: Some(archive),
        })
    }
}

fn folder(script: &Path) -> PathBuf {
    match script.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    fn place(names: &[&str]) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        for name in names {
            let path = top.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        top
    }

    #[test]
    fn a_script_brings_its_folder() {
        let top = place(&["tests/load.py", "tests/shop.py", "tests/report.json", "notes.txt", "requirements.txt"]);
        let script = top.path().join("tests/load.py").to_string_lossy().into_owned();
        let sources = Sources {
            script: Some(script),
            extensions: vec!["some.module".to_owned()],
            requirements: Some("requirements.txt".into()),
            reports: vec!["tests/report.json".into()],
            env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            ..Sources::default()
        };
        let shipment = sources.pack(top.path()).unwrap();
        let archive = shipment.archive.unwrap();
        assert_eq!(archive.files, ["requirements.txt", "tests/load.py", "tests/shop.py"]);
        assert_eq!(shipment.script.as_deref(), Some("tests/load.py"));
        assert_eq!(shipment.extensions, ["some.module"]);
        assert_eq!(shipment.requirements.as_deref(), Some("requirements.txt"));
        assert_eq!(shipment.env, [("A".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn named_files_replace_the_folder() {
        let top = place(&["load.py", "shop.py", "big.bin", "data/users.csv", "extra.py"]);
        let sources = Sources {
            script: Some("load.py".to_owned()),
            extensions: vec!["extra.py".to_owned()],
            files: Some(vec!["shop.py".into(), "data".into()]),
            ..Sources::default()
        };
        let archive = sources.pack(top.path()).unwrap().archive.unwrap();
        assert_eq!(archive.files, ["data/users.csv", "extra.py", "load.py", "shop.py"]);
    }

    #[test]
    fn urls_and_programs_bring_nothing() {
        let top = place(&["notes.txt"]);
        assert!(Sources::default().pack(top.path()).unwrap().archive.is_none());
        let module = Sources { script: Some("shop.tests".to_owned()), ..Sources::default() };
        assert_eq!(module.pack(top.path()).unwrap().archive.unwrap().files, ["notes.txt"]);
    }
}
