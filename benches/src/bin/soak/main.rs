//! Runs a load test at full speed against a server that fails one request in ten, in every way there is.
//!
//! ```text
//! cargo run --release -p molotov-benches --bin soak -- [SECONDS]
//! cargo run --release -p molotov-benches --bin soak -- [SECONDS] path/to/molotov
//! ```
//!
//! The first command runs a Rust load test in this process; the second runs the same load test as a Python script, with the
//! given `molotov` command. Both follow redirects and have a listener for every request and response. The soak fails when
//! client and server disagree on the number of requests of any outcome, or when resident memory or the number of open files
//! grows by more than 2 % in the second half of the run. Memory settles within some minutes: 600 seconds are enough. The server
//! is a child process.

mod python;
mod rust;
mod server;
mod watch;

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

/// How often each outcome was seen, by its name.
type Counts = BTreeMap<String, u64>;

/// How a response is made, and the outcome the client must see.
const BEHAVIORS: [(&str, &str); 10] = [
    ("ok", "ok"),
    ("status 500", "status"),
    ("close before the response", "closed"),
    ("reset before the response", "closed"),
    ("half of the body", "body"),
    ("not HTTP", "protocol"),
    ("two lengths", "protocol"),
    ("broken gzip", "decode"),
    ("redirect", "redirect"),
    ("no response in time", "timeout"),
];

/// How long the client waits for a response.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Workers of the load test.
const WORKERS: usize = 64;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("serve") {
        return server::serve();
    }
    let seconds = match first.map_or(Ok(120), |seconds| seconds.parse::<u32>()) {
        Ok(seconds) if seconds >= 2 => seconds,
        _ => {
            eprintln!("usage: soak [SECONDS [MOLOTOV]], with at least 2 seconds");
            return ExitCode::from(2);
        }
    };
    let server = server::Server::start();
    let (client, growth) = match args.next() {
        Some(molotov) => python::run(&molotov, server.url(), seconds),
        None => rust::run(server.url(), seconds),
    };
    let agree = compare(&server.end(), &client);
    println!("{growth}");
    if agree && growth.is_flat() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints both counts side by side; `true` when they agree.
fn compare(server: &Counts, client: &Counts) -> bool {
    println!("{:<12} {:>12} {:>12}", "outcome", "server", "client");
    let outcomes: std::collections::BTreeSet<_> = server.keys().chain(client.keys()).collect();
    let mut agree = true;
    for outcome in outcomes {
        let count = |counts: &Counts| counts.get(outcome).copied().unwrap_or(0);
        let (served, seen) = (count(server), count(client));
        agree &= served == seen;
        let mark = if served == seen { "" } else { "  <- differs" };
        println!("{outcome:<12} {served:>12} {seen:>12}{mark}");
    }
    agree
}
