//! The program around the interpreter. The command line registers what scripts need of it, because `python` is below `cli`.

use std::{ffi::OsString, path::PathBuf};

/// The program that runs scripts.
pub(crate) struct Host {
    /// Runs the command line of `molotov`. Returns the exit code.
    pub(crate) command_line: fn(Vec<OsString>) -> u8,
    /// Runs the command line of `molostart` or `moloslave`. Takes the path of the interpreter and the directory of our package.
    /// Returns `None` if there is no such command.
    pub(crate) program: fn(Vec<OsString>, PathBuf, PathBuf) -> Option<u8>,
}

inventory::collect!(Host);

/// The program around this interpreter.
pub(super) fn host() -> &'static Host {
    #[allow(clippy::expect_used, reason = "the crate that holds this registers one")]
    inventory::iter::<Host>().next().expect("the command line registers it")
}

/// The Python that has started a command.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Wheel {
    /// The interpreter.
    pub python: PathBuf,
    /// The directory with the package `molotov`.
    pub packages: PathBuf,
}
