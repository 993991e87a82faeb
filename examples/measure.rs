//! Measures a step with several requests, which gets a row in the table.

use molotov::prelude::*;
use molotov_examples::at;

#[scenario]
async fn shop(session: &Session) -> Result<()> {
    let checkout = async {
        session.post(at("/cart")).json(&json!({"item": "book"})).send().await?.error_for_status()?;
        session.get(at("/slow")).name("GET payment page").send().await?.error_for_status()?;
        Ok(())
    };
    session.try_measure("checkout", checkout).await
}

fn main() -> ExitCode {
    molotov::main()
}
