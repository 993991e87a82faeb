//! A listener that computes the average response time. The table shows it too; use a listener for numbers of your own.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use molotov::prelude::*;
use molotov_examples::at;

static MICROS: AtomicU64 = AtomicU64::new(0);
static ANSWERS: AtomicU64 = AtomicU64::new(0);

#[events]
async fn take_the_time(event: &Event<'_>) {
    match event {
        Event::SendingRequest { request, .. } => request.attach(Instant::now()),
        Event::ResponseReceived { request, .. } => {
            if let Some(sent) = request.attached::<Instant>() {
                MICROS.fetch_add(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
                ANSWERS.fetch_add(1, Ordering::Relaxed);
            }
        }
        _ => {}
    }
}

#[global_teardown]
fn show() {
    if let Some(average) = MICROS.load(Ordering::Relaxed).checked_div(ANSWERS.load(Ordering::Relaxed)) {
        println!("average response time: {average} µs");
    }
}

#[scenario]
async fn home(session: &Session) -> Result<()> {
    session.get(at("/")).send().await?.error_for_status()?;
    Ok(())
}

fn main() -> ExitCode {
    molotov::main()
}
