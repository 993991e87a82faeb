//! `moloslave` with repositories of git: on disk, behind a server of mere files, and some that are none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use molotov_tests::{Output, Program, Server, wait_until};
use rustix::process::Signal;

const MOLOSLAVE: &str = env!("CARGO_BIN_EXE_moloslave");

/// A repository, the directory where temporary ones are made, and a server.
struct Place {
    directory: tempfile::TempDir,
    server: Server,
}

impl Place {
    /// With those files committed.
    fn new(files: &[(&str, &str)]) -> Place {
        let place = Place { directory: tempfile::tempdir().unwrap(), server: Server::new() };
        fs::create_dir(place.path("tmp")).unwrap();
        fs::create_dir(place.repository()).unwrap();
        place.git("init --quiet --initial-branch=main");
        place.commit(files);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn repository(&self) -> PathBuf {
        self.path("shop")
    }

    fn url(&self) -> String {
        format!("file://{}", self.repository().display())
    }

    fn git(&self, line: &str) -> String {
        git(&self.repository(), line)
    }

    fn commit(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            fs::write(self.repository().join(name), text).unwrap();
        }
        self.git("add --all");
        self.git("commit --quiet --allow-empty --message=more");
    }

    fn slave(&self, line: &str) -> Program {
        Program::new(MOLOSLAVE, line)
            .in_directory(self.directory.path())
            .env("TMPDIR", self.path("tmp").to_str().unwrap())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .against(&self.server)
    }

    /// That nothing was left behind.
    #[track_caller]
    fn is_clean(&self) {
        let left: Vec<_> = fs::read_dir(self.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn git(directory: &Path, line: &str) -> String {
    let identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"];
    let mut command = Command::new("git");
    command.args(identity).args(line.split(' ')).current_dir(directory).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const SCRIPT: &str = r#"
import os
import molotov

@molotov.scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + os.environ.get("THE_PATH", "/ok")) as response:
        assert response.status == 200
"#;

const TESTS: &str = r#"{"molotov": {"env": {"THE_PATH": "/ok/from-env"}, "tests": {
    "good": {"scenario": "loadtest.py", "workers": 2, "max_runs": 5},
    "bad": {"scenario": "loadtest.py", "workers": 1, "max_runs": 2, "threshold": "failures > 100%"},
    "stops": {"scenario": "failing.py", "workers": 1, "max_runs": 1, "fail": 1},
    "long": {"scenario": "loadtest.py", "workers": 1, "duration": 60, "delay": 0.01}
}}}"#;

const FAILING: &str = "import molotov\n@molotov.scenario()\nasync def one(session):\n    assert False\n";

/// Writes a wheel of one module, as `pip` takes it.
fn write_wheel(path: &Path, module: &str) {
    let code = r"
import sys, zipfile
path, module = sys.argv[1:]
info = module + '-1.0.dist-info/'
with zipfile.ZipFile(path, 'w') as wheel:
    wheel.writestr(module + '.py', 'known = True\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n' % module)
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'RECORD', '')
";
    let status = Command::new("python3").args(["-c", code]).arg(path).arg(module).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_script_runs_with_its_requirements_and_its_environment() {
    let place = Place::new(&[
        (
            "molotov.json",
            r#"{"molotov": {"env": {"THE_PATH": "/ok/from-env"}, "requirements": "requirements.txt", "tests": {
                "good": {"scenario": "loadtest.py", "workers": 2, "max_runs": 5}}}}"#,
        ),
        ("loadtest.py", &format!("import only_here\nassert only_here.known\n{SCRIPT}")),
        ("requirements.txt", "molotov==2.6\n./only_here-1.0-py3-none-any.whl\n"),
    ]);
    write_wheel(&place.repository().join("only_here-1.0-py3-none-any.whl"), "only_here");
    place.commit(&[]);

    let output = place.slave("").arg(&place.url()).arg("good").run().exited(0);
    assert_eq!(output.totals(), (10, 0));
    assert_eq!(place.server.counts(), [("/ok/from-env".to_owned(), 10)].into());
    assert!(output.stderr.contains("Skipping the requirement `molotov==2.6`"), "{output:#?}");
    place.is_clean();
}

