//! `molostart`: writes a load test to begin with.

use std::process::ExitCode;

#[path = "../launch.rs"]
mod launch;

fn main() -> ExitCode {
    ExitCode::from(launch::launch("molostart"))
}
