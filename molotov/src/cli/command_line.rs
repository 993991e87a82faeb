//! Defines and parses the command line.

use std::{ffi::OsString, fmt::Write as _, path::PathBuf};

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

#[cfg(feature = "command")]
use super::convert;
use super::{prefix, url};
#[cfg(feature = "command")]
use crate::notice::inform;
use crate::{
    load::check_options,
    options::{Args, OPTIONS, OptionSpec, Options, Source, ValueKind},
};

/// The heading of options that print something and run nothing.
const OTHER: &str = "Other";

/// The options that may be given with `--join`.
const OF_AGENTS: [&str; 6] = ["join", "trust", "agent_name", "debug", "color", "show_secrets"];

/// Which program the command line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryPoint {
    /// A user's crate, with its scenarios linked in.
    Crate,
    /// The `molotov` command, which runs scripts.
    Command,
}

/// A command line, parsed.
#[derive(Debug)]
pub(super) enum ParsedLine {
    /// Run a load test, or list its scenarios, with these options.
    Run(Box<Options>),
    /// Print a text, such as the help.
    Print(String),
}

/// An invalid command line.
#[derive(Debug)]
pub(super) struct UsageError {
    pub(super) message: String,
    pub(super) exit_code: u8,
}

impl UsageError {
    fn new(message: impl Into<String>) -> UsageError {
        UsageError { message: message.into(), exit_code: 2 }
    }
}

/// Parses a command line. Its first element is the program.
pub(super) fn parse(line: Vec<OsString>, entry_point: EntryPoint) -> Result<ParsedLine, UsageError> {
    let mut command = command(entry_point);
    if let Some(name) = line.first().and_then(|program| PathBuf::from(program).file_stem().map(ToOwned::to_owned)) {
        command = command.bin_name(name.to_string_lossy().into_owned());
    }
    #[cfg(feature = "command")]
    let line = if entry_point == EntryPoint::Command { convert::with_joined_command(line) } else { line };
    let line = expand(line, &command)?;
    let matches = match command.try_get_matches_from_mut(line) {
        Ok(matches) => matches,
        Err(mut error) if error.use_stderr() => {
            // The tip explains how to pass an option as a value, which does not help here.
            error.insert(ContextKind::Suggested, ContextValue::None);
            return Err(UsageError::new(error.render().to_string().trim_end().trim_start_matches("error: ")));
        }
        Err(shown) => return Ok(ParsedLine::Print(shown.render().to_string())),
    };
    #[cfg(feature = "command")]
    if entry_point == EntryPoint::Command
        && let Some(text) = super::generated(&matches, &command)
    {
        return Ok(ParsedLine::Print(text));
    }
    #[cfg(feature = "command")]
    if entry_point == EntryPoint::Command
        && let Some(converted) = convert::converted(&matches)
    {
        let (script, notes) = converted.map_err(UsageError::new)?;
        notes.iter().for_each(|note| inform(note));
        return Ok(ParsedLine::Print(script));
    }
    if matches.get_flag("version") {
        return Ok(ParsedLine::Print(format!("{}\n", env!("CARGO_PKG_VERSION"))));
    }
    let mut options = given(&matches);
    add_urls(&mut options, &matches, &mut command)?;
    // `--use-extension A B script.py` takes all values that follow. The last of several is the script.
    if entry_point == EntryPoint::Command
        && options.scenario.is_none()
        && let Some(extensions) = options.use_extension.as_mut().filter(|extensions| extensions.len() > 1)
    {
        options.scenario = Some(extensions.pop());
    }
    Ok(ParsedLine::Run(Box::new(options)))
}

pub(super) fn command(entry_point: EntryPoint) -> Command {
    let command = Command::new("molotov")
        .args_override_self(true)
        .disable_help_flag(true)
        .max_term_width(120)
        .help_template("{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}")
        .after_help(
            "Times are seconds (90, 0.5) or have units (90s, 1m30s, 2h, 250ms). Long options may be abbreviated if the \
             abbreviation is unambiguous.",
        )
        .args(line_options().map(|entry| arg(entry).hide(!works(entry.name))))
        .arg(other("version").help("Print the version").action(ArgAction::SetTrue))
        .mut_arg("scenario", |arg| {
            let arg = arg.num_args(1..).action(ArgAction::Append);
            arg.hide(entry_point == EntryPoint::Crate)
        });
    let command = match entry_point {
        EntryPoint::Crate => command.about(concat!(
            "A load test, run by Molotov ",
            env!("CARGO_PKG_VERSION"),
            ": workers run its scenarios and measure the service they hit."
        )),
        EntryPoint::Command => {
            // The crates of users do not build it.
            #[cfg(feature = "command")]
            let command = super::with_generate(command).mut_arg("generate", |arg| arg.help_heading(OTHER));
            #[cfg(feature = "command")]
            let command = convert::with_options(command);
            command.about(concat!("Molotov ", env!("CARGO_PKG_VERSION"), ", a load-testing toolkit."))
        }
    };
    command.arg(other("help").short('h').help("Print help").action(ArgAction::Help))
}

