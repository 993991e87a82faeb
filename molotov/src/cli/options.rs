//! The command line: what may stand on it, and what it means for the run.

use std::{ffi::OsString, fmt::Write as _, path::PathBuf, time::Duration};

use clap::{
    ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum,
    builder::NonEmptyStringValueParser,
    error::{ContextKind, ContextValue},
    parser::ValueSource,
};

use super::{duration, prefix};
use crate::{
    options::{Args, Color, InvalidValue, MOST_THREADS, MOST_WORKERS, ReportTarget, Threshold},
    statsd,
};

const MOST_PROCESSES: usize = 1_024;

/// What the original does not have. Its own options come first where a beginning fits both.
const OURS: [&str; 8] = ["threads", "seed", "report", "threshold", "list", "color", "timeout", "show-secrets"];

const NEW: &str = "Options the original Molotov does not have";

/// Which program the command line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// A user's crate, with its scenarios linked in.
    Crate,
    /// The `molotov` command, which runs scripts.
    Command,
}

/// What a command line asks for.
#[derive(Debug)]
pub(super) enum Request {
    /// A run, or a list of what could run; with the names of the options that were given, as `molotov.json` spells them.
    Run(Box<Args>, Vec<String>),
    /// A text that was asked for, such as the help.
    Show(String),
}

/// Why a command line cannot be followed.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) exit: u8,
}

impl Refusal {
    fn new(message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), exit: 2 }
    }
}

#[derive(Debug, Parser)]
#[command(
    version = None,
    disable_version_flag = true,
    args_override_self = true,
    max_term_width = 120,
    help_template = "{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}",
    after_help = "Times are seconds (90, 0.5) or have units (90s, 1m30s, 2h, 250ms). A long option may be shortened \
                  as long as it is clear which is meant."
)]
struct CommandLine {
    /// Path or module of a Python script [default: loadtest.py]
    scenario: Option<String>,

    /// Each worker runs every scenario once, by name
    #[arg(long)]
    single_run: bool,
    /// Run only this scenario
    #[arg(short, long, value_name = "NAME")]
    single_mode: Option<String>,
    /// Print the version
    #[arg(long)]
    version: bool,
    /// Trace what the engine does, on stderr
    #[arg(long)]
    debug: bool,
    /// -v: backtraces; -vv: requests and responses too
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// Number of workers of each process [default: 1]
    #[arg(short, long, value_name = "N", value_parser = workers, allow_negative_numbers = true)]
    workers: Option<usize>,
    /// Time over which the workers start [default: 0]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, allow_negative_numbers = true)]
    ramp_up: Option<Duration>,
    /// Sleep after each scenario [default: 0]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, allow_negative_numbers = true)]
    delay: Option<Duration>,
    /// How often the screen is refreshed [default: 0.2]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, allow_negative_numbers = true)]
    console_update: Option<Duration>,
    /// Number of processes [default: 1]
    #[arg(short, long, value_name = "N", value_parser = processes, allow_negative_numbers = true)]
    processes: Option<usize>,
    /// How long a worker runs; 0: a single scenario [default: 86400]
    #[arg(short, long, value_name = "TIME", value_parser = duration::parse, allow_negative_numbers = true)]
    duration: Option<Duration>,
    /// Scenarios a worker runs [default: 0, no limit]
    #[arg(short = 'r', long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    max_runs: Option<u64>,
    /// Print nothing but errors of the tool itself
    #[arg(short, long)]
    quiet: bool,
    /// Stop everything on the first failure
    #[arg(short = 'x', long)]
    exception: bool,
    /// Exit with 1 when at least N scenarios failed
    #[arg(short, long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    fail: Option<u64>,
    /// Plain console instead of the dashboard
    #[arg(short, long)]
    console: bool,
    /// For Python scripts; no effect in Rust
    #[arg(long)]
    uvloop: bool,
    /// Cancel what still runs when the time is over
    #[arg(long)]
    force_shutdown: bool,

