//! Options of requests.

use super::Row;
use crate::{LoadTestProgram, Output, Program, Server};

/// Runs the scenario `browse` with paths instead of URLs.
fn run(test: &LoadTestProgram, line: &str, server: &Server) -> Output {
    test.program(&format!("-s browse {line}"), server, "").env("TARGET", "").run().exited(0)
}

/// Requests the path `/ok/url`, without the load test of the program.
fn request(test: &LoadTestProgram, line: &str) -> (Output, Server) {
    let server = Server::new();
    let line = format!("{}/ok/url -r 2 {line}", server.url());
    let output = Program::new(&test.program, &line).in_directory(test.path()).run().exited(0);
    assert_eq!((output.totals(), server.counts()["/ok/url"]), ((2, 0), 2), "{line}: {output:#?}");
    (output, server)
}

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "host",
        good: |test| {
            let server = Server::new();
            let output = run(test, &format!("-r 2 --host {}/", server.url()), &server);
            assert_eq!((server.counts()["/ok/browse"], output.totals()), (2, (2, 0)), "{output:#?}");
            // The path of the address is not in the name of the request.
            let output = run(test, &format!("-r 2 -p 2 --host={}/fail", server.url()), &server);
            assert_eq!((server.counts()["/fail/ok/browse"], output.totals()), (4, (0, 4)), "{output:#?}");
            assert!(output.stdout.contains("\nGET /ok/browse "), "{output:#?}");
            // URLs with a host are sent unchanged.
            let whole = test.program("-s browse -r 1 --host http://127.0.0.1:1", &server, "").run().exited(0);
            assert_eq!((server.counts()["/ok/browse"], whole.totals()), (3, (1, 0)), "{whole:#?}");
            let missing = run(test, "-r 1", &server);
            assert_eq!((server.served(), missing.totals()), (7, (0, 1)), "{missing:#?}");
            assert!(missing.stdout.contains("pass `--host http://"), "{missing:#?}");
            test.write(
                "host.json",
                &format!(
                    "{{\"molotov\": {{\"tests\": {{\"test\": {{{}\"max_runs\": 1, \"host\": \"{}\"}}}}}}}}",
                    test.script.map(|script| format!("\"scenario\": \"{script}\", ")).unwrap_or_default(),
                    server.url(),
                ),
            );
            let program = Program::new(&test.program, "--config host.json -s cart").in_directory(test.path());
            assert_eq!(program.env("TARGET", "").run().exited(0).totals(), (1, 0));
            assert_eq!(server.counts()["/ok/cart"], 1);
        },
        bad: &[
            ("--host 127.0.0.1:80", 2, "'--host <URL>': the scheme is missing: `http://127.0.0.1:80`"),
            ("--host /cart", 2, "'--host <URL>': write a URL: `http://127.0.0.1:8080`"),
        ],
    },
    Row {
        option: "header",
        good: |test| {
            for line in ["-H accept-language:fr -H X-Key:k1", "--header=Accept-Language:fr -cHX-Key:k1 -p 2"] {
                let run = test.run(&format!("-r 2 --report headers.json {line}"));
                for arrival in run.server.arrivals() {
                    assert_eq!(arrival.headers["accept-language"], "fr", "{line}: {arrival:?}");
                    assert_eq!(arrival.headers["x-key"], "k1", "{line}: {arrival:?}");
                }
                let report = test.read("headers.json");
                assert!(report.contains("fr") && !report.contains("-Key:k1"), "{report}");
            }
        },
        bad: &[("-H Accept", 2, "'--header <HEADER>': write `Name: value`")],
    },
    Row {
        option: "cookie",
        good: |test| {
            let run = test.run("-r 2 --cookie id=hunter2 --cookie lang=fr --report cookies.json");
            for arrival in run.server.arrivals() {
                assert_eq!(arrival.headers["cookie"], "id=hunter2; lang=fr", "{arrival:?}");
            }
            let report = test.read("cookies.json");
            assert!(!report.contains("hunter2"), "{report}");
        },
        bad: &[("--cookie id", 2, "'--cookie <COOKIE>': write `name=value`")],
    },
    Row {
        option: "method",
        good: |test| {
            for (line, method) in [("", "GET"), ("-X put", "PUT"), ("--method=PURGE -p 1", "PURGE"), ("-XHEAD", "HEAD")]
            {
                let (output, server) = request(test, line);
                assert!(server.arrivals().iter().all(|arrival| arrival.method == method), "{line}: {output:#?}");
                assert!(output.stdout.contains(&format!("\n{method} /ok/url ")), "{line}: {output:#?}");
            }
        },
        bad: &[
            ("-X POST -r 1", 2, "`--method` is for requests without a script: name a URL"),
            ("-X= -r 1", 2, "write a method: `POST`"),
            ("-X CONNECT", 2, "'--method <METHOD>': a CONNECT request opens a tunnel"),
        ],
    },
    Row {
        option: "body",
        good: |test| {
            test.write("body.json", "{\"a\": [1]}");
            for (line, body, kind) in [
                ("--body a=1", "a=1", "application/x-www-form-urlencoded"),
                ("--body=[1]", "[1]", "application/json"),
                ("--body @body.json", "{\"a\": [1]}", "application/json"),
                ("--body [1] -Hcontent-type:text/plain", "[1]", "text/plain"),
            ] {
                for arrival in request(test, line).1.arrivals() {
                    assert_eq!((arrival.method.as_str(), &arrival.body[..]), ("POST", body.as_bytes()), "{line}");
                    assert_eq!(arrival.headers["content-type"], kind, "{line}");
                }
            }
        },
        bad: &[("--body x", 2, "`--body` is for requests without a script: name a URL")],
    },
];
