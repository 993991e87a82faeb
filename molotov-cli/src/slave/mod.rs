//! `moloslave`: clones a git repository, installs the requirements of a test, and runs it.

mod children;
mod repository;

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use clap::Parser;
use molotov::{
    cli::{Program, TestConfig, Wheel, masked, test_config},
    python::environment::{self, Creator, Environment, Error},
};

use self::children::Children;
use crate::{parse, print_error};

inventory::submit! {
    Program { name: "moloslave", run: main }
}

/// Runs a load test from a git repository.
///
/// The `molotov.json` of the repository defines tests with their options. It may also name a file of Python `requirements`, and
/// environment variables (`env`). If the `scenario` of a test is a script, molotov runs it in a new virtual environment. If a
/// test has no script, and there is a `Cargo.toml` beside the `molotov.json`, cargo runs it.
#[derive(Debug, Parser)]
#[command(name = "moloslave", version, max_term_width = 120, after_help = "The exit code is that of the run.")]
pub struct Slave {
    /// Address or path of the git repository
    #[arg(env = "TEST_REPO", hide_env_values = true, allow_hyphen_values = true)]
    repository: String,
    /// Name of the test
    #[arg(env = "TEST_NAME", allow_hyphen_values = true)]
    test: String,
    /// Branch or tag to check out [default: the default branch of the repository]
    #[arg(long, value_name = "NAME", conflicts_with = "rev", allow_hyphen_values = true)]
    branch: Option<String>,
    /// Commit to check out
    #[arg(long, value_name = "COMMIT", allow_hyphen_values = true)]
    rev: Option<String>,
    /// Directory to clone into, which is kept [default: a temporary directory, which is removed at the end]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Path of the configuration in the repository
    #[arg(long, value_name = "FILE", default_value = "molotov.json")]
    config: PathBuf,
    /// Python that creates the virtual environment [default: the one that this command uses]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// virtualenv to create it with, instead of Python's venv
    #[arg(long, value_name = "PROGRAM")]
    virtualenv: Option<PathBuf>,
}

/// Prints a message to standard error, with secrets masked. A closed pipe is not an error.
fn print(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", masked(text));
}

/// Runs a command line and returns the exit code: that of the run, 1 if the test did not run, 2 if the line is invalid.
pub fn main(line: Vec<OsString>, wheel: Option<Wheel>) -> u8 {
    let slave: Slave = match parse(line) {
        Ok(slave) => slave,
        Err(code) => return code,
    };
    let checked = repository::check(&slave.repository)
        .and_then(|()| slave.branch.iter().try_for_each(|name| repository::check_name("the branch", name)))
        .and_then(|()| slave.rev.iter().try_for_each(|name| repository::check_name("the revision", name)));
    if let Err(message) = checked {
        print_error(&message);
        return 2;
    }
    match slave.run(wheel.as_ref()) {
        Ok(code) => code,
        Err(Error::Message(message)) => {
            print_error(&message);
            1
        }
        Err(Error::Stopped(signal)) => {
            print("stopped");
            u8::try_from(128 + signal).unwrap_or(1)
        }
    }
}

impl Slave {
    fn run(&self, wheel: Option<&Wheel>) -> Result<u8, Error> {
        let message = |what: &str, error: io::Error| Error::Message(format!("{what}: {error}"));
        let mut children = Children::new().map_err(|error| message("cannot handle signals", error))?;
        let Some(directory) = &self.directory else {
            let temporary = tempfile::Builder::new().prefix("moloslave-").tempdir();
            let temporary = temporary.map_err(|error| message("cannot create a temporary directory", error))?;
            let result = self.run_in(&mut children, &temporary.path().join("repository"), wheel);
            let path = temporary.path().to_owned();
            if let Err(error) = temporary.close() {
                print(&format!("warning: cannot remove {}: {error}", path.display()));
            }
            return result;
        };
        let shown = directory.display().to_string();
        let unusable = |error| message(&format!("cannot use the directory {shown}"), error);
        fs::create_dir_all(directory).map_err(unusable)?;
        if fs::read_dir(directory).map_err(unusable)?.next().is_some() {
            return Err(Error::Message(format!(
                "the directory {shown} is not empty; name another one with --directory"
            )));
        }
        let top = directory.canonicalize().map_err(unusable)?;
        self.run_in(&mut children, &top, wheel)
    }

