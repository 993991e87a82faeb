//! `molostart`: writes a load test to begin with.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(_core::start::main(std::env::args_os().collect(), None))
}
