//! Reads the options of a run from the command line and the configuration.

use std::ffi::OsString;

use super::{
    command_line::{self, EntryPoint, ParsedLine, UsageError},
    config::{self, Configured},
    show,
};
use crate::{
    notice::{complain, note},
    options::{Args, Options, Source, Sources},
    vars::Scope,
};

/// The test of a configuration that runs by default.
const DEFAULT_TEST: &str = "test";

/// Returns the options of a run, or the exit code if there is nothing to run.
pub(super) fn read(line: Vec<OsString>, entry_point: EntryPoint) -> Result<Args, u8> {
    let refused = |error: UsageError| {
        complain(&error.message);
        error.exit_code
    };
    match command_line::parse(line, entry_point).map_err(refused)? {
        ParsedLine::Run(options) => {
            let (options, sources) = configured(*options)?;
            let args = Args { sources, ..options.resolve() };
            Scope::current().set_args(&args);
            command_line::refuse_contradictions(&args).map_err(refused)?;
            Ok(args)
        }
        ParsedLine::Print(text) => Err(show(&text)),
    }
}

/// Adds the options of the test that `--config` names. They override those of the command line. Returns where each is given, too.
fn configured(line: Options) -> Result<(Options, Sources), u8> {
    let mut sources = Sources::new(Source::CommandLine);
    let Some(Some(path)) = line.config.clone() else { return Ok((line, sources)) };
    let test = line.scenario.clone().flatten().unwrap_or_else(|| DEFAULT_TEST.to_owned());
    let read = config::read(&path).and_then(|config| config.over(&test, line));
    let Configured { options, in_file, warnings } = read.map_err(|error| {
        complain(&error.to_string());
        2
    })?;
    if options.quiet != Some(true) {
        warnings.iter().for_each(|warning| note(warning));
    }
    for option in in_file {
        sources.set(option, Source::File { test: test.clone(), path: path.clone() });
    }
    Ok((options, sources))
}
