//! A load test without optional features. `SERVICE` is the URL of the server, and `WANTS` a feature that the session uses.

use molotov::{prelude::*, session::Transport};

#[setup]
async fn options(_worker: WorkerId) -> Result<SessionOptions> {
    let options = SessionOptions::new();
    Ok(match std::env::var("WANTS").as_deref() {
        Ok("brotli") => options.brotli(true),
        Ok("cookies") => options.cookie("http://localhost/", "id=1"),
        Ok("deflate") => options.deflate(true),
        Ok("gzip") => options.gzip(true),
        Ok("http2") => options.http2_prior_knowledge(),
        Ok("reqwest") => options.transport(Transport::Reqwest),
        Ok("zstd") => options.zstd(true),
        _ => options,
    })
}

#[scenario]
async fn hello(session: &Session) -> Result<()> {
    let service = std::env::var("SERVICE")?;
    let response = session.get(service).send().await?;
    assert_eq!(response.text().await?, "hello");
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
