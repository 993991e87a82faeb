//! A test target whose scenarios run as tests.

use molotov::prelude::*;
use molotov_tests::{note, target};

#[scenario(weight = 3)]
async fn passes(session: &Session) -> Result<()> {
    note("passes");
    let response = session.get(target("/ok/passes")).send().await?;
    assert_eq!(response.status(), 200);
    Ok(())
}

#[scenario]
async fn passes_too(ctx: &Context) {
    ctx.print("said by passes_too");
    note("passes_too");
}

#[scenario(name = "needs tea")]
async fn needs_tea(session: &Session) -> Result<()> {
    let response = session.get(target("/ok/tea")).send().await?;
    assert_eq!(response.status(), 418, "the server is no teapot");
    Ok(())
}

fn main() -> ExitCode {
    molotov::test_main()
}
