//! The options of the command line, each with valid and invalid values.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use molotov_tests::{LoadTestProgram, Output, Program, Server, every_option, redirect_loops_fail};

const STEADY: &str = env!("CARGO_BIN_EXE_steady");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

/// Runs a program that must exit with 0, and asserts that its successes equal the requests of the server.
#[track_caller]
fn good(program: &str, line: &str, and: impl FnOnce(Program) -> Program) -> (Output, Server) {
    let server = Server::new();
    let output = and(Program::new(program, line).against(&server)).run().exited(0);
    if !output.stdout.is_empty() {
        assert_eq!(output.totals().0, server.served(), "{output:#?}");
    }
    (output, server)
}

#[track_caller]
fn steady(line: &str) -> (Output, Server) {
    good(STEADY, line, |program| program)
}

/// The runs in the journal of `steady`: worker, scenario, step.
fn runs(output: &Output) -> Vec<(usize, String, u64)> {
    let parts = output.journal.iter().map(|line| line.split(' ').collect::<Vec<_>>());
    let runs = parts.filter_map(|parts| match parts[..] {
        [worker, scenario, step] => Some((worker.parse().ok()?, scenario.to_owned(), step.parse().ok()?)),
        _ => None,
    });
    runs.collect()
}

#[test]
fn every_option_has_its_effect() {
    every_option(&LoadTestProgram::rust(STEADY));
}

#[test]
fn a_redirect_loop_is_one_failed_request() {
    redirect_loops_fail(&LoadTestProgram::rust(STEADY));
}

#[test]
fn invalid_command_lines_are_errors_before_the_run() {
    let server = Server::new();
    for (line, code, message) in [
        ("-w 0", 2, "'--workers <N>': the minimum is 1"),
        ("-w many", 2, "'--workers <N>': write a whole number"),
        ("-d soon", 2, "'--duration <TIME>': write seconds"),
        ("-d -1", 2, "'--duration <TIME>': a time cannot be negative"),
        ("-r -1", 2, "'--max-runs <N>': the number cannot be negative"),
        ("-f few", 2, "'--fail <N>': write a whole number"),
        ("--ramp-up nan", 2, "'--ramp-up <TIME>': write seconds"),
        ("--delay inf", 2, "'--delay <TIME>': the maximum is 100 years"),
        ("--console-update x", 2, "'--console-update <TIME>': write seconds"),
        ("--timeout 0", 2, "'--timeout <TIME>': the time must be longer than 0"),
        ("--threads 0", 2, "'--threads <N>': the minimum is 1"),
        ("--seed x", 2, "'--seed <N>': write a whole number"),
        ("--color pink", 2, "[possible values: auto, always, never]"),
        ("--single-mode", 2, "a value is required for '--single-mode <NAME>'"),
        ("--nope", 2, "unexpected argument '--nope' found"),
        ("-z", 2, "unexpected argument '-z' found"),
        ("--c", 2, "`--c` is ambiguous: --config, --console, --console-update; write more"),
        ("--verbose=2", 2, "unexpected value '2' for '--verbose"),
        ("-q -v", 1, "You can't use -q and -v at the same time"),
        ("--single-run -s cart", 1, "You can't use --single-mode and --single-run at the same time"),
        ("-s nobody", 1, "nobody"),
        ("-s retired", 1, "retired"),
        ("loadtest.py", 2, "`loadtest.py`: this program is built without Python"),
        ("-p 0", 2, "'--processes <N>': the minimum is 1"),
        ("--rate 5/s", 2, "`--max-runs` counts the scenarios of each worker, but `--rate` shares one plan"),
        (
            "--stage 1s:2,1s:2 --stage 1s:2/s",
            2,
            "`--stage`: write all stages for workers (`30s:200`) or all for a rate",
        ),
        ("--stage 1s:2 -d 5", 2, "`--stage` already says how long the run lasts: leave out `--duration`"),
        ("--stage 0s:2", 2, "the stages in `--stage` last 0 s together"),
        ("--warm-up 2 -d 2", 2, "nothing would be left to measure"),
        ("--arrivals poisson", 2, "`--arrivals` is about starts at a rate"),
    ] {
        let output = Program::new(STEADY, &format!("-r 1 {line}")).against(&server).run();
        assert_eq!(output.code, Some(code), "{line}: {output:#?}");
        assert!(output.stderr.starts_with("error: "), "{line}: {output:#?}");
        assert!(output.stderr.contains(message), "{line}: {output:#?}");
        assert_eq!((output.stdout.as_str(), &output.journal[..]), ("", &[][..]), "{line}: {output:#?}");
    }
    assert_eq!(server.served(), 0);
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (line, start) in [
        ("-h", "A load test, run by Molotov"),
        ("--help", "A load test, run by Molotov"),
        ("--version", concat!(env!("CARGO_PKG_VERSION"), "\n")),
        ("--vers -w 3", concat!(env!("CARGO_PKG_VERSION"), "\n")),
    ] {
        let output = Program::new(STEADY, line).run().exited(0);
        assert!(output.stdout.starts_with(start), "{line}: {output:#?}");
        assert_eq!(output.stderr, "", "{line}");
    }
}

