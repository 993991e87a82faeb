//! `target-server [ADDRESS [LINES_ADDRESS]]`: the target of the examples. It prints the addresses for HTTP and for lines.

use std::{io::Write, net::SocketAddr};

use molotov_examples::{Counter, serve, serve_lines};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let http = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let lines = arguments.next().unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let counter = Counter::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::try_join!(
            serve(&http, counter.clone(), |address| say("http", address)),
            serve_lines(&lines, counter, |address| say("lines", address)),
        )
    })?;
    Ok(())
}

fn say(what: &str, address: SocketAddr) {
    println!("{what} {address}");
    // Standard output may be a pipe, from which another program reads the address.
    let _ = std::io::stdout().flush();
}
