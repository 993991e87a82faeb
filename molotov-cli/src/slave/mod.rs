//! `moloslave`: clones a repository, installs what a test of its `molotov.json` needs, and runs that test.

mod children;
mod environment;
mod repository;

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use clap::Parser;
use molotov::cli::{Program, TestConfig, Wheel, masked, test_config};

use self::{
    children::{Children, Failed},
    environment::{Environment, Maker},
};
use crate::{complain, read};

inventory::submit! {
    Program { name: "moloslave", run: main }
}

/// Runs a load test from a git repository.
///
/// The repository has a `molotov.json`, which names tests with their options, and may name a file of Python `requirements` and
/// variables of the environment (`env`). A test whose `scenario` is a script is run by molotov in a virtual environment of its
/// own; one without a script is run by cargo, if a `Cargo.toml` stands beside the `molotov.json`.
#[derive(Debug, Parser)]
#[command(name = "moloslave", version, max_term_width = 120, after_help = "It exits as the run does.")]
pub struct Slave {
    /// Address or path of the git repository
    #[arg(env = "TEST_REPO", hide_env_values = true, allow_hyphen_values = true)]
    repository: String,
    /// Name of the test
    #[arg(env = "TEST_NAME", allow_hyphen_values = true)]
    test: String,
    /// Branch or tag to take [default: the repository's own]
    #[arg(long, value_name = "NAME", conflicts_with = "rev", allow_hyphen_values = true)]
    branch: Option<String>,
    /// Commit to take
    #[arg(long, value_name = "COMMIT", allow_hyphen_values = true)]
    rev: Option<String>,
    /// Where to clone to, and to leave everything [default: a directory that is removed at the end]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The configuration, seen from the repository's top
    #[arg(long, value_name = "FILE", default_value = "molotov.json")]
    config: PathBuf,
    /// The Python that makes the virtual environment [default: the one of this command]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// A virtualenv to make it with, in place of Python's own venv
    #[arg(long, value_name = "PROGRAM")]
    virtualenv: Option<PathBuf>,
}

/// Why there is no run.
#[derive(Debug)]
enum Problem {
    /// To be told.
    Told(String),
    /// A signal has ended it.
    Stopped(i32),
}

impl Problem {
    /// A program that did not do its work.
    fn of(failed: Failed, program: &str, so: &str) -> Problem {
        match failed {
            Failed::Start(error) => Problem::Told(format!("{so}: `{program}` does not start: {error}")),
            Failed::Ended(status) => Problem::Told(format!("{so}: {program} ended with {status}")),
            Failed::Stopped(signal) => Problem::Stopped(signal),
        }
    }
}

/// Writes what is being done, without the tokens of addresses. Who has closed the pipe misses it.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", masked(text));
}

/// Runs a command line; gives the code to exit with: the run's, 1 when there was none, 2 when the line is wrong.
pub fn main(line: Vec<OsString>, wheel: Option<Wheel>) -> u8 {
    let slave: Slave = match read(line) {
        Ok(slave) => slave,
        Err(code) => return code,
    };
    let checked = repository::check(&slave.repository)
        .and_then(|()| slave.branch.iter().try_for_each(|name| repository::check_name("the branch", name)))
        .and_then(|()| slave.rev.iter().try_for_each(|name| repository::check_name("the revision", name)));
    if let Err(message) = checked {
        complain(&message);
        return 2;
    }
    match slave.run(wheel.as_ref()) {
        Ok(code) => code,
        Err(Problem::Told(message)) => {
            complain(&message);
            1
        }
        Err(Problem::Stopped(signal)) => {
            say("stopped");
            u8::try_from(128 + signal).unwrap_or(1)
        }
    }
}