    /// Threads of each process [default: cores / processes]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true, help_heading = NEW)]
    threads: Option<usize>,
    /// Make random picks and data repeatable
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true, help_heading = NEW)]
    seed: Option<u64>,
    /// Print the scenarios and stop
    #[arg(long, help_heading = NEW)]
    list: bool,
    /// Colours: auto, always or never [default: auto]
    #[arg(long, value_name = "WHEN", help_heading = NEW, hide_possible_values = true)]
    color: Option<When>,
    /// Time a request may take in all [default: 300]
    #[arg(
        long,
        value_name = "TIME",
        value_parser = duration::parse_positive,
        allow_negative_numbers = true,
        help_heading = NEW
    )]
    timeout: Option<Duration>,
    /// Do not mask passwords, tokens and cookies
    #[arg(long, help_heading = NEW)]
    show_secrets: bool,

    /// Read the options of the test [SCENARIO] from a molotov.json
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Add workers until the service fails
    #[arg(long)]
    sizing: bool,
    /// Failures that end the sizing, in percent [default: 5]
    #[arg(long, value_name = "PCT", value_parser = percent, allow_negative_numbers = true)]
    sizing_tolerance: Option<f64>,
    /// Send the measures to statsd
    #[arg(long)]
    statsd: bool,
    /// Where statsd listens [default: udp://localhost:8125]
    #[arg(long, value_name = "URL", value_parser = statsd_address)]
    statsd_address: Option<String>,
    /// Extensions to load first, in order
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = NonEmptyStringValueParser::new(), action = ArgAction::Append)]
    use_extension: Vec<String>,
    /// Write a report: .json, .html, .csv, or json:- (stdout)
    #[arg(long, value_name = "FILE", value_parser = report, action = ArgAction::Append, help_heading = NEW)]
    report: Vec<ReportTarget>,
    /// Judge the run: "p95(browse) < 200ms"
    #[arg(long, value_name = "EXPR", value_parser = str::parse::<Threshold>, action = ArgAction::Append, help_heading = NEW)]
    threshold: Vec<Threshold>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

pub(super) fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| match text.strip_prefix('-') {
        Some(rest) if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) => {
            "the number cannot be negative".to_owned()
        }
        _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("the number is too large; the largest is {}", u64::MAX)
        }
        _ => "write a whole number".to_owned(),
    })
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match whole(text)? {
        0 => Err("at least 1 is needed".to_owned()),
        number => Ok(number),
    }
}

fn bounded(text: &str, most: usize) -> Result<usize, String> {
    match usize::try_from(at_least_one(text)?) {
        Ok(number) if number <= most => Ok(number),
        _ => Err(format!("at most {most} can be asked for")),
    }
}

pub(super) fn workers(text: &str) -> Result<usize, String> {
    bounded(text, MOST_WORKERS)
}

pub(super) fn processes(text: &str) -> Result<usize, String> {
    bounded(text, MOST_PROCESSES)
}

pub(super) fn report(text: &str) -> Result<ReportTarget, InvalidValue> {
    let target: ReportTarget = text.parse()?;
    target.check().map(|()| target)
}

pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse::<f64>() {
        Ok(number) if (0.0..100.0).contains(&number) => Ok(number),
        Ok(number) if number.is_finite() => Err("write a number from 0 to below 100".to_owned()),
        _ => Err("write a number of percent".to_owned()),
    }
}

pub(super) fn statsd_address(text: &str) -> Result<String, String> {
    statsd::parse(text).map(|_| text.to_owned())
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    bounded(text, MOST_THREADS)
}

/// Reads a command line; its first element is the program.
pub(super) fn parse(line: Vec<OsString>, door: Door) -> Result<Request, Refusal> {
    let mut command = command(door);
    if let Some(name) = line.first().and_then(|program| PathBuf::from(program).file_stem().map(ToOwned::to_owned)) {
        command = command.bin_name(name.to_string_lossy().into_owned());
    }
    let line = expand(line, &command)?;
    let matches = match command.try_get_matches_from_mut(line) {
        Ok(matches) => matches,
        Err(mut error) if error.use_stderr() => {
            // Its tip is how to pass an option as a value, which is of no use here.
            error.insert(ContextKind::Suggested, ContextValue::None);
            return Err(Refusal::new(error.render().to_string().trim_end().trim_start_matches("error: ")));
        }
        Err(shown) => return Ok(Request::Show(shown.render().to_string())),
    };
    #[cfg(feature = "python")]
    if door == Door::Command
        && let Some(text) = super::generated(&matches, &command)
    {
        return Ok(Request::Show(text));
    }
    let line = CommandLine::from_arg_matches(&matches).map_err(|error| Refusal::new(error.to_string()))?;
    if line.version {
        return Ok(Request::Show(format!("{}\n", env!("CARGO_PKG_VERSION"))));
    }
    Ok(Request::Run(Box::new(line.into_args(door)), given(&matches)))
}

