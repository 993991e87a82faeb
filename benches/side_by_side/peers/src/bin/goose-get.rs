//! The load test `get` of Molotov, for goose: one GET, its status and its JSON checked.
//!
//! `MOLOTOV_TARGET` names the URL; see `benches/README.md`.

use goose::client::GooseClientBuilder;
use goose::prelude::*;
use serde_json::Value;

// One thread: the program has one core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), GooseError> {
    let target = std::env::var("MOLOTOV_TARGET").unwrap_or_else(|_| "http://127.0.0.1:8080/".to_owned());
    GooseAttack::initialize()?
        // A failed check sets the exit code.
        .set_default(GooseDefault::Threshold, "error-rate<=0%")?
        // The documentation of goose recommends a shared client for many users without state. At the start, its pool opens a few more
        // connections than there are users.
        .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies().gzip(false))?
        .register_scenario(scenario!("get").set_host(&target).register_transaction(transaction!(get)))
        .execute()
        .await?;
    Ok(())
}

async fn get(user: &mut GooseUser) -> TransactionResult {
    let request = GooseRequest::builder().path("").expect_status_code(200).error_on_fail().build();
    let mut goose = user.request(request).await?;
    let result = goose.response?.json::<Value>().await;
    if !result.is_ok_and(|body| body["result"] == "OK") {
        return user.set_failure("unexpected body", &mut goose.request, None, None);
    }
    Ok(())
}
