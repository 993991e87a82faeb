//! A load test without scenarios.

use std::process::ExitCode;

fn main() -> ExitCode {
    molotov::main()
}
