//! The load that the service must handle, as a test. Run it with `cargo test`.

use molotov::LoadTest;
use tokio::net::TcpListener;
// Links the scenarios of the library.
use {{crate}} as _;

#[path = "../examples/service.rs"]
mod service;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_workers_are_served() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(service::serve(listener));
    let report = LoadTest::new().variable("service", address).workers(20).max_runs(10).run_async().await.unwrap();
    report.assert("failures == 0");
    report.assert("p95 < 2s");
    assert_eq!(report.successes(), 200);
}
