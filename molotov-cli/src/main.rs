//! The `molotov` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    molotov::cli::command()
}
