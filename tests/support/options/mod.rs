//! Tests every option of the command line, with valid and invalid values. Rust load tests and Python scripts have the same rows.

mod convert;
mod load;
mod machines;
mod other;
mod output;
mod reports;
mod requests;
mod selection;
mod stopping;

use std::collections::BTreeSet;

use crate::{LoadTestProgram, load_test::Run};

const GROUPS: [&[Row]; 9] = [
    convert::ROWS,
    load::ROWS,
    requests::ROWS,
    selection::ROWS,
    stopping::ROWS,
    reports::ROWS,
    output::ROWS,
    machines::ROWS,
    other::ROWS,
];

/// The error for a flag with the value `1`.
const FLAG: &str = "unexpected value '1' for";

/// An option and its tests.
struct Row {
    /// The long name.
    option: &'static str,
    /// Checks the effect of valid values.
    good: fn(&LoadTestProgram),
    /// Invalid command lines, each with the exit code and a part of the error.
    bad: &'static [(&'static str, i32, &'static str)],
}

/// Tests every option.
///
/// # Panics
///
/// Panics if an option does not have its effect, or has no row.
pub fn every_option(test: &LoadTestProgram) {
    let help = test.run("--help").output.stdout;
    let words = help.split(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '.' | '`'));
    let options: BTreeSet<_> =
        words.filter_map(|word| word.strip_prefix("--")).filter(|word| !word.is_empty()).collect();
    // Only the `molotov` command has these options. A crate has those of several machines with the feature `cluster`.
    let others = || convert::ROWS.iter().chain(machines::ROWS);
    let of_command = |option: &str| option == "generate" || others().any(|row| row.option == option);
    let is_of_test = |row: &&Row| !of_command(row.option) || test.script.is_some();
    let rows = || GROUPS.into_iter().flatten().filter(is_of_test);
    let tested: BTreeSet<_> = rows().map(|row| row.option).collect();
    assert_eq!(options, tested, "the options of the help, and the options with a row");
    rows().for_each(|row| (row.good)(test));
    // Errors do not depend on time.
    std::thread::scope(|threads| {
        for group in GROUPS {
            threads.spawn(move || group.iter().filter(is_of_test).for_each(|row| invalid_values_are_errors(test, row)));
        }
    });
}

fn invalid_values_are_errors(test: &LoadTestProgram, row: &Row) {
    for (line, code, message) in row.bad {
        let run = test.run_at("", line);
        let output = &run.output;
        assert_eq!(output.code, Some(*code), "{line}: {output:#?}");
        assert!(output.stderr.contains(message), "{line}: {output:#?}");
        let quiet = output.stdout.lines().all(|line| line.starts_with("Loading extension "));
        assert!(output.stderr.starts_with("error: ") && quiet, "{line}: {output:#?}");
        assert_eq!(run.server.served(), 0, "{line}");
    }
}
