//! The packages that a run needs: installs them into a virtual environment, which later runs with the same requirements use again.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read},
    os::{fd::AsFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{self, Pid, Signal, WaitId, WaitIdOptions};

use super::{cache, protocol::Sha256};
use crate::python::{
    self, Wheel,
    environment::{self, ChildError, Creator, Environment, Error, Runner},
};

/// How many environments are kept.
const KEPT: usize = 8;
/// How often a process checks whether another one has finished an environment.
const LOCK_PERIOD: Duration = Duration::from_millis(100);
/// The number of the signal that stops an installation.
const STOPPED: i32 = Signal::TERM.as_raw();

/// The packages of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requirements<'a> {
    /// The folder of the unpacked archive.
    pub(super) top: &'a Path,
    /// The folder in it that the run works in.
    pub(super) directory: &'a str,
    /// The requirements file, relative to that folder.
    pub(super) file: &'a str,
    /// The hash of the archive.
    pub(super) archive: Sha256,
}

/// An environment with the packages of a run. It is kept at least as long as this exists.
#[derive(Debug)]
pub(super) struct Installed {
    environment: Environment,
    wheel: Option<Wheel>,
    _lock: File,
}

impl Installed {
    /// The command that starts `molotov` with the packages. Its arguments follow.
    pub(super) fn molotov(&self) -> Command {
        environment::molotov(self.wheel.as_ref(), &self.environment, Path::new("/proc/self/exe"))
    }
}

/// The command that starts the `molotov` that this is, without further packages.
///
/// # Errors
///
/// If the Python that has started this program is not known.
pub(super) fn molotov() -> Result<Command, String> {
    Ok(match Wheel::current()? {
        Some(wheel) => wheel.molotov(&wheel.python),
        None => Command::new("/proc/self/exe"),
    })
}

/// Installs packages, unless an earlier run has. `prepare` receives what is being done.
///
/// # Errors
///
/// If there is no suitable Python, if pip fails, or if `stop` was used. The text is one sentence, and may have the last lines of pip.
pub(super) fn install(
    requirements: Requirements<'_>,
    stop: &Stop,
    prepare: &mut dyn FnMut(&str),
) -> Result<Installed, String> {
    install_in(&cache::folder("environments")?, requirements, stop, prepare)
}

fn install_in(
    folder: &Path,
    requirements: Requirements<'_>,
    stop: &Stop,
    prepare: &mut dyn FnMut(&str),
) -> Result<Installed, String> {
    let Requirements { top, directory, file, archive } = requirements;
    let here = top.join(directory);
    environment::check_requirements(top, &Path::new(directory).join(file).to_string_lossy()).map_err(message)?;
    let text = fs::read_to_string(here.join(file))
        .map_err(|error| format!("cannot read the requirements `{file}`: {error}"))?;
    let wheel = Wheel::current()?;
    let key = [
        python::version().as_str(),
        // Files of the archive may change while the requirements do not.
        &if names_files(&text) { archive.to_string() } else { String::new() },
        &wheel.as_ref().map(|wheel| wheel.python.display().to_string()).unwrap_or_default(),
        &text,
    ]
    .join("\0");
    let place = folder.join(Sha256::of(key.as_bytes()).to_string());
    let unusable = |error: io::Error| format!("cannot use the environment {}: {error}", place.display());
    let lock = File::options().create(true).append(true).open(place.with_extension("lock")).map_err(unusable)?;
    let mut has_waited = false;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        // Other agents use the environment, or one is installing it.
        if lock.try_lock_shared().is_ok() && is_complete(&place) {
            break;
        }
        if stop.is_set() {
            return Err(message(Error::Stopped(STOPPED)));
        }
        if !std::mem::replace(&mut has_waited, true) {
            prepare(&format!("waiting for another agent that is installing {file}"));
        }
        thread::sleep(LOCK_PERIOD);
    }
    if !is_complete(&place) {
        if place.exists() {
            fs::remove_dir_all(&place).map_err(unusable)?;
        }
        prepare(&format!("installing the packages of {file}"));
        let mut programs = Programs { stop, said: String::new() };
        let created = (|| {
            let creator = Creator::find(&mut programs, own_python(wheel.as_ref()), None, None)?;
            let environment = creator.create(&mut programs, &place)?;
            environment.install(&mut programs, &here, file)?;
            match wheel {
                // The wheel depends on aiohttp, so it is already installed.
                Some(_) => Ok(()),
                None => environment.install_aiohttp(&mut programs),
            }
        })();
        created.map_err(|error| {
            let said = programs.said.trim();
            let why = message(error);
            if said.is_empty() { why } else { format!("{why}: {said}") }
        })?;
        File::create(place.join(COMPLETE)).map_err(unusable)?;
    }
    cache::touch(&place.join(COMPLETE));
    cache::touch(&place);
    // Nobody else has it, so this does not wait.
    lock.lock_shared().map_err(unusable)?;
    remove_old(folder);
    Ok(Installed { environment: Environment::at(place), wheel, _lock: lock })
}

