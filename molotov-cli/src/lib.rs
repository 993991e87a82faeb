//! The commands `molotov`, `molostart` and `moloslave`, as programs and as the extension module `molotov._core` of the Python
//! wheel.

pub mod slave;
pub mod start;

use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use molotov::cli::{generated, masked};
pub use molotov::python::_core;

/// Runs the command named by the first element of the command line.
pub fn run(line: Vec<OsString>) -> ExitCode {
    match line.first().and_then(|program| Path::new(program).file_name()?.to_str()) {
        Some("molostart") => start::main(line, None).into(),
        Some("moloslave") => slave::main(line, None).into(),
        _ => molotov::cli::command(),
    }
}

/// Parses a command line.
///
/// # Errors
///
/// Returns the exit code if the line is invalid or asks for help, the version or `--generate`, after printing the message.
fn parse<T: Parser>(line: Vec<OsString>) -> Result<T, u8> {
    let mut command = molotov::cli::with_generate(T::command());
    let parsed = command.try_get_matches_from_mut(line).and_then(|matches| match generated(&matches, &command) {
        Some(text) => Ok(Err(text)),
        None => T::from_arg_matches(&matches).map(Ok),
    });
    match parsed {
        Ok(Ok(parsed)) => Ok(parsed),
        Ok(Err(text)) => {
            // A closed pipe is not an error.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            Err(0)
        }
        Err(error) if error.kind() == ErrorKind::DisplayVersion => {
            // The version alone, like `molotov --version`.
            let _ = writeln!(io::stdout().lock(), "{}", env!("CARGO_PKG_VERSION"));
            Err(0)
        }
        Err(error) => {
            // This includes the help. An invalid argument may be an address with a token.
            let _ = match error.use_stderr() {
                true => write!(io::stderr().lock(), "{}", masked(&error.render().to_string())),
                false => error.print(),
            };
            Err(error.exit_code().try_into().unwrap_or(2))
        }
    }
}

/// Prints an error to standard error, with secrets masked.
fn print_error(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {}", masked(message));
}
