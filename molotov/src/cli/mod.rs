//! The command line of a load test, from `argv` to an exit code.

mod args;
#[cfg_attr(feature = "cluster", path = "cluster.rs")]
#[cfg_attr(not(feature = "cluster"), path = "no_cluster.rs")]
mod cluster;
mod command_line;
mod companion;
mod config;
#[cfg(feature = "command")]
mod convert;
#[cfg(feature = "command")]
mod generate;
mod job_summary;
mod open_files;
mod prefix;
#[cfg(feature = "cluster")]
mod remote;
mod run;
#[cfg_attr(feature = "python", path = "python.rs")]
#[cfg_attr(not(feature = "python"), path = "no_python.rs")]
mod scripts;
mod signals;
mod url;

use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use args::read;
use command_line::EntryPoint;
#[cfg(feature = "python")]
#[doc(hidden)]
pub use companion::Program;
#[doc(hidden)]
pub use companion::{TestConfig, masked, test_config};
#[cfg(feature = "command")]
#[doc(hidden)]
pub use generate::{generated, with_generate};

#[cfg(feature = "python")]
#[doc(hidden)]
pub use crate::python::Wheel;
use crate::{notice::complain, options::Args, registry::Registry, secrets};

/// What a run runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// A script or URLs, which the command `molotov` runs.
    Command,
    /// The scenarios of this program.
    Program,
}

/// The script that the `molotov` command runs by default.
const DEFAULT_SCRIPT: &str = "loadtest.py";

/// Runs the load test of the program: its registered scenarios, with the options of its command line.
///
/// ```no_run
/// use molotov::prelude::*;
///
/// #[molotov::scenario]
/// async fn browse(session: &Session) -> Result<()> {
///     session.get("http://localhost:8080/").send().await?.error_for_status()?;
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     molotov::main()
/// }
/// ```
///
/// The exit code is 0 if the run ended, even if scenarios failed. It is 1 if the run did not pass (`-f`, a broken threshold, a
/// failed fixture), if nothing could run (no scenario, an unknown name after `-s`), or if options exclude each other. It is 2 if
/// an option or the configuration is invalid.
pub fn main() -> ExitCode {
    // The panic of a nested runtime would not say what to do.
    if tokio::runtime::Handle::try_current().is_ok() {
        complain(
            "`molotov::main()` was called inside a tokio runtime, but starts its own runtimes; write `fn main() -> ExitCode \
             { molotov::main() }` without `#[tokio::main]`",
        );
        return ExitCode::from(2);
    }
    ExitCode::from(of_crate(std::env::args_os().collect()))
}

fn of_crate(line: Vec<OsString>) -> u8 {
    #[cfg(feature = "cluster")]
    if let Some(code) = remote::take_part(&line, EntryPoint::Crate) {
        return code;
    }
    let mut args = match read(line.clone(), EntryPoint::Crate) {
        Ok(args) => args,
        Err(code) => return code,
    };
    if let Some(code) = join(&args) {
        return code;
    }
    if let Some(code) = run_urls(&args, &line) {
        return code;
    }
    let mut registry = Registry::collect();
    let scripts = Scripts::named(&mut args, &registry);
    if scripts.is_empty() {
        signals::end_at_once();
        return run::run(args, &registry, Subject::Program, |info| info.with_command(&line, None, "Rust"));
    }
    let code = match scripts::load(&args, scripts.script.as_deref(), &scripts.extensions, &line) {
        Ok(loaded) => {
            registry.extend(loaded);
            run::run(args, &registry, Subject::Program, |info| info.with_command(&line, None, "Rust and Python"))
        }
        Err(code) => code,
    };
    drop(registry);
    scripts::finish();
    code
}

/// Waits for runs, if a command line asks for it. Returns the exit code.
fn join(args: &Args) -> Option<u8> {
    #[cfg(feature = "tracing-subscriber")]
    if args.join.is_some() && args.debug {
        run::trace(args.color);
    }
    cluster::join(args)
}

