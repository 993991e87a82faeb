//! Messages, requests and pings of an open WebSocket.

use std::time::Duration;

use molotov::session::Message;

use super::{
    pair,
    peer::{CLOSE, PING, PONG, TEXT, end, whole},
};

#[tokio::test]
async fn one_future_sends_while_another_receives() {
    const MESSAGES: usize = 2000;
    let payload = "x".repeat(1000);
    let (received, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            let mut received = 0;
            loop {
                match peer.read().await.unwrap() {
                    (CLOSE, payload) => {
                        peer.write(&whole(CLOSE, payload)).await;
                        return received;
                    }
                    (opcode, payload) => {
                        received += 1;
                        peer.write(&whole(opcode, payload)).await;
                    }
                }
            }
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            let send = async {
                for _ in 0..MESSAGES {
                    socket.send(payload.as_str()).await?;
                }
                socket.close(1000, "done").await
            };
            let receive = async {
                let mut received = 0;
                while let Some(message) = socket.recv().await? {
                    assert_eq!(message, payload.as_str());
                    received += 1;
                }
                Ok::<_, molotov::Error>(received)
            };
            let ((), received) = tokio::try_join!(send, receive).unwrap();
            assert_eq!((received, socket.close_code()), (MESSAGES, Some(1000)));
        },
    )
    .await;
    assert_eq!(received, MESSAGES);
}

#[tokio::test]
async fn concurrent_requests_get_their_own_answers() {
    let (_, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            let asked = [peer.read().await.unwrap(), peer.read().await.unwrap(), peer.read().await.unwrap()];
            peer.write(&whole(TEXT, "news")).await;
            // In reverse.
            for (opcode, payload) in asked.into_iter().rev() {
                peer.write(&whole(opcode, payload)).await;
            }
            peer.write(&end()).await;
            peer.read_all().await
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            let ask = |text: &'static str| socket.request(text).matching(move |answer| *answer == text).send();
            let (one, two, three, news) = tokio::join!(ask("1"), ask("2"), ask("3"), socket.recv());
            assert_eq!((one.unwrap(), two.unwrap(), three.unwrap()), ("1".into(), "2".into(), "3".into()));
            assert_eq!(news.unwrap(), Some(Message::from("news")));
            assert_eq!(socket.recv().await.unwrap(), None);
            let error = socket.request("late").await.unwrap_err().to_string();
            assert!(error.starts_with("the server closed the WebSocket with code 1000"), "{error}");
        },
    )
    .await;
}

#[tokio::test]
async fn pings_measure_until_their_pong() {
    let (_, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            let (opcode, payload) = peer.read().await.unwrap();
            assert_eq!(opcode, PING);
            peer.write(&[whole(TEXT, "before"), whole(PONG, "other")].concat()).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
            peer.write(&whole(PONG, payload)).await;
            peer.read_all().await
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            let took = socket.ping().await.unwrap();
            assert!(took >= Duration::from_millis(29), "{took:?}");
            assert_eq!(socket.recv().await.unwrap().unwrap(), "before");
        },
    )
    .await;
}

#[tokio::test]
async fn servers_that_do_not_answer_time_out() {
    let (_, ()) = pair(
        async |mut peer| {
            peer.switch("").await;
            peer.read_all().await
        },
        async |session, url| {
            let socket = session.websocket(url).connect().await.unwrap();
            let error = socket.request("hello").timeout(Duration::from_millis(20)).await.unwrap_err();
            assert!(error.is_timeout(), "{error}");
            assert!(!socket.is_closed());
        },
    )
    .await;
}
