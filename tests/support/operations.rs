//! Checks that operations of a protocol outside the crate appear wherever HTTP requests do, for a load test in any language.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::{Commands, LineServer, Output, Program, StatsdDaemon, counters, wait_until};

/// Checks that the example of lines over TCP is measured exactly, in the table, report files, thresholds, events and statsd.
///
/// `program` returns the load test with the given options, in the given directory.
///
/// # Panics
///
/// Panics if a number differs from the server's counts.
pub fn operations_are_measured(program: impl Fn(&str, &Path) -> Program) {
    for options in ["-w 2 -r 60 -c", "-p 2 -w 2 -r 30 -c"] {
        let directory = tempfile::tempdir().expect("a directory");
        let (server, daemon) = (LineServer::new(), StatsdDaemon::start());
        let mut program = program(&format!("{options} {}", daemon.option()), directory.path());
        for report in ["run.json", "run.html", "run.csv"] {
            program = program.arg("--report").arg(report);
        }
        for threshold in ["p95(LINE echo) < 30s", "failures(LINE echo) == 0", "requests.failures(LINE refuse) == 0"] {
            program = program.arg("--threshold").arg(threshold);
        }
        let output = program.env("MOLOTOV_LINES", &server.address()).run().exited(1);
        let counts = server.counts();
        let (echo, refuse) = (counts["echo"], counts["refuse"]);
        assert_eq!(echo.received + refuse.received, 120, "{counts:?}");
        assert_eq!(output.totals(), (120, 0), "{output:#?}");
        let read = |name| fs::read_to_string(directory.path().join(name)).expect("the report is written");

        let report = crate::report(&read("run.json"));
        rows_are_counts(&report, &counts);
        assert_eq!(report["requests"][0]["statuses"], serde_json::json!({ "OK": echo.received }), "{options}");
        assert_eq!(report["requests"][1]["statuses"], serde_json::json!({ "ERROR": refuse.received }), "{options}");
        assert_eq!(report["requests"][1]["failed"], refuse.received, "{options}");
        let passed: Vec<_> =
            report["thresholds"].as_array().expect("a list").iter().map(|one| &one["passed"]).collect();
        assert_eq!(passed, [true, true, false], "{options}");

        table_has_rows(&output, &counts);
        let html = read("run.html");
        for (name, counts) in &counts {
            let row = html.split(&format!("<span class=\"name\">LINE {name}</span>")).nth(1).expect("a row");
            let count = row.split("<td>").nth(1).and_then(|cell| cell.split("</td>").next());
            assert_eq!(count, Some(&*counts.received.to_string()), "{options}: {name}");
        }
        assert!(html.contains(&format!("ERROR:\u{a0}{}", refuse.received)), "{options}");
        let csv = read("run.csv");
        assert_eq!(sum(&csv, "requests"), 120, "{csv}");
        assert_eq!(sum(&csv, "request_failures"), refuse.received, "{csv}");

        events_are_complete(&output, &counts);
        metrics_are_complete(&daemon.lines(), &counts);
    }
    for options in ["-w 3 -d 60 -c", "-p 2 -w 2 -d 60 -c"] {
        let directory = tempfile::tempdir().expect("a directory");
        let server = LineServer::new();
        let workers = if options.contains("-p 2") { 4 } else { 3 };
        let program = program(options, directory.path()).arg("--report").arg("run.json");
        let running = program.env("MOLOTOV_LINES", &server.address()).start();
        let sum = |of: fn(&Commands) -> u64| server.counts().values().map(of).sum::<u64>();
        wait_until("operations are answered", || sum(|counts| counts.answered) > 50);
        server.hold();
        wait_until("all workers wait", || sum(|counts| counts.received - counts.answered) == workers);
        running.interrupt();
        running.wait_for("Stopping");
        running.interrupt();
        let output = running.wait().exited(0);
        let counts = server.counts();
        let report = fs::read_to_string(directory.path().join("run.json")).expect("the report is written");
        rows_are_counts(&crate::report(&report), &counts);
        assert_eq!(output.totals().0, counts.values().map(|counts| counts.answered).sum::<u64>(), "{output:#?}");
    }
}

