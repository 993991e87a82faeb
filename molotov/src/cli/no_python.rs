//! Replaces `python.rs` in programs that are built without Python.

use std::ffi::OsString;

#[cfg(feature = "cluster")]
use crate::run::Line;
use crate::{engine::Control, notice::complain, options::Args, registry::Registry, run::Summary};

/// Whether the program can run scripts.
pub(super) const ARE_SUPPORTED: bool = false;

/// Reports that the program cannot run scripts.
pub(super) fn load(
    _args: &Args,
    script: Option<&str>,
    _extensions: &[String],
    _line: &[OsString],
) -> Result<Registry, u8> {
    complain(&unsupported(script));
    Err(2)
}

/// Reports to the coordinator that the program cannot run scripts.
#[cfg(feature = "cluster")]
pub(super) fn load_for_a_coordinator(
    _args: &Args,
    script: Option<&str>,
    _extensions: &[String],
    _line: &[OsString],
) -> Result<Registry, String> {
    Err(unsupported(script))
}

fn unsupported(script: Option<&str>) -> String {
    format!(
        "`{}`: this program is built without Python; build it with the feature `python` of the crate `molotov`, or \
         omit the script (`--single-mode NAME` selects a scenario, `--list` shows them)",
        script.unwrap_or_default()
    )
}

/// No script can stop the run.
pub(super) fn set_control(_control: Option<Control>) {}

/// No script prints anything.
#[cfg(feature = "cluster")]
pub(super) fn set_set_up_lines(_show: Box<dyn Fn(Line) + Send>) {}

/// No script can ask for the result of the run.
pub(super) fn set_ended(_summary: &Summary) {}

/// No interpreter has to be finalized.
pub(super) fn finish() {}
