//! Options of requests.

use super::Row;
use crate::{LoadTestProgram, Output, Server};

/// Runs the scenario `browse` with paths instead of URLs.
fn run(test: &LoadTestProgram, line: &str, server: &Server) -> Output {
    test.program(&format!("-s browse {line}"), server, "").env("TARGET", "").run().exited(0)
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
            let program = crate::Program::new(&test.program, "--config host.json -s cart").in_directory(test.path());
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
];
