//! `molostart`, the commands that it prints, typed as they stand, and a new user's first mistakes.

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

/// Commands that a user types, each in a shell of its own.
struct User {
    directory: PathBuf,
    background: Vec<Child>,
}

impl User {
    fn new(directory: PathBuf) -> User {
        wait_until("port 8080 is free", || TcpListener::bind("127.0.0.1:8080").is_ok());
        User { directory, background: Vec::new() }
    }

    /// Starts a command; what it prints goes to `output`.
    fn spawn(&self, command: &str, output: &File) -> Child {
        Command::new("bash")
            .args(["-c", command])
            .current_dir(&self.directory)
            .process_group(0)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("first-crate"))
            // An optimised build says the same and takes minutes more.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output.try_clone().unwrap())
            .spawn()
            .unwrap()
    }

    /// Types a command, and returns its exit code and all that it printed. What ends in `&` runs on until the test ends.
    fn types(&mut self, command: &str) -> (i32, String) {
        if let Some(directory) = command.strip_prefix("cd ") {
            self.directory.push(directory.trim_matches('\''));
            return (0, String::new());
        }
        if let Some(command) = command.strip_suffix(" &") {
            let begun = self.spawn(command, &tempfile::tempfile().unwrap());
            self.background.push(begun);
            return (0, String::new());
        }
        let output = tempfile::NamedTempFile::new().unwrap();
        let status = self.spawn(command, output.as_file()).wait().unwrap();
        (status.code().unwrap(), fs::read_to_string(output.path()).unwrap())
    }

    /// Runs the load test while no service is there, and starts the one that the message names.
    fn forgets_the_service(&mut self, run: &str) -> (i32, String) {
        let output = tempfile::NamedTempFile::new().unwrap();
        let told = || fs::read_to_string(output.path()).unwrap();
        let mut running = self.spawn(run, output.as_file());
        wait_until("it waits for the service", || told().contains("` in another terminal"));
        self.types(&format!("{} &", between(&told(), "to start the example service, run `", "`")));
        (running.wait().unwrap().code().unwrap(), told())
    }
}

impl Drop for User {
    fn drop(&mut self) {
        for mut begun in self.background.drain(..) {
            let _ = kill_process_group(Pid::from_child(&begun), Signal::KILL);
            let _ = begun.wait();
        }
    }
}

/// The text after one and before the other.
#[track_caller]
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    found.unwrap_or_else(|| panic!("nothing between {before:?} and {after:?} in:\n{text}")).0
}

/// The commands that were printed.
fn commands(printed: &str) -> Vec<&str> {
    printed.lines().filter_map(|line| line.strip_prefix("    ")).collect()
}

#[track_caller]
fn expect_green((code, told): (i32, String)) {
    assert!(code == 0 && told.contains(" | FAILURES: 0\n") && !told.contains("SUCCESSES: 0 "), "{code}: {told}");
}

/// The versions of this checkout, so that nothing is fetched.
fn lock(directory: &Path) {
    fs::copy(Path::new(CHECKOUT).join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
}

/// What `molostart` shows when its questions are answered on a terminal.
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
fn a_rust_load_test_runs_at_once_and_mistakes_are_mended_by_their_messages() {
    let place = tempfile::tempdir().unwrap();
    let printed = start(place.path(), &["my shop", "--language", "rust", "--makefile", "--source", CHECKOUT, "--yes"]);
    lock(&place.path().join("my shop"));
    let mut user = User::new(place.path().to_owned());
    let typed: Vec<_> = commands(&printed).into_iter().map(|command| user.types(command)).collect();
    assert!(typed.len() == 4 && typed.iter().all(|(code, _)| *code == 0), "{typed:#?}");
    expect_green(typed.into_iter().next_back().unwrap());
    let (code, told) = user.types("make test");
    assert!(code == 0 && told.contains("test twenty_workers_are_served ... ok"), "{told}");
    drop(user);

    // Again, as a new user: on a terminal, with a forgotten service and mistakes.
    let place = tempfile::tempdir().unwrap();
    let printed = answered(place.path(), &format!("my shop\nrust\nn\n/nowhere\n{CHECKOUT}\n"));
    assert!(printed.contains("`/nowhere` is neither the address of a git repository"), "{printed}");
    lock(&place.path().join("my shop"));
    let mut user = User::new(place.path().to_owned());
    let commands = commands(&printed);
    let [cd, build, _, run] = commands[..] else { panic!("{printed}") };
    user.types(cd);
    let (code, told) = user.types(build);
    assert_eq!(code, 0, "{told}");
    let run = run.replace("-d 5", "-d 1");
    expect_green(user.forgets_the_service(&run));
    mends_mistakes(&mut user, &run);
}

/// Makes mistakes, and mends each with what its message says.
fn mends_mistakes(user: &mut User, run: &str) {
    let script = user.directory.join("src/lib.rs");
    let right = fs::read_to_string(&script).unwrap();
    let line = |text: &str, number: &str| text.lines().nth(number.parse::<usize>().unwrap() - 1).unwrap().to_owned();
    let text = right.replace("session.get(", "sesion.get(").replace(r#""OK");"#, r#""KO");"#);
    fs::write(&script, &text).unwrap();

    // The compiler names the line, and shows how it should be.
    let (code, told) = user.types(run);
    assert_ne!(code, 0, "{told}");
    let number = between(&told, "--> src/lib.rs:", ":");
    let help = told.split_once("\nhelp: ").unwrap_or_else(|| panic!("{told}")).1;
    let shown = between(help, &format!("\n{number} | "), "\n");
    let text = text.replace(&line(&text, number), shown);
    fs::write(&script, &text).unwrap();

    // An assertion says what it has found, and where.
    let (code, told) = user.types(run);
    assert!(code == 0 && !told.contains("| FAILURES: 0\n"), "{told}");
    let failed = told.split_once("`read` failed: ").unwrap_or_else(|| panic!("{told}")).1;
    let wrong = line(&text, between(failed, "src/lib.rs:", ")").split(':').next().unwrap());
    let found = between(failed, "String(\"", "\")");
    let text = text.replace(&wrong, &wrong.replace("KO", found));
    assert_eq!(text, right);
    let (code, told) = user.types(&format!("{run} -s raed"));
    assert_ne!(code, 0, "{told}");
    let name = between(&told, "did you mean `", "`").to_owned();

    fs::write(&script, &text).unwrap();
    expect_green(user.types(&format!("{run} -s {name}")));
    expect_green(user.types(run));
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