    fn run_in(&self, children: &mut Children, top: &Path, wheel: Option<&Wheel>) -> Result<u8, Error> {
        print(&format!("Cloning {} into {}", self.repository, top.display()));
        let (branch, revision) = (self.branch.as_deref(), self.rev.as_deref());
        repository::clone(children, &self.repository, top, branch, revision)?;

        let config = top.join(&self.config);
        if !config.is_file() {
            let shown = self.config.display();
            return Err(Error::Message(format!(
                "`{}` does not contain `{shown}`; name its configuration with --config",
                self.repository
            )));
        }
        let test = test_config(&config, &self.test).map_err(Error::Message)?;
        for (name, value) in &test.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(Error::Message(format!("`env`: {name:?} cannot be the name of an environment variable")));
            }
            if value.contains('\0') {
                let why = "contains a NUL character, which environment variables cannot contain";
                return Err(Error::Message(format!("`env`: the value of `{name}` {why}; remove it")));
            }
        }
        if let Some(requirements) = &test.requirements {
            environment::check_requirements(top, requirements)?;
        }
        let mut command = self.command(children, top, &config, &test, wheel)?;
        command.envs(&test.env).arg("--config").arg(&self.config).arg("--").arg(&self.test).current_dir(top);
        print(&format!("Running: molotov --config {} {}", self.config.display(), self.test));
        match children.run(&mut command) {
            Ok(status) => Ok(children::exit_code(status)),
            Err(error) => {
                Err(Error::from_child(error, &command.get_program().to_string_lossy(), "cannot run the test"))
            }
        }
    }

    /// The command that runs the test, without its arguments.
    fn command(
        &self,
        children: &mut Children,
        top: &Path,
        config: &Path,
        test: &TestConfig,
        wheel: Option<&Wheel>,
    ) -> Result<Command, Error> {
        let manifest = config.with_file_name("Cargo.toml");
        let is_crate = test.scenario.is_none() && manifest.is_file() && !top.join("loadtest.py").is_file();
        let environment = match (&test.requirements, is_crate) {
            (None, true) => None,
            _ => Some(self.environment(children, top, test, wheel)?),
        };
        match (is_crate, environment) {
            (false, Some(environment)) => {
                let installed = env::current_exe().ok().map(|program| program.with_file_name("molotov"));
                let installed = installed.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("molotov"));
                Ok(environment::molotov(wheel, &environment, &installed))
            }
            (_, environment) => {
                let mut command = Command::new("cargo");
                command.args(["run", "--quiet", "--release", "--manifest-path"]).arg(&manifest).arg("--");
                environment.iter().for_each(|environment| environment.activate(&mut command));
                print("Building the load test");
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
    ) -> Result<Environment, Error> {
        let own = wheel.map(|wheel| wheel.python.as_path());
        let creator = Creator::find(children, self.python.clone(), own, self.virtualenv.clone())?;
        // Outside the repository if the directory is temporary, inside it if the directory is kept.
        let directory = match (&self.directory, top.parent()) {
            (None, Some(parent)) => parent.join("venv"),
            _ => top.join("venv"),
        };
        let environment = creator.create(children, &directory)?;
        if let Some(requirements) = &test.requirements {
            environment.install(children, top, requirements)?;
        }
        // The wheel depends on aiohttp, so it is already installed.
        if wheel.is_none() {
            environment.install_aiohttp(children)?;
        }
        Ok(environment)
    }
}
