//! A load test whose scenarios were forgotten.

use std::process::ExitCode;

fn main() -> ExitCode {
    molotov::main()
}
