//! The program of all commands: `molotov`, and `molostart` and `moloslave` when it is started under these names.

use std::process::ExitCode;

fn main() -> ExitCode {
    _core::run(std::env::args_os().collect())
}
