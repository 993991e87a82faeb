//! Fixtures, failures, and exit codes.

#![allow(clippy::unwrap_used)]

use molotov_tests::{Program, Refused, Server, few_threads_are_a_clear_error, wait_until};

const STEADY: &str = env!("CARGO_BIN_EXE_steady");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");
const EMPTY: &str = env!("CARGO_BIN_EXE_empty");
const CLASHING: &str = env!("CARGO_BIN_EXE_clashing");
const IN_A_RUNTIME: &str = env!("CARGO_BIN_EXE_in-a-runtime");

#[test]
fn fixtures_run_in_order() {
    let server = Server::new();
    let output = Program::new(STEADY, "-r 2").env("DO", "note").against(&server).run().exited(0);
    let expected = ["global_setup", "setup 0", "setup_session 0"];
    assert_eq!(output.journal[..3], expected);
    assert!(output.journal[3].starts_with("0 ") && output.journal[4].starts_with("0 "), "{output:#?}");
    assert_eq!(output.journal[5..], ["teardown_session 0", "teardown 0", "global_teardown"]);
}

#[test]
fn a_failing_fixture_skips_scenarios_but_not_teardowns() {
    let all = ["global_setup", "setup", "setup_session", "teardown_session", "teardown", "global_teardown"];
    for (fixture, code, requests) in [
        ("global_setup", 1, 0),
        ("setup", 1, 0),
        ("setup_session", 1, 0),
        ("teardown_session", 0, 2),
        ("teardown", 0, 2),
        ("global_teardown", 0, 2),
    ] {
        let server = Server::new();
        let program = Program::new(TROUBLED, "-r 2 -s fine").env("DO", fixture).against(&server);
        let output = program.run().exited(code);
        assert_eq!(server.served(), requests, "{fixture}");
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(text.contains(&format!("{fixture} has no database")), "{fixture}: {output:#?}");
        let journal: Vec<_> = output.journal.iter().map(String::as_str).collect();
        match fixture {
            "global_setup" => assert_eq!(journal, ["global_setup"]),
            // `teardown` runs even if `setup` fails.
            "setup" => assert_eq!(journal, ["global_setup", "setup", "teardown", "global_teardown"]),
            "setup_session" => {
                assert_eq!(journal, ["global_setup", "setup", "setup_session", "teardown", "global_teardown"]);
            }
            _ => assert_eq!(journal, all, "{fixture}: the other teardowns run"),
        }
    }
}

#[test]
fn failures_alone_do_not_change_the_exit_code() {
    let server = Server::new();
    let output = Program::new(TROUBLED, "-s refused -r 3").against(&server).run().exited(0);
    assert_eq!((output.totals(), server.served()), ((0, 3), 3));
}

#[test]
fn fail_sets_the_exit_code() {
    for (line, code) in
        [("-f 3", 1), ("-f 4", 0), ("-f 1", 1), ("-f 0", 1), ("-q -f 3", 1), ("-q --fail=4", 0), ("-f 99 -f 2", 1)]
    {
        let server = Server::new();
        Program::new(TROUBLED, &format!("-s wrong -r 3 {line}")).against(&server).run().exited(code);
        assert_eq!(server.served(), 3, "{line}");
    }
}

#[test]
fn failures_show_message_and_place() {
    let line = |scenario: &str| format!("-r 1 -s {scenario}");
    for (scenario, parts) in [
        ("wrong", &["the server is no teapot", "200", "418", "troubled.rs:"][..]),
        ("refused", &["500", "/fail/refused", "troubled.rs:"]),
        ("unparsable", &["invalid digit found in string", "troubled.rs:"]),
    ] {
        let server = Server::new();
        let output = Program::new(TROUBLED, &line(scenario)).against(&server).run().exited(0);
        assert_eq!(output.totals(), (0, 1), "{scenario}");
        for part in parts {
            assert!(output.stdout.contains(part), "{scenario}: no {part:?} in {output:#?}");
        }
        assert!(!output.stdout.contains("stack backtrace") && !output.stderr.contains("panicked"), "{output:#?}");
    }
}

#[test]
fn verbose_adds_backtraces() {
    for scenario in ["wrong", "unparsable"] {
        let server = Server::new();
        let plain = Program::new(TROUBLED, &format!("-r 1 -s {scenario}")).against(&server).run().exited(0);
        let verbose = Program::new(TROUBLED, &format!("-r 1 -s {scenario} -v")).against(&server).run().exited(0);
        // A backtrace contains columns, such as `troubled.rs:70:5`.
        let frame = |text: &str| {
            text.split("programs/troubled.rs:").skip(1).any(|rest| {
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                rest.strip_prefix(':').is_some_and(|column| column.starts_with(|c: char| c.is_ascii_digit()))
            })
        };
        assert!(!frame(&plain.stdout), "{}", plain.stdout);
        assert!(frame(&verbose.stdout), "{}", verbose.stdout);
    }
}

#[test]
fn very_verbose_shows_requests_and_responses() {
    let server = Server::new();
    let output = Program::new(TROUBLED, "-r 1 -s posted -vv").against(&server).run().exited(0);
    for part in ["POST", "/ok/posted", "x-kind: order", r#"{"drink":"tea"}"#, "200", r#"{"result":"OK"}"#] {
        assert!(output.stdout.contains(part), "no {part:?} in {output:#?}");
    }
    let plain = Program::new(TROUBLED, "-r 1 -s posted -v").against(&server).run().exited(0);
    assert!(!plain.stdout.contains("x-kind"), "{plain:#?}");
}

