//! Tests of archives, including hostile ones made by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::{super::protocol::Sha256, unpack::unpack_within, *};

/// Creates files with their names as contents. A name that ends with a slash is a folder.
fn files(names: &[&str]) -> TempDir {
    let top = tempfile::tempdir().unwrap();
    for name in names {
        let path = top.path().join(name);
        match name.ends_with('/') {
            true => fs::create_dir_all(path).unwrap(),
            false => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, name).unwrap();
            }
        }
    }
    top
}

fn folder(top: &Path) -> Archive {
    let folders = [top.to_owned()];
    pack(Contents { directory: top, folders: &folders, named: &[], left_out: &[] }).unwrap()
}

/// The names and contents of an archive, unpacked.
fn unpacked(archive: &Archive) -> TempDir {
    let into = tempfile::tempdir().unwrap();
    unpack(&archive.bytes, archive.hash, into.path()).unwrap();
    into
}

#[test]
fn unpacks_what_was_packed() {
    let top = files(&["loadtest.py", "shop/__init__.py", "data/users.csv", "empty/", ".env"]);
    fs::write(top.path().join("tool"), [0xff; 100_000]).unwrap();
    fs::set_permissions(top.path().join("tool"), fs::Permissions::from_mode(0o750)).unwrap();
    let archive = folder(top.path());
    assert_eq!(archive.files, [".env", "data/users.csv", "loadtest.py", "shop/__init__.py", "tool"]);
    assert_eq!(archive.directory, "");
    let into = unpacked(&archive);
    for name in ["loadtest.py", "shop/__init__.py", "data/users.csv", ".env"] {
        assert_eq!(fs::read_to_string(into.path().join(name)).unwrap(), name);
    }
    assert_eq!(fs::read(into.path().join("tool")).unwrap(), [0xff; 100_000]);
    assert_eq!(fs::metadata(into.path().join("tool")).unwrap().permissions().mode() & 0o111, 0o111);
    assert!(into.path().join("empty").is_dir());
}

#[test]
fn equal_files_make_equal_archives() {
    let names = ["b.py", "a/c.txt", "a/b.txt"];
    let (one, other) = (files(&names), files(&["a/b.txt", "a/c.txt", "b.py"]));
    let long_ago = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    fs::File::options().write(true).open(other.path().join("b.py")).unwrap().set_times(long_ago).unwrap();
    let (one, other) = (folder(one.path()), folder(other.path()));
    assert_eq!((one.hash, one.bytes), (other.hash, other.bytes));
    let changed = files(&["b.py", "a/c.txt", "a/d.txt"]);
    assert_ne!(folder(changed.path()).hash, one.hash);
}

