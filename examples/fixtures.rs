//! Fixtures of the run and of each worker, and headers for all requests of a worker.

use molotov::prelude::*;
use molotov_examples::at;

#[global_setup]
fn once_before(args: &Args) -> Result<()> {
    set_var("workers", args.workers);
    Ok(())
}

/// Returns the options of the worker's session.
#[setup]
async fn worker_options(worker: WorkerId) -> Result<SessionOptions> {
    Ok(SessionOptions::new().header("x-worker", worker.to_string()).timeout(secs(5)))
}

#[teardown]
fn after_worker(worker: WorkerId, ctx: &Context) {
    if worker.0 == 0 {
        ctx.print(format!("worker {worker} ran {} scenarios", ctx.step()));
    }
}

#[global_teardown]
fn once_after() {
    assert!(get_var::<usize>("workers").is_some(), "what global_setup set is still there");
}

#[scenario]
async fn sees_its_header(session: &Session, worker: WorkerId) -> Result<()> {
    let headers: Value = session.get(at("/headers")).send().await?.json().await?;
    assert_eq!(headers["x-worker"], worker.to_string());
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