/// The file that marks a complete environment.
const COMPLETE: &str = "molotov-complete";

fn is_complete(place: &Path) -> bool {
    place.join(COMPLETE).is_file()
}

/// The interpreter to make environments with, if this program runs in one; otherwise one on the `PATH` is found.
fn own_python(wheel: Option<&Wheel>) -> Option<PathBuf> {
    let of_environment = || Some(PathBuf::from(std::env::var_os("VIRTUAL_ENV")?).join("bin/python3"));
    wheel.map(|wheel| wheel.python.clone()).or_else(|| of_environment().filter(|python| python.exists()))
}

/// Whether a requirements file may name other files of the archive.
fn names_files(text: &str) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.into_iter().any(|line| {
        let is_address = line.contains("://") && !line.contains("file:");
        line.starts_with('-') || (line.contains('/') && !is_address) || line.starts_with('.') || line.contains(".whl")
    })
}

/// Removes the environments that were not used for the longest time, and that no run uses.
fn remove_old(folder: &Path) {
    let environments = cache::newest_first(folder).into_iter().filter(|path| path.is_dir());
    for old in environments.skip(KEPT) {
        let lock = File::options().write(true).open(old.with_extension("lock"));
        if lock.as_ref().is_ok_and(|lock| lock.try_lock().is_ok()) {
            // What remains is removed the next time, or is replaced.
            let _ = fs::remove_file(old.join(COMPLETE)).and_then(|()| fs::remove_dir_all(&old));
        }
    }
}

fn message(error: Error) -> String {
    match error {
        Error::Message(message) => message,
        Error::Stopped(_) => "the installation of the packages was stopped".to_owned(),
    }
}

/// Stops an installation.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<Mutex<Running>>);

#[derive(Debug, Default)]
struct Running {
    is_set: bool,
    /// The process group of the program that is running.
    group: Option<Pid>,
}

impl Stop {
    /// Ends the program that is running, and lets no other start.
    pub(super) fn stop(&self) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.is_set = true;
        if let Some(group) = running.group {
            // It is not reaped while it is in `group`.
            let _ = process::kill_process_group(group, Signal::KILL);
        }
    }

    fn is_set(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_set
    }
}

/// Runs the programs of an installation.
struct Programs<'a> {
    stop: &'a Stop,
    /// The last lines of the errors of a program that failed.
    said: String,
}

impl Programs<'_> {
    fn wait(&mut self, command: &mut Command) -> Result<(ExitStatus, String, String), ChildError> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut running = self.stop.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_set {
            return Err(ChildError::Stopped(STOPPED));
        }
        let mut child = command.spawn().map_err(ChildError::Start)?;
        running.group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = running.group;
        drop(running);
        let out = child.stdout.take().map(|pipe| thread::spawn(move || text(pipe)));
        let errors = child.stderr.take().map(text).unwrap_or_default();
        let out = out.and_then(|out| out.join().ok()).unwrap_or_default();
        if let Some(pid) = pid {
            // The process remains until `wait`, so its number is no other's.
            let _ = process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
        self.stop.0.lock().unwrap_or_else(PoisonError::into_inner).group = None;
        let status = child.wait().map_err(ChildError::Start)?;
        if self.stop.is_set() {
            return Err(ChildError::Stopped(STOPPED));
        }
        Ok((status, out, errors))
    }
}

impl Runner for Programs<'_> {
    fn print(&mut self, _text: &str) {}

    fn run_checked(&mut self, command: &mut Command) -> Result<(), ChildError> {
        let (status, _, errors) = self.wait(command)?;
        if status.success() {
            return Ok(());
        }
        self.said = last_lines(&errors);
        Err(ChildError::Failed(status))
    }

    fn output(&mut self, command: &mut Command) -> Result<(Result<(), ChildError>, String), ChildError> {
        let (status, out, errors) = self.wait(command)?;
        if !status.success() {
            self.said = last_lines(&format!("{out}{errors}"));
        }
        Ok((if status.success() { Ok(()) } else { Err(ChildError::Failed(status)) }, out + &errors))
    }
}

