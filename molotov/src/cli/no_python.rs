//! Scripts in a program that is built without Python.

use std::ffi::OsString;

use crate::{engine::Control, notice::complain, options::Args, registry::Registry, run::Summary};

/// Whether the program runs scripts.
pub(super) const ARE_SUPPORTED: bool = false;

/// Says that there is no Python.
pub(super) fn load(
    _args: &Args,
    script: Option<&str>,
    _extensions: &[String],
    _line: &[OsString],
) -> Result<Registry, u8> {
    complain(&format!(
        "`{}`: this program is built without Python; build it with the feature `python` of the crate `molotov`, or \
         leave the script out (`--single-mode NAME` chooses a scenario, `--list` shows them)",
        script.unwrap_or_default()
    ));
    Err(2)
}

/// There is no script that could stop a run.
pub(super) fn set_control(_control: Option<Control>) {}

/// There is no script that could ask how the run ended.
pub(super) fn set_ended(_summary: &Summary) {}

/// There is nothing to end.
pub(super) fn finish() {}