/// The options that a command line can set.
fn line_options() -> impl Iterator<Item = &'static OptionSpec> {
    OPTIONS.iter().filter(|entry| entry.on_command_line)
}

/// Returns whether the features that an option needs are enabled.
fn works(option: &str) -> bool {
    let missing = [
        ("console", cfg!(not(feature = "dashboard"))),
        ("debug", cfg!(not(feature = "tracing-subscriber"))),
        ("statsd", cfg!(not(feature = "statsd"))),
        ("statsd_address", cfg!(not(feature = "statsd"))),
        ("web", cfg!(not(feature = "web"))),
        ("cluster", cfg!(not(feature = "cluster"))),
        ("agents", cfg!(not(feature = "cluster"))),
        ("on_lost", cfg!(not(feature = "cluster"))),
        ("signing_key", cfg!(not(feature = "cluster"))),
        ("join", cfg!(not(feature = "cluster"))),
        ("trust", cfg!(not(feature = "cluster"))),
        ("agent_name", cfg!(not(feature = "cluster"))),
    ];
    !missing.contains(&(option, true))
}

fn other(name: &'static str) -> Arg {
    Arg::new(name).long(name).help_heading(OTHER)
}

/// The `clap` argument of an option. Each of its values is parsed to [`Options`] with only this option.
fn arg(entry: &'static OptionSpec) -> Arg {
    let default = entry.shown_default().map(|default| format!(" [default: {default}]")).unwrap_or_default();
    let mut arg = Arg::new(entry.name).help(format!("{}{default}", entry.help)).value_name(entry.value);
    if !entry.positional {
        arg = arg.long(entry.long()).short(entry.short).help_heading(entry.group.title());
    }
    let read = |text: String| (entry.read)(&text);
    let arg = match entry.kind {
        ValueKind::Flag => return arg.action(ArgAction::SetTrue),
        ValueKind::Count => return arg.action(ArgAction::Count),
        ValueKind::Number | ValueKind::Time => arg.allow_negative_numbers(true),
        // A negative rate has a message of its type.
        ValueKind::Text if entry.value == "RATE" => arg.allow_hyphen_values(true),
        ValueKind::Text | ValueKind::Port => arg,
        ValueKind::List | ValueKind::Scenarios => arg.action(ArgAction::Append),
    };
    if !entry.choices.is_empty() {
        arg.value_parser(PossibleValuesParser::new(entry.choices).try_map(read)).hide_possible_values(true)
    } else if entry.several {
        arg.num_args(1..).value_parser(NonEmptyStringValueParser::new().try_map(read))
    } else {
        arg.value_parser(move |text: &str| (entry.read)(text))
    }
}

