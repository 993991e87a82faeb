//! The load test in Rust, in this process.

use std::sync::atomic::{AtomicU64, Ordering};

use molotov::{LoadTest, prelude::*, secs};

use crate::{
    Counts, TIMEOUT, WORKERS,
    watch::{self, Growth},
};

static SENT: AtomicU64 = AtomicU64::new(0);
static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// Sees every request and response, and a redirect as a second request.
#[molotov::events]
async fn count(event: &Event<'_>) {
    match event {
        Event::SendingRequest { .. } => SENT.fetch_add(1, Ordering::Relaxed),
        Event::ResponseReceived { .. } => RECEIVED.fetch_add(1, Ordering::Relaxed),
        _ => 0,
    };
}

/// Runs the load test; returns what it saw.
pub(crate) fn run(url: &str, seconds: u32) -> (Counts, Growth) {
    let url: &'static str = Box::leak(url.to_owned().into_boxed_str());
    let watched = watch::watch(std::process::id(), seconds);
    let scenario = async move |session: &Session| -> Result<()> {
        let response = session.post(url).body("x").timeout(TIMEOUT).send().await?;
        response.error_for_status()?.bytes().await?;
        Ok(())
    };
    let report =
        LoadTest::new().scenario("soak", scenario).workers(WORKERS).duration(secs(seconds)).run().expect("a run");
    println!("{report}");
    let mut seen = Counts::from([("ok".to_owned(), report.successes())]);
    let mut ended = report.successes();
    // A chain of more than ten redirects happens once in millions of requests; each of them was sent and counted below.
    for group in report.errors().iter().filter(|group| group.kind != "redirect") {
        *seen.entry(group.kind.to_string()).or_insert(0) += group.count;
        ended += group.count;
    }
    assert_eq!(report.interrupted(), 0, "nothing was forced down");
    // Each request of a scenario was sent once, and once more for each redirect.
    let sent = SENT.load(Ordering::Relaxed);
    seen.insert("redirect".to_owned(), sent.saturating_sub(ended));
    println!("listeners: {sent} requests sent, {} responses received", RECEIVED.load(Ordering::Relaxed));
    (seen, watched.join().expect("the watch does not panic").expect("/proc is readable"))
}