#[test]
fn help_fits_the_width_of_the_terminal() {
    for columns in [80, 120] {
        let output = Program::new(STEADY, "--help").env("COLUMNS", &columns.to_string()).run().exited(0);
        assert!(output.stdout.contains("Usage: steady [OPTIONS]"), "{output:#?}");
        let widest = output.stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns, "{widest} columns of {columns}:\n{}", output.stdout);
    }
}

#[test]
fn list_shows_what_would_run() {
    let server = Server::new();
    let output = Program::new(STEADY, "--list").against(&server).run().exited(0);
    assert_eq!((server.served(), &output.journal[..], output.stderr.as_str()), (0, &[][..], ""));
    insta::assert_snapshot!(output.stdout);
}

#[test]
fn workers() {
    let (output, server) = steady("-w 3 -r 1");
    assert_eq!(server.served(), 3);
    for worker in 0..3 {
        assert!(output.journal.contains(&format!("setup {worker}")), "{output:#?}");
    }
}

#[test]
fn max_runs_are_exact_for_each_worker() {
    for (workers, threads) in [(1, 1), (7, 1), (7, 2), (3, 8), (64, 4)] {
        let line = format!("-w {workers} -r 5 --threads {threads}");
        let (output, server) = good(STEADY, &line, |program| program.env("DO", "note"));
        assert_eq!(output.totals(), (5 * workers, 0), "{line}");
        assert_eq!(server.served(), 5 * workers, "{line}");
        let mut of_worker = BTreeMap::<usize, Vec<u64>>::new();
        for (worker, _, step) in runs(&output) {
            of_worker.entry(worker).or_default().push(step);
        }
        assert_eq!(of_worker.len() as u64, workers, "{line}");
        assert!(of_worker.values().all(|steps| steps == &[1, 2, 3, 4, 5]), "{line}: {of_worker:?}");
    }
}

#[test]
fn max_runs_0_is_no_limit() {
    let (_, server) = steady("-r 0 -d 0.3");
    assert!(server.served() > 10, "{}", server.served());
}

#[test]
fn durations_are_exact() {
    for (line, millis) in [("-d 1", 1_000), ("-d 0.4", 400), ("--duration=600ms", 600)] {
        let server = Server::new();
        let output = Program::new(STEADY, &format!("-w 4 {line}")).against(&server).run().exited(0);
        assert_eq!(output.totals(), (server.served(), 0), "{line}");
        let arrivals = server.arrivals();
        let took = arrivals.last().unwrap().at - arrivals[0].at;
        let asked = Duration::from_millis(millis);
        assert!(took <= asked + Duration::from_millis(200), "{line}: the last request arrived after {took:?}");
        assert!(took >= asked.mul_f64(0.8), "{line}: the last request arrived after {took:?}");
    }
}

#[test]
fn duration_0_runs_one_scenario_for_each_worker() {
    let (output, server) = steady("-d 0 -w 5");
    assert_eq!((output.totals(), server.served()), ((5, 0), 5));
}

#[test]
fn single_run_runs_each_scenario_once_in_order_of_names() {
    let (output, server) = good(STEADY, "--single-run -w 2", |program| program.env("DO", "note"));
    for worker in 0..2 {
        let order: Vec<_> = runs(&output).into_iter().filter(|run| run.0 == worker).map(|run| run.1).collect();
        assert_eq!(order, ["admire", "browse", "cart"], "{output:#?}");
    }
    assert_eq!(server.served(), 6);
}

#[test]
fn single_mode_runs_only_that_scenario() {
    for line in ["-s cart -r 4", "--single-m=cart -r 4"] {
        let (_, server) = steady(line);
        assert_eq!(server.counts(), BTreeMap::from([("/ok/cart".to_owned(), 4)]), "{line}");
    }
}

