//! What the program that runs scripts does for them: the command line, which stands above Python, registers it.

use std::{ffi::OsString, path::PathBuf};

/// The program that runs scripts.
pub(crate) struct Host {
    /// Runs the command line of `molotov`; returns the exit code.
    pub(crate) command_line: fn(Vec<OsString>) -> u8,
    /// Runs the command line of a command beside it, for an interpreter and the directory of our package; `None` if there is no
    /// such command.
    pub(crate) program: fn(Vec<OsString>, PathBuf, PathBuf) -> Option<u8>,
}

inventory::collect!(Host);

/// The program around this interpreter.
pub(super) fn host() -> &'static Host {
    #[allow(clippy::expect_used, reason = "the crate that holds this registers one")]
    inventory::iter::<Host>().next().expect("the command line registers it")
}