/// Reads a pipe to its end.
fn text(mut pipe: impl Read + AsFd) -> String {
    let mut bytes = Vec::new();
    // After an error, the bytes read so far are returned.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The errors of pip, or the last lines of another program.
fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let errors: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("ERROR: ")).collect();
    match errors.is_empty() {
        true => lines[lines.len().saturating_sub(3)..].join("; "),
        false => errors[..errors.len().min(3)].join("; "),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// A folder with a requirements file and a wheel of the package `greeting`, whose module has this text.
    fn archive(requirements: &str, greeting: &str) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("tests/wheels")).unwrap();
        fs::write(top.path().join("tests/requirements.txt"), requirements).unwrap();
        let build = r#"
import sys, zipfile
path, text = sys.argv[1:]
info = "greeting-1.0.dist-info/"
with zipfile.ZipFile(path, "w") as wheel:
    wheel.writestr("greeting.py", text)
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "")
    wheel.writestr("aiohttp.py", "")
"#;
        let path = top.path().join("tests/wheels/greeting-1.0-py3-none-any.whl");
        let status = Command::new("python3").args(["-c", build]).arg(path).arg(greeting).status().unwrap();
        assert!(status.success());
        top
    }

    fn installed(folder: &Path, top: &Path, archive: &[u8]) -> Result<(Installed, Vec<String>), String> {
        let archive = Sha256::of(archive);
        let requirements = Requirements { top, directory: "tests", file: "requirements.txt", archive };
        let mut steps = Vec::new();
        let installed = install_in(folder, requirements, &Stop::default(), &mut |step| steps.push(step.to_owned()))?;
        Ok((installed, steps))
    }

    fn greeting(installed: &Installed) -> String {
        let mut command = Command::new(installed.environment.python());
        let output = command.args(["-c", "import greeting; print(greeting.TEXT)"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn installs_wheels_of_the_archive_once() {
        let folder = tempfile::tempdir().unwrap();
        let top = archive("./wheels/greeting-1.0-py3-none-any.whl\n", "TEXT = 'one'\n");
        let (first, steps) = installed(folder.path(), top.path(), b"one").unwrap();
        assert_eq!((greeting(&first).as_str(), steps.len()), ("one", 1));
        assert_eq!(steps, ["installing the packages of requirements.txt"]);
        let (second, steps) = installed(folder.path(), top.path(), b"one").unwrap();
        assert_eq!((greeting(&second).as_str(), steps.len()), ("one", 0));
        let variable = second.molotov();
        let active = variable.get_envs().find(|(name, _)| *name == "VIRTUAL_ENV").unwrap().1;
        assert!(Path::new(active.unwrap()).starts_with(folder.path()));
    }

    #[test]
    fn failed_installations_name_the_reason_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let top = archive("./wheels/missing-1.0-py3-none-any.whl\n", "");
        let error = installed(folder.path(), top.path(), b"").unwrap_err();
        assert!(error.starts_with("cannot install the requirements `requirements.txt`: `pip` failed with"), "{error}");
        assert!(error.contains("missing-1.0-py3-none-any.whl") && !error.contains('\n'), "{error}");
        let places: Vec<_> = cache::newest_first(folder.path()).into_iter().filter(|path| path.is_dir()).collect();
        assert!(places.iter().all(|place| !is_complete(place)), "{places:?}");

        let requirements = Requirements { top: top.path(), directory: "", file: "../x.txt", archive: Sha256::of(b"") };
        fs::write(top.path().parent().unwrap().join("x.txt"), "").unwrap();
        let error = install_in(folder.path(), requirements, &Stop::default(), &mut |_| {}).unwrap_err();
        assert!(error.contains("outside"), "{error}");
    }

    #[test]
    fn stops_while_a_program_runs() {
        let stop = Stop::default();
        let mut programs = Programs { stop: &stop, said: String::new() };
        let thread = {
            let stop = stop.clone();
            thread::spawn(move || {
                while stop.0.lock().unwrap().group.is_none() {
                    thread::yield_now();
                }
                stop.stop();
            })
        };
        let stopped = programs.run_checked(Command::new("sh").args(["-c", "sleep 60 & wait"]));
        assert!(matches!(stopped, Err(ChildError::Stopped(_))), "{stopped:?}");
        thread.join().unwrap();
        let stopped = programs.run_checked(&mut Command::new("true"));
        assert!(matches!(stopped, Err(ChildError::Stopped(_))), "{stopped:?}");
    }

    #[test]
    fn requirements_that_name_files_depend_on_the_archive() {
        for text in ["./x.whl", "-r other.txt", "x @ file:///a/x.whl", "wheels/x.tar.gz", "x.whl", "--find-links=w\nx"]
        {
            assert!(names_files(text), "{text}");
        }
        assert!(!names_files(
            "# ./x\n\nredis==5.0\nhttpx[http2]>=1 ; python_version > '3.9'\nx @ https://h/x.tar.gz\n"
        ));
    }
}
