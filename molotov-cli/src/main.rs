//! The program `molotov`, which is also `molostart` and `moloslave` if it is started under these names.

use std::process::ExitCode;

fn main() -> ExitCode {
    _core::run(std::env::args_os().collect())
}
