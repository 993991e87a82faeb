//! A load test, written by Molotov from recorded requests.

use molotov::prelude::*;

const HOST: &str = "http://127.0.0.1:8080";

#[setup]
async fn options() -> SessionOptions {
    SessionOptions::new()
        .base_url(HOST)
        .header("Accept-Language", "fr")
}

#[scenario]
async fn recorded(session: &Session, ctx: &Context) -> Result<()> {
    let response = session.get("/ok/home?token=***").send().await?;
    ensure!(response.status() == 200, "the status is {}", response.status());
    response.bytes().await?;

    ctx.think(0.3).await;
    let response = session.post("/ok/login")
        .form(&[("user", "ada \"l\""), ("password", "***")])
        .send()
        .await?;
    ensure!(response.status() == 200, "the status is {}", response.status());
    response.bytes().await?;

    let response = session.post("/ok/orders")
        .header("Authorization", "***")
        .json(&json!({"api_key": "***", "gift": true, "item": 5000000000_i64, "names": ["é\n"], "note": null}))
        .send()
        .await?;
    ensure!(response.status() == 200, "the status is {}", response.status());
    response.bytes().await?;
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
