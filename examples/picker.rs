//! A function chooses the next scenario instead of the weights: every user looks around before buying.

use molotov::prelude::*;
use molotov_examples::at;

#[scenario_picker]
fn next(step: StepId) -> &'static str {
    if step.0.is_multiple_of(3) { "buy" } else { "look" }
}

#[scenario]
async fn look(session: &Session, ctx: &Context) -> Result<()> {
    session.get(at(&format!("/users/{}", ctx.step()))).send().await?.error_for_status()?;
    Ok(())
}

#[scenario]
async fn buy(session: &Session) -> Result<()> {
    session.post(at("/cart")).json(&json!({"item": "book"})).send().await?.error_for_status()?;
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
