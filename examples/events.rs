//! A listener for all events.

use molotov::prelude::*;
use molotov_examples::at;

#[events]
async fn tell(event: &Event<'_>) -> Result<()> {
    match event {
        Event::SendingRequest { request, .. } => println!("> {} {}", request.method(), request.url().path()),
        Event::ResponseReceived { response, .. } => {
            // The scenario can still read the body.
            let size = response.buffered().await?.len();
            println!("< {} with {size} bytes", response.status());
        }
        Event::ScenarioFailure { scenario, failure, .. } => println!("! {} failed: {failure}", scenario.name),
        Event::CurrentWorkers { workers, .. } => println!("= {workers} workers"),
        _ => {}
    }
    Ok(())
}

#[scenario]
async fn home(session: &Session) -> Result<()> {
    let body: Value = session.get(at("/")).send().await?.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
