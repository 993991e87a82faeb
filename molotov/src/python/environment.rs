//! The virtual environment of a load test: creates it, installs requirements, and runs molotov in it.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use pyo3::prelude::*;

use super::{
    host::Wheel,
    interpreter::{self, version},
};

/// Runs the programs that create an environment.
pub trait Runner {
    /// Shows what is being done.
    fn print(&mut self, text: &str);

    /// Runs a program that must succeed.
    ///
    /// # Errors
    ///
    /// If it cannot be started, fails or is stopped.
    fn run_checked(&mut self, command: &mut Command) -> Result<(), ChildError>;

    /// Runs a program and returns its result, and its standard output followed by its standard error.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    fn output(&mut self, command: &mut Command) -> Result<(Result<(), ChildError>, String), ChildError>;
}

/// Why a program failed.
#[derive(Debug)]
pub enum ChildError {
    /// The program cannot be started.
    Start(io::Error),
    /// The program exited with an error.
    Failed(ExitStatus),
    /// A signal with this number asked to stop.
    Stopped(i32),
}

/// Why there is no environment.
#[derive(Debug)]
pub enum Error {
    /// A message to print.
    Message(String),
    /// The number of the signal that asked to stop.
    Stopped(i32),
}

impl Error {
    /// The error of a program that failed. `what` says what could not be done.
    pub fn from_child(error: ChildError, program: &str, what: &str) -> Error {
        match error {
            ChildError::Start(error) => Error::Message(format!("{what}: cannot start `{program}`: {error}")),
            ChildError::Failed(status) => Error::Message(format!("{what}: `{program}` failed with {status}")),
            ChildError::Stopped(signal) => Error::Stopped(signal),
        }
    }
}

impl Wheel {
    /// The command that starts `molotov` with an interpreter.
    pub(crate) fn molotov(&self, python: &Path) -> Command {
        // `import molotov` finds the wheel's package; other packages come from the interpreter first.
        let begin = "import sys; home = sys.argv.pop(1); sys.path[0] = home; import molotov.run; del sys.path[0]; \
                     sys.path.append(home); sys.exit(molotov.run.main())";
        let mut command = Command::new(python);
        command.args([OsStr::new("-c"), OsStr::new(begin), self.packages.as_os_str()]);
        command
    }

    /// The Python that has started this program; `None` if the program has an interpreter in itself.
    ///
    /// # Errors
    ///
    /// If the interpreter does not know its path.
    pub(crate) fn current() -> Result<Option<Wheel>, String> {
        if interpreter::is_ours() || !interpreter::is_started() {
            return Ok(None);
        }
        let find = |py: Python<'_>| -> PyResult<Wheel> {
            let python: PathBuf = py.import("sys")?.getattr("executable")?.extract()?;
            let package: PathBuf = py.import("molotov")?.getattr("__file__")?.extract()?;
            let packages = package.ancestors().nth(2).unwrap_or(&package).to_owned();
            Ok(Wheel { python, packages })
        };
        Python::attach(find).map(Some).map_err(|error| format!("cannot find the Python of this program: {error}"))
    }
}

/// Creates virtual environments.
#[derive(Debug)]
pub struct Creator {
    /// An interpreter of the version that runs the tests.
    pub python: PathBuf,
    /// The `virtualenv` to use instead of Python's `venv`.
    pub virtualenv: Option<PathBuf>,
}