#[test]
fn the_exit_code_is_that_of_the_run() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT), ("failing.py", FAILING)]);
    // All of it stays, with the environment, in a directory that is named.
    let output = place.slave("--directory kept").arg(&place.url()).arg("bad").run().exited(1);
    assert_eq!(output.totals(), (2, 0));
    assert!(place.path("kept/loadtest.py").is_file());
    assert!(place.path("kept/venv/bin/python3").exists());
    // And is not used twice.
    let output = place.slave("--directory kept").arg(&place.url()).arg("bad").run().exited(1);
    assert!(output.stderr.contains("the directory kept is not empty"), "{output:#?}");

    // What the environment says of the test counts where the command line is silent, as in an image.
    let output = place.slave("").env("TEST_REPO", &place.url()).env("TEST_NAME", "stops").run().exited(1);
    assert_eq!(output.totals(), (0, 1));
    place.is_clean();
}

#[test]
fn a_branch_a_tag_and_a_commit_are_taken() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let first = place.git("rev-parse HEAD");
    place.git("tag v1");
    place.git("checkout --quiet -b side");
    place.commit(&[("molotov.json", &TESTS.replace("from-env", "side"))]);
    let side = place.git("rev-parse HEAD");
    place.git("checkout --quiet main");
    place.commit(&[("molotov.json", &TESTS.replace("from-env", "newest"))]);

    // One environment is enough to see that a run is of that commit; the configuration tells the others.
    let output = place.slave("--branch side").arg(&place.url()).arg("good").run().exited(0);
    assert_eq!(output.totals(), (10, 0));
    assert_eq!(place.server.counts(), [("/ok/side".to_owned(), 10)].into());

    let told = |options: &str| {
        let output = place.slave(options).arg(&place.url()).arg("none").run().exited(1);
        assert!(output.stderr.contains("none"), "{output:#?}");
        let head = place.path("kept/.git");
        assert!(head.is_dir(), "{output:#?}");
        let taken = git(&place.path("kept"), "rev-parse HEAD");
        fs::remove_dir_all(place.path("kept")).unwrap();
        taken
    };
    let newest = place.git("rev-parse HEAD");
    assert_eq!(told("--directory kept"), newest);
    assert_eq!(told("--directory kept --branch v1"), first);
    assert_eq!(told(&format!("--directory kept --rev {first}")), first);
    assert_eq!(told(&format!("--directory kept --rev {}", &side[..8])), side);
    assert_eq!(told("--directory kept --rev v1"), first);

    for (options, why) in [("--branch none", "none"), ("--rev 0123456789abcdef0123456789abcdef01234567", "no revision")]
    {
        let output = place.slave(options).arg(&place.url()).arg("good").run().exited(1);
        assert!(output.stderr.contains(why), "{output:#?}");
    }
    place.is_clean();
}

/// Serves a directory as mere files.
struct Files {
    child: Child,
    port: String,
}

impl Files {
    fn of(directory: &Path) -> Files {
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, rest) = line.split_once(" port ").unwrap();
        Files { child, port: rest.split(' ').next().unwrap().to_owned() }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_of_mere_files_is_enough() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let first = place.git("rev-parse HEAD");
    place.commit(&[("molotov.json", &TESTS.replace("from-env", "newest"))]);
    git(directory_of(&place), "clone --quiet --bare shop shop.git");
    git(&place.path("shop.git"), "update-server-info");
    let files = Files::of(place.directory.path());
    let url = format!("http://127.0.0.1:{}/shop.git", files.port);

    place.slave("").arg(&url).arg("good").run().exited(0);
    assert_eq!(place.server.counts(), [("/ok/newest".to_owned(), 10)].into());
    place.slave(&format!("--rev {first}")).arg(&url).arg("good").run().exited(0);
    assert_eq!(place.server.counts()["/ok/from-env"], 10);
    place.is_clean();
}

fn directory_of(place: &Place) -> &Path {
    place.directory.path()
}

/// Its dependency is this checkout's library, without the optional features, which take most of the build.
fn crate_files(extra: &str) -> Vec<(&'static str, String)> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("molotov");
    let manifest = format!(
        "[package]\nname = \"shop-test\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         molotov = {{ path = {:?}, default-features = false }}\n\n[workspace]\n",
        library.to_str().unwrap()
    );
    let main = format!(
        "use molotov::prelude::*;\n\n#[scenario]\nasync fn one(session: &Session) -> Result<()> {{\n    \
         let (target, path) = (std::env::var(\"TARGET\").unwrap(), std::env::var(\"THE_PATH\").unwrap());\n    \
         session.get(format!(\"{{target}}{{path}}\")).send().await?.error_for_status()?;\n    Ok(())\n}}\n{extra}\n\
         fn main() -> ExitCode {{\n    molotov::main()\n}}\n"
    );
    let tests = r#"{"molotov": {"env": {"THE_PATH": "/ok/from-env"}, "tests": {
        "good": {"workers": 2, "max_runs": 5}, "bad": {"workers": 2, "max_runs": 5, "threshold": "failures > 0"}}}}"#;
    vec![("Cargo.toml", manifest), ("main.rs", main), ("molotov.json", tests.to_owned())]
}

