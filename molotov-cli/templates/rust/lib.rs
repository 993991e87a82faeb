//! A load test. `cargo run -- -w 200 -d 60` runs it with 200 workers for a minute, `cargo run -- --help` shows the rest.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use molotov::{BlockingRequest, prelude::*};

/// The service to test. Tests set the variable; `SERVICE=https://... cargo run` names another one.
fn service(path: &str) -> String {
    let base = get_var_or_init("service", || {
        env::var("SERVICE").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned())
    });
    format!("{base}{path}")
}

/// Runs once, before the workers start: waits until the service answers.
#[global_setup]
fn wait_for_service() -> Result<()> {
    let begun = Instant::now();
    let mut announced = false;
    while let Err(error) = molotov::request(BlockingRequest::get(service("/"))) {
        // A mistake in the URL ends the run at once.
        if !error.is_connect() || begun.elapsed() > Duration::from_secs(20) {
            return Err(error.into());
        }
        if !announced {
            println!("Waiting for {}; in another terminal, `{{service}}` starts the service of this crate", service("/"));
            announced = true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Runs once for each worker: options of its session, such as headers of all its requests.
#[setup]
async fn worker_starts(_worker: WorkerId) -> Result<SessionOptions> {
    Ok(SessionOptions::new().header("x-tested-by", "molotov"))
}

/// Of ten picks, four are this scenario.
#[scenario(weight = 40)]
pub async fn read(session: &Session) -> Result<()> {
    let response = session.get(service("/")).send().await?;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}

/// And six are this one.
#[scenario(weight = 60)]
pub async fn write(session: &Session) -> Result<()> {
    let response = session.post(service("/")).json(&json!({"OK": 1})).send().await?;
    assert_eq!(response.status(), 200);
    Ok(())
}
