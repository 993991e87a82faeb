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
    let args = match read(std::env::args_os().collect(), Door::Crate) {
        Ok(args) => args,
        Err(code) => return code,
    };
    run::run(args)
}

/// What the `molotov` command does: it runs scripts. Rust load tests are programs of their own.
#[doc(hidden)]
pub fn command() -> ExitCode {
    let args = match read(std::env::args_os().collect(), Door::Command) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let script = args.scenario.as_deref().unwrap_or("loadtest.py");
    complain(&format!(
        "`{script}`: running Python scripts is not available yet; a Rust load test is a program of its own: start it in \
         its crate with `cargo run --release -- [OPTIONS]`"
    ));
    ExitCode::from(2)
}

/// The options of a run, or the code to exit with when there is nothing to run.
fn read(line: Vec<OsString>, door: Door) -> Result<crate::options::Args, ExitCode> {
    match options::parse(line, door) {
        Ok(Request::Run(args)) => Ok(*args),
        Ok(Request::Show(text)) => {
            show(&text);
            Err(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            complain(&refusal.message);
            Err(ExitCode::from(refusal.exit))
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
fn note(message: &str) {
    let _ = writeln!(io::stderr().lock(), "warning: {message}");
}
