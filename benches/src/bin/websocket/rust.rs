//! The load test in Rust.

use std::{sync::Arc, time::Instant};

use molotov::{LoadTest, prelude::*};
use tokio::sync::Barrier;

use crate::{MESSAGE, Measured, Plan};

/// Runs the load test.
pub(crate) fn run(plan: Plan, url: &str) -> Measured {
    let url: Arc<str> = url.into();
    let connected = Arc::new(Barrier::new(plan.connections));
    let scenario = async move |session: &Session| -> Result<()> {
        let socket = session.websocket(&*url).name("chat").connect().await?;
        connected.wait().await;
        let start = Instant::now();
        let number = session.context().worker_number();
        for message in 0..plan.messages {
            tokio::time::sleep_until(plan.time(start, number, message).into()).await;
            let answer = socket.request(MESSAGE).name("echo").await?;
            ensure!(answer == MESSAGE, "{answer:?} is not an echo");
        }
        socket.close(1000, "").await?;
        Ok(())
    };
    let test = LoadTest::new().scenario("echo", scenario).workers(plan.connections).threads(1).max_runs(1);
    let report = test.run().expect("a run");
    assert_eq!(report.failures(), 0, "{report}");
    let echo = report.request("WS echo").expect("echoes are measured");
    Measured {
        sent: report.counter("WS chat sent"),
        received: report.counter("WS chat received"),
        p50: echo.percentile(50.0),
        p99: echo.percentile(99.0),
        max: echo.max(),
    }
}
