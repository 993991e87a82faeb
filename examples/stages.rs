//! Scenarios at a rate that changes in stages, whatever the service does. Compare the response and the service times with those
//! of a closed loop, which runs with `-w 10 -d 10` instead of the stages.

use molotov::prelude::*;
use molotov_examples::at;

#[scenario]
async fn freezing(session: &Session) -> Result<()> {
    session.get(at("/freezing")).send().await?.error_for_status()?;
    Ok(())
}

/// Beside the stages, this scenario starts at its own rate.
#[scenario(rate = "10/s")]
async fn home(session: &Session) -> Result<()> {
    session.get(at("/")).send().await?.error_for_status()?;
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
