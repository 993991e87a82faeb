//! `moloslave`: runs a test of a git repository.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(_core::slave::main(std::env::args_os().collect(), None))
}
