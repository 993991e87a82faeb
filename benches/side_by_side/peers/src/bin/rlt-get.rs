//! The load test `get` of Molotov, for rlt: one GET, its status and its JSON checked.
//!
//! rlt leaves the choice of the client to the load test. Each worker has a connection of hyper, which costs less than a client with a
//! pool. `MOLOTOV_TARGET` names the URL; see `benches/README.md`.

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use rlt::{BenchSuite, IterInfo, IterReport, bench_cli, bench_cli_run};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::Instant;

bench_cli!(Get, {
    /// Target URL.
    #[clap(env = "MOLOTOV_TARGET", default_value = "http://127.0.0.1:8080/")]
    pub url: Uri,
});

pub struct Worker {
    connection: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
}

impl Get {
    async fn get(&self, worker: &mut Worker) -> Result<IterReport> {
        let start = Instant::now();
        worker.connection.ready().await?;
        let response = worker.connection.send_request(worker.request.clone()).await?;
        let status = response.status();
        ensure!(status == StatusCode::OK, "unexpected status {status}");
        let body = response.into_body().collect().await?.to_bytes();
        let value: Value = serde_json::from_slice(&body)?;
        ensure!(value["result"] == "OK", "unexpected body {value}");
        Ok(IterReport { duration: start.elapsed(), status: status.into(), bytes: body.len() as u64, items: 1 })
    }
}

#[async_trait]
impl BenchSuite for Get {
    type WorkerState = Worker;

    async fn state(&self, _: u32) -> Result<Worker> {
        let authority = self.url.authority().context("the target has no host")?.as_str();
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (connection, io) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(io);
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path).header(header::HOST, authority).body(Empty::new())?;
        Ok(Worker { connection, request })
    }

    async fn bench(&mut self, worker: &mut Worker, _: &IterInfo) -> Result<IterReport> {
        let result = self.get(worker).await;
        // rlt would only count the failure, and try the same connection again.
        if let Err(error) = &result {
            eprintln!("{error:#}");
            std::process::exit(1);
        }
        result
    }
}

// One thread: the program has one core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    bench_cli_run!(Get).await
}
