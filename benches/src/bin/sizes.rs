//! Prints the sizes, in bytes, of the futures and values of a request, as JSON.

use molotov::{prelude::*, session::RequestBuilder};

fn main() {
    let sizes = json!({
        "request builder": size_of::<RequestBuilder>(),
        "response": size_of::<Response>(),
        "future of send": size_of_result(RequestBuilder::send),
        "future of bytes": size_of_result(Response::bytes),
        "future of text": size_of_result(Response::text),
        "future of json": size_of_result(Response::json::<Value>),
        "future of a scenario": size_of_scenario(scenario),
    });
    println!("{sizes:#}");
}

/// The size of what a function returns.
fn size_of_result<A, R>(_: impl FnOnce(A) -> R) -> usize {
    size_of::<R>()
}

fn size_of_scenario<'a, R: 'a>(_: impl FnOnce(&'a Session) -> R) -> usize {
    size_of::<R>()
}

/// The same as in `get.rs`.
async fn scenario(session: &Session) -> Result<()> {
    let response = session.get("http://127.0.0.1/").send().await?;
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await?;
    assert_eq!(body["result"], "OK");
    Ok(())
}