impl Slave {
    fn run(&self, wheel: Option<&Wheel>) -> Result<u8, Problem> {
        let told = |what: &str, error: io::Error| Problem::Told(format!("{what}: {error}"));
        let mut children = Children::new().map_err(|error| told("signals cannot be followed", error))?;
        let Some(directory) = &self.directory else {
            let temporary = tempfile::Builder::new().prefix("moloslave-").tempdir();
            let temporary = temporary.map_err(|error| told("there is no temporary directory", error))?;
            let result = self.run_in(&mut children, &temporary.path().join("repository"), wheel);
            let path = temporary.path().to_owned();
            if let Err(error) = temporary.close() {
                say(&format!("{} is not removed: {error}", path.display()));
            }
            return result;
        };
        let shown = directory.display().to_string();
        fs::create_dir_all(directory).map_err(|error| told(&shown, error))?;
        let mut entries = fs::read_dir(directory).map_err(|error| told(&shown, error))?;
        if entries.next().is_some() {
            return Err(Problem::Told(format!("{shown} is not empty")));
        }
        let top = directory.canonicalize().map_err(|error| told(&shown, error))?;
        self.run_in(&mut children, &top, wheel)
    }

    fn run_in(&self, children: &mut Children, top: &Path, wheel: Option<&Wheel>) -> Result<u8, Problem> {
        say(&format!("Cloning {} into {}", self.repository, top.display()));
        let (branch, revision) = (self.branch.as_deref(), self.rev.as_deref());
        repository::clone(children, &self.repository, top, branch, revision)?;

        let config = top.join(&self.config);
        if !config.is_file() {
            let shown = self.config.display();
            return Err(Problem::Told(format!("`{}` has no `{shown}` (--config names another)", self.repository)));
        }
        let test = test_config(&config, &self.test).map_err(Problem::Told)?;
        for (name, value) in &test.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(Problem::Told(format!("`env`: {name:?} cannot be the name of an environment variable")));
            }
            if value.contains('\0') {
                let why = "holds a NUL character, which no environment variable can hold";
                return Err(Problem::Told(format!("`env`: the value of `{name}` {why}; remove it")));
            }
        }
        if let Some(requirements) = &test.requirements {
            environment::check_requirements(top, requirements)?;
        }
        let mut command = self.command(children, top, &config, &test, wheel)?;
        command.envs(&test.env).arg("--config").arg(&self.config).arg("--").arg(&self.test).current_dir(top);
        say(&format!("Running: molotov --config {} {}", self.config.display(), self.test));
        match children.run(&mut command) {
            Ok(status) => Ok(children::code(status)),
            Err(failed) => Err(Problem::of(failed, &command.get_program().to_string_lossy(), "the test was not run")),
        }
    }

    /// What runs the test, but for its arguments.
    fn command(
        &self,
        children: &mut Children,
        top: &Path,
        config: &Path,
        test: &TestConfig,
        wheel: Option<&Wheel>,
    ) -> Result<Command, Problem> {
        let manifest = config.with_file_name("Cargo.toml");
        let is_crate = test.scenario.is_none() && manifest.is_file() && !top.join("loadtest.py").is_file();
        let environment = match (&test.requirements, is_crate) {
            (None, true) => None,
            _ => Some(self.environment(children, top, test, wheel)?),
        };
        match (is_crate, environment) {
            (false, Some(environment)) => environment::molotov(wheel, &environment),
            (_, environment) => {
                let mut command = Command::new("cargo");
                command.args(["run", "--quiet", "--release", "--manifest-path"]).arg(&manifest).arg("--");
                environment.iter().for_each(|environment| environment.activate(&mut command));
                say("Building the load test");
                Ok(command)
            }
        }
    }

    fn environment(
        &self,
        children: &mut Children,
        top: &Path,
        test: &TestConfig,
        wheel: Option<&Wheel>,
    ) -> Result<Environment, Problem> {
        let ours = wheel.map(|wheel| wheel.python.as_path());
        let maker = Maker::find(children, self.python.clone(), ours, self.virtualenv.clone())?;
        // Beside the repository where that is ours, in it where it stays.
        let directory = match (&self.directory, top.parent()) {
            (None, Some(beside)) => beside.join("venv"),
            _ => top.join("venv"),
        };
        let environment = maker.make(children, &directory)?;
        if let Some(requirements) = &test.requirements {
            environment.install(children, top, requirements)?;
        }
        // The wheel brings its own.
        if wheel.is_none() {
            environment.install_aiohttp(children)?;
        }
        Ok(environment)
    }
}
