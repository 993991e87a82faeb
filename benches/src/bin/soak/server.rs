//! The server: fails one request in ten, and counts what it did.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, ExitCode, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{BEHAVIORS, Counts};

static COUNTED: [AtomicU64; BEHAVIORS.len()] = [const { AtomicU64::new(0) }; BEHAVIORS.len()];
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// A running server, in a child process.
pub(crate) struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Server {
    pub(crate) fn start() -> Server {
        let program = std::env::current_exe().expect("a running program has a path");
        let mut server = Command::new(program);
        let mut child = server.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let address = lines.next().expect("the server prints its address").expect("it is text");
        Server { child, lines, url: format!("http://{address}/") }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends the server; returns how often it made the client see each outcome.
    pub(crate) fn end(mut self) -> Counts {
        // It ends with its standard input, and prints its counts then.
        drop(self.child.stdin.take());
        let mut counts = Counts::new();
        for ((_, outcome), line) in BEHAVIORS.iter().zip(&mut self.lines) {
            let count: u64 = line.expect("it is text").parse().expect("the server prints numbers");
            *counts.entry((*outcome).to_owned()).or_insert(0) += count;
        }
        let _ = self.child.wait();
        counts
    }
}

/// The behavior for a request: one in ten fails, another one in ten redirects, and one in ten thousand, which costs its
/// worker two seconds, gets no response.
fn behavior(request: u64) -> usize {
    match request % 10_000 {
        9_999 => 9,
        n if n % 10 == 7 => 1 + (n / 10 % 7) as usize,
        n if n % 10 == 3 => 8,
        _ => 0,
    }
}

/// Serves until standard input ends, then prints a count for each behavior.
pub(crate) fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("a bound socket has an address"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // An error is the client closing the connection, which ends it either way.
                tokio::spawn(async move { drop(connection(stream).await) });
            }
        });
        let closed = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
        let _ = closed.await;
        for count in &COUNTED {
            println!("{}", count.load(Ordering::Relaxed));
        }
    });
    ExitCode::SUCCESS
}

async fn connection(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    loop {
        buffer.clear();
        // The request is a head and one byte of body.
        loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n")
                && buffer.len() > end + 4
            {
                break;
            }
        }
        let behavior = behavior(REQUESTS.fetch_add(1, Ordering::Relaxed));
        COUNTED[behavior].fetch_add(1, Ordering::Relaxed);
        match behavior {
            0 => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?,
            1 => stream.write_all(b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno").await?,
            2 => return Ok(()),
            3 => return stream.set_zero_linger(),
            4 => return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await,
            5 => return stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await,
            6 => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok";
                return stream.write_all(head).await;
            }
            7 => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\nnot gzip!";
                stream.write_all(head).await?;
            }
            // 307 keeps the method, so the next request is a POST again, which no client repeats by itself.
            8 => stream.write_all(b"HTTP/1.1 307 There\r\nlocation: /\r\ncontent-length: 0\r\n\r\n").await?,
            _ => {
                // The client gives up and closes the connection.
                while stream.read_buf(&mut buffer).await? > 0 {}
                return Ok(());
            }
        }
    }
}
