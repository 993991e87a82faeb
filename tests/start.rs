//! `molostart`: runs the commands that it prints, makes the mistakes of a new user, and fixes them by following the messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use molotov_tests::{Terminal, wait_until};
use rustix::process::{Pid, Signal, kill_process_group};

const MOLOSTART: &str = env!("CARGO_BIN_EXE_molostart");
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A user who types commands, each in its own shell.
struct User {
    directory: PathBuf,
    background: Vec<Child>,
}

impl User {
    fn new(directory: PathBuf) -> User {
        wait_until("port 8080 is free", || TcpListener::bind("127.0.0.1:8080").is_ok());
        User { directory, background: Vec::new() }
    }

    /// Starts a command with `output` as its standard output and error.
    fn spawn(&self, command: &str, output: &File) -> Child {
        Command::new("bash")
            .args(["-c", command])
            .current_dir(&self.directory)
            .process_group(0)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("first-crate"))
            // An optimised build would take minutes longer.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output.try_clone().unwrap())
            .spawn()
            .unwrap()
    }

    /// Runs a command and returns its exit code and output. A command that ends with `&` runs in the background until the test ends.
    fn types(&mut self, command: &str) -> (i32, String) {
        if let Some(directory) = command.strip_prefix("cd ") {
            self.directory.push(directory.trim_matches('\''));
            return (0, String::new());
        }
        if let Some(command) = command.strip_suffix(" &") {
            let child = self.spawn(command, &tempfile::tempfile().unwrap());
            self.background.push(child);
            return (0, String::new());
        }
        let output = tempfile::NamedTempFile::new().unwrap();
        let status = self.spawn(command, output.as_file()).wait().unwrap();
        (status.code().unwrap(), fs::read_to_string(output.path()).unwrap())
    }

    /// Runs the load test without a service, then runs the command in its message.
    fn forgets_the_service(&mut self, run: &str) -> (i32, String) {
        let output = tempfile::NamedTempFile::new().unwrap();
        let log = || fs::read_to_string(output.path()).unwrap();
        let mut running = self.spawn(run, output.as_file());
        wait_until("the load test waits for the service", || log().contains("` in another terminal"));
        self.types(&format!("{} &", between(&log(), "to start the example service, run `", "`")));
        (running.wait().unwrap().code().unwrap(), log())
    }
}

impl Drop for User {
    fn drop(&mut self) {
        for mut child in self.background.drain(..) {
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
        }
    }
}

/// The text between two others.
#[track_caller]
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    found.unwrap_or_else(|| panic!("nothing between {before:?} and {after:?} in:\n{text}")).0
}

/// The commands in the output of `molostart`.
fn commands(printed: &str) -> Vec<&str> {
    printed.lines().filter_map(|line| line.strip_prefix("    ")).collect()
}

#[track_caller]
fn expect_green((code, log): (i32, String)) {
    assert!(code == 0 && log.contains(" | FAILURES: 0\n") && !log.contains("SUCCESSES: 0 "), "{code}: {log}");
}

/// Uses the dependencies of this checkout, so that nothing is downloaded.
fn lock(directory: &Path) {
    fs::copy(Path::new(CHECKOUT).join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
}

/// Answers the questions of `molostart` on a terminal, and returns its output.
fn answered(directory: &Path, answers: &str) -> String {
    let terminal = Terminal::new();
    terminal.press(answers.as_bytes());
    let mut command = Command::new(MOLOSTART);
    let command = terminal.attach(&mut command).current_dir(directory).stdout(Stdio::piped());
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn start(directory: &Path, line: &[&str]) -> String {
    let output = Command::new(MOLOSTART).args(line).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_new_rust_load_test_runs_and_error_messages_show_how_to_fix_mistakes() {
    let place = tempfile::tempdir().unwrap();
    let printed = start(place.path(), &["my shop", "--language", "rust", "--makefile", "--source", CHECKOUT, "--yes"]);
    lock(&place.path().join("my shop"));
    let mut user = User::new(place.path().to_owned());
    let typed: Vec<_> = commands(&printed).into_iter().map(|command| user.types(command)).collect();
    assert!(typed.len() == 4 && typed.iter().all(|(code, _)| *code == 0), "{typed:#?}");
    expect_green(typed.into_iter().next_back().unwrap());
    let (code, log) = user.types("make test");
    assert!(code == 0 && log.contains("test twenty_workers_are_served ... ok"), "{log}");
    drop(user);

    // Again on a terminal, without a running service, and with mistakes.
    let place = tempfile::tempdir().unwrap();
    let printed = answered(place.path(), &format!("my shop\nrust\nn\n/nowhere\n{CHECKOUT}\n"));
    assert!(printed.contains("`/nowhere` is neither the address of a git repository"), "{printed}");
    lock(&place.path().join("my shop"));
    let mut user = User::new(place.path().to_owned());
    let commands = commands(&printed);
    let [cd, build, _, run] = commands[..] else { panic!("{printed}") };
    user.types(cd);
    let (code, log) = user.types(build);
    assert_eq!(code, 0, "{log}");
    let run = run.replace("-d 5", "-d 1");
    expect_green(user.forgets_the_service(&run));
    fixes_mistakes(&mut user, &run);
}

/// Makes mistakes, and fixes each by following its message.
fn fixes_mistakes(user: &mut User, run: &str) {
    let script = user.directory.join("src/lib.rs");
    let right = fs::read_to_string(&script).unwrap();
    let line = |text: &str, number: &str| text.lines().nth(number.parse::<usize>().unwrap() - 1).unwrap().to_owned();
    let text = right.replace("session.get(", "sesion.get(").replace(r#""OK");"#, r#""KO");"#);
    fs::write(&script, &text).unwrap();

    // The compiler shows the line and the correction.
    let (code, log) = user.types(run);
    assert_ne!(code, 0, "{log}");
    let number = between(&log, "--> src/lib.rs:", ":");
    let help = log.split_once("\nhelp: ").unwrap_or_else(|| panic!("{log}")).1;
    let shown = between(help, &format!("\n{number} | "), "\n");
    let text = text.replace(&line(&text, number), shown);
    fs::write(&script, &text).unwrap();

    // The assertion shows the value and its place.
    let (code, log) = user.types(run);
    assert!(code == 0 && !log.contains("| FAILURES: 0\n"), "{log}");
    let failed = log.split_once("`read` failed: ").unwrap_or_else(|| panic!("{log}")).1;
    let wrong = line(&text, between(failed, "src/lib.rs:", ")").split(':').next().unwrap());
    let found = between(failed, "String(\"", "\")");
    let text = text.replace(&wrong, &wrong.replace("KO", found));
    assert_eq!(text, right);
    let (code, log) = user.types(&format!("{run} -s raed"));
    assert_ne!(code, 0, "{log}");
    let name = between(&log, "did you mean `", "`").to_owned();

    fs::write(&script, &text).unwrap();
    expect_green(user.types(&format!("{run} -s {name}")));
    expect_green(user.types(run));
}

#[test]
fn existing_files_are_never_overwritten() {
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
