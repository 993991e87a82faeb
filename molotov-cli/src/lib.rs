//! The commands `molotov`, `molostart` and `moloslave`: as programs of their own, and as the Python wheel, in which the user's
//! own interpreter starts them from `molotov._core`.

pub mod slave;
pub mod start;

use std::{
    ffi::OsString,
    io::{self, Write},
};

use clap::Parser;
pub use molotov::python::_core;

/// Reads a command line, or gives the code to exit with: it was wrong, or asked for the help or the version.
fn read<T: Parser>(line: Vec<OsString>) -> Result<T, u8> {
    T::try_parse_from(line).map_err(|refused| {
        // A closed pipe has read enough.
        let _ = refused.print();
        refused.exit_code().try_into().unwrap_or(2)
    })
}

/// Writes why a command cannot go on to standard error.
fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {message}");
}
