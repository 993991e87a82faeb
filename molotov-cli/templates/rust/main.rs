use std::process::ExitCode;

// Keeps the scenarios of the library linked.
use {{crate}} as _;

fn main() -> ExitCode {
    molotov::main()
}