/// The options that a command line gives.
fn given(matches: &ArgMatches) -> Options {
    let mut options = Options::default();
    for entry in line_options().filter(|entry| !entry.positional) {
        if matches.value_source(entry.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        match entry.kind {
            ValueKind::Flag => (entry.read)("true").into_iter().for_each(|flag| options.add(flag)),
            ValueKind::Count => {
                let count = matches.get_count(entry.name).to_string();
                (entry.read)(&count).into_iter().for_each(|count| options.add(count));
            }
            _ => {
                let values = matches.get_many::<Options>(entry.name).into_iter().flatten();
                values.for_each(|value| options.add(value.clone()));
            }
        }
    }
    options
}

/// Adds the script or the URLs of a command line.
fn add_urls(options: &mut Options, matches: &ArgMatches, command: &mut Command) -> Result<(), UsageError> {
    let words = matches.get_many::<Options>("scenario").into_iter().flatten();
    let mut words: Vec<String> = words.filter_map(|word| word.scenario.clone().flatten()).collect();
    // `--use-extension A http://...` takes all values that follow.
    if let Some(extensions) = &mut options.use_extension {
        words.extend(extensions.extract_if(.., |word| url::is_url(word)));
    }
    let mut names = words.iter().filter(|word| !url::is_url(word));
    match (names.next(), names.next()) {
        (_, Some(second)) => {
            let error = command.error(ErrorKind::UnknownArgument, format!("unexpected argument '{second}' found"));
            return Err(UsageError::new(error.render().to_string().trim_end().trim_start_matches("error: ")));
        }
        (Some(script), None) if words.len() > 1 => {
            let place = match url::without_scheme(script) {
                Some(url) => format!("`{script}` is no URL: write `{url}`"),
                None => format!("a run has either URLs or a script: leave out `{script}` or the URLs"),
            };
            return Err(UsageError::new(place));
        }
        _ => {}
    }
    if !words.is_empty() {
        options.scenario = Some(Some(words.join(" ")));
    }
    Ok(())
}

fn expand(line: Vec<OsString>, command: &Command) -> Result<Vec<OsString>, UsageError> {
    let new = line_options().filter(|entry| !entry.original).map(OptionSpec::long);
    #[cfg(feature = "command")]
    let new = new.chain(convert::OPTIONS.map(str::to_owned));
    let new: Vec<String> = new.collect();
    let named = command.get_arguments().filter_map(Arg::get_long);
    let (new, original): (Vec<_>, Vec<_>) = named.partition(|name| new.iter().any(|new| new == name));
    let mut arguments = line.into_iter();
    let program = arguments.next().unwrap_or_else(|| "molotov".into());
    let rest = prefix::expand(arguments, &original, &new).map_err(|ambiguous| {
        let mut message = format!("`--{}` is ambiguous: ", ambiguous.written);
        for (n, candidate) in ambiguous.candidates.iter().enumerate() {
            let _ = write!(message, "{}--{candidate}", if n == 0 { "" } else { ", " });
        }
        UsageError::new(message + "; write more letters")
    })?;
    Ok([program].into_iter().chain(rest).collect())
}

/// Refuses options that exclude each other. The exit code is 1 where the original has it.
pub(super) fn refuse_contradictions(args: &Args) -> Result<(), UsageError> {
    let message = if args.quiet && args.verbose > 0 {
        "You can't use -q and -v at the same time"
    } else if args.single_run && args.single_mode.is_some() {
        "You can't use --single-mode and --single-run at the same time"
    } else if args.report.iter().filter(|report| report.is_standard_output()).count() > 1 {
        return Err(UsageError::new("only one report can go to standard output; name files for the others"));
    } else if let Some(option) = without_url(args) {
        return Err(UsageError::new(format!(
            "`{option}` is for requests without a script: name a URL, as in `molotov {option} … http://127.0.0.1:8080/`"
        )));
    } else if args.join.is_some()
        && let Some((option, _)) = args.given_values().find(|(option, _)| !OF_AGENTS.contains(option))
    {
        let (given, its) = match option {
            "scenario" => ("a script".to_owned(), "script"),
            _ => (args.name(option), "options"),
        };
        return Err(UsageError::new(format!(
            "{given} has no effect with `--join`: each run brings its {its} from its `molotov --cluster`"
        )));
    } else if args.join.is_none()
        && let Some(option) = ["trust", "agent_name"].into_iter().find(|option| is_given(args, option))
    {
        return Err(UsageError::new(format!(
            "{} is for machines that wait for runs: add `--join URL`, or leave it out",
            args.name(option)
        )));
    } else if args.agents.is_none()
        && let Some(option) = ["cluster", "on_lost", "signing_key"].into_iter().find(|option| is_given(args, option))
    {
        let option_name = args.name(option);
        return Err(UsageError::new(match option {
            "cluster" => format!("{option_name} needs the number of machines: add `--agents N`"),
            _ => format!("{option_name} is for runs on several machines: add `--agents N`, or leave it out"),
        }));
    } else {
        return check_options(args).map_err(UsageError::new);
    };
    Err(UsageError { message: message.to_owned(), exit_code: 1 })
}

fn is_given(args: &Args, option: &str) -> bool {
    args.given_values().any(|(name, _)| name == option)
}

/// Returns an option for requests to URLs, if the command line names no URL.
fn without_url(args: &Args) -> Option<&'static str> {
    let is_url = args.scenario.as_deref().is_some_and(|words| words.split_whitespace().any(url::is_url));
    let given = |name: &str| *args.sources.of(name) == Source::CommandLine;
    match (&args.method, &args.body) {
        _ if is_url => None,
        (Some(_), _) if given("method") => Some("--method"),
        (_, Some(_)) if given("body") => Some("--body"),
        _ => None,
    }
}

#[cfg(test)]
#[path = "command_line_tests.rs"]
mod tests;
