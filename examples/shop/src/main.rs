//! `cargo run --release -p shop -- -w 50 -d 10`

use std::process::ExitCode;

// Keeps the scenarios of the library linked.
use shop as _;

fn main() -> ExitCode {
    molotov::main()
}
