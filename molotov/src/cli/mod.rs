//! The command line of a load test: from `argv` to an exit code.

mod command_line;
mod config;
#[cfg(feature = "command")]
mod generate;
mod open_files;
mod prefix;
mod run;
#[cfg_attr(feature = "python", path = "python.rs")]
#[cfg_attr(not(feature = "python"), path = "no_python.rs")]
mod scripts;
mod signals;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use command_line::{EntryPoint, Request};
#[cfg(feature = "command")]
#[doc(hidden)]
pub use generate::{generated, with_generate};

use crate::{
    notice::{complain, note},
    options::{Args, Options},
    registry::Registry,
    secrets,
    vars::Scope,
};

/// A test of a `molotov.json`, as whoever installs it before it runs has to know it.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Variables of the environment.
    pub env: BTreeMap<String, String>,
    /// The file of Python packages that it needs.
    pub requirements: Option<String>,
    /// The script that it runs, if it names one.
    pub scenario: Option<String>,
}

/// The script that the `molotov` command runs when none is named.
const DEFAULT_SCRIPT: &str = "loadtest.py";

/// Reads a test of a `molotov.json`.
///
/// # Errors
///
/// When the file cannot be read, has no such test, or anything in it is wrong: the message with the place.
#[doc(hidden)]
pub fn plan(path: &Path, test: &str) -> Result<Plan, String> {
    let config = config::read(path).map_err(|error| error.to_string())?;
    let (options, _) = config.options(test).map_err(|error| error.to_string())?;
    Ok(Plan { env: config.env, requirements: config.requirements, scenario: options.resolve().scenario })
}

/// A command that the wheel brings beside `molotov`; [`inventory`] collects them.
#[doc(hidden)]
#[derive(Debug)]
pub struct Program {
    /// What it is called.
    pub name: &'static str,
    /// Runs its command line, for the Python that has started it; gives the exit code.
    pub run: fn(Vec<OsString>, Option<Wheel>) -> u8,
}

/// The Python that has started a command, where one has.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Wheel {
    /// The interpreter.
    pub python: PathBuf,
    /// The directory that holds the package `molotov`.
    pub packages: PathBuf,
}

inventory::collect!(Program);

/// A text with the passwords and tokens of its URLs masked.
#[doc(hidden)]
pub fn masked(text: &str) -> std::borrow::Cow<'_, str> {
    secrets::mask(text)
}

/// Runs the load test that the program is: its registered scenarios, with the options of its command line.
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
/// The exit code is 0 if the run ended, whatever failed in it; 1 if it was judged bad (`-f`, a broken threshold, a fixture
/// that failed) or nothing could run (no scenario, an unknown name after `-s`); 2 if an option or the configuration is
/// wrong. Options that exclude each other exit with 1.
pub fn main() -> ExitCode {
    // Inside a runtime the run would end in a panic that does not say what to do.
    if tokio::runtime::Handle::try_current().is_ok() {
        complain(
            "`molotov::main()` was called inside a tokio runtime, and it starts runtimes of its own; write `fn main() -> \
             ExitCode { molotov::main() }` without `#[tokio::main]`",
        );
        return ExitCode::from(2);
    }
    ExitCode::from(of_crate(std::env::args_os().collect()))
}

fn of_crate(line: Vec<OsString>) -> u8 {
    let mut args = match read(line.clone(), EntryPoint::Crate) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let mut registry = Registry::collect();
    let scripts = Scripts::named(&mut args, &registry);
    if scripts.is_empty() {
        signals::end_at_once();
        return run::run(args, &registry);
    }
    let code = match scripts::load(&args, scripts.script.as_deref(), &scripts.extensions, &line) {
        Ok(loaded) => {
            registry.extend(loaded);
            run::run(args, &registry)
        }
        Err(code) => code,
    };
    drop(registry);
    scripts::finish();
    code
}

/// What a command line names that is written in Python.
struct Scripts {
    script: Option<String>,
    extensions: Vec<String>,
}

impl Scripts {
    /// Those of a crate's command line: extensions that are linked into the crate are left in `args`.
    fn named(args: &mut Args, registry: &Registry) -> Scripts {
        let linked = registry.extensions();
        let is_script = |name: &String| scripts::ARE_SUPPORTED && !linked.contains(name);
        // `--use-extension A B script.py` takes all that follows.
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

/// What the `molotov` command does: it runs scripts. Rust load tests are programs of their own.
#[doc(hidden)]
pub fn command() -> ExitCode {
    ExitCode::from(command_line(std::env::args_os().collect()))
}

/// As [`command`], with a command line that is given: what the command is when Python starts it.
pub(crate) fn command_line(line: Vec<OsString>) -> u8 {
    let mut args = match read(line.clone(), EntryPoint::Command) {
        Ok(args) => args,
        Err(code) => return code,
    };
    if args.scenario.is_none() && !Path::new(DEFAULT_SCRIPT).exists() {
        complain(&format!(
            "Cannot import '{DEFAULT_SCRIPT}', which runs when the command line names no script: there is no such file in \
             this directory. Name a script, as in `molotov my_test.py` (`molotov --help` shows the options), or write \
             one to begin with: `molostart --language python`"
        ));
        return 1;
    }
    let script = Some(args.scenario.clone().unwrap_or_else(|| DEFAULT_SCRIPT.to_owned()));
    // In a script's registry there is none by name.
    let scripts = Scripts { script, extensions: std::mem::take(&mut args.use_extension) };
    let code = match scripts::load(&args, scripts.script.as_deref(), &scripts.extensions, &line) {
        Ok(registry) if registry.scenarios().is_empty() => {
            complain("You need at least one scenario. No scenario was found: write one with `@molotov.scenario()`");
            1
        }
        Ok(registry) => run::run(args, &registry),
        Err(code) => code,
    };
    scripts::finish();
    code
}

/// The options of a run, or the code to exit with when there is nothing to run.
fn read(line: Vec<OsString>, entry_point: EntryPoint) -> Result<Args, u8> {
    let refused = |refusal: command_line::Refusal| {
        complain(&refusal.message);
        refusal.exit
    };
    match command_line::parse(line, entry_point).map_err(refused)? {
        Request::Run(options) => {
            let args = configured(*options)?.resolve();
            Scope::current().show_secrets(args.show_secrets);
            command_line::refuse_contradictions(&args).map_err(refused)?;
            Ok(args)
        }
        Request::Show(text) => Err(show(&text)),
    }
}

/// The options of the test that `--config` names, over those of the command line.
fn configured(line: Options) -> Result<Options, u8> {
    let Some(Some(path)) = line.config.clone() else { return Ok(line) };
    let test = line.scenario.clone().flatten().unwrap_or_else(|| "test".to_owned());
    let read = config::read(&path).and_then(|config| config.over(&test, line));
    let (options, warnings) = read.map_err(|error| {
        complain(&error.to_string());
        2
    })?;
    if options.quiet != Some(true) {
        warnings.iter().for_each(|warning| note(warning));
    }
    Ok(options)
}

/// Writes a result to standard output, and returns the exit code. A reader that has closed the pipe has read enough.
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
