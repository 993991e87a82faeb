//! Reports: their schema, and what they say about runs of all kinds.

use std::fs;

use molotov_tests::{Program, REPORT_SCHEMA, Server, report, report_errors};
use serde_json::Value;
use tempfile::TempDir;

use super::{STEADY, TROUBLED};

/// Each version of the schema, and the hash of its rules.
///
/// If a test fails here, a field of the JSON report has changed: raise the version in `report/json.rs`, name the file of the schema
/// after it, describe the change in the changelog, and add a line.
const VERSIONS: &[(&str, u64)] =
    &[("molotov-report/3", 9_677_743_075_664_439_093), ("molotov-report/4", 3_306_882_164_003_008_329)];

/// The FNV-1a hash of a text, which is the same on all systems.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Collects the rules of a schema, without descriptions, each with its place.
fn rules(schema: &Value, place: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, value)| *name != "description" || value.is_object()) {
                rules(value, &format!("{place}/{name}"), found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| rules(value, &format!("{place}/-"), found)),
        value => found.push(format!("{place} {value}")),
    }
}

#[test]
fn another_schema_has_another_version() {
    let schema: Value = serde_json::from_str(REPORT_SCHEMA).unwrap();
    let mut found = Vec::new();
    rules(&schema, "", &mut found);
    found.sort();
    let version = schema["properties"]["schema"]["const"].as_str().unwrap();
    let known = VERSIONS.iter().find(|(known, _)| *known == version).map(|(_, hash)| *hash);
    assert_eq!(known, Some(hash(&found.join("\n"))), "the schema of {version} has changed: see `VERSIONS`");
    assert_eq!(VERSIONS.last().map(|(last, _)| *last), Some(version));
    let changes = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../CHANGELOG.md")).unwrap();
    assert!(changes.contains(version), "the changelog does not mention {version}");
}

/// Asserts that a report without any one of its fields, or with another field, violates the schema.
fn every_field_is_required(whole: &mut Value, place: &str) {
    let (keys, is_open) = match whole.pointer(place).unwrap() {
        Value::Object(fields) => (
            fields.keys().cloned().collect::<Vec<_>>(),
            place.ends_with("/statuses") && !place.starts_with("/courses") || place == "/run/options",
        ),
        Value::Array(values) => {
            if !values.is_empty() {
                every_field_is_required(whole, &format!("{place}/0"));
            }
            return;
        }
        _ => return,
    };
    if is_open {
        return;
    }
    let change = |whole: &mut Value, name: &str, value: Option<Value>| {
        let fields = whole.pointer_mut(place).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => fields.insert(name.to_owned(), value),
            None => fields.remove(name),
        }
    };
    change(whole, "another", Some(1.into()));
    assert!(report_errors(whole).next().is_some(), "another field is allowed in {place}");
    change(whole, "another", None);
    for key in keys {
        let value = change(whole, &key, None);
        assert!(report_errors(whole).next().is_some(), "{place}/{key} may be missing");
        change(whole, &key, value);
        every_field_is_required(whole, &format!("{place}/{}", key.replace('~', "~0").replace('/', "~1")));
    }
}

#[test]
fn the_schema_allows_no_other_fields() {
    let server = Server::new();
    let line = "-p 2 -d 0.3 --rate 50/s --threshold successes==9 --report json:- -s browse";
    let output = Program::new(STEADY, line).env("DO", "custom").against(&server).run().exited(1);
    every_field_is_required(&mut report(&output.stdout), "");
}

/// Runs a program, and returns its report.
fn run(program: &str, line: &str, code: i32) -> (Value, Server) {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    let program = Program::new(program, &format!("-q --report out.json {line}"));
    program.against(&server).in_directory(directory.path()).run().exited(code);
    (report(&fs::read_to_string(directory.path().join("out.json")).unwrap()), server)
}

#[test]
fn reports_say_what_was_run_and_what_it_came_to() {
    for (program, line, code, conclusion) in [
        (STEADY, "-r 3 -s cart --seed 7", 0, "passed"),
        (STEADY, "-p 2 -r 3 -s cart --threshold successes==6", 0, "passed"),
        (STEADY, "-r 3 --threshold failures>0", 1, "broken"),
        (TROUBLED, "-r 4 -s refused --fail 2", 1, "broken"),
        (STEADY, "-w 2 --rate 100/s -d 0.3", 0, "passed"),
    ] {
        let (report, server) = run(program, line, code);
        assert_eq!(report["conclusion"]["name"], conclusion, "{line}");
        let run = &report["run"];
        assert!(program.ends_with(run["program"].as_str().unwrap()), "{run}");
        assert_eq!(run["language"], "Rust");
        assert!(run["command"].as_str().unwrap().contains("-q --report out.json -"), "{run}");
        assert_eq!(run["options"]["report"], serde_json::json!(["out.json"]), "{run}");
        assert_eq!(run["targets"], serde_json::json!([server.url()]), "{line}");
        assert_eq!(run["seed"], if line.contains("--seed 7") { 7.into() } else { Value::Null }, "{line}");
        // The courses add up to the rows.
        for kind in ["scenarios", "requests"] {
            let (rows, courses) = (report[kind].as_array().unwrap(), report["courses"][kind].as_array().unwrap());
            assert_eq!(rows.len(), courses.len(), "{line}");
            for (row, course) in rows.iter().zip(courses) {
                assert_eq!(row["name"], course["name"], "{line}");
                for count in ["count", "failed"] {
                    let bins = course[count].as_array().unwrap();
                    assert_eq!(bins.len() as u64, report["courses"]["bins"], "{line}");
                    assert_eq!(bins.iter().filter_map(Value::as_u64).sum::<u64>(), row[count], "{line}: {count}");
                }
            }
        }
    }
}

