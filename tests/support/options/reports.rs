//! Options for the result.

use std::{net::UdpSocket, time::Duration};

use super::{FLAG, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "fail",
        good: |test| {
            for (line, code) in [("-f 3 -r 3", 1), ("--fail 4 -r 3", 0), ("-q -f 3 -r 3", 1)] {
                assert_eq!(test.run_at("/fail", line).output.code, Some(code), "{line}");
            }
        },
        bad: &[("-f few", 2, "'--fail <N>': write a whole number")],
    },
    Row {
        option: "threshold",
        good: |test| {
            for (line, code, message) in [
                ("-r 4 --threshold successes==4", 0, "met     successes==4  (4)"),
                ("-r 4 --threshold successes==5", 1, "broken  successes==5  (4)"),
                ("-r 4 --threshold failures<1% --threshold p95(cart)<1us -s cart", 1, "broken  p95(cart)<1us"),
                ("-r 4 --threshold requests.count==4 -s cart", 0, "met     requests.count==4  (4)"),
                (
                    "-r 4 --threshold count(nobody)==0",
                    1,
                    "broken  count(nobody)==0\n          (no scenario, request or step named",
                ),
            ] {
                let run = test.run_at("", line);
                assert_eq!(run.output.code, Some(code), "{line}: {:#?}", run.output);
                assert!(run.output.stdout.contains(message), "{line}: {:#?}", run.output);
            }
        },
        bad: &[
            ("--threshold p95<200", 2, "a time needs a unit"),
            ("--threshold p95<200", 2, "      ^^^\n"),
            ("--threshold p95(brwose)<1s", 2, "there is no scenario `brwose`; did you mean `browse`?"),
            ("-s cart --threshold p95(browse)<1s", 2, "the scenario `browse` does not run"),
        ],
    },
    Row {
        option: "split-requests",
        good: |test| {
            for (line, name) in
                [("-r 2 -s cart", "GET /ok/cart"), ("-r 2 -s cart --split-requests", "cart / GET /ok/cart")]
            {
                test.run(&format!("{line} -q --report out.json"));
                let report = crate::report(&test.read("out.json"));
                assert_eq!(report["requests"][0]["name"], name, "{line}: {}", report["requests"]);
            }
        },
        bad: &[("--split-requests=1", 2, FLAG)],
    },
    Row {
        option: "report",
        good: |test| {
            let files = "--report out.json --report out.html --report out.CSV --report junit.xml --report markdown:sum";
            let run = test.run(&format!("-r 5 -q {files}"));
            let report = crate::report(&test.read("out.json"));
            assert_eq!((&report["totals"]["successes"], run.server.served()), (&5.into(), 5));
            assert!(
                test.read("junit.xml").contains("<testsuites ")
                    && test.read("sum").lines().next().is_some_and(|title| title.ends_with(": Passed"))
            );
            assert!(test.read("out.html").starts_with("<!DOCTYPE html>") && test.read("out.CSV").starts_with("at_s,"));
        },
        bad: &[
            ("--report out.txt", 2, "has no known format; name a file that ends in .json, .html, .csv, .xml or .md"),
            ("--report nowhere/out.json", 2, "there is no directory `nowhere`"),
        ],
    },
    Row {
        option: "statsd",
        good: |test| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
            let address = socket.local_addr().expect("an address");
            test.run(&format!("-s cart -r 2 --statsd --statsd-address udp://{address}"));
            let mut packet = [0; 2_000];
            let length = socket.recv(&mut packet).expect("a packet");
            let text = String::from_utf8_lossy(&packet[..length]).into_owned();
            assert!(text.contains(".GET.127.0.0.1./ok/cart.200:1|c"), "{text}");
        },
        bad: &[("--statsd=1", 2, FLAG)],
    },
    Row {
        option: "statsd-address",
        good: |test| {
            // Without `--statsd`, it has no effect. The row of `statsd` tests the effect.
            assert_eq!(test.run("--statsd-address udp://127.0.0.1:9 -r 1").server.served(), 1);
        },
        bad: &[
            ("--statsd --statsd-address tcp://localhost:1", 2, "not over `tcp://`"),
            ("--statsd --statsd-address udp://nowhere.invalid:1", 1, "`nowhere.invalid`, cannot be found"),
        ],
    },
];
