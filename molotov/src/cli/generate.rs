//! Generates man pages, shell completions and reference pages from the definition of a command line.

use std::fmt::Write as _;

use clap::{Arg, ArgMatches, Command, ValueEnum, builder::EnumValueParser};
use clap_complete::Shell;

const NAME: &str = "generate";

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Man,
    Markdown,
    Completions(Shell),
}

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
        ]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        match self {
            Kind::Man => Some("man".into()),
            Kind::Markdown => Some("markdown".into()),
            Kind::Completions(shell) => shell.to_possible_value(),
        }
    }
}

/// Adds the option `--generate` to a command.
#[doc(hidden)]
pub fn with_generate(command: Command) -> Command {
    let kinds = EnumValueParser::<Kind>::new();
    let names: Vec<_> = Kind::value_variants().iter().filter_map(Kind::to_possible_value).collect();
    let names: Vec<_> = names.iter().map(clap::builder::PossibleValue::get_name).collect();
    let (last, first) = names.split_last().unwrap_or((&"", &[]));
    let help = format!("Print the man page, or completions for a shell: {} or {last}", first.join(", "));
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