/// Runs the URLs that a command line names instead of scenarios; `None` if it names none.
///
/// A crate runs them without its fixtures, so that they do the same in each program.
fn run_urls(args: &Args, line: &[OsString]) -> Option<u8> {
    let registry = match url::registry(args)? {
        Ok(registry) => registry,
        Err(error) => {
            complain(&error);
            return Some(2);
        }
    };
    signals::end_at_once();
    let urls = args.scenario.as_deref().map(secrets::mask);
    Some(run::run(args.clone(), &registry, Subject::Command, |info| info.with_command(line, urls.as_deref(), "Rust")))
}

/// The Python files and modules that a command line names.
struct Scripts {
    script: Option<String>,
    extensions: Vec<String>,
}

impl Scripts {
    /// Takes the scripts from the command line of a crate. Extensions that are linked into the crate stay in `args`.
    fn named(args: &mut Args, registry: &Registry) -> Scripts {
        let linked = registry.extensions();
        let is_script = |name: &String| scripts::ARE_SUPPORTED && !linked.contains(name);
        // `--use-extension A B script.py` takes all values that follow.
        if args.scenario.is_none()
            && args.use_extension.len() > 1
            && let Some(script) = args.use_extension.pop_if(|last| is_script(last) && last.ends_with(".py"))
        {
            args.scenario = Some(script);
        }
        let extensions = args.use_extension.extract_if(.., |name| is_script(name)).collect();
        Scripts { script: args.scenario.clone(), extensions }
    }

    fn is_empty(&self) -> bool {
        self.script.is_none() && self.extensions.is_empty()
    }
}

/// Runs the `molotov` command, which runs scripts. Rust load tests are separate programs.
#[doc(hidden)]
pub fn command() -> ExitCode {
    ExitCode::from(command_line(std::env::args_os().collect()))
}

/// As [`command`], with a given command line. Python starts the command this way.
pub(crate) fn command_line(line: Vec<OsString>) -> u8 {
    #[cfg(feature = "cluster")]
    if let Some(code) = remote::take_part(&line, EntryPoint::Command) {
        return code;
    }
    let mut args = match read(line.clone(), EntryPoint::Command) {
        Ok(args) => args,
        Err(code) => return code,
    };
    if let Some(code) = join(&args) {
        return code;
    }
    if let Some(code) = run_urls(&args, &line) {
        return code;
    }
    if let Some((word, url)) = args.scenario.as_deref().and_then(|word| Some((word, url::without_scheme(word)?))) {
        complain(&format!("`{word}` is no script, and a URL has a scheme: to request it, write `molotov {url}`"));
        return 2;
    }
    if args.scenario.is_none() && !Path::new(DEFAULT_SCRIPT).exists() {
        complain(&format!(
            "Cannot import '{DEFAULT_SCRIPT}', which runs when the command line names no script: there is no such file in \
             this directory. Name a script, as in `molotov my_test.py` (`molotov --help` shows the options), write one to \
             begin with: `molostart --language python`, or request a URL: `molotov http://127.0.0.1:8080/`"
        ));
        return 1;
    }
    let script = Some(args.scenario.clone().unwrap_or_else(|| DEFAULT_SCRIPT.to_owned()));
    // The registry of a script has no extensions by name.
    let scripts = Scripts { script, extensions: std::mem::take(&mut args.use_extension) };
    let code = match scripts::load(&args, scripts.script.as_deref(), &scripts.extensions, &line) {
        Ok(registry) if registry.scenarios().is_empty() => {
            complain("You need at least one scenario. No scenario was found: write one with `@molotov.scenario()`");
            1
        }
        Ok(registry) => run::run(args, &registry, Subject::Command, |info| {
            info.with_command(&line, scripts.script.as_deref(), "Python")
        }),
        Err(code) => code,
    };
    scripts::finish();
    code
}

/// Writes a text to standard output, and returns the exit code. A closed pipe is no error.
fn show(text: &str) -> u8 {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            1
        }
        _ => 0,
    }
}