#[test]
fn checks_and_own_values_are_exact_over_shards_and_processes() {
    for (line, runs) in [("-w 4 -r 5 --threads 2", 20), ("-p 2 -w 2 -r 5", 20)] {
        let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
        let reports = "--report out.json --report out.md --report out.xml --report out.html --report out.csv";
        let line = format!(
            "-s cart {line} {reports} --threshold checks(even)>50% --threshold \
             values.max(basket)==2.5 --threshold counters(items)==60 --threshold gauges.max(queue)==5 --threshold \
             tags.count(region=eu)==20 --threshold counters.rate(items)>0/s",
        );
        let program = Program::new(STEADY, &line).env("DO", "custom").against(&server);
        let program = program.arg("--threshold").arg("checks(is found) == 100%");
        let output = program.in_directory(directory.path()).run().exited(1);
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        let report = report(&read("out.json"));
        let checks = &report["checks"];
        assert_eq!(
            (&checks[0]["name"], &checks[0]["passed"], &checks[0]["failed"]),
            (&"even".into(), &8.into(), &12.into())
        );
        assert_eq!(checks[0]["pass_ratio"], 0.4);
        let sample = &checks[0]["sample"];
        assert_eq!((&sample["scenario"], &sample["message"]), (&"cart".into(), &"the step is odd".into()));
        assert!(sample["place"].as_str().unwrap().contains("steady.rs:"), "{sample}");
        assert_eq!(
            (&checks[1]["name"], &checks[1]["passed"], &checks[1]["sample"]),
            (&"is found".into(), &runs.into(), &Value::Null)
        );
        assert_eq!(report["counters"][0]["count"], 3 * runs);
        let values = &report["values"][0];
        assert_eq!((&values["count"], &values["sum"], &values["max"]), (&runs.into(), &30.0.into(), &2.5.into()));
        assert_eq!((&report["gauges"][0]["min"], &report["gauges"][0]["max"]), (&(-4.0).into(), &5.0.into()));
        assert_eq!((&report["tags"][0]["name"], &report["tags"][0]["count"]), (&"region=eu".into(), &runs.into()));
        let met: Vec<_> = report["thresholds"].as_array().unwrap().iter().map(|result| &result["passed"]).collect();
        assert_eq!(met, [false, true, true, true, true, true, true], "{line}: {}", report["thresholds"]);
        let (markdown, junit, page) = (read("out.md"), read("out.xml"), read("out.html"));
        assert!(markdown.contains("| `even` | 8 | 12 | 40.0 % | `in cart at"), "{markdown}");
        assert!(markdown.contains("### Tags") && markdown.contains("| `queue` |"), "{markdown}");
        assert!(junit.contains("checks(even)&gt;50% is not met: 40.00 %"), "{junit}");
        assert!(junit.contains("<testsuite name=\"checks\" tests=\"2\" failures=\"1\""), "{junit}");
        assert!(junit.contains("20 of 20 checks passed (100 %)"), "{junit}");
        for section in ["tags", "checks", "counters", "values", "gauges"] {
            assert!(page.contains(&format!("<section id=\"{section}\">")), "{section}");
        }
        assert!(
            output.stdout.contains("Checks") && output.stdout.contains("first failed in cart at"),
            "{}",
            output.stdout
        );
    }
}

