use std::process::ExitCode;

// Links the scenarios of the library.
use {{crate}} as _;

fn main() -> ExitCode {
    molotov::main()
}
