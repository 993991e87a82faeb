//! A session of your own protocol, lines over TCP, measured like HTTP. `MOLOTOV_LINES` names the address of the server.

use molotov::{
    metrics::Outcome,
    prelude::*,
    session::{Operation, Options},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// The options of a [`LineSession`].
struct LineOptions {
    address: String,
}

impl Options for LineOptions {}

/// A connection for the commands of one worker. It connects with the first one.
struct LineSession {
    context: Context,
    options: Rc<LineOptions>,
    stream: Option<BufStream<TcpStream>>,
}

impl LineSession {
    /// Sends a command, and returns the text of the reply.
    async fn call(&mut self, command: &'static str, text: &str) -> Result<String> {
        let mut operation = self.context.operation("LINE", command).await;
        let reply = self.exchange(&format!("{command} {text}\n"), &mut operation).await;
        operation.finish(reply).await
    }

    async fn exchange(&mut self, line: &str, operation: &mut Operation) -> Result<String> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => self.stream.insert(BufStream::new(TcpStream::connect(&self.options.address).await?)),
        };
        stream.write_all(line.as_bytes()).await?;
        stream.flush().await?;
        operation.add_sent(line.len() as u64);
        let mut reply = String::new();
        stream.read_line(&mut reply).await?;
        operation.add_received(reply.len() as u64);
        let (status, text) = reply.trim_end().split_once(' ').unwrap_or((&reply, ""));
        operation.set_status(status.to_owned());
        ensure!(status == "OK", "the server replied `{status} {text}`");
        Ok(text.to_owned())
    }
}

#[setup]
async fn options() -> LineOptions {
    LineOptions { address: std::env::var("MOLOTOV_LINES").unwrap_or_else(|_| "127.0.0.1:8081".to_owned()) }
}

#[session_factory]
async fn open(ctx: &Context) -> Result<LineSession> {
    Ok(LineSession { context: ctx.clone(), options: ctx.options()?, stream: None })
}

#[teardown_session]
async fn close(session: &mut LineSession) -> Result<()> {
    if let Some(stream) = &mut session.stream {
        stream.shutdown().await?;
    }
    Ok(())
}

#[scenario(weight = 3)]
async fn echo(session: &mut LineSession) -> Result<()> {
    assert_eq!(session.call("echo", "hello").await?, "hello");
    Ok(())
}

/// The operation fails, as the server does not know the command. The scenario expects that, and succeeds.
#[scenario]
async fn refuse(session: &mut LineSession) -> Result<()> {
    let failure = session.call("refuse", "hello").await.expect_err("the server does not know the command");
    assert!(failure.to_string().contains("unknown command"), "{failure}");
    Ok(())
}

#[events]
async fn show(event: &Event<'_>) {
    match event {
        Event::OperationStart { operation, .. } => println!("> {} {}", operation.protocol(), operation.name()),
        Event::OperationEnd { operation, outcome, .. } => {
            let outcome = if *outcome == Outcome::Ok { "ok" } else { "failed" };
            let status = operation.status().unwrap_or("no status");
            println!("< {} {}: {outcome}, {status}", operation.protocol(), operation.name());
        }
        _ => {}
    }
}

fn main() -> ExitCode {
    molotov::main()
}
