//! `moloslave`: runs a load test from a git repository.

use std::process::ExitCode;

#[path = "../launch.rs"]
mod launch;

fn main() -> ExitCode {
    ExitCode::from(launch::launch("moloslave"))
}
