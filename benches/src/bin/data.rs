//! Measures data files with a million rows: how long they take to load, how much memory they need, and how long it takes to hand
//! out a row; see `benches/README.md`.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    time::{Duration, Instant},
};

use molotov::{LoadTest, prelude::*};
use serde::Deserialize;

#[data("rows.csv", each = "run", order = "queue")]
#[derive(Deserialize)]
struct Record {
    id: u64,
    name: String,
    password: String,
}

#[data("rows.jsonl", each = "run", order = "queue")]
#[derive(Deserialize)]
struct Line {
    id: u64,
    name: String,
    password: String,
}

#[scenario]
async fn csv(row: &Record) {
    assert!(row.name.len() + row.password.len() > 0, "row {}", row.id);
}

#[scenario]
async fn json_lines(row: &Line) {
    assert!(row.name.len() + row.password.len() > 0, "row {}", row.id);
}

#[scenario]
async fn no_rows() {}

fn main() -> Result<()> {
    let rows = std::env::args().nth(1).map_or(Ok(1_000_000), |rows| rows.parse())?;
    let folder = std::env::temp_dir().join(format!("molotov-data-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    std::env::set_current_dir(&folder)?;
    let (mut records, mut lines) =
        (BufWriter::new(File::create("rows.csv")?), BufWriter::new(File::create("rows.jsonl")?));
    writeln!(records, "id,name,password")?;
    for id in 0..rows {
        writeln!(records, "{id},user-{id},secret-{id}")?;
        writeln!(lines, r#"{{"id": {id}, "name": "user-{id}", "password": "secret-{id}"}}"#)?;
    }
    drop((records, lines));
    println!("{rows} rows, each of a number and two texts");
    let empty = shortest("no_rows", rows)?;
    for (scenario, file) in [("csv", "rows.csv"), ("json_lines", "rows.jsonl")] {
        let size = fs::metadata(file)?.len();
        // Resets the peak.
        fs::write("/proc/self/clear_refs", "5")?;
        let before = peak()?;
        run(scenario, 1)?;
        let grown = peak()?.saturating_sub(before);
        let loaded = shortest(scenario, 1)?;
        let taken = shortest(scenario, rows)?.saturating_sub(loaded).saturating_sub(empty);
        println!(
            "{file}, {:.1} MB: loaded in {loaded:.0?}, peak of the memory {:.1} MB higher, {:.0?} for each row handed out",
            size as f64 / 1e6,
            grown as f64 / 1e6,
            taken / u32::try_from(rows)?,
        );
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Returns the shortest of five runs.
fn shortest(scenario: &str, times: u64) -> Result<Duration> {
    let runs: Vec<_> = (0..5).map(|_| run(scenario, times)).collect::<Result<_>>()?;
    runs.into_iter().min().context("there are five")
}

/// Runs a scenario this often on one worker, and returns how long it took.
fn run(scenario: &str, times: u64) -> Result<Duration> {
    let start = Instant::now();
    let report = LoadTest::new().scenarios([scenario]).workers(1).max_runs(times).run()?;
    report.assert("failures == 0");
    Ok(start.elapsed())
}

/// The peak of the resident memory, in bytes.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