#[test]
fn picks_follow_the_weights() {
    let (_, server) = steady("-w 4 -r 500 --seed 1");
    let counts = server.counts();
    assert_eq!(counts.len(), 3, "a scenario of weight 0 never runs: {counts:?}");
    for (path, share) in [("/ok/browse", 0.7), ("/ok/cart", 0.2), ("/ok/admire", 0.1)] {
        let got = counts[path] as f64 / 2_000.0;
        assert!((got - share).abs() < 0.05, "{path}: {got} instead of {share}");
    }
}

#[test]
fn a_seed_repeats_the_picks_with_any_number_of_threads() {
    let picks = |line: &str| {
        let (output, _) = good(STEADY, line, |program| program.env("DO", "note"));
        let mut runs = runs(&output);
        runs.sort();
        runs
    };
    let first = picks("-w 3 -r 30 --seed 7 --threads 1");
    assert_eq!(first.len(), 90);
    assert_eq!(first, picks("-w 3 -r 30 --seed 7 --threads 3"));
    assert_ne!(first, picks("-w 3 -r 30 --seed 8 --threads 1"));
}

#[test]
fn ramp_up_spreads_the_starts() {
    let (_, server) = steady("-w 4 -r 1 --ramp-up 1.2");
    let arrivals = server.arrivals();
    for (worker, arrival) in arrivals.iter().enumerate() {
        let after = (arrival.at - arrivals[0].at).as_secs_f64();
        let due = 0.3 * worker as f64;
        assert!((after - due).abs() < 0.25, "worker {worker} started after {after} s instead of {due} s");
    }
}

#[test]
fn delay_separates_scenarios() {
    let (_, server) = steady("-r 3 --delay 200ms");
    let arrivals = server.arrivals();
    for pair in arrivals.windows(2) {
        let between = (pair[1].at - pair[0].at).as_millis();
        assert!((199..1_000).contains(&between), "{between} ms");
    }
}

#[test]
fn quiet_prints_nothing() {
    let (output, server) = steady("-q -r 3");
    assert_eq!((output.stdout.as_str(), output.stderr.as_str(), server.served()), ("", "", 3));
    let (output, _) = good(TROUBLED, "-q -r 3 -s wrong", |program| program);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}

#[test]
fn threads_share_the_workers() {
    for threads in [1, 3] {
        let line = format!("-w 6 -r 2 --threads {threads}");
        let (output, _) = good(STEADY, &line, |program| program.env("DO", "threads"));
        let seen: BTreeSet<_> = output.journal.iter().filter(|line| line.starts_with("ThreadId")).collect();
        assert_eq!(seen.len(), threads, "{seen:?}");
    }
}

#[test]
fn timeout_ends_a_request() {
    let server = Server::new();
    let output = Program::new(TROUBLED, "-s held -r 1 --timeout 0.2").against(&server).run().exited(0);
    assert_eq!((output.totals(), server.served()), ((0, 1), 1));
    assert!(output.stdout.contains("/hold/held"), "{output:#?}");
    assert!(output.took >= Duration::from_millis(200), "{:?}", output.took);
}

#[test]
fn debug_traces_on_stderr() {
    let (output, _) = steady("--debug -r 1");
    assert!(output.stderr.contains("DEBUG"), "{output:#?}");
    assert!(!output.stdout.contains("DEBUG"), "{output:#?}");
    assert!(!steady("-r 1").0.stderr.contains("DEBUG"));
}

#[test]
fn color_follows_the_option_and_the_output() {
    for (line, variable, colored) in [
        ("--color always", "", true),
        ("--color never", "", false),
        ("--color auto", "", false),
        ("", "", false),
        ("--color always", "NO_COLOR", true),
    ] {
        let server = Server::new();
        let program = Program::new(TROUBLED, &format!("-s wrong -r 1 {line}")).against(&server);
        let output = if variable.is_empty() { program } else { program.env(variable, "1") }.run().exited(0);
        assert_eq!(output.stdout.contains('\u{1b}'), colored, "{line}: {output:#?}");
    }
}

#[test]
fn options_without_effect_are_accepted() {
    for line in ["-p 1 -r 1", "--uvloop -r 1", "-c -r 1", "--console-update 0 -r 1", "-cr1 --proc=1"] {
        let (_, server) = steady(line);
        assert_eq!(server.served(), 1, "{line}");
    }
}
