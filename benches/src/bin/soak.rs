//! Two minutes at full speed against a server that fails one time in ten, in every way there is.
//!
//! `cargo run --release -p molotov-benches --bin soak -- [SECONDS]` checks that memory stays flat and that client and
//! server agree on how many requests there were of each kind of outcome. The server is a child process.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, ExitCode, Stdio},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use molotov::{LoadTest, prelude::*, secs};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The ways to answer, and what the client is to call each of them.
const WAYS: [(&str, &str); 9] = [
    ("ok", "ok"),
    ("status 500", "status"),
    ("close before the answer", "closed"),
    ("reset before the answer", "closed"),
    ("half of the body", "body"),
    ("no HTTP at all", "protocol"),
    ("two lengths", "protocol"),
    ("broken gzip", "decode"),
    ("no answer in time", "timeout"),
];

/// One request in ten fails; the last way, which costs its worker half a second, only one in ten thousand.
fn way_of(request: u64) -> usize {
    match request % 10_000 {
        9_999 => 8,
        n if n % 10 == 7 => 1 + (n / 10 % 7) as usize,
        _ => 0,
    }
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        seconds => soak(seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(120)),
    }
}

fn soak(seconds: u32) -> ExitCode {
    let program = std::env::current_exe().expect("a running program has a path");
    let mut server =
        Command::new(program).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a server");
    let mut lines = BufReader::new(server.stdout.take().expect("it is piped")).lines();
    let mut line = || lines.next().expect("the server says it").expect("readable");
    let url: &'static str = Box::leak(format!("http://{}/", line()).into_boxed_str());

    let memory = std::thread::spawn(move || watch_memory(seconds));
    let scenario = async move |session: &Session| -> Result<()> {
        let response = session.post(url).body("x").timeout(Duration::from_millis(500)).send().await?;
        response.error_for_status()?.bytes().await?;
        Ok(())
    };
    let report = LoadTest::new().scenario("soak", scenario).workers(64).duration(secs(seconds)).run().expect("a run");
    let (early, late) = memory.join().expect("memory is readable");

    // The server ends when its standard input does, and says then what it counted.
    drop(server.stdin.take());
    let mut served = BTreeMap::new();
    for (_, kind) in WAYS {
        *served.entry(kind).or_insert(0) += line().parse::<u64>().expect("a number");
    }
    let _ = server.wait();

    let mut seen = BTreeMap::from([("ok", report.successes())]);
    for group in report.errors() {
        *seen.entry(&*group.kind).or_insert(0) += group.count;
    }
    println!("{report}");
    println!("{:<10} {:>12} {:>12}", "outcome", "server", "client");
    let mut agree = report.interrupted() == 0;
    for (kind, served) in &served {
        let seen = seen.remove(kind).unwrap_or(0);
        agree &= seen == *served;
        println!("{kind:<10} {served:>12} {seen:>12}");
    }
    for (kind, count) in &seen {
        agree = false;
        println!("{kind:<10} {:>12} {count:>12}", "-");
    }
    let grown = late as f64 / early as f64;
    println!("memory: {early} KB after half of the time, {late} KB at the end (x{grown:.2})");
    if agree && grown < 1.05 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Resident memory in KB after half of the run, when histograms have seen most latencies, and near its end.
fn watch_memory(seconds: u32) -> (u64, u64) {
    let start = Instant::now();
    let whole = Duration::from_secs(seconds.into());
    let at = |share: f64| {
        std::thread::sleep(whole.mul_f64(share).saturating_sub(start.elapsed()));
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux tells");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).expect("a number")
    };
    (at(0.5), at(0.95))
}

static COUNTED: [AtomicU64; WAYS.len()] = [const { AtomicU64::new(0) }; WAYS.len()];
static REQUESTS: AtomicU64 = AtomicU64::new(0);
static OPEN: AtomicUsize = AtomicUsize::new(0);

fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("a bound socket has an address"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    OPEN.fetch_add(1, Ordering::Relaxed);
                    // An error here is the client going away, which ends the connection either way.
                    let _ = connection(stream).await;
                    OPEN.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        // Until the parent closes our standard input.
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
            if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n")
                && buffer.len() > end + 4
            {
                break;
            }
        }
        let way = way_of(REQUESTS.fetch_add(1, Ordering::Relaxed));
        COUNTED[way].fetch_add(1, Ordering::Relaxed);
        match way {
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
            _ => {
                // The client gives up and closes; then there is nothing left to read.
                while stream.read_buf(&mut buffer).await? > 0 {}
                return Ok(());
            }
        }
    }
}
