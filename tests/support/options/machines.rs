//! Options of runs on several machines. `tests/cluster` tests what they do.

use super::Row;
use crate::{LoadTestProgram, Program};

/// Nothing listens at this port.
const NO_BROKER: &str = "--cluster nats://127.0.0.1:1";

/// Checks that a run fails because its broker cannot be reached.
fn seeks_the_broker(test: &LoadTestProgram, options: &str) {
    let run = test.run_at("", &format!("{options} {NO_BROKER} -r 1"));
    let output = &run.output;
    assert_eq!((output.code, run.server.served()), (Some(1), 0), "{output:#?}");
    assert!(output.stdout.contains("nats://127.0.0.1:1 refused the connection"), "{output:#?}");
}

/// Checks that an agent ends because its credentials cannot be read.
fn joins(test: &LoadTestProgram, options: &str) {
    let line = format!("--join nats://127.0.0.1:1?creds=/none {options}");
    let output = Program::new(&test.program, &line).run();
    assert_eq!(output.code, Some(1), "{output:#?}");
    assert!(output.stderr.contains("cannot read the credentials file `/none`"), "{output:#?}");
}

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "cluster",
        good: |test| seeks_the_broker(test, "--agents 2"),
        bad: &[
            ("--agents 2 --cluster http://127.0.0.1", 2, "the URL of the broker has the unknown scheme `http`"),
            ("--cluster nats://127.0.0.1", 2, "`--cluster` needs the number of machines: add `--agents N`"),
        ],
    },
    Row {
        option: "agents",
        good: |test| seeks_the_broker(test, "--agents 3"),
        bad: &[
            ("--agents 0", 2, "the minimum is 1"),
            ("--agents 10001", 2, "the maximum is 10000"),
            ("--agents some", 2, "write a whole number"),
        ],
    },
    Row {
        option: "on-lost",
        good: |test| {
            seeks_the_broker(test, "--agents 2 --on-lost stop");
            seeks_the_broker(test, "--agents 2 --on-lost continue");
        },
        bad: &[
            ("--agents 2 --on-lost wait", 2, "stop, continue"),
            ("--on-lost continue", 2, "`--on-lost` is for runs on several machines: add `--agents N`, or leave it out"),
        ],
    },
    Row {
        option: "signing-key",
        good: |test| {
            let run = test.run_at("", &format!("--agents 2 --signing-key /none {NO_BROKER}"));
            let output = &run.output;
            assert!(output.code != Some(0) && output.stderr.contains("`/none`"), "{output:#?}");
        },
        bad: &[(
            "--signing-key seed.nk",
            2,
            "`--signing-key` is for runs on several machines: add `--agents N`, or leave it out",
        )],
    },
    Row {
        option: "join",
        good: |test| joins(test, ""),
        bad: &[
            ("--join nats://127.0.0.1", 2, "a script has no effect with `--join`"),
            ("--join", 2, "a value is required for '--join <URL>'"),
        ],
    },
    Row {
        option: "trust",
        good: |test| joins(test, "--trust UDOOVQUXC6ZWWTATZ3AQ4RSMWCDVELTIWIJ2GTRRFVDKTKEKG4FIRXXZ"),
        bad: &[("--trust U", 2, "`--trust` is for machines that wait for runs: add `--join URL`, or leave it out")],
    },
    Row {
        option: "agent-name",
        good: |test| joins(test, "--agent-name one"),
        bad: &[("--agent-name one", 2, "`--agent-name` is for machines that wait for runs: add `--join URL`")],
    },
];
