//! What the commands `molostart` and `moloslave` share with `molotov`.

#[cfg(feature = "python")]
use std::ffi::OsString;
use std::{borrow::Cow, collections::BTreeMap, path::Path};

use super::config;
#[cfg(feature = "python")]
use crate::python::Wheel;
use crate::secrets;

/// A test of a `molotov.json`, with what has to be installed before it runs.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestConfig {
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// The file that lists the required Python packages.
    pub requirements: Option<String>,
    /// The script that the test runs, if it names one.
    pub scenario: Option<String>,
}

/// Reads a test of a `molotov.json`.
///
/// # Errors
///
/// If the file cannot be read, has no such test, or is invalid. The message shows the place.
#[doc(hidden)]
pub fn test_config(path: &Path, test: &str) -> Result<TestConfig, String> {
    let config = config::read(path).map_err(|error| error.to_string())?;
    let (options, _) = config.options(test).map_err(|error| error.to_string())?;
    Ok(TestConfig { env: config.env, requirements: config.requirements, scenario: options.resolve().scenario })
}

/// A command that the wheel installs beside `molotov`. [`inventory`] collects them.
#[cfg(feature = "python")]
#[doc(hidden)]
#[derive(Debug)]
pub struct Program {
    /// The name of the command.
    pub name: &'static str,
    /// Runs its command line for the Python that has started it, and returns the exit code.
    pub run: fn(Vec<OsString>, Option<Wheel>) -> u8,
}

#[cfg(feature = "python")]
inventory::collect!(Program);

/// Masks the passwords and tokens in the URLs of a text.
#[doc(hidden)]
pub fn masked(text: &str) -> Cow<'_, str> {
    secrets::mask(text)
}
