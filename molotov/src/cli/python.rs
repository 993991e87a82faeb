//! Runs scripts in programs that are built with Python. No other file outside of `python/` names that module.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use super::{Program, Wheel, signals};
#[cfg(feature = "cluster")]
pub(super) use crate::python::set_set_up_lines;
pub(super) use crate::python::{finish, set_control, set_ended, version};
use crate::{
    notice::complain,
    options::Args,
    python::{self, Host, LoadError},
    registry::Registry,
    secrets,
};

/// Whether the program can run scripts.
pub(super) const ARE_SUPPORTED: bool = true;

inventory::submit! {
    Host { command_line: super::command_line, program }
}

/// Starts the interpreter, and loads the extensions and the script.
pub(super) fn load(
    args: &Args,
    script: Option<&str>,
    extensions: &[String],
    line: &[OsString],
) -> Result<Registry, u8> {
    try_load(args, script, extensions, line).map_err(|error| match error {
        LoadError::Missing(message) => {
            complain(&message);
            1
        }
        LoadError::Raised(traceback) => {
            let _ = write!(io::stderr().lock(), "{}", secrets::mask(&traceback));
            1
        }
        LoadError::Exit(code) => code,
    })
}

/// Loads the extensions and the script of a run whose coordinator is on another machine.
///
/// # Errors
///
/// Returns the reason, for the coordinator.
#[cfg(feature = "cluster")]
pub(super) fn load_for_a_coordinator(
    args: &Args,
    script: Option<&str>,
    extensions: &[String],
    line: &[OsString],
) -> Result<Registry, String> {
    try_load(args, script, extensions, line).map_err(|error| match error {
        LoadError::Missing(message) => message,
        LoadError::Raised(traceback) => secrets::mask(traceback.trim_end()).into_owned(),
        LoadError::Exit(code) => format!("the script exits with code {code} when it is loaded"),
    })
}

fn try_load(
    args: &Args,
    script: Option<&str>,
    extensions: &[String],
    line: &[OsString],
) -> Result<Registry, LoadError> {
    // The interpreter installs signal handlers as soon as it starts.
    let blocked = block_signals();
    let started = python::start(line);
    signals::end_at_once();
    python::restore_handlers();
    drop(blocked);
    started.and_then(|()| python::load(args, script, extensions))
}

/// Runs the command line of a command beside `molotov`; `None` if there is none with this name.
fn program(line: Vec<OsString>, python: PathBuf, packages: PathBuf) -> Option<u8> {
    let named = |program: &&Program| line.first().is_some_and(|name| name == program.name);
    let program = inventory::iter::<Program>().find(named)?;
    Some((program.run)(line, Some(Wheel { python, packages })))
}

/// Blocks signals on the calling thread until it is dropped.
struct BlockedSignals(Option<SigSet>);

/// Blocks signals while the interpreter starts and installs its own handlers.
fn block_signals() -> BlockedSignals {
    let mut ours = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        ours.add(signal);
    }
    BlockedSignals(ours.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = before.thread_set_mask();
        }
    }
}