#[test]
fn leaves_out_what_can_be_made_again() {
    let top = files(&[
        "loadtest.py",
        ".git/HEAD",
        "__pycache__/loadtest.pyc",
        "old.pyc",
        ".venv/pyvenv.cfg",
        "environment/pyvenv.cfg",
        "environment/lib/python3.13/site-packages/x.py",
        "page/node_modules/x.js",
        "target/notes.txt",
        "crate/Cargo.toml",
        "crate/target/debug/x",
        "report.json",
        "..2026_11_26/loadtest.py",
    ]);
    fs::create_dir(top.path().join(".pytest_cache")).unwrap();
    fs::write(top.path().join(".pytest_cache/CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n#").unwrap();
    symlink("nowhere", top.path().join("broken")).unwrap();
    let folders = [top.path().to_owned()];
    let left_out = ["report.json".into(), "none.html".into()];
    let contents = Contents { directory: top.path(), folders: &folders, named: &[], left_out: &left_out };
    assert_eq!(pack(contents).unwrap().files, ["crate/Cargo.toml", "loadtest.py", "target/notes.txt"]);
    // What is named is packed.
    let named = ["crate/target".into(), "old.pyc".into()];
    let contents = Contents { directory: top.path(), folders: &[], named: &named, left_out: &[] };
    assert_eq!(pack(contents).unwrap().files, ["crate/target/debug/x", "old.pyc"]);
}

#[test]
fn relative_paths_lead_to_the_same_files() {
    let top = files(&["ci/", "tests/load.py", "data/users.csv", "other.txt"]);
    let directory = top.path().join("ci");
    let (folders, named) = (["../tests".into()], ["../data/users.csv".into()]);
    let archive = pack(Contents { directory: &directory, folders: &folders, named: &named, left_out: &[] }).unwrap();
    assert_eq!(archive.directory, "ci");
    assert_eq!(archive.files, ["data/users.csv", "tests/load.py"]);
    let script = top.path().join("tests/load.py");
    assert_eq!(archive.relative(&script).unwrap(), Path::new("../tests/load.py"));
    assert_eq!(archive.relative(Path::new("../tests/load.py")).unwrap(), Path::new("../tests/load.py"));
    assert_eq!(archive.relative(Path::new("/etc/passwd")), None);
}

#[test]
fn links_are_packed_as_what_they_lead_to() {
    let outside = files(&["shared.csv"]);
    let top = files(&["a/loadtest.py"]);
    symlink(outside.path().join("shared.csv"), top.path().join("a/users.csv")).unwrap();
    symlink("..", top.path().join("a/up")).unwrap();
    let archive = folder(top.path());
    assert_eq!(archive.files, ["a/loadtest.py", "a/users.csv"]);
    assert_eq!(fs::read_to_string(unpacked(&archive).path().join("a/users.csv")).unwrap(), "shared.csv");
}

#[test]
fn refuses_to_pack_what_is_too_large_or_missing() {
    let top = files(&["loadtest.py"]);
    let disk = fs::File::create(top.path().join("disk.img")).unwrap();
    disk.set_len(FOLDER_LIMIT + 1).unwrap();
    let folders = [top.path().to_owned()];
    let contents = Contents { directory: top.path(), folders: &folders, named: &[], left_out: &[] };
    let error = pack(contents).unwrap_err().to_string();
    assert!(error.contains("contains more than 64 MiB") && error.contains("with `files` in a molotov.json"), "{error}");

    disk.set_len(SIZE_LIMIT + 1).unwrap();
    let named = ["disk.img".into()];
    let contents = Contents { directory: top.path(), folders: &[], named: &named, left_out: &[] };
    let error = pack(contents).unwrap_err().to_string();
    assert!(error.contains("contain more than 1024 MiB") && error.ends_with("name fewer `files`"), "{error}");

    let named = ["missing.csv".into()];
    let contents = Contents { directory: top.path(), folders: &[], named: &named, left_out: &[] };
    let error = pack(contents).unwrap_err().to_string();
    assert!(error.contains("missing.csv` to the agents: No such file"), "{error}");
}

/// A compressed archive of one entry, whose name is written as it is.
fn by_hand(name: &str, kind: EntryType, target: &str, contents: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(contents.len() as u64);
    header.set_cksum();
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    builder.append(&header, contents).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

/// The error of unpacking an archive. Nothing may be written outside of the folder.
fn refused(bytes: &[u8]) -> String {
    let outer = tempfile::tempdir().unwrap();
    let into = outer.path().join("run");
    let error = unpack_within(bytes, Sha256::of(bytes), &into, 1 << 20, 10).unwrap_err().to_string();
    let left: Vec<_> = fs::read_dir(outer.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["run"]);
    assert!(!error.contains('\n'), "{error}");
    error
}

#[test]
fn changed_archives_are_refused() {
    let archive = folder(files(&["loadtest.py"]).path());
    let mut bytes = archive.bytes.clone();
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    let into = tempfile::tempdir().unwrap();
    let error = unpack(&bytes, archive.hash, into.path()).unwrap_err().to_string();
    assert!(error.starts_with("the archive of the run was changed on its way: its SHA-256 is "), "{error}");
    assert!(error.ends_with(&format!("{} is expected", archive.hash)), "{error}");
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    for name in ["../evil.py", "a/../../evil.py", "/tmp/evil.py", ".."] {
        let error = refused(&by_hand(name, EntryType::Regular, "", b"x"));
        assert_eq!(error, format!("refused the archive of the run: `{name}` would be outside of its folder"));
    }
    let error = refused(&by_hand("../evil", EntryType::Directory, "", b""));
    assert_eq!(error, "refused the archive of the run: `../evil` would be outside of its folder");
}

#[test]
fn links_and_devices_are_refused() {
    for target in ["/etc/passwd", "../../.ssh", "loadtest.py"] {
        for kind in [EntryType::Symlink, EntryType::Link] {
            let error = refused(&by_hand("data", kind, target, b""));
            assert_eq!(error, "refused the archive of the run: `data` is a link");
        }
    }
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::Continuous] {
        let error = refused(&by_hand("null", kind, "", b""));
        assert_eq!(error, "refused the archive of the run: `null` is neither a file nor a folder");
    }
}

#[test]
fn too_large_contents_are_refused() {
    let error = refused(&by_hand("zeros", EntryType::Regular, "", &vec![0; 2 << 20]));
    assert_eq!(error, "refused the archive of the run: it contains more than 1 MiB");
    // A long name is read before its entry.
    let error = refused(&by_hand("././@LongLink", EntryType::GNULongName, "", &vec![b'a'; 2 << 20]));
    assert_eq!(error, "refused the archive of the run: it contains more than 1 MiB");
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for number in 0..11 {
        let mut header = Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("{number}"), &b""[..]).unwrap();
    }
    let error = refused(&builder.into_inner().unwrap().finish().unwrap());
    assert_eq!(error, "refused the archive of the run: it contains more than 10 files");
}

#[test]
fn damaged_and_ambiguous_archives_are_refused() {
    let mut short = by_hand("a", EntryType::Regular, "", &[7; 5_000]);
    short.truncate(short.len() / 2);
    assert!(refused(&short).starts_with("the archive of the run is damaged: "));
    assert!(refused(b"no archive").starts_with("the archive of the run is damaged: "));
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for text in [&b"one"[..], b"two"] {
        let mut header = Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o644);
        builder.append_data(&mut header, "a", text).unwrap();
    }
    let mut encoder = builder.into_inner().unwrap();
    encoder.flush().unwrap();
    assert_eq!(refused(&encoder.finish().unwrap()), "refused the archive of the run: it contains `a` twice");
}
