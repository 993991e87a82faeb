//! The load test of a large answer: one GET, its status checked, and its body read as bytes.
//!
//! `MOLOTOV_TARGET` names the URL; see `benches/README.md`.

use std::sync::LazyLock;

use molotov::prelude::*;

static TARGET: LazyLock<String> =
    LazyLock::new(|| std::env::var("MOLOTOV_TARGET").unwrap_or_else(|_| "http://127.0.0.1:8080/".to_owned()));

#[scenario]
async fn download(session: &Session) -> Result<()> {
    let response = session.get(TARGET.as_str()).send().await?;
    assert_eq!(response.status(), 200);
    assert!(!response.bytes().await?.is_empty());
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
