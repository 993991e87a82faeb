//! A load test with two scenarios of one name.

use molotov::prelude::*;

#[scenario(name = "browse")]
async fn first() {}

#[scenario(name = "browse")]
async fn second() {}

fn main() -> ExitCode {
    molotov::main()
}
