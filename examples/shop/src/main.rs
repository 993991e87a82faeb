//! `cargo run --release -p shop -- -w 50 -d 10`

use std::process::ExitCode;

// Links the scenarios of the library.
use shop as _;

fn main() -> ExitCode {
    molotov::main()
}
