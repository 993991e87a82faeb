//! `target-server [ADDRESS]`: the examples' target, by itself. Says where it listens.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(molotov_examples::serve(&address, |address| {
        println!("{address}");
        // Whoever waits for the address reads a pipe.
        let _ = std::io::stdout().flush();
    }))
}
