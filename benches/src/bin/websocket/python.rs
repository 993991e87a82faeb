//! The load test as a Python script, run by the `molotov` command.

use std::{process::Command, time::Duration};

use serde_json::Value;

use crate::{INTERVAL, MESSAGE, Measured, Plan};

/// Runs the script.
pub(crate) fn run(plan: Plan, url: &str, molotov: &str) -> Measured {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/websocket/echo.py");
    let path = std::env::temp_dir().join(format!("molotov-websocket-{}.json", std::process::id()));
    let ended = Command::new(molotov)
        .args(["-q", "-r", "1", "-w", &plan.connections.to_string(), "--report"])
        .arg(&path)
        .arg(script)
        .env("ECHO_URL", url)
        .env("ECHO_MESSAGE", MESSAGE)
        .env("ECHO_MESSAGES", plan.messages.to_string())
        .env("ECHO_CONNECTIONS", plan.connections.to_string())
        .env("ECHO_INTERVAL", INTERVAL.as_secs_f64().to_string())
        .status()
        .expect("the molotov command starts");
    let report = std::fs::read(&path).expect("the command writes its report");
    let _ = std::fs::remove_file(&path);
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let errors = &report["errors"];
    assert!(ended.success() && errors.as_array().is_some_and(Vec::is_empty), "the script failed: {errors:#}");
    let row = |table: &str, name: &str| {
        let row = report[table].as_array().and_then(|rows| rows.iter().find(|row| row["name"] == name));
        row.unwrap_or_else(|| panic!("no {name} in {report:#}")).clone()
    };
    let count = |name: &str| row("counters", name)["count"].as_u64().expect("a count");
    let echo = row("requests", "WS echo");
    let time = |what: &str| Duration::from_secs_f64(echo["latency_ms"][what].as_f64().expect("a time") / 1e3);
    Measured {
        sent: count("WS chat sent"),
        received: count("WS chat received"),
        p50: time("p50"),
        p99: time("p99"),
        max: time("max"),
    }
}
