//! The `molotov` command, which runs scripts; so far it says how things are.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn molotov(line: &str) -> Output {
    let arguments = line.split(' ').filter(|word| !word.is_empty());
    Command::new(env!("CARGO_BIN_EXE_molotov")).args(arguments).env_remove("COLUMNS").output().unwrap()
}

#[test]
fn scripts_are_not_available_yet_and_rust_has_its_own_way() {
    for line in ["", "loadtest.py", "-w 3 some.module -d 5", "-c"] {
        let output = molotov(line);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{line}: {told}");
        assert!(told.starts_with("error: ") && told.contains("not available yet"), "{line}: {told}");
        assert!(told.contains("cargo run"), "{line}: {told}");
        assert!(output.stdout.is_empty(), "{line}");
    }
    // The script that was meant is named.
    assert!(String::from_utf8(molotov("my.py").stderr).unwrap().contains("`my.py`"));
    assert!(String::from_utf8(molotov("").stderr).unwrap().contains("`loadtest.py`"));
}

#[test]
fn help_and_version_work() {
    let version = molotov("--version");
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(String::from_utf8(version.stdout).unwrap(), concat!(env!("CARGO_PKG_VERSION"), "\n"));
    let help = molotov("--help");
    assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("Usage: molotov [OPTIONS] [SCENARIO]"));
}

#[test]
fn a_wrong_line_is_told_as_such() {
    for (line, code, part) in [
        ("-w 0", 2, "--workers"),
        ("--nope", 2, "--nope"),
        ("a.py b.py", 2, "b.py"),
        ("-q -v", 1, "-q and -v"),
        ("--statsd", 2, "`--statsd` is not available yet"),
    ] {
        let output = molotov(line);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {told}");
        assert!(told.contains(part), "{line}: {told}");
    }
}
