//! Options that write scripts, which only the `molotov` command has.

use super::Row;
use crate::{LoadTestProgram, Output, Program, Server};

/// The script that the command writes for a curl command.
fn made(test: &LoadTestProgram, line: &str, curl: &str) -> Output {
    Program::new(&test.program, line).in_directory(test.path()).arg("--from-curl").arg(curl).run().exited(0)
}

const HAR: &str = r#"{"log": {"entries": [
    {"startedDateTime": "2026-01-31T10:00:00.000Z", "time": 50, "request": {"method": "GET", "url": "HOST/ok/page"}},
    {"startedDateTime": "2026-01-31T10:00:00.100Z", "request": {"method": "GET", "url": "HOST/ok/style.css"}}
]}}"#;

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "from-curl",
        good: |test| {
            let server = Server::new();
            let curl = format!("curl '{}/ok/a?x=1' -H 'X-A: it' --data-raw $'{{\"b\": \"\\u0041\"}}'", server.url());
            let output = made(test, "", &(curl + " -H 'content-type: application/json'"));
            assert_eq!(output.stderr, "");
            test.write("curl.py", &output.stdout);
            let line = "curl.py --single-run -w 2";
            let ran = Program::new(&test.program, line).in_directory(test.path()).run().exited(0);
            assert_eq!((ran.totals(), server.served()), ((2, 0), 2), "{ran:#?}");
            for arrival in server.arrivals() {
                assert_eq!((arrival.method.as_str(), arrival.path.as_str()), ("POST", "/ok/a"));
                assert_eq!(arrival.headers["x-a"], "it");
                assert_eq!(&arrival.body[..], b"{\"b\": \"A\"}");
            }
            // The shell has split the command.
            let split = Program::new(&test.program, "--from-curl curl -XPUT http://127.0.0.1/x -k").run().exited(0);
            assert!(split.stdout.contains("session.put(HOST + \"/x\", ssl=False)"), "{split:#?}");
        },
        bad: &[
            ("--from-curl wget", 2, "a curl command begins with `curl`"),
            ("--from-curl curl --cert x http://127.0.0.1", 2, "the option `--cert` of curl cannot be converted"),
        ],
    },
    Row {
        option: "from-har",
        good: |test| {
            let server = Server::new();
            test.write("page.har", &HAR.replace("HOST", &server.url()));
            let line = "--from-har page.har --output page.py";
            let output = Program::new(&test.program, line).in_directory(test.path()).run().exited(0);
            let what = "left out 1 request for images, styles, fonts and scripts; `--with-assets` keeps them\n";
            assert_eq!(
                output.stderr,
                format!("{what}wrote `page.py`; run it once with `molotov page.py --single-run`\n")
            );
            let ran = Program::new(&test.program, "page.py --single-run").in_directory(test.path()).run().exited(0);
            assert_eq!((ran.totals(), server.counts().len()), ((1, 0), 1), "{ran:#?}");
        },
        bad: &[
            ("--from-har nowhere.har", 2, "cannot read `nowhere.har`"),
            ("--from-har a --from-curl b", 2, "cannot be used with"),
        ],
    },
    Row {
        option: "with-assets",
        good: |test| {
            test.write("page.har", &HAR.replace("HOST", "http://127.0.0.1:1"));
            let line = "--from-har page.har --with-assets";
            let output = Program::new(&test.program, line).in_directory(test.path()).run().exited(0);
            assert!(output.stdout.contains("/ok/style.css") && output.stderr.is_empty(), "{output:#?}");
        },
        bad: &[("--with-assets", 2, "`--with-assets` needs `--from-curl` or `--from-har`")],
    },
    Row {
        option: "language",
        good: |test| {
            let rust = made(test, "--language rust", "curl http://127.0.0.1/x").stdout;
            assert!(rust.contains("session.get(\"/x\")") && rust.contains("molotov::main()"), "{rust}");
            let python = made(test, "--language=python", "curl http://127.0.0.1/x").stdout;
            assert!(python.contains("@molotov.scenario()"), "{python}");
        },
        bad: &[
            ("--language rust", 2, "`--language` needs `--from-curl` or `--from-har`"),
            ("--language perl", 2, "[possible values: python, rust]"),
        ],
    },
    Row {
        option: "output",
        good: |test| {
            made(test, "--output made.rs", "curl http://127.0.0.1/x");
            assert!(test.read("made.rs").contains("fn main()"));
            let line = "--output made.rs --from-curl curl http://127.0.0.1/y";
            let again = Program::new(&test.program, line).in_directory(test.path()).run().exited(2);
            assert_eq!(again.stderr, "error: `made.rs` exists; name a new file\n");
            assert!(!test.read("made.rs").contains("/y"));
        },
        bad: &[("--output x.py", 2, "`--output` needs `--from-curl` or `--from-har`")],
    },
];
