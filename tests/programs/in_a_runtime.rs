//! A load test whose `main` is asynchronous, which is an error.

use molotov::prelude::*;

#[scenario]
async fn idle() {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    molotov::main()
}
