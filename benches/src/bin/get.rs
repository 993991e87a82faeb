//! The load test that is compared with other generators: one GET, its status and its JSON checked.
//!
//! `MOLOTOV_TARGET` names the URL; see `benches/README.md`.

use std::sync::LazyLock;

use molotov::prelude::*;

static TARGET: LazyLock<String> =
    LazyLock::new(|| std::env::var("MOLOTOV_TARGET").unwrap_or_else(|_| "http://127.0.0.1:8080/".to_owned()));

#[scenario]
async fn get(session: &Session) -> Result<()> {
    let response = session.get(TARGET.as_str()).send().await?;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
