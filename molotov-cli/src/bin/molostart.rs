//! `molostart`: creates a load test.

use std::process::ExitCode;

#[path = "../launch.rs"]
mod launch;

fn main() -> ExitCode {
    ExitCode::from(launch::launch("molostart"))
}