#[test]
fn each_process_has_its_part_of_the_counts() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    let line = "-s cart -p 3 -w 2 -r 5 --report out.json --report out.html";
    let output = Program::new(STEADY, line).against(&server).in_directory(directory.path()).run().exited(0);
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    let report = report(&read("out.json"));
    let members = report["members"].as_array().unwrap();
    assert_eq!(members.len(), 3, "{}", report["members"]);
    for member in members {
        assert_eq!((&member["kind"], &member["workers"]), (&"process".into(), &2.into()), "{member}");
        assert_eq!(member["scenarios"]["successes"], 10, "{member}");
        assert!(member["name"].as_str().unwrap().parse::<u32>().is_ok(), "{member}");
        assert!(member["generator"]["cpu"].as_f64().unwrap() > 0.0, "{member}");
    }
    let requests = members.iter().map(|member| member["requests"]["successes"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(requests, server.served());
    assert!(read("out.html").contains("<section id=\"processes\">"));
    assert!(!output.stdout.contains("lag p95"), "processes that do not differ are not compared: {}", output.stdout);
}

#[test]
fn interrupted_runs_say_so_in_every_report() {
    for line in ["", "-p 2"] {
        let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
        let reports = "--report out.json --report out.xml --report out.md";
        let program = Program::new(STEADY, &format!("-w 2 --delay 0.02 {reports} {line}")).against(&server);
        let running = program.in_directory(directory.path()).start();
        molotov_tests::wait_until("it runs", || server.served() > 2);
        running.interrupt();
        running.wait().exited(0);
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(report(&read("out.json"))["conclusion"]["name"], "interrupted");
        assert!(read("out.xml").contains("<skipped message=\"The run was interrupted"), "{}", read("out.xml"));
        assert!(read("out.md").starts_with("## ⚠️ Load test of `steady`: Interrupted"), "{}", read("out.md"));
    }
}

/// The cells of a column of numbers, without empty ones.
fn column(csv: &str, name: &str) -> Vec<f64> {
    let index = csv.lines().next().unwrap().split(',').position(|head| head == name).expect(name);
    csv.lines().skip(1).filter_map(|line| line.split(',').nth(index)?.parse().ok()).collect()
}

#[test]
fn think_time_is_no_latency_of_requests() {
    let runs = ["", "-p 2"].map(|line| {
        let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
        let line = format!("-w 2 -r 2 --delay 1 -s browse -q --report out.json --report out.csv {line}");
        let program = Program::new(STEADY, &line).env("DO", "think").against(&server);
        (program.in_directory(directory.path()).start(), server, directory)
    });
    for (running, _server, directory) in runs {
        running.wait().exited(0);
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        let (report, csv) = (report(&read("out.json")), read("out.csv"));
        let longest = report["requests"][0]["latency_ms"]["max"].as_f64().unwrap();
        assert!(longest < 300.0 && report["scenarios"][0]["latency_ms"]["min"].as_f64() > Some(600.0), "{longest}");
        assert_eq!(report["timeline_latency"], "requests");
        for percentile in ["p50_ms", "p95_ms", "p99_ms", "max_ms"] {
            let points = report["timeline"].as_array().unwrap().iter().filter_map(|point| point[percentile].as_f64());
            let bins = report["courses"]["requests"][0][percentile].as_array().unwrap();
            let bins = bins.iter().filter_map(Value::as_f64);
            let shown: Vec<_> = points.chain(bins).chain(column(&csv, percentile)).collect();
            // Compressed latencies are up to 1 % too high.
            assert!(shown.iter().all(|latency| *latency <= longest * 1.01), "{percentile}: {shown:?}, {longest}");
            assert!(!shown.is_empty() || percentile != "max_ms");
        }
    }
}

/// Runs a program in a job of GitHub Actions with this summary. Returns its standard error and the summary.
fn in_a_job(line: &str, directory: &TempDir, variables: &[(&str, &str)], code: i32) -> (String, String) {
    let (server, path) = (Server::new(), directory.path().join("summary"));
    let mut program = Program::new(STEADY, line).against(&server).env("GITHUB_STEP_SUMMARY", path.to_str().unwrap());
    for (name, value) in variables {
        program = program.env(name, value);
    }
    let output = program.run().exited(code);
    (output.stderr, fs::read_to_string(&path).unwrap_or_default())
}

#[test]
fn runs_in_github_actions_add_to_the_summary_of_the_job() {
    let directory = tempfile::tempdir().unwrap();
    let job = [("GITHUB_ACTIONS", "true")];
    let (_, outside) = in_a_job("-q -r 1", &directory, &[("GITHUB_ACTIONS", "")], 0);
    assert_eq!(outside, "");
    let (_, first) = in_a_job("-q -r 2 -s cart --threshold successes==3", &directory, &job, 1);
    assert!(first.starts_with("## ❌ Load test of `steady`: Not passed\n"), "{first}");
    assert!(first.contains("| ❌ broken | `successes==3` | 2 |"), "{first}");
    let (_, both) = in_a_job("--single-run -p 2", &directory, &job, 0);
    assert!(
        both.starts_with(&first) && both[first.len()..].starts_with("\n## ✅ Load test of `steady`: Passed\n"),
        "{both}"
    );
    for (name, value, part) in [
        ("GITHUB_STEP_SUMMARY", "/nowhere/summary", "No such file or directory"),
        ("GITHUB_STEP_SUMMARY", "/dev/full", "No space left on device"),
    ] {
        let (stderr, _) = in_a_job("-r 1", &directory, &[job[0], (name, value)], 0);
        assert!(stderr.contains("cannot add the run to the summary of the job:") && stderr.contains(part), "{stderr}");
    }
    fs::write(directory.path().join("summary"), "x".repeat(1 << 20)).unwrap();
    let (stderr, full) = in_a_job("-r 1", &directory, &job, 0);
    assert!(stderr.contains("larger than 1 MiB") && full.len() == 1 << 20, "{stderr}");
}
