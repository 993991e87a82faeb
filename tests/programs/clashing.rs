//! A load test with two scenarios of the same name.

use molotov::prelude::*;

#[scenario(name = "browse")]
async fn first() {}

#[scenario(name = "browse")]
async fn second() {}

fn main() -> ExitCode {
    molotov::main()
}