/// The options that a command line has set. With `--config` the script is the name of the test, and no option.
fn given(matches: &clap::ArgMatches) -> Vec<String> {
    let set = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    matches.ids().filter(set).map(|id| id.as_str().to_owned()).filter(|name| name != "scenario").collect()
}

fn command(door: Door) -> clap::Command {
    let command = CommandLine::command().mut_arg("scenario", |arg| arg.hide(door == Door::Crate));
    match door {
        Door::Crate => command.about(concat!(
            "A load test, run by Molotov ",
            env!("CARGO_PKG_VERSION"),
            ": workers run its scenarios and measure the service they hit."
        )),
        Door::Command => {
            let command = command.name("molotov");
            // A crate that a user builds goes without.
            #[cfg(feature = "python")]
            let command = super::with_generate(command).mut_arg("generate", |arg| arg.help_heading(NEW));
            command.about(concat!("Molotov ", env!("CARGO_PKG_VERSION"), ", a load-testing toolkit."))
        }
    }
}

fn expand(line: Vec<OsString>, command: &clap::Command) -> Result<Vec<OsString>, Refusal> {
    let named = command.get_arguments().filter_map(clap::Arg::get_long);
    // The parser adds `--help` only when it begins.
    let (ours, original): (Vec<_>, Vec<_>) = named.chain(["help"]).partition(|name| OURS.contains(name));
    let mut arguments = line.into_iter();
    let program = arguments.next().unwrap_or_else(|| "molotov".into());
    let rest = prefix::expand(arguments, &original, &ours).map_err(|ambiguous| {
        let mut message = format!("`--{}` could be several options: ", ambiguous.written);
        for (n, candidate) in ambiguous.candidates.iter().enumerate() {
            let _ = write!(message, "{}--{candidate}", if n == 0 { "" } else { ", " });
        }
        Refusal::new(message + "; write more of the one you mean")
    })?;
    Ok([program].into_iter().chain(rest).collect())
}

impl CommandLine {
    fn into_args(mut self, door: Door) -> Args {
        // `--use-extension A B script.py` takes all that follows; the last of several is the script, then.
        if door == Door::Command && self.scenario.is_none() && self.use_extension.len() > 1 {
            self.scenario = self.use_extension.pop();
        }
        let default = Args::default();
        Args {
            scenario: self.scenario,
            single_run: self.single_run,
            single_mode: self.single_mode,
            debug: self.debug,
            verbose: self.verbose,
            workers: self.workers.unwrap_or(default.workers),
            ramp_up: self.ramp_up.unwrap_or(default.ramp_up),
            delay: self.delay.unwrap_or(default.delay),
            console_update: self.console_update.unwrap_or(default.console_update),
            processes: self.processes.unwrap_or(default.processes),
            duration: self.duration.unwrap_or(default.duration),
            max_runs: self.max_runs.filter(|runs| *runs > 0),
            quiet: self.quiet,
            exception: self.exception,
            fail: self.fail,
            console: self.console,
            uvloop: self.uvloop,
            force_shutdown: self.force_shutdown,
            statsd: self.statsd,
            sizing: self.sizing,
            sizing_tolerance: self.sizing_tolerance.unwrap_or(default.sizing_tolerance),
            statsd_address: self.statsd_address.unwrap_or(default.statsd_address),
            use_extension: self.use_extension,
            config: self.config,
            report: self.report,
            threshold: self.threshold,
            threads: self.threads,
            seed: self.seed,
            list: self.list,
            color: match self.color {
                None | Some(When::Auto) => Color::Auto,
                Some(When::Always) => Color::Always,
                Some(When::Never) => Color::Never,
            },
            timeout: self.timeout.unwrap_or(default.timeout),
            show_secrets: self.show_secrets,
            extra: default.extra,
        }
    }
}

/// Refuses options that exclude each other. These exit with 1, as they do in the original.
pub(super) fn refuse_contradictions(args: &Args) -> Result<(), Refusal> {
    let message = if args.quiet && args.verbose > 0 {
        "You can't use -q and -v at the same time"
    } else if args.single_run && args.single_mode.is_some() {
        "You can't use --single-mode and --single-run at the same time"
    } else if args.report.iter().filter(|report| report.is_standard_output()).count() > 1 {
        return Err(Refusal::new("only one report can go to standard output; name files for the others"));
    } else {
        return Ok(());
    };
    Err(Refusal { message: message.to_owned(), exit: 1 })
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
