//! `molostart`, and the commands that it prints, typed as they stand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use molotov_tests::wait_until;
use rustix::process::{Pid, Signal, kill_process_group};

const MOLOSTART: &str = env!("CARGO_BIN_EXE_molostart");
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Types the commands that were printed into one shell, and ends what they have left running.
fn typed(directory: &Path, printed: &str, extra: &str) -> Output {
    let commands: Vec<_> = printed.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(commands.len() >= 3, "{printed}");
    wait_until("port 8080 is free", || TcpListener::bind("127.0.0.1:8080").is_ok());
    let script = format!("set -e\n{}\n{extra}", commands.join("\n"));
    let shell = Command::new("bash")
        .args(["-c", &script])
        .current_dir(directory)
        .process_group(0)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("first-crate"))
        // An optimised build says the same and takes minutes more.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
        .stdin(Stdio::null())
        .stdout(fs::File::create(directory.join("stdout")).unwrap())
        .stderr(fs::File::create(directory.join("stderr")).unwrap())
        .spawn()
        .unwrap();
    let group = Pid::from_child(&shell);
    let output = shell.wait_with_output().unwrap();
    // The service; none where a command before it has failed.
    let _ = kill_process_group(group, Signal::TERM);
    let read = |name: &str| fs::read(directory.join(name)).unwrap();
    Output { status: output.status, stdout: read("stdout"), stderr: read("stderr") }
}

fn start(directory: &Path, line: &[&str]) -> String {
    let output = Command::new(MOLOSTART).args(line).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_rust_load_test_runs_at_once_and_builds_a_crate() {
    for options in [vec!["--makefile"], vec!["--no-makefile"]] {
        let place = tempfile::tempdir().unwrap();
        let line = [vec!["my shop", "--language", "rust", "--source", CHECKOUT, "--yes"], options.clone()].concat();
        let printed = start(place.path(), &line);
        let has_makefile = options == ["--makefile"];
        assert_eq!(place.path().join("my shop/Makefile").exists(), has_makefile);
        let versions = place.path().join("my shop/Cargo.lock");
        fs::copy(Path::new(CHECKOUT).join("Cargo.lock"), versions).unwrap();

        // Then its own test, once.
        let output = typed(place.path(), &printed, if has_makefile { "make test\n" } else { "" });
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{stdout}\n{stderr}");
        assert!(stdout.contains(" | FAILURES: 0\n"), "{stdout}\n{stderr}");
        assert!(!stdout.contains("SUCCESSES: 0 "), "{stdout}");
        assert!(!has_makefile || stdout.contains("test twenty_workers_are_served ... ok"), "{stdout}");
    }
}

#[test]
fn a_second_time_overwrites_nothing() {
    let place = tempfile::tempdir().unwrap();
    for language in ["rust", "python"] {
        fs::create_dir(place.path().join(language)).unwrap();
        let line = [language, "--language", language, "--yes"];
        start(place.path(), &line);
        let molotov = place.path().join(language).join("molotov.json");
        fs::write(&molotov, "mine").unwrap();
        let again = Command::new(MOLOSTART).args(line).current_dir(place.path()).output().unwrap();
        assert_eq!(again.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&again.stderr).contains("molotov.json"));
        assert_eq!(fs::read_to_string(&molotov).unwrap(), "mine");
    }
}
