//! Scenarios as tests: the `main` of a test target without a harness.

use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, FromArgMatches};
use libtest_mimic::{Arguments, Failed, Trial};

use super::{LoadTest, execute};
use crate::{
    engine::Plan,
    options::Args,
    registry::Registry,
    run::{Line, LineKind, Progress, Summary},
    ui::Screen,
};

/// Runs each registered scenario once, with the fixtures, as a separate test.
///
/// ```toml
/// [[test]]
/// name = "scenarios"
/// harness = false
/// ```
///
/// ```no_run
/// // tests/scenarios.rs
/// // use my_crate as _; // Links the scenarios of the library.
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     molotov::test_main()
/// }
/// ```
///
/// The program takes the options of a test program, such as `--exact`, `--skip`, `--list`, `--nocapture` and `--test-threads`, so
/// `cargo test` and `cargo nextest run` show each scenario. It also takes several filters: `cargo test -- browse buy` runs the
/// scenarios that match either. With `RUST_BACKTRACE=1`, failures have backtraces.
pub fn test_main() -> ExitCode {
    let (mut arguments, filters) = arguments();
    let plan = match Plan::new(Args::default(), &Registry::collect()) {
        Ok(plan) => plan,
        Err(errors) => {
            for error in errors {
                eprintln!("error: {error}");
            }
            return ExitCode::from(101);
        }
    };
    let names = plan.selection.scenarios.iter().map(|scenario| scenario.name());
    leave_out(&mut arguments, &filters, names);
    let shown = arguments.nocapture;
    let test = |name: &str| {
        let scenario = name.to_owned();
        Trial::test(name, move || run(scenario, shown))
    };
    let tests = plan.selection.scenarios.iter().map(|scenario| test(scenario.name())).collect();
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// Parses the command line, and returns all filters. `libtest_mimic` has room for one.
fn arguments() -> (Arguments, Vec<String>) {
    let several = |filter: clap::Arg| filter.num_args(0..).action(ArgAction::Append);
    let matches = Arguments::command().mut_arg("filter", several).get_matches();
    let filters = matches.get_many::<String>("filter").into_iter().flatten().cloned().collect();
    (Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()), filters)
}

/// Skips the tests that match none of several filters, or that `--skip` names.
fn leave_out<'a>(arguments: &mut Arguments, filters: &[String], names: impl Iterator<Item = &'a str>) {
    if filters.len() < 2 {
        return;
    }
    let exact = arguments.exact;
    let is_named = |name: &str, filter: &String| if exact { name == filter } else { name.contains(filter.as_str()) };
    let is_any = |name: &str, filters: &[String]| filters.iter().any(|filter| is_named(name, filter));
    let skipped = names.filter(|name| !is_any(name, filters) || is_any(name, &arguments.skip));
    // A skipped name may be a part of another one.
    let skipped = skipped.map(str::to_owned).collect();
    (arguments.filter, arguments.exact, arguments.skip) = (None, true, skipped);
}

fn run(scenario: String, shown: bool) -> Result<(), Failed> {
    // `single_run` ignores pickers, which could choose another scenario.
    let mut test = LoadTest::new().scenarios([scenario]).single_run();
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        test = test.backtraces();
    }
    let plan = test.plan()?;
    let mut output = CapturedOutput { shown, text: String::new() };
    let report = execute(&plan, &mut output)?;
    if report.failures() > 0 {
        return Err(output.text.into());
    }
    if report.successes() == 0 {
        return Err(format!("{}the scenario was interrupted", output.text).into());
    }
    Ok(())
}

/// Keeps the output of a scenario and the reasons of its failures, which are shown if it fails.
struct CapturedOutput {
    shown: bool,
    text: String,
}

impl Screen for CapturedOutput {
    fn line(&mut self, line: &Line) {
        match line.kind {
            LineKind::Info => {}
            LineKind::Print if self.shown => println!("{}", line.text),
            LineKind::Print | LineKind::Warning | LineKind::Failure | LineKind::MoreFailures => {
                self.text.push_str(&line.text);
                self.text.push('\n');
            }
        }
    }

    fn progress(&mut self, _: &Progress) {}

    fn finish(&mut self, _: &Summary) {}
}
