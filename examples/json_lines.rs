//! Writes a line of JSON for each scenario that ends, for other programs.

use std::io::Write;

use molotov::prelude::*;
use molotov_examples::at;

#[events]
async fn tell(event: &Event<'_>) -> Result<()> {
    let line = match event {
        Event::ScenarioSuccess { scenario, worker, .. } => {
            json!({"scenario": scenario.name, "worker": worker.0, "outcome": "success"})
        }
        Event::ScenarioFailure { scenario, worker, failure, .. } => {
            json!({"scenario": scenario.name, "worker": worker.0, "outcome": "failure", "why": failure.to_string()})
        }
        _ => return Ok(()),
    };
    // Each line is one write, so lines of different threads do not mix.
    std::io::stdout().write_all(format!("{line}\n").as_bytes())?;
    Ok(())
}

#[scenario]
async fn flaky(session: &Session, ctx: &Context) -> Result<()> {
    let fail = ctx.step().is_multiple_of(5);
    session.get(at("/flaky")).query(&[("fail", fail)]).send().await?.error_for_status()?;
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
