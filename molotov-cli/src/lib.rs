//! The commands `molotov`, `molostart` and `moloslave`: as programs of their own, and as the Python wheel, in which the user's
//! own interpreter starts them from `molotov._core`.

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

/// Runs the command that the first element of a command line names.
pub fn run(line: Vec<OsString>) -> ExitCode {
    match line.first().and_then(|program| Path::new(program).file_name()?.to_str()) {
        Some("molostart") => start::main(line, None).into(),
        Some("moloslave") => slave::main(line, None).into(),
        _ => molotov::cli::command(),
    }
}

/// Reads a command line, or gives the code to exit with: it was wrong, or asked for the help or the version.
fn read<T: Parser>(line: Vec<OsString>) -> Result<T, u8> {
    let mut command = molotov::cli::with_generate(T::command());
    let read = command.try_get_matches_from_mut(line).and_then(|matches| match generated(&matches, &command) {
        Some(text) => Ok(Err(text)),
        None => T::from_arg_matches(&matches).map(Ok),
    });
    match read {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(text)) => {
            // A closed pipe has read enough.
            let _ = io::stdout().lock().write_all(text.as_bytes());
            Err(0)
        }
        Err(shown) if shown.kind() == ErrorKind::DisplayVersion => {
            // As `molotov --version` prints it.
            let _ = writeln!(io::stdout().lock(), "{}", env!("CARGO_PKG_VERSION"));
            Err(0)
        }
        Err(refused) => {
            // The help comes this way too. What was refused may be an address with a token.
            let _ = match refused.use_stderr() {
                true => write!(io::stderr().lock(), "{}", masked(&refused.render().to_string())),
                false => refused.print(),
            };
            Err(refused.exit_code().try_into().unwrap_or(2))
        }
    }
}

/// Writes why a command cannot go on to standard error.
fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {}", masked(message));
}
