//! Scenarios as tests: the `main` of a test target without a harness.

use std::process::ExitCode;

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
/// The program takes the options of a test program, such as filters, `--exact`, `--skip`, `--list`, `--nocapture` and
/// `--test-threads`, so `cargo test` and `cargo nextest run` show each scenario. With `RUST_BACKTRACE=1`, failures have
/// backtraces.
pub fn test_main() -> ExitCode {
    let arguments = Arguments::from_args();
    let plan = match Plan::new(Args::default(), &Registry::collect()) {
        Ok(plan) => plan,
        Err(errors) => {
            for error in errors {
                eprintln!("error: {error}");
            }
            return ExitCode::from(101);
        }
    };
    let shown = arguments.nocapture;
    let test = |name: &str| {
        let scenario = name.to_owned();
        Trial::test(name, move || run(scenario, shown))
    };
    let tests = plan.selection.scenarios.iter().map(|scenario| test(scenario.name())).collect();
    libtest_mimic::run(&arguments, tests).exit_code()
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
