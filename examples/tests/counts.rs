//! Runs each example against a server, and compares its totals with the counts of the server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode, Output},
};

use libtest_mimic::{Arguments, Trial};
use molotov_examples::{Counts, Target, serve_if_asked};
use molotov_tests::{Program, operations_are_measured, report};
use serde_json::Value;

/// Returns the path of an example. Cargo puts them beside the directory of this test.
fn example(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(name)
}

fn run(target: &Target, name: &str, options: &[&str]) -> Output {
    run_with(name, options, &[("MOLOTOV_TARGET", &target.url), ("MOLOTOV_LINES", &target.lines)])
}

/// Runs an example, whose JSON report must match its schema.
fn run_with(name: &str, options: &[&str], variables: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.json");
    let mut command = Command::new(example(name));
    command.args(options).arg("--report").arg(&path).envs(variables.iter().copied());
    let output = command.env_remove("GITHUB_STEP_SUMMARY").output().unwrap();
    let report = report(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}: {output:?}")));
    assert_eq!(report["run"]["program"], name);
    output
}

/// Runs 4 workers 6 times each, and compares the totals with the counts of the server.
fn check(target: &Target, name: &str, ends: &str, expected: fn(&Counts) -> bool) {
    let before = target.counts().unwrap();
    let output = run(target, name, &["-w", "4", "-r", "6"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(ends), "{name} should end with `{ends}`:\n{text}");
    let mut served = target.counts().unwrap();
    for (path, count) in &before {
        *served.get_mut(path).unwrap() -= count;
    }
    served.retain(|path, count| *count > 0 && path != "/__counts");
    assert!(expected(&served), "{name}: the server counted {served:?}");
}

fn of(served: &Counts, path: &str) -> u64 {
    served.get(path).copied().unwrap_or(0)
}

fn main() -> ExitCode {
    serve_if_asked();
    let good = "SUCCESSES: 24 | FAILURES: 0";
    let trial = |name: &'static str, ends: &'static str, expected: fn(&Counts) -> bool| {
        Trial::test(name, move || {
            check(&Target::start().map_err(|error| error.to_string())?, name, ends, expected);
            Ok(())
        })
    };
    let trials = vec![
        trial("two_scenarios", good, |s| of(s, "/") + of(s, "/cart") == 24 && sum(s) == 24),
        trial("fixtures", good, |s| of(s, "/headers") == 24 && sum(s) == 24),
        trial("attach", good, |s| of(s, "/login") == 4 && of(s, "/me") == 24),
        trial("picker", good, |s| of(s, "/cart") == 8 && sum(s) == 24),
        trial("events", good, |s| of(s, "/") == 24),
        trial("average_time", good, |s| of(s, "/") == 24),
        trial("concurrency", good, |s| [of(s, "/"), of(s, "/users/7"), of(s, "/slow")] == [24; 3]),
        trial("json_lines", "SUCCESSES: 20 | FAILURES: 4", |s| of(s, "/flaky") == 24),
        trial("custom_session", good, |s| of(s, "lines") == 24 && sum(s) == 24),
        // The five orders run out.
        trial("data", "SUCCESSES: 5 | FAILURES: 0", |s| of(s, "/cart") == 5 && of(s, "POST /shop/login 200") == 4),
        trial("measure", good, |s| of(s, "/cart") == 24 && of(s, "/slow") == 24),
        Trial::test("chat_completions", || {
            let target = Target::start()?;
            let directory = tempfile::tempdir()?;
            let path = directory.path().join("chat.json");
            let report_to = path.to_string_lossy();
            let output = run(&target, "chat_completions", &["-w", "4", "-r", "6", "--report", &report_to]);
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("SUCCESSES: 24 | FAILURES: 0"), "{output:?}");
            assert_eq!(of(&target.counts()?, "/v1/chat/completions"), 24);
            let report = report(&fs::read_to_string(&path)?);
            let steps = report["steps"].as_array().unwrap();
            let counts = [("between events", 24 * 17), ("first event", 24)];
            for (name, count) in counts {
                let step =
                    steps.iter().find(|step| step["name"] == format!("POST /v1/chat/completions {name}")).unwrap();
                assert_eq!((&step["ok"], &step["failed"]), (&count.into(), &0.into()), "{name}");
            }
            // The server waits 30 ms before the first token.
            let first = steps.iter().find(|step| step["name"].as_str().unwrap().ends_with("first event")).unwrap();
            assert!(first["latency_ms"]["min"].as_f64().unwrap() >= 29.5, "{first}");
            Ok(())
        }),
        Trial::test("websocket", || {
            for (load, runs) in [("-w 4 -r 6", 24), ("-p 2 -w 2 -r 6", 24), ("--rate 40/s -d 0.5", 20)] {
                let target = Target::start()?;
                let directory = tempfile::tempdir()?;
                let line = format!("--host {} --report run.json {load}", target.url);
                let program = Program::new(&example("websocket").to_string_lossy(), &line);
                let output = program.in_directory(directory.path()).run().exited(0);
                assert_eq!(output.totals(), (runs, 0), "{output:#?}");
                let report = report(&fs::read_to_string(directory.path().join("run.json"))?);
                let all = |table: &str| report[table].as_array().unwrap().clone();
                let rows = |table: &str, what: &str| -> Vec<_> {
                    let row = |row: &Value| (row["name"].as_str().unwrap().to_owned(), row[what].as_u64().unwrap());
                    all(table).iter().map(row).collect()
                };
                let names = ["WS close chat", "WS connect chat", "WS ping chat", "WS say hello"];
                assert_eq!(rows("requests", "ok"), names.map(|name| (name.to_owned(), runs)), "{load}");
                assert!(all("requests").iter().all(|row| row["failed"] == 0), "{load}");
                let names = ["WS chat received", "WS chat sent"];
                assert_eq!(rows("counters", "count"), names.map(|name| (name.to_owned(), 6 * runs)), "{load}");
                let names = ["gets all messages", "is greeted"];
                assert_eq!(rows("checks", "passed"), names.map(|name| (name.to_owned(), runs)), "{load}");
                let served = target.counts()?;
                assert_eq!((of(&served, "/chat"), of(&served, "messages")), (runs, 6 * runs), "{load}");
            }
            Ok(())
        }),
        Trial::test("storefront", || {
            let target = Target::start()?;
            let directory = tempfile::tempdir()?;
            let lines = ["--host", &target.url, "-w", "3", "-r", "8", "--report", "run.json"].join(" ");
            let program = Program::new(&example("storefront").to_string_lossy(), &lines);
            let program = program.in_directory(directory.path()).env("MOLOTOV_LINES", &target.lines);
            let output = program.run().exited(0);
            assert_eq!(output.totals(), (24, 0), "{output:#?}");
            let report = report(&fs::read_to_string(directory.path().join("run.json"))?);
            let mut counts = target.counts()?;
            let lines = counts.remove("lines");
            let (events, messages) = (counts.remove("events"), counts.remove("messages"));
            counts.retain(|what, _| what.starts_with("GET /shop") || what.starts_with("POST /shop"));
            // The handshake has a row of its own.
            let handshakes = counts.remove("GET /shop/live 101");
            let mut measured = Counts::new();
            for row in report["requests"].as_array().unwrap().iter().filter(|row| row["protocol"] == "HTTP") {
                let name = row["name"].as_str().unwrap().trim_start_matches("checkout / ");
                for (status, count) in row["statuses"].as_object().unwrap() {
                    *measured.entry(format!("{name} {status}")).or_default() += count.as_u64().unwrap();
                }
            }
            assert_eq!(measured, counts);
            let row = |table: &str, name: &str, what: &str| {
                let row = report[table].as_array().unwrap().iter().find(|row| row["name"] == name);
                row.unwrap_or_else(|| panic!("{name}: {report:#}"))[what].as_u64()
            };
            let (stock, limited) = (row("requests", "LINE stock", "ok"), counts.get("GET /shop/search 429").copied());
            assert_eq!((stock, row("counters", "limited", "count")), (lines, limited));
            assert_eq!(row("requests", "WS connect /shop/live", "ok"), handshakes);
            assert_eq!((row("checks", "echoes", "passed"), row("checks", "echoes", "failed")), (messages, Some(0)));
            assert_eq!(row("checks", "paid", "passed"), counts.get("POST /shop/orders 201").copied());
            assert_eq!(events, counts.get("GET /shop/events 200").map(|streams| streams * 3));
            Ok(())
        }),
        Trial::test("stages", || {
            let target = Target::start()?;
            // 10 starts while the rate rises, and then 20; beside them, 4 at a steady rate.
            let output = run(&target, "stages", &["--stage", "0.2s:100/s,0.2s:100/s"]);
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("SUCCESSES: 34 | FAILURES: 0"), "{output:?}");
            assert_eq!((of(&target.counts()?, "/freezing"), of(&target.counts()?, "/")), (30, 4));
            Ok(())
        }),
        Trial::test("custom_session_is_measured", || {
            operations_are_measured(|line, directory| {
                Program::new(&example("custom_session").to_string_lossy(), line).in_directory(directory)
            });
            Ok(())
        }),
        Trial::test("quickstart", move || {
            let output = run_with("quickstart", &["-w", "4", "-r", "6"], &[]);
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains(good) && text.contains("The target has counted 24 requests."), "{output:?}");
            Ok(())
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn sum(served: &Counts) -> u64 {
    served.values().sum()
}
