//! Two scenarios, with 40 % and 60 % of the load.

use molotov::prelude::*;
use molotov_examples::at;

#[scenario(weight = 40)]
async fn read(session: &Session) -> Result<()> {
    let body: Value = session.get(at("/")).send().await?.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}

#[scenario(weight = 60)]
async fn write(session: &Session) -> Result<()> {
    let response = session.post(at("/cart")).json(&json!({"item": "book", "count": 2})).send().await?;
    assert_eq!(response.status(), 201);
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
