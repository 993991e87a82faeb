//! A client of the Autobahn test suite. `tests/autobahn/run` runs it.

use molotov::session::{Session, SessionOptions, WebSocket};

async fn connect(session: &Session, path: &str) -> WebSocket {
    let server = std::env::var("AUTOBAHN_SERVER").expect("AUTOBAHN_SERVER is the URL of the server");
    session.websocket(server + path).connect().await.unwrap()
}

#[tokio::test]
#[ignore = "requires the server of the test suite"]
async fn messages_of_the_autobahn_test_suite_are_echoed() {
    let session = Session::new(SessionOptions::new()).unwrap();
    let count = connect(&session, "/getCaseCount").await.recv().await.unwrap().unwrap();
    let cases: u32 = count.as_text().unwrap().parse().unwrap();
    for case in 1..=cases {
        let socket = connect(&session, &format!("/runCase?case={case}&agent=rust")).await;
        // Cases that break the protocol, or close the connection early, end with an error.
        while let Ok(Some(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    }
    // Some servers close this WebSocket, and some end.
    let _ = connect(&session, "/updateReports?agent=rust").await.recv().await;
}