/// Asserts that the rows of the JSON report equal the server's counts. Operations without a response are interrupted.
fn rows_are_counts(report: &Value, counts: &BTreeMap<String, Commands>) {
    let rows = report["requests"].as_array().expect("a list");
    let measured: Vec<_> = rows
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_u64().expect("a number");
            assert_eq!(row["protocol"], "LINE", "{row}");
            let latencies = row["latency_ms"]["count"].as_u64().unwrap_or(0);
            assert_eq!(latencies, number("count"), "{row}");
            let name = row["name"].as_str().expect("a name").to_owned();
            let interrupted = number("interrupted");
            let counts = Commands {
                received: number("count") + interrupted,
                answered: number("count"),
                // Interrupted operations have sent bytes too, but the server counts only those of answered ones.
                bytes_in: if interrupted == 0 { number("bytes_out") } else { 0 },
                bytes_out: number("bytes_in"),
            };
            (name, counts)
        })
        .collect();
    let expected: Vec<_> = counts
        .iter()
        .map(|(name, counts)| {
            let bytes_in = if counts.received == counts.answered { counts.bytes_in } else { 0 };
            (format!("LINE {name}"), Commands { bytes_in, ..*counts })
        })
        .collect();
    assert_eq!(measured, expected);
}

fn table_has_rows(output: &Output, counts: &BTreeMap<String, Commands>) {
    for (name, counts) in counts {
        let row = output.stdout.lines().find_map(|line| line.strip_prefix(&format!("LINE {name} ")));
        let row: Vec<_> =
            row.unwrap_or_else(|| panic!("no row `LINE {name}`: {output:#?}")).split_whitespace().collect();
        let failed = if name == "echo" { 0 } else { counts.received };
        assert_eq!(row[..2], [counts.received.to_string(), failed.to_string()], "{name}: {output:#?}");
    }
    for (sign, threshold) in [
        ("met   ", "p95(LINE echo) < 30s"),
        ("met   ", "failures(LINE echo) == 0"),
        ("broken", "requests.failures(LINE refuse) == 0"),
    ] {
        assert!(output.stdout.contains(&format!("  {sign}  {threshold}")), "{threshold}: {output:#?}");
    }
}

/// Asserts that each operation has one event at its start and one at its end. The example prints them.
fn events_are_complete(output: &Output, counts: &BTreeMap<String, Commands>) {
    let printed = |text: &str| output.stdout.lines().filter(|line| *line == text).count() as u64;
    for (name, counts) in counts {
        let end = if name == "echo" { "ok, OK" } else { "failed, ERROR" };
        assert_eq!(printed(&format!("> LINE {name}")), counts.received, "{name}: {output:#?}");
        assert_eq!(printed(&format!("< LINE {name}: {end}")), counts.received, "{name}: {output:#?}");
    }
}

fn metrics_are_complete(lines: &[String], counts: &BTreeMap<String, Commands>) {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let counters = counters(lines);
    for (name, counts) in counts {
        let metric = format!("molotov.{host}.LINE.{name}");
        let status = if name == "echo" { "OK" } else { "ERROR" };
        assert_eq!(counters[&*format!("{metric}.{status}")], counts.received, "{counters:?}");
        let timings = lines.iter().filter(|line| line.starts_with(&format!("{metric}:")) && line.ends_with("|ms"));
        assert_eq!(timings.count() as u64, counts.received, "{name}");
    }
    assert_eq!(counters.len(), counts.len(), "{counters:?}");
}

/// The sum of a column of a CSV file.
fn sum(csv: &str, column: &str) -> u64 {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let at = lines.next().expect("a head").iter().position(|name| *name == column).expect("the column");
    lines.map(|line| line[at].parse::<u64>().expect("a number")).sum()
}
