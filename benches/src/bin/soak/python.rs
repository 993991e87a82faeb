//! The load test as a Python script, run by the `molotov` command.

use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::{
    Counts, TIMEOUT, WORKERS,
    watch::{self, Growth},
};

/// What the script prints at its end.
#[derive(Deserialize)]
struct Printed {
    seen: Counts,
    events: Counts,
}

/// Runs the script; returns what it saw.
pub(crate) fn run(molotov: &str, url: &str, seconds: u32) -> (Counts, Growth) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/soak/soak.py");
    let child = Command::new(molotov)
        .args(["-c", "-w", &WORKERS.to_string(), "-d", &seconds.to_string(), script])
        .env("SOAK_URL", url)
        .env("SOAK_TIMEOUT", TIMEOUT.as_secs_f64().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the molotov command starts");
    let watched = watch::watch(child.id(), seconds);
    let output = child.wait_with_output().expect("the molotov command ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let printed = text.lines().find_map(|line| line.strip_prefix("SOAK "));
    let Some(printed) = printed else { panic!("the script did not report; it printed:\n{text}") };
    let printed: Printed = serde_json::from_str(printed).expect("the script prints JSON");
    let totals = text.lines().find(|line| line.starts_with("SUCCESSES: ")).unwrap_or("no totals");
    println!("{totals}\nlisteners: {:?}", printed.events);
    (printed.seen, watched.join().expect("the watch does not panic").expect("/proc is readable"))
}
