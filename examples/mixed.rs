//! A Rust load test that also runs Python scenarios: `cargo run -p molotov-cli --example mixed -- script.py`.

use molotov::prelude::*;

#[scenario]
async fn in_rust(session: &Session) -> Result<()> {
    let target = std::env::var("TARGET").unwrap_or_else(|_| "http://127.0.0.1:8080/".to_owned());
    session.get(target).send().await?.error_for_status()?;
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
