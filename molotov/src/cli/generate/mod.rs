//! Generates man pages, shell completions and reference pages from the definition of a command line, files that start agents, and
//! keys.

use std::fmt::Write as _;

use clap::{
    Arg, ArgMatches, Command, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use clap_complete::Shell;

use crate::{cluster, notice::inform};

const NAME: &str = "generate";
/// The command that runs agents.
const MOLOTOV: &str = "molotov";

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Man,
    Markdown,
    Completions(Shell),
    /// A pair of keys for `--signing-key` and `--trust`.
    Key,
    /// A file that starts agents, with its name and text.
    Deployment(&'static str, &'static str),
}

/// The files that start agents.
const DEPLOYMENTS: [Kind; 3] = [
    Kind::Deployment("kubernetes", include_str!("kubernetes.yaml")),
    Kind::Deployment("compose", include_str!("compose.yaml")),
    Kind::Deployment("systemd", include_str!("systemd.service")),
];

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Kind] {
        &[
            Kind::Man,
            Kind::Markdown,
            Kind::Completions(Shell::Bash),
            Kind::Completions(Shell::Elvish),
            Kind::Completions(Shell::Fish),
            Kind::Completions(Shell::PowerShell),
            Kind::Completions(Shell::Zsh),
            Kind::Key,
            DEPLOYMENTS[0],
            DEPLOYMENTS[1],
            DEPLOYMENTS[2],
        ]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        match self {
            Kind::Man => Some("man".into()),
            Kind::Markdown => Some("markdown".into()),
            Kind::Completions(shell) => shell.to_possible_value(),
            Kind::Key => Some("key".into()),
            Kind::Deployment(name, _) => Some((*name).into()),
        }
    }
}

impl Kind {
    /// Whether a command can generate it.
    fn is_of(self, command: &str) -> bool {
        command == MOLOTOV || !matches!(self, Kind::Key | Kind::Deployment(..))
    }
}

/// Adds the option `--generate` to a command.
#[doc(hidden)]
pub fn with_generate(command: Command) -> Command {
    let kinds = Kind::value_variants().iter().filter(|kind| kind.is_of(command.get_name()));
    let values: Vec<_> = kinds.filter_map(Kind::to_possible_value).collect();
    let names: Vec<_> = values.iter().map(|value| value.get_name().to_owned()).collect();
    let what = match command.get_name() {
        MOLOTOV => "Print the man page, completions for a shell, a key that signs runs, or files that start agents",
        _ => "Print the man page, or completions for a shell",
    };
    let help = match names.split_last() {
        Some((last, first)) => format!("{what}: {} or {last}", first.join(", ")),
        None => what.to_owned(),
    };
    let parse = |name: String| Kind::from_str(&name, false);
    let kinds = PossibleValuesParser::new(names).try_map(parse);
    command.arg(
        Arg::new(NAME)
            .long(NAME)
            .value_name("KIND")
            .value_parser(kinds)
            .hide_possible_values(true)
            .exclusive(true)
            .help(help),
    )
}

/// Generates what the command line requests; `None` if it does not request anything.
#[doc(hidden)]
#[must_use]
pub fn generated(matches: &ArgMatches, command: &Command) -> Option<String> {
    let kind = matches.get_one::<Kind>(NAME)?;
    let mut command = command.clone().bin_name(command.get_name().to_owned());
    Some(match kind {
        Kind::Man => man(command),
        Kind::Markdown => markdown(command),
        Kind::Completions(shell) => {
            let (name, mut bytes) = (command.get_name().to_owned(), Vec::new());
            clap_complete::generate(*shell, &mut command, name, &mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Kind::Key => {
            let key = cluster::new_key();
            // The file of the key may be standard output.
            inform(&format!("agents trust the key with `--trust {}`", key.public));
            key.file
        }
        Kind::Deployment(_, text) => text.replace(":0.1.0", concat!(":", env!("CARGO_PKG_VERSION"))),
    })
}

fn man(command: Command) -> String {
    let mut bytes = Vec::new();
    let source = format!("{} {}", command.get_name(), env!("CARGO_PKG_VERSION"));
    // Writing to a vector cannot fail.
    let _ = clap_mangen::Man::new(command).source(source).manual("Molotov").render(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A Markdown page with a table for each group of options.
fn markdown(mut command: Command) -> String {
    command.build();
    let mut text = format!("# `{}`\n\n", command.get_name());
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = writeln!(text, "{about}\n\n```text\n{usage}\n```");
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let heading = heading(arg);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for wanted in headings {
        let _ = writeln!(text, "\n## {}\n\n| | |\n|---|---|", wanted.unwrap_or("Options"));
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && heading(arg) == wanted) {
            let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
            let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
            let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
            let default = match default.is_empty() || !arg.get_action().takes_values() {
                true => String::new(),
                false => format!(" [default: {}]", default.join(" ")),
            };
            let variable = arg.get_env().map(|name| format!(" [variable: {}]", name.to_string_lossy()));
            let variable = variable.unwrap_or_default();
            // `<` would start HTML, and a bar would end the cell.
            let cell = format!("{help}{default}{variable}").replace('|', "\\|").replace('<', "&lt;");
            let _ = writeln!(text, "| {} | {cell} |", names(arg));
        }
    }
    if let Some(after) = command.get_after_long_help().or(command.get_after_help()) {
        let _ = writeln!(text, "\n{after}");
    }
    text
}

fn heading(arg: &Arg) -> Option<&str> {
    arg.get_help_heading().or_else(|| arg.is_positional().then_some("Arguments"))
}

/// The names of an option with its values, such as `-w`, `--workers N`.
fn names(arg: &Arg) -> String {
    let values =
        arg.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ");
    if arg.is_positional() {
        return format!("`{values}`");
    }
    let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let values = if arg.get_action().takes_values() { format!(" {values}") } else { String::new() };
    format!("{short}`--{}{}`", arg.get_long().unwrap_or_default(), values.replace('|', "\\|"))
}