#[test]
fn session_factories_run_once_for_each_worker() {
    let output = Program::new(TROUBLED, "-r 3 -s counted").run().exited(0);
    let of_counter: Vec<_> = output.journal.iter().filter(|line| line.starts_with("count")).collect();
    assert_eq!(of_counter, ["counter made", "counted 1", "counted 2", "counted 3"], "{output:#?}");
}

#[test]
fn a_program_without_scenarios_is_an_error() {
    let output = Program::new(EMPTY, "").run().exited(1);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.starts_with("error: "), "{output:#?}");
    assert!(output.stderr.contains("scenario"), "{output:#?}");
}

#[test]
fn duplicate_scenario_names_are_an_error_that_names_both() {
    let output = Program::new(CLASHING, "").run().exited(1);
    assert!(output.stderr.starts_with("error: "), "{output:#?}");
    assert_eq!(output.stderr.matches("clashing.rs:").count(), 2, "{output:#?}");
}

#[test]
fn main_inside_a_runtime_is_an_error() {
    let output = Program::new(IN_A_RUNTIME, "-r 1").run().exited(2);
    assert!(output.stderr.starts_with("error: ") && output.stderr.contains("#[tokio::main]"), "{output:#?}");
    assert!(!output.stderr.contains("panicked"), "{output:#?}");
}

#[test]
fn totals_of_many_workers_equal_the_requests_of_the_server() {
    let server = Server::new();
    let output = Program::new(STEADY, "-w 200 -r 50").against(&server).run().exited(0);
    assert_eq!((output.totals(), server.served()), ((10_000, 0), 10_000));
}

/// A program with a limit of open files, set by `ulimit`.
fn limited(limits: &str, program: &str, line: &str) -> Program {
    Program::new("sh", "-c").arg(&format!("ulimit {limits} && exec {program} {line}"))
}

#[test]
fn raises_the_limit_of_open_files() {
    let server = Server::new();
    let running = limited("-Sn 30", TROUBLED, "-s held -r 1 -w 60").against(&server).start();
    wait_until("each worker has a connection", || server.served() == 60);
    server.release();
    let output = running.wait().exited(0);
    assert_eq!(output.totals(), (60, 0), "{output:#?}");
    assert!(!output.stderr.contains("ulimit"), "{output:#?}");
}

#[test]
fn warns_about_a_low_limit_of_open_files() {
    let server = Server::new();
    let output = limited("-n 90", STEADY, "-w 50 -r 1").against(&server).run().exited(0);
    for part in ["50 workers", "allows this process 90", "ulimit -Hn 114", "LimitNOFILE=", "docker run --ulimit"] {
        assert!(output.stderr.contains(part), "no {part:?}: {output:#?}");
    }
    assert_eq!(output.totals(), (server.served(), 0), "{output:#?}");
    assert_eq!(limited("-n 90", STEADY, "-w 50 -r 1 -q").against(&server).run().exited(0).stderr, "");
}

#[test]
fn refused_threads_are_an_error() {
    let server = Server::new();
    for options in ["-w 2 --threads 2 -r 1", "-w 1 -p 2 -r 1"] {
        few_threads_are_a_clear_error(|options| Program::new(STEADY, options).against(&server), options);
    }
}

#[test]
fn refused_threads_of_the_dashboard_are_an_error() {
    let server = Server::new();
    let program = |options: &str| Program::new(STEADY, options).on_terminal(80).env("NO_COLOR", "1").against(&server);
    few_threads_are_a_clear_error(program, "-w 1 -r 2");
}

#[test]
fn refused_forks_are_an_error() {
    let server = Server::new();
    for number in 0..2 {
        let program = Program::new(STEADY, "-w 1 -p 2 -r 1").without_forks(Refused::Only(number));
        let output = program.against(&server).run().exited(1);
        let message =
            "error: cannot fork 2 processes: Resource temporarily unavailable (os error 11); try a lower `--processes`";
        assert!(output.stderr.contains(message), "{output:#?}");
        assert!(!output.stderr.contains("the fixture"), "{output:#?}");
        assert_eq!(server.served(), 0);
    }
}

#[test]
fn a_refused_thread_for_a_lookup_fails_the_request() {
    let server = Server::new();
    let target = server.url().replace("127.0.0.1", "localhost");
    let without = |number| {
        let program = Program::new(STEADY, "-w 1 -r 1 --threads 1").without_threads(Refused::Only(number));
        program.env("TARGET", &target).run()
    };
    let outputs: Vec<_> = (0..8).map(without).collect();
    assert!(outputs.iter().all(|output| !output.stdout.contains("panicked")), "{outputs:#?}");
    let failed: Vec<_> = outputs.iter().filter(|output| output.stdout.contains("for the lookup")).collect();
    assert_eq!(failed.len(), 1, "{outputs:#?}");
    assert_eq!((failed[0].code, failed[0].totals()), (Some(0), (0, 1)), "{failed:#?}");
}

#[test]
fn a_refused_socket_for_statsd_is_an_error() {
    for options in ["--statsd -r 1", "--statsd -r 1 -p 2"] {
        let output = Program::new(STEADY, options).without_datagrams(Refused::From(0)).run().exited(1);
        let message = "error: cannot open a socket for statsd: No buffer space available (os error 105)\n";
        assert!(output.stderr.contains(message), "{output:#?}");
        assert_eq!(output.totals(), (0, 0), "{output:#?}");
    }
}
