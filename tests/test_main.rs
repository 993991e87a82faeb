//! `molotov::test_main()`, which runs scenarios as tests.

#![allow(clippy::unwrap_used)]

use molotov_tests::{Output, Program, Refused, Server};

const AS_TESTS: &str = env!("CARGO_BIN_EXE_as-tests");

#[track_caller]
fn run(line: &str, code: i32) -> Output {
    let server = Server::new();
    Program::new(AS_TESTS, line).against(&server).run().exited(code)
}

#[test]
fn list_names_each_scenario() {
    let output = run("--list", 0);
    let listed: Vec<_> = output.stdout.lines().filter(|line| line.ends_with(": test")).collect();
    assert_eq!(listed, ["needs tea: test", "passes: test", "passes_too: test"], "{output:#?}");
    assert_eq!(output.journal, [""; 0]);
    // The arguments of nextest.
    let output = run("--list --format terse", 0);
    assert_eq!(output.stdout, "needs tea: test\npasses: test\npasses_too: test\n");
    let output = run("--list --format terse --ignored", 0);
    assert_eq!(output.stdout, "");
}

#[test]
fn each_scenario_runs_once() {
    let output = run("--skip tea", 0);
    let mut journal = output.journal.clone();
    journal.sort();
    assert_eq!(journal, ["passes", "passes_too"], "{output:#?}");
    assert!(output.stdout.contains("2 passed; 0 failed"), "{output:#?}");
}

#[test]
fn filters_select_scenarios() {
    assert_eq!(run("passes_t", 0).journal, ["passes_too"]);
    assert_eq!(run("passes --exact", 0).journal, ["passes"]);
    assert_eq!(run("--exact passes --nocapture --test-threads 1", 0).journal, ["passes"]);
}

#[test]
fn several_filters_select_the_scenarios_that_match_any() {
    let journal = |line: &str| {
        let mut journal = run(line, 0).journal;
        journal.sort();
        journal
    };
    assert_eq!(journal("passes --exact passes_too"), ["passes", "passes_too"]);
    assert_eq!(journal("nothing passes_too"), ["passes_too"], "`passes` is a part of the other name");
    assert_eq!(journal("too es --skip passes_"), ["passes"]);
    assert_eq!(journal("--exact passes nothing --skip too"), ["passes"]);
    let output = run("tea nothing --test-threads 1", 101);
    assert!(output.stdout.contains("0 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out"), "{output:#?}");
    let listed = run("tea too --list --format terse", 0).stdout;
    assert_eq!(listed, "needs tea: test\npasses_too: test\n");
}

#[test]
fn a_failing_scenario_fails_with_message_and_place() {
    let output = run("tea", 101);
    for part in ["test needs tea ... FAILED", "the server is no teapot", "as_tests.rs:", "0 passed; 1 failed"] {
        assert!(output.stdout.contains(part), "no {part:?}: {output:#?}");
    }
}

#[test]
fn nocapture_shows_the_output_of_scenarios() {
    assert!(run("passes_too --exact --nocapture", 0).stdout.contains("said by passes_too"));
    assert!(!run("passes_too --exact", 0).stdout.contains("said by passes_too"));
}

#[test]
fn a_refused_thread_fails_the_test() {
    // The test runs on the main thread, and its load test on another one.
    let program = Program::new(AS_TESTS, "passes_too --test-threads 1").without_threads(Refused::From(0));
    let output = program.run().exited(101);
    assert!(output.stdout.contains("cannot start a thread: Resource temporarily unavailable"), "{output:#?}");
    assert!(!output.stdout.contains("panicked") && !output.stderr.contains("panicked"), "{output:#?}");
}
