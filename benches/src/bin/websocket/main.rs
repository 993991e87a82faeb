//! Sends messages over many WebSockets, ten a second on each, and waits for their echoes: first with bare clients, and then in load
//! tests.
//!
//! ```text
//! cargo run --release -p molotov-benches --bin websocket -- [CONNECTIONS [SECONDS [MOLOTOV]]]
//! ```
//!
//! The load tests are one in Rust and, with the path of a `molotov` command, the same one as a Python script. All clients run on one
//! thread and follow the same schedule. The server, a child process, counts the messages. The benchmark fails if client and server
//! disagree on the number of messages, or if the latency of a load test is more than 1 ms above that of the bare clients, at the
//! median or the 99th percentile.

mod bare;
mod python;
mod rust;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use molotov_examples::{Target, serve_if_asked};

/// The time between two messages of a connection.
const INTERVAL: Duration = Duration::from_millis(100);
const MESSAGE: &str = "How many of these arrive, and when?";
/// The maximum difference to the latency of bare clients.
const TOLERANCE: Duration = Duration::from_millis(1);

/// What the clients do.
#[derive(Debug, Clone, Copy)]
struct Plan {
    connections: usize,
    /// For each connection.
    messages: u32,
}

impl Plan {
    /// Returns when a connection sends a message, if the run began at `start`. The connections take turns.
    fn time(self, start: Instant, connection: usize, message: u32) -> Instant {
        let turn = INTERVAL.mul_f64((connection % self.connections) as f64 / self.connections as f64);
        start + turn + INTERVAL * message
    }
}

/// What a client has measured.
#[derive(Debug, Clone, Copy)]
struct Measured {
    sent: u64,
    received: u64,
    p50: Duration,
    p99: Duration,
    max: Duration,
}

fn main() -> ExitCode {
    serve_if_asked();
    let mut args = std::env::args().skip(1);
    let mut number = |default| args.next().map_or(Some(default), |text| text.parse::<u32>().ok()).filter(|n| *n > 0);
    let (Some(connections), Some(seconds)) = (number(1000), number(10)) else {
        eprintln!("usage: websocket [CONNECTIONS [SECONDS [MOLOTOV]]]");
        return ExitCode::from(2);
    };
    let plan = Plan { connections: connections as usize, messages: seconds * 10 };
    println!("{connections} connections, {seconds} s");
    println!(
        "{:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "sent", "server", "received", "p50 ms", "p99 ms", "max ms"
    );
    let bare = against_a_server(|url| bare::run(plan, url));
    let mut good = show("bare", bare, None);
    good &= show("Rust", against_a_server(|url| rust::run(plan, url)), Some(bare.0));
    if let Some(molotov) = args.next() {
        good &= show("Python", against_a_server(|url| python::run(plan, url, &molotov)), Some(bare.0));
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs clients against a new server. Returns what they and the server have counted.
fn against_a_server(run: impl FnOnce(&str) -> Measured) -> (Measured, u64) {
    let target = Target::start().expect("a server");
    let measured = run(&format!("{}/chat", target.url));
    let counts = target.counts().expect("the server responds");
    (measured, counts.get("messages").copied().unwrap_or(0))
}

/// Prints a row. Returns whether the counts are equal and the latency is near that of the bare clients.
fn show(name: &str, (measured, served): (Measured, u64), bare: Option<Measured>) -> bool {
    let Measured { sent, received, p50, p99, max } = measured;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{name:<8} {sent:>9} {served:>9} {received:>9} {:>9.3} {:>9.3} {:>9.3}", ms(p50), ms(p99), ms(max));
    let equal = sent == served && received == served;
    if !equal {
        println!("the counts differ");
    }
    let near = bare.is_none_or(|bare| p50 <= bare.p50 + TOLERANCE && p99 <= bare.p99 + TOLERANCE);
    if !near {
        println!("the latency is more than {TOLERANCE:?} above that of the bare clients");
    }
    equal && near
}
