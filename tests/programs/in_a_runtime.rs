//! A load test whose `main` is asynchronous, which cannot work.

use molotov::prelude::*;

#[scenario]
async fn idle() {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    molotov::main()
}
