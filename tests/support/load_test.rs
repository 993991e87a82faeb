//! The load test that the tests of options run: as a Rust program, or as a Python script.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{Output, Program, Server};

/// A load test with the scenarios `browse`, `cart` and `admire`. Each sends one request, to `/ok/` followed by its name.
pub struct LoadTestProgram {
    pub(crate) program: String,
    /// The script, if the load test is one.
    pub(crate) script: Option<&'static str>,
    directory: TempDir,
}

const SCRIPT: &str = r#"
import asyncio
import itertools
import os
import time
import molotov

started = itertools.count()
received = []

async def hit(session, name):
    headers = {}
    if os.environ.get("DO") == "number":
        headers["start"] = f"{next(started)} {os.getpid()}"
    async with session.get(os.environ["TARGET"] + "/ok/" + name, headers=headers) as response:
        assert response.status == 200, response.status
        assert (await response.json())["result"] == "OK"
    if headers:
        received.append((headers["start"], time.time_ns()))

@molotov.setup()
async def setup(worker, args):
    if os.environ.get("DO") == "slow-setup":
        await asyncio.sleep(1.5)
    return {}

@molotov.teardown()
def teardown(worker):
    # Not in the scenario, which would become longer.
    with open(os.environ["JOURNAL"], "a") as journal:
        while received:
            start, at = received.pop()
            journal.write(f"received {start} {at}\n")

@molotov.scenario(weight=70)
async def browse(session):
    await hit(session, "browse")

@molotov.scenario(weight=20)
async def cart(session):
    await hit(session, "cart")

@molotov.scenario(weight=10)
async def admire(session):
    await hit(session, "admire")
"#;

/// An extension. The Rust load test has one with the same name.
const EXTENSION: &str = r#"
import os
import molotov

@molotov.events()
async def witness(event, **info):
    if event == "scenario_success":
        with open(os.environ["JOURNAL"], "a") as journal:
            journal.write("witnessed\n")
"#;

/// The output of a run, and the server that received its requests.
pub(crate) struct Run {
    pub(crate) output: Output,
    pub(crate) server: Server,
}

impl LoadTestProgram {
    /// The Rust load test, which is the program at `path`.
    ///
    /// # Panics
    ///
    /// Panics if the system cannot create a temporary directory.
    pub fn rust(path: &str) -> LoadTestProgram {
        let directory = tempfile::tempdir().expect("a directory");
        LoadTestProgram { program: path.to_owned(), script: None, directory }
    }

    /// The Python load test, which the program at `path` runs.
    ///
    /// # Panics
    ///
    /// Panics if the script cannot be written.
    pub fn python(path: &str) -> LoadTestProgram {
        let test = LoadTestProgram { script: Some("loadtest.py"), ..LoadTestProgram::rust(path) };
        test.write("loadtest.py", SCRIPT);
        test.write("witness.py", EXTENSION);
        test
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("the file is written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("the file exists")
    }

    pub(crate) fn program(&self, line: &str, server: &Server, base: &str) -> Program {
        self.program_at(line, &format!("{}{base}", server.url()))
    }

    /// The program with a command line, whose URLs start with `target`.
    pub(crate) fn program_at(&self, line: &str, target: &str) -> Program {
        let line = format!("{} {line}", self.script.unwrap_or_default());
        Program::new(&self.program, &line).in_directory(self.path()).env("TARGET", target)
    }

    /// Runs a command line. The paths of its requests start with `base`.
    pub(crate) fn run_at(&self, base: &str, line: &str) -> Run {
        let server = Server::new();
        let output = self.program(line, &server, base).run();
        Run { output, server }
    }

    /// Runs a command line that must exit with 0.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> Run {
        let run = self.run_at("", line);
        assert_eq!(run.output.code, Some(0), "{line}: {:#?}", run.output);
        run
    }
}

/// Asserts that each request of a redirect loop counts as one failed request.
///
/// # Panics
///
/// Panics if it does not.
pub fn redirect_loops_fail(test: &LoadTestProgram) {
    for line in ["-r 3", "-r 3 -p 2"] {
        let output = test.run_at("/loop", &format!("{line} -s browse --report loop.json")).output;
        let report = test.read("loop.json");
        let report = crate::report(&report);
        let runs = if line.contains("-p 2") { 6 } else { 3 };
        assert_eq!(output.totals(), (0, runs), "{output:#?}");
        let requests = report["requests"].as_array().expect("a list");
        assert_eq!(requests.len(), 1, "{requests:#?}");
        let [ok, failed, statuses] = ["ok", "failed", "statuses"].map(|name| &requests[0][name]);
        assert_eq!((ok, failed), (&0.into(), &runs.into()), "{line}: {requests:#?}");
        assert_eq!(statuses, &serde_json::json!({}), "{line}");
    }
}
