//! The virtual environment of a test: made, filled, and what runs in it.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    Problem,
    children::{Children, Failed},
    say,
};

/// Which Python makes the environment, and how.
#[derive(Debug)]
pub(super) struct Maker {
    /// The interpreter, of the version that runs the tests.
    pub(super) python: PathBuf,
    /// A `virtualenv` that makes it, in place of Python's own `venv`.
    pub(super) virtualenv: Option<PathBuf>,
}

impl Maker {
    /// With the interpreter that was asked for, or one of the right version that is found.
    pub(super) fn find(
        children: &mut Children,
        asked: Option<PathBuf>,
        ours: Option<&Path>,
        virtualenv: Option<PathBuf>,
    ) -> Result<Maker, Problem> {
        let wanted = molotov::python::version();
        let candidates = match (asked, ours) {
            (Some(asked), _) => vec![asked],
            (None, Some(ours)) => vec![ours.to_owned()],
            (None, None) => vec![PathBuf::from(format!("python{wanted}")), PathBuf::from("python3")],
        };
        let mut seen = Vec::new();
        for python in candidates {
            let mut command = Command::new(&python);
            command.args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).stdin(Stdio::null());
            match children.listen(&mut command) {
                Ok((Ok(()), version)) if version.trim() == wanted => return Ok(Maker { python, virtualenv }),
                Ok((Ok(()), version)) => seen.push(format!("{} is {}", python.display(), version.trim())),
                Ok((Err(Failed::Stopped(signal)), _)) | Err(Failed::Stopped(signal)) => {
                    return Err(Problem::Stopped(signal));
                }
                Ok((Err(_), _)) => seen.push(format!("{} does not run", python.display())),
                Err(Failed::Start(error)) => seen.push(format!("{}: {error}", python.display())),
                Err(Failed::Ended(status)) => seen.push(format!("{}: {status}", python.display())),
            }
        }
        Err(Problem::Told(format!(
            "this command runs scripts with Python {wanted}, and there is none ({}); name one with --python",
            seen.join("; ")
        )))
    }

    /// Makes the environment.
    pub(super) fn make(&self, children: &mut Children, directory: &Path) -> Result<Environment, Problem> {
        say(&format!("Making a virtual environment in {}", directory.display()));
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
        let what = command.get_program().to_string_lossy().into_owned();
        let problem = |failed| Problem::of(failed, &what, "the virtual environment was not made");
        // What it writes when it is stopped is nothing to read.
        let (done, told) = children.listen(command.arg(directory).stdin(Stdio::null())).map_err(problem)?;
        if let Err(Failed::Ended(_)) = done {
            say(told.trim());
        }
        done.map_err(problem)?;
        Ok(Environment { directory: directory.to_owned() })
    }
}

/// A virtual environment.
#[derive(Debug)]
pub(super) struct Environment {
    directory: PathBuf,
}

impl Environment {
    /// Its interpreter.
    pub(super) fn python(&self) -> PathBuf {
        self.directory.join("bin/python3")
    }

    /// Makes a program run in it.
    pub(super) fn activate(&self, command: &mut Command) {
        let paths = env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(self.directory.join("bin")).chain(env::split_paths(&paths));
        // A path that cannot be joined holds a colon, and was none before.
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

    /// Installs what a file of the repository names, but for Molotov, which is there.
    pub(super) fn install(&self, children: &mut Children, top: &Path, shown: &str) -> Result<(), Problem> {
        let file = top.join(shown);
        say(&format!("Installing {shown}"));
        let text = fs::read_to_string(&file)
            .map_err(|error| Problem::Told(format!("the requirements `{shown}` cannot be read: {error}")))?;
        let (rest, skipped) = without_molotov(&text);
        for line in &skipped {
            say(&format!("`{line}` among the requirements is skipped: Molotov is there, and runs the test"));
        }
        // Beside the file, since what it names may be relative to it.
        let beside = file.parent().unwrap_or(Path::new("."));
        let written = tempfile::Builder::new().prefix(".requirements-").suffix(".txt").tempfile_in(beside);
        let written = written.and_then(|mut file| file.write_all(rest.as_bytes()).map(|()| file));
        let written = written.map_err(|error| Problem::Told(format!("cannot write beside `{shown}`: {error}")))?;
        let mut option = OsString::from("--requirement=");
        option.push(written.path());
        // Paths in it are seen from the top.
        let done = children.step(self.pip().arg(option).current_dir(top));
        done.map_err(|failed| Problem::of(failed, "pip", &format!("`{shown}` was not installed")))
    }

    /// Installs aiohttp unless it is there: scripts may count on it, since the original Molotov needs it.
    pub(super) fn install_aiohttp(&self, children: &mut Children) -> Result<(), Problem> {
        let mut look = Command::new(self.python());
        self.activate(look.args(["-c", "import aiohttp"]).stdin(Stdio::null()));
        match children.listen(&mut look) {
            Ok((Ok(()), _)) => return Ok(()),
            Ok((Err(Failed::Stopped(signal)), _)) | Err(Failed::Stopped(signal)) => {
                return Err(Problem::Stopped(signal));
            }
            _ => {}
        }
        match children.listen(self.pip().arg("aiohttp")) {
            Ok((Ok(()), _)) => Ok(()),
            Ok((Err(Failed::Stopped(signal)), _)) | Err(Failed::Stopped(signal)) => Err(Problem::Stopped(signal)),
            // Most scripts do without.
            _ => {
                say("aiohttp cannot be installed; scripts that import it will fail");
                Ok(())
            }
        }
    }
}

/// Checks that a file of requirements is there, and belongs to the repository.
pub(super) fn check_requirements(top: &Path, shown: &str) -> Result<(), Problem> {
    let unreadable = |error| Problem::Told(format!("the requirements `{shown}` cannot be read: {error}"));
    let top = top.canonicalize().map_err(unreadable)?;
    // Links are followed: they lead out of it as well.
    let file = top.join(shown).canonicalize().map_err(unreadable)?;
    if file.starts_with(&top) {
        return Ok(());
    }
    Err(Problem::Told(format!("the requirements `{shown}` are outside the repository; name a file inside it")))
}

/// The lines of a file of requirements without those that name Molotov; and those.
fn without_molotov(text: &str) -> (String, Vec<String>) {
    let (mut rest, mut skipped) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(first) = lines.next() {
        // A backslash at its end joins a line to the next one.
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
        // An address, with or without the name of what it holds.
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

/// What starts `molotov` with the packages of an environment.
pub(super) fn molotov(wheel: Option<&molotov::cli::Wheel>, environment: &Environment) -> Result<Command, Problem> {
    let mut command = match wheel {
        Some(wheel) => {
            // Our own package comes first, everything else from the environment where it is there.
            let begin = "import sys; home = sys.argv.pop(1); sys.path[0] = home; import molotov.run; del sys.path[0]; \
                         sys.path.append(home); sys.exit(molotov.run.main())";
            let mut command = Command::new(environment.python());
            command.args([OsStr::new("-c"), OsStr::new(begin), wheel.packages.as_os_str()]);
            command
        }
        None => {
            let beside = env::current_exe().ok().and_then(|ours| Some(ours.parent()?.join("molotov")));
            Command::new(beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("molotov")))
        }
    };
    environment.activate(&mut command);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_name_molotov_are_left_out() {
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