impl Creator {
    /// Finds an interpreter of the right version: the requested one, or that of this command, or one on the `PATH`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn find(
        runner: &mut dyn Runner,
        requested: Option<PathBuf>,
        own: Option<&Path>,
        virtualenv: Option<PathBuf>,
    ) -> Result<Creator, Error> {
        let wanted = version();
        let candidates = match (requested, own) {
            (Some(requested), _) => vec![requested],
            (None, Some(own)) => vec![own.to_owned()],
            (None, None) => vec![PathBuf::from(format!("python{wanted}")), PathBuf::from("python3")],
        };
        let mut seen = Vec::new();
        for python in candidates {
            let mut command = Command::new(&python);
            command.args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).stdin(Stdio::null());
            match runner.output(&mut command) {
                Ok((Ok(()), version)) if version.trim() == wanted => return Ok(Creator { python, virtualenv }),
                Ok((Ok(()), version)) => seen.push(format!("{} is {}", python.display(), version.trim())),
                Ok((Err(ChildError::Stopped(signal)), _)) | Err(ChildError::Stopped(signal)) => {
                    return Err(Error::Stopped(signal));
                }
                Ok((Err(_), _)) => seen.push(format!("{} fails", python.display())),
                Err(ChildError::Start(error)) => seen.push(format!("{}: {error}", python.display())),
                Err(ChildError::Failed(status)) => seen.push(format!("{}: {status}", python.display())),
            }
        }
        Err(Error::Message(format!(
            "cannot find Python {wanted}, which this command was built for ({}); name one with --python",
            seen.join("; ")
        )))
    }

    /// Creates an environment in a directory.
    ///
    /// # Errors
    ///
    /// If Python fails, or was asked to stop.
    pub fn create(&self, runner: &mut dyn Runner, directory: &Path) -> Result<Environment, Error> {
        runner.print(&format!("Creating a virtual environment in {}", directory.display()));
        let mut command = match &self.virtualenv {
            Some(virtualenv) => {
                let mut command = Command::new(virtualenv);
                command.arg("--quiet").arg("--python").arg(&self.python);
                command
            }
            None => {
                let mut command = Command::new(&self.python);
                command.args(["-m", "venv"]);
                command
            }
        };
        let program = command.get_program().to_string_lossy().into_owned();
        let to_error = |error| Error::from_child(error, &program, "cannot create the virtual environment");
        let (result, output) = runner.output(command.arg(directory).stdin(Stdio::null())).map_err(to_error)?;
        // Its output is not shown if a signal stopped it.
        if let Err(ChildError::Failed(_)) = result {
            runner.print(output.trim());
        }
        result.map_err(to_error)?;
        Ok(Environment { directory: directory.to_owned() })
    }
}

/// A virtual environment.
#[derive(Debug)]
pub struct Environment {
    directory: PathBuf,
}

impl Environment {
    /// An environment that exists.
    #[must_use]
    pub fn at(directory: PathBuf) -> Environment {
        Environment { directory }
    }

    /// The path of its interpreter.
    #[must_use]
    pub fn python(&self) -> PathBuf {
        self.directory.join("bin/python3")
    }

    /// Makes a command run in the environment.
    pub fn activate(&self, command: &mut Command) {
        let paths = env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(self.directory.join("bin")).chain(env::split_paths(&paths));
        // Fails only if the directory contains a colon.
        if let Ok(paths) = env::join_paths(all) {
            command.env("PATH", paths);
        }
        command.env("VIRTUAL_ENV", &self.directory).env_remove("PYTHONHOME");
    }

    fn pip(&self) -> Command {
        let mut command = Command::new(self.python());
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
        command.args(quiet).stdin(Stdio::null()).stdout(io::stderr());
        self.activate(&mut command);
        command
    }

    /// Installs the packages of a requirements file of the repository, except Molotov, which is already installed.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or pip fails or was asked to stop.
    pub fn install(&self, runner: &mut dyn Runner, top: &Path, shown: &str) -> Result<(), Error> {
        let file = top.join(shown);
        runner.print(&format!("Installing {shown}"));
        let text = fs::read_to_string(&file)
            .map_err(|error| Error::Message(format!("cannot read the requirements `{shown}`: {error}")))?;
        let (rest, skipped) = without_molotov(&text);
        for line in &skipped {
            runner.print(&format!("Skipping the requirement `{line}`: Molotov is already installed"));
        }
        // In the same directory, because the file may include others by relative paths.
        let directory = file.parent().unwrap_or(Path::new("."));
        let filtered = tempfile::Builder::new().prefix(".requirements-").suffix(".txt").tempfile_in(directory);
        let filtered = filtered.and_then(|mut file| file.write_all(rest.as_bytes()).map(|()| file));
        let filtered = filtered
            .map_err(|error| Error::Message(format!("cannot write a copy of the requirements `{shown}`: {error}")))?;
        let mut option = OsString::from("--requirement=");
        option.push(filtered.path());
        // Paths of packages in it are relative to the top of the repository.
        let result = runner.run_checked(self.pip().arg(option).current_dir(top));
        result.map_err(|error| Error::from_child(error, "pip", &format!("cannot install the requirements `{shown}`")))
    }

