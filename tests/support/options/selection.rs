//! Options for what runs.

use std::collections::BTreeMap;

use super::{FLAG, Row};
use crate::{Program, Server};

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "single-run",
        good: |test| {
            let run = test.run("--single-run -w 2");
            let counts = run.server.counts();
            assert_eq!(counts.values().copied().collect::<Vec<_>>(), [2, 2, 2], "{counts:?}");
        },
        bad: &[
            ("--single-run=1", 2, FLAG),
            ("--single-run -s cart", 1, "--single-mode and --single-run at the same time"),
        ],
    },
    Row {
        option: "single-mode",
        good: |test| {
            for line in ["-s cart -r 4", "--single-mode=cart -r4", "--single-m cart -r 4"] {
                assert_eq!(test.run(line).server.counts(), BTreeMap::from([("/ok/cart".to_owned(), 4)]), "{line}");
            }
        },
        bad: &[("-s nobody", 1, "nobody"), ("--single-mode", 2, "a value is required")],
    },
    Row {
        option: "use-extension",
        good: |test| {
            let witnessed = |line: &str| {
                let run = test.run(line);
                run.output.journal.iter().filter(|line| *line == "witnessed").count()
            };
            assert_eq!(witnessed("-r 3"), 0);
            assert_eq!(witnessed("--use-extension=witness -r 3"), 3);
            assert_eq!(witnessed("--use-extension witness -r 3"), 3);
            assert!(
                test.run("-r 1 --use-extension=witness").output.stdout.starts_with("Loading extension 'witness'\n")
            );
            if let Some(script) = test.script {
                // The option takes all following values. The last one is the script.
                let server = Server::new();
                let line = format!("-r 3 --use-extension witness.py {script}");
                let program = Program::new(&test.program, &line).in_directory(test.path()).against(&server);
                assert_eq!(program.run().exited(0).journal.len(), 3);
            }
        },
        bad: &[("--use-extension=nowhere", 1, "nowhere"), ("-r 1 --use-extension=", 2, "a value is required")],
    },
    Row {
        option: "config",
        good: |test| {
            let script = test.script.map(|script| format!("\"scenario\": \"{script}\", ")).unwrap_or_default();
            let tests = format!(
                "{{\"test\": {{{script}\"workers\": 2, \"max_runs\": 3}}, \"one\": {{{script}\"max_runs\": 1}}}}"
            );
            test.write("good.json", &format!("{{\"molotov\": {{\"tests\": {tests}}}}}"));
            for (line, served) in [("--config good.json", 6), ("--config good.json one -w 4 -r 9", 4)] {
                // The name of the test is the positional argument.
                let server = Server::new();
                let program = Program::new(&test.program, line).in_directory(test.path()).against(&server);
                let output = program.run().exited(0);
                assert_eq!((server.served(), output.totals()), (served, (served, 0)), "{line}: {output:#?}");
                let warning = "warning: the test `one` in `good.json` overrides `--max-runs` of the command line";
                assert_eq!(output.stderr.contains(warning), line.contains("-r 9"), "{line}: {output:#?}");
                assert!(!output.stderr.contains("--workers"), "{line}: {output:#?}");
            }
            for (text, line, message) in [
                ("{\"molotov\": {\"tests\": {\"test\": {\"workers\": \"two\"}}}}", "test", "bad.json:1:44"),
                ("{\"molotov\": {\"tests\": {\"tset\": {}}}}", "test", "did you mean `tset`?"),
                ("{\"molotov\": ", "test", "invalid JSON"),
                (
                    "{\"molotov\": {\"tests\": {\"test\": {\"stage\": \"1s:2\"}}}}",
                    "test -d 5",
                    "`stage` in the test `test` of `bad.json` already says how long the run lasts: leave out `--duration`",
                ),
            ] {
                test.write("bad.json", text);
                let line = format!("--config bad.json {line}");
                let output = Program::new(&test.program, &line).in_directory(test.path()).run().exited(2);
                assert!(output.stderr.starts_with("error: ") && output.stderr.contains(message), "{output:#?}");
            }
        },
        bad: &[("--config nowhere.json", 2, "cannot read the configuration `nowhere.json`")],
    },
    Row {
        option: "seed",
        good: |test| {
            let picks = |seed: &str| {
                let run = test.run(&format!("-r 40 {seed}"));
                run.server.arrivals().into_iter().map(|arrival| arrival.path).collect::<Vec<_>>()
            };
            assert_eq!(picks("--seed 7"), picks("--seed 7"));
            assert_ne!(picks("--seed 7"), picks("--seed 8"));
        },
        bad: &[("--seed x", 2, "'--seed <N>': write a whole number")],
    },
    Row {
        option: "list",
        good: |test| {
            let run = test.run("--list");
            assert_eq!(run.server.served(), 0);
            assert!(["browse", "cart", "admire"].iter().all(|name| run.output.stdout.contains(name)));
        },
        bad: &[("--list=1", 2, FLAG)],
    },
];
