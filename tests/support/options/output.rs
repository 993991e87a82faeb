//! Options for the output.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::{FLAG, Row, Run};
use crate::{LoadTestProgram, Server, wait_until};

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "quiet",
        good: |test| {
            let Run { output, server } = test.run("-qr3");
            assert_eq!((output.stdout.as_str(), output.stderr.as_str(), server.served()), ("", "", 3));
        },
        bad: &[("--quiet=1", 2, FLAG), ("-qv", 1, "-q and -v at the same time")],
    },
    Row {
        option: "verbose",
        good: |test| {
            let shown = test.run("-vv -r 1 -s cart").output.stdout;
            assert!(shown.contains("> GET ") && shown.contains("< ") && shown.contains("\"OK\""), "{shown}");
            let lines = |line: &str| test.run_at("/fail", line).output.stdout.lines().count();
            assert!(lines("-v -r 1 -s cart") > lines("-r 1 -s cart"), "-v shows the traceback");
        },
        bad: &[("--verbose=2", 2, "unexpected value '2' for"), ("-q -v", 1, "-q and -v at the same time")],
    },
    Row {
        option: "console",
        good: |test| {
            let server = Server::new();
            let output = test.program("-c -r 2", &server, "").on_terminal(100).run().exited(0);
            // Plain lines, and no alternate screen.
            assert!(output.stdout.contains("[W:0] Ran 2 scenarios"), "{output:#?}");
            assert!(!output.stdout.contains("\u{1b}[?1049h"), "{output:#?}");
        },
        bad: &[("--console=1", 2, FLAG)],
    },
    Row {
        option: "console-update",
        good: |test| {
            let shown = |update: &str| {
                let server = Server::new();
                let line = format!("-c -d 0.7 --delay 0.01 --console-update {update}");
                let output = test.program(&line, &server, "").on_terminal(100).run().exited(0);
                output.stdout.matches("SUCCESSES: ").count()
            };
            let (often, never) = (shown("0"), shown("1h"));
            assert!(often > 10 && never == 1, "{often} times, and {never}");
            // The interval has no effect on the reports.
            std::thread::scope(|threads| {
                for update in ["5", "0.2", "0"] {
                    threads.spawn(move || timeline_is_even(test, update));
                }
            });
        },
        bad: &[("--console-update x", 2, "'--console-update <TIME>': write seconds")],
    },
    Row {
        option: "web",
        good: |test| {
            let lines = ["--web 127.0.0.1:0 -w 2", "--web=localhost:0 -p 2", "--web 0 -q", "--web 0 --report json:-"];
            std::thread::scope(|threads| {
                for line in lines {
                    threads.spawn(move || live_page(test, line));
                }
            });
        },
        bad: &[
            ("--web somewhere", 2, "'--web <ADDRESS>': write a port, or an IP address and a port"),
            ("--web 0.0.0.0", 2, "the port is missing: `0.0.0.0:8089`"),
            ("--web 192.0.2.1:8089", 1, "cannot serve the live page at 192.0.2.1:8089: this machine does not have"),
        ],
    },
    Row {
        option: "color",
        good: |test| {
            for (line, colored) in [("--color always", true), ("--color never", false), ("--color auto", false)] {
                let output = test.run_at("/fail", &format!("-r 1 {line}")).output;
                assert_eq!(output.stdout.contains('\u{1b}'), colored, "{line}: {output:#?}");
            }
        },
        bad: &[("--color pink", 2, "[possible values: auto, always, never]")],
    },
    Row {
        option: "show-secrets",
        good: |test| {
            for (line, shown) in [("", false), ("--show-secrets", true)] {
                let server = Server::new();
                let target = server.url().replace("http://", "http://ada:pa55@") + "/ok?token=t0ken&path=";
                let program = test.program(&format!("-r 1 -vv {line}"), &server, "").env("TARGET", &target);
                let output = program.run().exited(0);
                assert_eq!(server.arrivals()[0].authorization.as_deref(), Some("Basic YWRhOnBhNTU="));
                let shows = |text: &str| output.stdout.contains(text) || output.stderr.contains(text);
                assert_eq!((shows("t0ken"), shows("YWRhOnBhNTU=")), (shown, shown), "{line}: {output:#?}");
                assert!(!shows("pa55"), "{line}: {output:#?}");
            }
        },
        bad: &[("--show-secrets=1", 2, FLAG)],
    },
    Row {
        option: "debug",
        good: |test| {
            assert!(test.run("--debug -r 1").output.stderr.contains("DEBUG"));
            assert!(!test.run("-r 1").output.stderr.contains("DEBUG"));
        },
        bad: &[("--debug=1", 2, FLAG)],
    },
];

/// Asserts that the live page of a run is served while it lasts, and gets the final counts.
#[track_caller]
fn live_page(test: &LoadTestProgram, line: &str) {
    let server = Server::new();
    let running = test.program(&format!("{line} --delay 0.01 -d 1.3"), &server, "").start();
    let mut url = None;
    wait_until("it prints the address of its page", || {
        let written = running.written() + &running.errors();
        url = written.split_once("Live page: ").and_then(|(_, rest)| Some(rest.split_once('\n')?.0.to_owned()));
        url.is_some()
    });
    let url = url.unwrap_or_default();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(address).expect("the page is served");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).expect("a request");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("a response");
        response
    };
    let page = ask("/");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("<!DOCTYPE html>"), "{line}: {page}");
    let token = page.split_once("events?run=").and_then(|(_, rest)| rest.split_once('"')).expect("a stream").0;
    // Ends with the run.
    let events = ask(&format!("/events?run={token}"));
    assert!(events.contains("event: end\ndata:\n\n"), "{line}: {events}");
    let output = running.wait().exited(0);
    let last = events.lines().rev().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let successes = last["banner"]["tiles"][0]["value"].as_str().expect("a number").replace(',', "");
    assert_eq!(successes, server.served().to_string(), "{line}: {output:#?}");
}

/// Asserts that the reports show the same rate in both seconds of a run with two processes at an even rate.
#[track_caller]
fn timeline_is_even(test: &LoadTestProgram, update: &str) {
    let line = format!(
        "-p 2 -w 2 -d 2.3 --delay 0.02 -q --console-update {update} --report {update}.csv --report {update}.json"
    );
    let run = test.run(&line);
    let csv = test.read(&format!("{update}.csv"));
    let rows: Vec<Vec<f64>> = csv.lines().skip(1).map(|row| row.split(',').flat_map(str::parse).collect()).collect();
    let ended: Vec<f64> = rows.iter().map(|row| row[3]).collect();
    let rates: Vec<f64> = rows.iter().map(|row| row[3] / row[1]).collect();
    assert_eq!((rows.len(), rows[0][0], rows[0][1]), (2, 1.0, 1.0), "{update}: {csv}");
    // At most 200 scenarios a second.
    assert!(rates.iter().all(|rate| (40.0..210.0).contains(rate)), "{update}: {rates:?}");
    assert!((rates[0] / rates[1] - 1.0).abs() < 0.4, "{update}: {rates:?}");
    assert_eq!(ended.iter().sum::<f64>(), run.server.served() as f64, "{update}: {csv}");
    let json = test.read(&format!("{update}.json"));
    let json = crate::report(&json);
    let timeline = json["timeline"].as_array().expect("points").iter().map(|point| point["successes"].as_f64());
    assert!(timeline.eq(ended.iter().copied().map(Some)), "{update}: {csv} {json}");
}
