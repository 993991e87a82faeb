//! The load test of a POST with a body of 1 KB, whose answer's status and JSON are checked.
//!
//! `MOLOTOV_TARGET` names the URL; see `benches/README.md`.

use std::sync::LazyLock;

use molotov::prelude::*;

static TARGET: LazyLock<String> =
    LazyLock::new(|| std::env::var("MOLOTOV_TARGET").unwrap_or_else(|_| "http://127.0.0.1:8080/".to_owned()));

static BODY: [u8; 1024] = [b'x'; 1024];

#[scenario]
async fn post(session: &Session) -> Result<()> {
    let response = session.post(TARGET.as_str()).body(BODY.as_slice()).send().await?;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
