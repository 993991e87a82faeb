//! A WebSocket, on a host: `websocket --host http://127.0.0.1:8080 -w 2 -r 3`.

use molotov::prelude::*;

#[scenario]
async fn chat(session: &Session, ctx: &Context) -> Result<()> {
    let socket = session.websocket("/chat").name("chat").connect().await?;

    // The time from the message to its answer is measured.
    let id = ctx.unique();
    let question = json!({"id": id, "text": "hello"}).to_string();
    let answer = socket
        .request(question)
        .name("say hello")
        .matching(move |message| message.json::<Value>().is_ok_and(|message| message["id"] == id))
        .await?;
    ctx.check("is greeted", answer.json::<Value>()?["text"] == "hello");
    socket.ping().await?;

    // One future sends while another one receives, until the server confirms the end.
    let send = async {
        for number in 1..=5 {
            socket.send(format!("message {number}")).await?;
        }
        socket.close(1000, "done").await
    };
    let receive = async {
        let mut received = 0;
        while socket.recv().await?.is_some() {
            received += 1;
        }
        Ok(received)
    };
    let ((), received) = tokio::try_join!(send, receive)?;
    ctx.check("gets all messages", received == 5);
    ensure!(socket.close_code() == Some(1000), "the server closed the WebSocket with {:?}", socket.close_code());
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
