//! The blocking helpers, inside and outside async code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, thread, time::Duration};

use axum::{Json, Router, extract::Query, http::StatusCode, routing::get};
use molotov::{BlockingRequest, json_request, request};
use serde_json::{Value, json};

/// A server on a separate thread, because the callers block theirs.
fn server() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let echo = |Json(body): Json<Value>| async move { (StatusCode::CREATED, Json(json!({ "got": body }))) };
            let hello = |Query(query): Query<Vec<(String, String)>>| async move { Json(json!(query)) };
            let router = Router::new()
                .route("/echo", get(hello).post(echo))
                .route("/text", get(|| async { ([("x-kind", "plain")], "not json") }))
                .route("/hangs", get(std::future::pending::<()>));
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
        });
    });
    address
}

#[test]
fn answers_come_whole_in_async_code_too_and_no_thread_stays() {
    let address = server();
    let url = format!("http://localhost:{}", address.port());
    let text = request(format!("{url}/text")).unwrap();
    assert_eq!(
        (text.status.as_u16(), &text.headers["x-kind"], &text.body[..]),
        (200, &"plain".parse().unwrap(), &b"not json"[..])
    );

    let posted = json_request(BlockingRequest::post(format!("{url}/echo")).json(&json!([1, 2]))).unwrap();
    assert_eq!((posted.status.as_u16(), posted.content), (201, json!({"got": [1, 2]})));

    let error = json_request(format!("{url}/text")).unwrap_err();
    assert!(error.is_decode() && error.to_string().contains("/text"), "{error}");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(200));
    assert_eq!(request(format!("{url}/none")).unwrap().status, 404);

    let late = BlockingRequest::get(format!("{url}/hangs")).timeout(Duration::from_millis(50));
    assert!(request(late).unwrap_err().is_timeout());
    assert!(request("not a url").unwrap_err().is_builder());
    assert!(request(BlockingRequest::get(&url).header("a b", "c")).unwrap_err().is_builder());

    // Inside async code, where blocking calls of tokio's own would panic.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(async { json_request(format!("http://{address}/echo?a=1")) });
    assert_eq!(answer.unwrap().content, json!([["a", "1"]]));
    drop(runtime);

    // One test in this file, so that the threads of another are not taken for leftovers.
    #[cfg(target_os = "linux")]
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        // A thread that is not ours may end while it is looked at.
        let name = std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default();
        assert!(!name.starts_with("molotov request") && !name.starts_with("tokio-"), "`{name}` is left over");
    }
}
