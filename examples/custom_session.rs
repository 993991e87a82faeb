//! A session that is not HTTP: a protocol of lines over TCP. `MOLOTOV_LINES` names the address.

use molotov::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A connection that every worker has for itself.
struct Lines {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Lines {
    async fn ask(&mut self, line: &str) -> Result<String> {
        self.writer.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        self.reader.read_line(&mut answer).await?;
        Ok(answer.trim_end().to_owned())
    }
}

#[session_factory]
async fn connect() -> Result<Lines> {
    let address = std::env::var("MOLOTOV_LINES").unwrap_or_else(|_| "127.0.0.1:8081".to_owned());
    let (reader, writer) = TcpStream::connect(address).await?.into_split();
    Ok(Lines { reader: BufReader::new(reader), writer })
}

#[scenario]
async fn echo(lines: &mut Lines, ctx: &Context) -> Result<()> {
    let answer = ctx.measure("echo", lines.ask("hello")).await?;
    assert_eq!(answer, "5 hello");
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
