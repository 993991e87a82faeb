//! The command line of a load test: from `argv` to an exit code.

mod duration;
mod options;
mod prefix;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use options::{Door, Request};

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
