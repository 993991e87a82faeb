//! A small service to test. Start it with `cargo run --example service`.

use axum::{Router, routing::get};
use tokio::net::TcpListener;

const OK: &str = r#"{"result": "OK"}"#;

/// Serves requests until the task ends.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, Router::new().route("/", get(async || OK).post(async || OK))).await
}

#[tokio::main]
#[allow(dead_code)] // tests/load.rs only uses `serve`
async fn main() -> std::io::Result<()> {
    serve(TcpListener::bind("127.0.0.1:8080").await?).await
}