#[test]
fn a_crate_is_run_by_cargo_and_builds_a_crate() {
    let place = Place::new(&[]);
    fs::create_dir(place.repository().join("src")).unwrap();
    for (name, text) in crate_files("") {
        let name = if name == "main.rs" { "src/main.rs" } else { name };
        fs::write(place.repository().join(name), text).unwrap();
    }
    // The versions that are built anyway.
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"), place.repository().join("Cargo.lock")).unwrap();
    place.commit(&[]);

    // An optimised build says the same and takes minutes more; a second one is there at once.
    let builds = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("first-crate");
    for (test, code) in [("good", 0), ("bad", 1)] {
        // Longer than other programs are waited for.
        let output = Command::new(MOLOSLAVE)
            .args([&place.url(), test])
            .env("CARGO_TARGET_DIR", &builds)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("TARGET", place.server.url())
            .env("TMPDIR", place.path("tmp"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
        assert!(stdout.contains("SUCCESSES: 10 | FAILURES: 0"), "{stdout}\n{stderr}");
        assert!(!stderr.contains("virtual environment"), "{stderr}");
        place.is_clean();
    }
    assert_eq!(place.server.counts(), [("/ok/from-env".to_owned(), 20)].into());
}

#[test]
fn an_argument_becomes_neither_an_option_nor_a_command() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let witness = place.path("witness");
    let touch = format!("touch {}", witness.display());
    let script = place.path("script");
    fs::write(&script, format!("#!/bin/sh\n{touch}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let shown = script.display().to_string();
    let good = place.url();

    let lines: Vec<(Vec<String>, i32)> = vec![
        (vec![format!("--upload-pack={shown}"), "good".into()], 2),
        (vec![format!("-u{shown}"), "good".into()], 2),
        (vec!["--".into(), format!("--upload-pack={shown}"), "good".into()], 2),
        (vec![format!("--config=core.sshCommand={shown}"), good.clone(), "good".into()], 1),
        (vec![format!("ext::{shown}"), "good".into()], 2),
        (vec![format!("ext::sh -c {}", touch.replace(' ', "% ")), "good".into()], 2),
        (vec![format!("EXT::{shown}"), "good".into()], 2),
        (vec!["fd::0".into(), "good".into()], 2),
        (vec![format!("ssh://-oProxyCommand={shown}/x"), "good".into()], 1),
        (vec![format!("-oProxyCommand={shown}:x"), "good".into()], 2),
        (vec![format!("{good};{touch}"), "good".into()], 1),
        (vec![format!("{good}\n{touch}"), "good".into()], 2),
        (vec![format!("$({touch})"), "good".into()], 1),
        (vec![format!("`{touch}`"), "good".into()], 1),
        (vec![format!("{good}|{touch}"), "good".into()], 1),
        (vec![String::new(), "good".into()], 2),
        (vec![good.clone(), format!("good;{touch}")], 1),
        (vec![good.clone(), format!("good\n{touch}")], 1),
        (vec![good.clone(), format!("--use-extension={shown}")], 1),
        (vec![good.clone(), format!("$({touch})")], 1),
        (vec!["--branch".into(), format!("--upload-pack={shown}"), good.clone(), "good".into()], 2),
        (vec!["--branch".into(), format!("main;{touch}"), good.clone(), "good".into()], 1),
        (vec!["--branch".into(), format!("main\n{touch}"), good.clone(), "good".into()], 2),
        (vec!["--rev".into(), format!("--upload-pack={shown}"), good.clone(), "good".into()], 2),
        (vec!["--rev".into(), format!("HEAD;{touch}"), good.clone(), "good".into()], 1),
        (vec!["--rev".into(), "--output=x".into(), good.clone(), "good".into()], 2),
    ];
    for (line, code) in lines {
        let output = line.iter().fold(place.slave(""), |slave, word| slave.arg(word)).run();
        assert_eq!(output.code, Some(code), "{line:?}: {output:#?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{line:?}: {output:#?}");
        assert!(!witness.exists(), "{line:?} has run a command");
        place.is_clean();
    }
    assert_eq!(place.server.served(), 0);
}

#[track_caller]
fn told(output: &Output, texts: &[&str]) {
    for text in texts {
        assert!(output.stderr.contains(text), "no {text:?}: {output:#?}");
    }
    assert!(output.stdout.is_empty(), "{output:#?}");
}

#[test]
fn what_is_missing_is_named() {
    let place = Place::new(&[("other.json", TESTS), ("loadtest.py", SCRIPT)]);
    let nowhere = place.path("nowhere").display().to_string();

    let output = place.slave("").arg(&nowhere).arg("good").run().exited(1);
    told(&output, &["cannot clone", "nowhere"]);

    let output = place.slave("").env("PATH", place.path("tmp").to_str().unwrap()).arg(&nowhere).arg("good").run();
    told(&output.exited(1), &["git is not installed"]);

    let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
    told(&output, &["does not contain `molotov.json`", "--config"]);

    let output = place.slave("--config other.json").arg(&place.url()).arg("goood").run().exited(1);
    told(&output, &["goood", "good"]);

    let output = place.slave("--config other.json --python python-of-nobody").arg(&place.url()).arg("good").run();
    told(&output.exited(1), &["python-of-nobody", "--python"]);

    let output = place.slave("--config other.json --virtualenv nobodys-virtualenv").arg(&place.url()).arg("good").run();
    told(&output.exited(1), &["cannot create the virtual environment", "nobodys-virtualenv"]);
    let maker = place.path("virtualenv");
    fs::write(&maker, "#!/bin/sh\necho there is no room >&2\nexit 7\n").unwrap();
    fs::set_permissions(&maker, fs::Permissions::from_mode(0o755)).unwrap();
    let maker = maker.to_str().unwrap();
    let output = place.slave("--config other.json --virtualenv").arg(maker).arg(&place.url()).arg("good").run();
    told(&output.exited(1), &["there is no room", "cannot create the virtual environment"]);

    place.commit(&[("molotov.json", "{\"molotov\": {\n  \"tests\": [}")]);
    let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
    told(&output, &["molotov.json", ":2:"]);

    let output = place.slave("").arg(&place.url()).run().exited(2);
    told(&output, &["Usage"]);
    place.is_clean();
}

#[test]
fn tokens_of_addresses_are_not_shown() {
    let place = Place::new(&[]);
    let with =
        |credentials: &str| place.server.url().replace("http://", &format!("http://{credentials}@")) + "/fail/shop";
    for address in [with("ada:t0ken"), with("t0ken"), "ftp://ada:t0ken@localhost/shop".to_owned()] {
        for line in ["", "--rev 0123456789abcdef", "--unknown", "--help"] {
            let output = place.slave(line).env("TEST_REPO", &address).env("TEST_NAME", "good").run();
            assert!(!format!("{output:?}").contains("t0ken"), "{line}: {output:#?}");
            let output = place.slave(line).arg(&address).arg("good").arg(&address).run();
            assert!(!format!("{output:?}").contains("t0ken"), "{line}: {output:#?}");
        }
    }
    let output = place.slave("").arg(&with("ada:t0ken")).arg("good").run().exited(1);
    told(&output, &["Cloning http://ada:***@127.0.0.1:", "cannot clone"]);
    let reached = place.server.arrivals();
    assert!(!reached.is_empty(), "git has tried the address");
}

#[test]
fn requirements_stay_inside_the_repository_and_values_are_named() {
    let place = Place::new(&[]);
    fs::write(place.path("outside.txt"), "").unwrap();
    std::os::unix::fs::symlink(place.path("outside.txt"), place.repository().join("link.txt")).unwrap();
    let outside = place.path("outside.txt").to_str().unwrap().to_owned();
    for (key, value, why) in [
        ("requirements", format!("{outside:?}"), "outside the repository; name a file inside it"),
        (
            "requirements",
            "\"../../../../../../etc/hostname\"".to_owned(),
            "outside the repository; name a file inside it",
        ),
        ("requirements", "\"link.txt\"".to_owned(), "outside the repository; name a file inside it"),
        ("requirements", "\"none.txt\"".to_owned(), "cannot read the requirements `none.txt`"),
        ("env", r#"{"GOOD": "bad\u0000"}"#.to_owned(), "the value of `GOOD` contains a NUL character"),
        ("env", r#"{"A=B": "x"}"#.to_owned(), "\"A=B\" cannot be the name of an environment variable"),
    ] {
        let tests = format!(r#"{{"molotov": {{"{key}": {value}, "tests": {{"good": {{}}}}}}}}"#);
        place.commit(&[("molotov.json", &tests), ("loadtest.py", SCRIPT)]);
        let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
        told(&output, &[why]);
        assert!(!output.stderr.contains("virtual environment"), "refused before anything is made: {output:#?}");
    }
    place.is_clean();
}

#[test]
fn requirements_that_fail_end_it() {
    let place = Place::new(&[
        (
            "molotov.json",
            r#"{"molotov": {"requirements": "needs.txt", "tests": {"good": {"scenario": "loadtest.py", "max_runs": 1}}}}"#,
        ),
        ("loadtest.py", SCRIPT),
        ("needs.txt", "./not_there-1.0-py3-none-any.whl\n"),
    ]);
    let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
    told(&output, &["cannot install the requirements `needs.txt`", "not_there"]);
    fs::remove_file(place.repository().join("needs.txt")).unwrap();
    place.commit(&[]);
    let output = place.slave("").arg(&place.url()).arg("good").run().exited(1);
    told(&output, &["cannot read the requirements `needs.txt`"]);
    place.is_clean();
    assert_eq!(place.server.served(), 0);
}

#[test]
fn a_signal_ends_the_clone() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = Place::new(&[]);
        // It never answers.
        let running = place.slave("").arg(&format!("{}/hold/shop", place.server.url())).arg("good").start();
        wait_until("git asks", || place.server.served() > 0);
        running.signal(signal);
        let output = running.wait().exited(code);
        assert!(output.took < Duration::from_secs(20), "{output:#?}");
        place.is_clean();
    }
}

/// Whoever makes the environment, and what that has started, ends too; what it writes then is not shown.
#[test]
fn a_signal_ends_the_making_of_the_environment() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let (maker, pids) = (place.path("virtualenv"), place.path("pids"));
    let script = "#!/bin/bash\necho unwanted >&2\nsleep 600 &\necho $$ $! >PIDS\nwait\n";
    fs::write(&maker, script.replace("PIDS", pids.to_str().unwrap())).unwrap();
    fs::set_permissions(&maker, fs::Permissions::from_mode(0o755)).unwrap();
    let running = place.slave("--virtualenv").arg(maker.to_str().unwrap()).arg(&place.url()).arg("good").start();
    wait_until("the maker runs", || fs::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n')));
    running.signal(Signal::TERM);
    let output = running.wait().exited(143);
    assert!(!output.stderr.contains("unwanted"), "{output:#?}");
    for pid in fs::read_to_string(&pids).unwrap().split_whitespace() {
        let status = format!("/proc/{pid}/stat");
        // One that nobody has waited for yet is dead all the same.
        wait_until("it ends", || fs::read_to_string(&status).map_or(true, |text| text.contains(") Z ")));
    }
    place.is_clean();
}

#[test]
fn a_signal_ends_pip() {
    let place = Place::new(&[
        (
            "molotov.json",
            r#"{"molotov": {"requirements": "needs.txt", "tests": {"good": {"scenario": "loadtest.py", "max_runs": 1}}}}"#,
        ),
        ("loadtest.py", SCRIPT),
    ]);
    let held = format!("{}/hold/held-1.0-py3-none-any.whl", place.server.url());
    place.commit(&[("needs.txt", &format!("{held}\n"))]);
    let running = place.slave("").arg(&place.url()).arg("good").start();
    wait_until("pip asks", || place.server.served() > 0);
    running.signal(Signal::INT);
    running.wait().exited(130);
    place.is_clean();
}

#[test]
fn a_signal_ends_the_run_with_its_table() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let running = place.slave("").arg(&place.url()).arg("long").start();
    wait_until("it runs", || place.server.served() > 5);
    running.signal(Signal::INT);
    let output = running.wait().exited(0);
    assert!(output.took < Duration::from_secs(50), "{output:#?}");
    assert_eq!(output.totals(), (place.server.served(), 0));
    place.is_clean();
}
