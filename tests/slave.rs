//! `moloslave`, with git repositories on disk and over HTTP, and with invalid ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "slave/errors.rs"]
mod errors;
#[path = "slave/signals.rs"]
mod signals;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use molotov_tests::{Program, Server};

const MOLOSLAVE: &str = env!("CARGO_BIN_EXE_moloslave");

/// A repository, a directory for temporary files, and a server.
struct Place {
    directory: tempfile::TempDir,
    server: Server,
}

impl Place {
    /// Creates a repository with these files.
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

    /// Asserts that no temporary files are left.
    #[track_caller]
    fn assert_clean(&self) {
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

/// Writes a wheel that contains a single module.
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
fn runs_a_script_with_its_requirements_and_variables() {
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
    place.assert_clean();
}

#[test]
fn exits_with_the_code_of_the_run() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT), ("failing.py", FAILING)]);
    // A directory that is given is kept, with the virtual environment.
    let output = place.slave("--directory kept").arg(&place.url()).arg("bad").run().exited(1);
    assert_eq!(output.totals(), (2, 0));
    assert!(place.path("kept/loadtest.py").is_file());
    assert!(place.path("kept/venv/bin/python3").exists());
    // It cannot be used again.
    let output = place.slave("--directory kept").arg(&place.url()).arg("bad").run().exited(1);
    assert!(output.stderr.contains("the directory kept is not empty"), "{output:#?}");

    // Environment variables replace missing arguments, as in the image.
    let output = place.slave("").env("TEST_REPO", &place.url()).env("TEST_NAME", "stops").run().exited(1);
    assert_eq!(output.totals(), (0, 1));
    place.assert_clean();
}

#[test]
fn checks_out_branches_tags_and_commits() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let first = place.git("rev-parse HEAD");
    place.git("tag v1");
    place.git("checkout --quiet -b side");
    place.commit(&[("molotov.json", &TESTS.replace("from-env", "side"))]);
    let side = place.git("rev-parse HEAD");
    place.git("checkout --quiet main");
    place.commit(&[("molotov.json", &TESTS.replace("from-env", "newest"))]);

    // Runs a single test. For the other commits, a test that does not exist avoids a virtual environment.
    let output = place.slave("--branch side").arg(&place.url()).arg("good").run().exited(0);
    assert_eq!(output.totals(), (10, 0));
    assert_eq!(place.server.counts(), [("/ok/side".to_owned(), 10)].into());

    let checked_out = |options: &str| {
        let output = place.slave(options).arg(&place.url()).arg("none").run().exited(1);
        assert!(output.stderr.contains("none"), "{output:#?}");
        let head = place.path("kept/.git");
        assert!(head.is_dir(), "{output:#?}");
        let taken = git(&place.path("kept"), "rev-parse HEAD");
        fs::remove_dir_all(place.path("kept")).unwrap();
        taken
    };
    let newest = place.git("rev-parse HEAD");
    assert_eq!(checked_out("--directory kept"), newest);
    assert_eq!(checked_out("--directory kept --branch v1"), first);
    assert_eq!(checked_out(&format!("--directory kept --rev {first}")), first);
    assert_eq!(checked_out(&format!("--directory kept --rev {}", &side[..8])), side);
    assert_eq!(checked_out("--directory kept --rev v1"), first);

    for (options, why) in [("--branch none", "none"), ("--rev 0123456789abcdef0123456789abcdef01234567", "no revision")]
    {
        let output = place.slave(options).arg(&place.url()).arg("good").run().exited(1);
        assert!(output.stderr.contains(why), "{output:#?}");
    }
    place.assert_clean();
}

/// Serves a directory as static files.
struct FileServer {
    child: Child,
    port: String,
}

impl FileServer {
    fn start(directory: &Path) -> FileServer {
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
        FileServer { child, port: rest.split(' ').next().unwrap().to_owned() }
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn clones_over_the_dumb_http_protocol() {
    let place = Place::new(&[("molotov.json", TESTS), ("loadtest.py", SCRIPT)]);
    let first = place.git("rev-parse HEAD");
    place.commit(&[("molotov.json", &TESTS.replace("from-env", "newest"))]);
    git(directory_of(&place), "clone --quiet --bare shop shop.git");
    git(&place.path("shop.git"), "update-server-info");
    let files = FileServer::start(place.directory.path());
    let url = format!("http://127.0.0.1:{}/shop.git", files.port);

    place.slave("").arg(&url).arg("good").run().exited(0);
    assert_eq!(place.server.counts(), [("/ok/newest".to_owned(), 10)].into());
    place.slave(&format!("--rev {first}")).arg(&url).arg("good").run().exited(0);
    assert_eq!(place.server.counts()["/ok/from-env"], 10);
    place.assert_clean();
}

fn directory_of(place: &Place) -> &Path {
    place.directory.path()
}

/// The files of a crate that depends on the SDK of this checkout, without optional features, which take most of the build time.
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
fn cargo_builds_a_crate_and_runs_it() {
    let place = Place::new(&[]);
    fs::create_dir(place.repository().join("src")).unwrap();
    for (name, text) in crate_files("") {
        let name = if name == "main.rs" { "src/main.rs" } else { name };
        fs::write(place.repository().join(name), text).unwrap();
    }
    // The versions that are already built.
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"), place.repository().join("Cargo.lock")).unwrap();
    place.commit(&[]);

    // An optimised build would take minutes longer. Other tests share the directory.
    let builds = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("first-crate");
    for (test, code) in [("good", 0), ("bad", 1)] {
        // The build may exceed the timeout of `Program`.
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
        place.assert_clean();
    }
    assert_eq!(place.server.counts(), [("/ok/from-env".to_owned(), 20)].into());
}
