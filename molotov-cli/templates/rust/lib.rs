//! A load test. To run it with 200 workers for a minute, use `cargo run -- -w 200 -d 60`. To see all options, use
//! `cargo run -- --help`.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use molotov::{BlockingRequest, prelude::*};

/// The URL of a path of the service to test. Tests set the variable `service`. To test another service, use
/// `SERVICE=https://... cargo run`.
fn service(path: &str) -> String {
    let base = get_var_or_init("service", || {
        env::var("SERVICE").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned())
    });
    format!("{base}{path}")
}

/// Runs once before the workers start, and waits until the service responds.
#[global_setup]
fn wait_for_service() -> Result<()> {
    let started = Instant::now();
    let mut announced = false;
    while let Err(error) = molotov::request(BlockingRequest::get(service("/"))) {
        // An invalid URL ends the run at once.
        if !error.is_connect() || started.elapsed() > Duration::from_secs(20) {
            return Err(error.into());
        }
        if !announced {
            println!("Waiting for {}; to start the example service, run `{{service}}` in another terminal", service("/"));
            announced = true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Runs once for each worker. Returns the options of its session, such as headers for all requests.
#[setup]
async fn worker_starts(_worker: WorkerId) -> Result<SessionOptions> {
    Ok(SessionOptions::new().header("x-tested-by", "molotov"))
}

/// A weight of 40 of 100: four scenarios in ten are this one.
#[scenario(weight = 40)]
pub async fn read(session: &Session) -> Result<()> {
    let response = session.get(service("/")).send().await?;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}

/// Six scenarios in ten are this one.
#[scenario(weight = 60)]
pub async fn write(session: &Session) -> Result<()> {
    let response = session.post(service("/")).json(&json!({"OK": 1})).send().await?;
    assert_eq!(response.status(), 200);
    Ok(())
}
