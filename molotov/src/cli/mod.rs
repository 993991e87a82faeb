//! The command line of a load test: from `argv` to an exit code.

mod duration;
mod open_files;
mod options;
mod prefix;
mod run;
mod signals;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use options::{Door, Request};

use crate::registry::Registry;

/// Runs the load test that the program is: its registered scenarios, with the options of its command line.
///
/// ```no_run
/// use molotov::prelude::*;
///
/// #[molotov::scenario]
/// async fn browse(session: &Session) -> Result<()> {
///     session.get("http://localhost:8080/").send().await?.error_for_status()?;
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     molotov::main()
/// }
/// ```
///
/// The exit code is 0 when the run ended, whatever failed in it; 1 when it was judged bad (`-f`, a fixture that
/// failed, no scenario); 2 when the command line is wrong.
pub fn main() -> ExitCode {
    // Inside a runtime the run would end in a panic that does not say what to do.
    if tokio::runtime::Handle::try_current().is_ok() {
        complain(
            "`molotov::main()` was called inside a tokio runtime, and it starts runtimes of its own; write `fn main() -> \
             ExitCode { molotov::main() }` without `#[tokio::main]`",
        );
        return ExitCode::from(2);
    }
    ExitCode::from(of_crate(std::env::args_os().collect()))
}

fn of_crate(line: Vec<OsString>) -> u8 {
    let args = match read(line.clone(), Door::Crate) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let mut registry = Registry::collect();
    let Some(script) = &args.scenario else { return run::run(args, &registry) };
    let code = match load(&args, script, &line) {
        Ok(loaded) => {
            registry.extend(loaded);
            run::run(args, &registry)
        }
        Err(code) => code,
    };
    drop(registry);
    end_scripts();
    code
}

/// What the `molotov` command does: it runs scripts. Rust load tests are programs of their own.
#[doc(hidden)]
pub fn command() -> ExitCode {
    ExitCode::from(command_line(std::env::args_os().collect()))
}

/// As [`command`], with a command line that is given: what the command is when Python starts it.
pub(crate) fn command_line(line: Vec<OsString>) -> u8 {
    let mut args = match read(line.clone(), Door::Command) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let code = match load(&args, args.scenario.as_deref().unwrap_or("loadtest.py"), &line) {
        Ok(registry) if registry.scenarios().is_empty() => {
            complain("You need at least one scenario. No scenario was found: write one with `@molotov.scenario()`");
            1
        }
        Ok(registry) => {
            // They are loaded: in a script's registry there is none by name.
            args.use_extension.clear();
            run::run(args, &registry)
        }
        Err(code) => code,
    };
    end_scripts();
    code
}

/// Does what scripts have left to the end.
fn end_scripts() {
    #[cfg(feature = "python")]
    crate::python::finish();
}

#[cfg(feature = "python")]
fn load(args: &crate::options::Args, script: &str, line: &[OsString]) -> Result<Registry, u8> {
    use crate::python::LoadError;

    crate::python::load(args, script, line).map_err(|error| match error {
        LoadError::Missing(message) => {
            complain(&message);
            1
        }
        LoadError::Raised(traceback) => {
            let _ = write!(io::stderr().lock(), "{traceback}");
            1
        }
        LoadError::Exit(code) => code,
    })
}

#[cfg(not(feature = "python"))]
fn load(_args: &crate::options::Args, script: &str, _line: &[OsString]) -> Result<Registry, u8> {
    complain(&format!(
        "`{script}`: this program is built without Python; build it with the feature `python` of the crate `molotov`, or \
         leave the script out (`--single-mode NAME` chooses a scenario, `--list` shows them)"
    ));
    Err(2)
}

/// The options of a run, or the code to exit with when there is nothing to run.
fn read(line: Vec<OsString>, door: Door) -> Result<crate::options::Args, u8> {
    match options::parse(line, door) {
        Ok(Request::Run(args)) => Ok(*args),
        Ok(Request::Show(text)) => {
            show(&text);
            Err(0)
        }
        Err(refusal) => {
            complain(&refusal.message);
            Err(refusal.exit)
        }
    }
}

/// Writes a result to standard output. Who closed the pipe has read enough.
fn show(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes an error of the tool itself to standard error.
fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {message}");
}

/// Writes what is worth knowing, and stops nothing, to standard error.
pub(crate) fn note(message: &str) {
    let _ = writeln!(io::stderr().lock(), "warning: {message}");
}