    /// Installs aiohttp if it is missing: scripts may import it, since the original Molotov depends on it.
    ///
    /// # Errors
    ///
    /// If pip was asked to stop.
    pub fn install_aiohttp(&self, runner: &mut dyn Runner) -> Result<(), Error> {
        let mut import = Command::new(self.python());
        self.activate(import.args(["-c", "import aiohttp"]).stdin(Stdio::null()));
        match runner.output(&mut import) {
            Ok((Ok(()), _)) => return Ok(()),
            Ok((Err(ChildError::Stopped(signal)), _)) | Err(ChildError::Stopped(signal)) => {
                return Err(Error::Stopped(signal));
            }
            _ => {}
        }
        match runner.output(self.pip().arg("aiohttp")) {
            Ok((Ok(()), _)) => Ok(()),
            Ok((Err(ChildError::Stopped(signal)), _)) | Err(ChildError::Stopped(signal)) => Err(Error::Stopped(signal)),
            // Most scripts do not import it.
            _ => {
                runner.print("warning: cannot install aiohttp; scripts that import it will fail");
                Ok(())
            }
        }
    }
}

/// Checks that a requirements file exists and is inside the repository.
///
/// # Errors
///
/// If not.
pub fn check_requirements(top: &Path, shown: &str) -> Result<(), Error> {
    let unreadable = |error| Error::Message(format!("cannot read the requirements `{shown}`: {error}"));
    let top = top.canonicalize().map_err(unreadable)?;
    // Follows links, which may lead outside.
    let file = top.join(shown).canonicalize().map_err(unreadable)?;
    if file.starts_with(&top) {
        return Ok(());
    }
    Err(Error::Message(format!("the requirements `{shown}` are outside the repository; name a file inside it")))
}

/// Splits the lines of a requirements file into the text without the requirement of Molotov, and the skipped requirements.
fn without_molotov(text: &str) -> (String, Vec<String>) {
    let (mut rest, mut skipped) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(first) = lines.next() {
        // A backslash at the end joins a line with the next one.
        let mut whole = vec![first];
        while whole.last().is_some_and(|line| line.ends_with('\\')) {
            match lines.next() {
                Some(line) => whole.push(line),
                None => break,
            }
        }
        if names_molotov(first) {
            skipped.push(first.trim().trim_end_matches('\\').trim_end().to_owned());
        } else {
            whole.iter().for_each(|line| {
                rest.push_str(line);
                rest.push('\n');
            });
        }
    }
    (rest, skipped)
}

fn names_molotov(line: &str) -> bool {
    let line = line.trim();
    let line = line.strip_prefix("-e ").or(line.strip_prefix("--editable ")).unwrap_or(line).trim_start();
    if line.contains("://") && !line.contains(" @ ") {
        // An address, with or without the name of the package.
        let (address, fragment) = line.split_once('#').unwrap_or((line, ""));
        if let Some((_, name)) = fragment.split_once("egg=") {
            return is_molotov(name.split(['&', '[']).next().unwrap_or_default());
        }
        let path = address.split_once("://").map_or("", |(_, path)| path);
        let last = path.rsplit('/').next().unwrap_or_default();
        let last = last.split('@').next().unwrap_or_default();
        return address.starts_with("git+") && is_molotov(last.trim_end_matches(".git"));
    }
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))).unwrap_or(line.len());
    is_molotov(&line[..end])
}

fn is_molotov(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
    matches!(name.as_str(), "molotov" | "molotov-rs")
}

/// The command that starts `molotov` with the packages of an environment. `installed` is the program without a wheel.
#[must_use]
pub fn molotov(wheel: Option<&Wheel>, environment: &Environment, installed: &Path) -> Command {
    let mut command = match wheel {
        Some(wheel) => wheel.molotov(&environment.python()),
        None => Command::new(installed),
    };
    environment.activate(&mut command);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_requirements_of_molotov() {
        let text = "aiohttp==3.9.5\nmolotov>=2.6 \\\n    --hash=sha256:00\nmolotov-extras\n# molotov\nMolotov\n-e .\n\
                    git+https://example.com/team/molotov.git@main\ngit+https://example.com/x.git#egg=molotov\n\
                    molotov_rs ; python_version > '3.9'\nmolotov @ https://example.com/m.whl\nredis \\\n  --hash=sha256:11\n\
                    -r molotov.txt\nhttps://example.com/molotov/other.whl";
        let (rest, skipped) = without_molotov(text);
        assert_eq!(
            rest,
            "aiohttp==3.9.5\nmolotov-extras\n# molotov\n-e .\nredis \\\n  --hash=sha256:11\n-r molotov.txt\n\
             https://example.com/molotov/other.whl\n"
        );
        assert_eq!(
            skipped,
            [
                "molotov>=2.6",
                "Molotov",
                "git+https://example.com/team/molotov.git@main",
                "git+https://example.com/x.git#egg=molotov",
                "molotov_rs ; python_version > '3.9'",
                "molotov @ https://example.com/m.whl",
            ]
        );
    }
}
