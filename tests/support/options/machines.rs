//! Options of runs on several machines. `tests/cluster` tests what they do.

use super::Row;
use crate::LoadTestProgram;

/// Nothing listens at this port.
const NO_BROKER: &str = "--cluster nats://127.0.0.1:1";

/// Checks that a run fails because its broker cannot be reached.
fn seeks_the_broker(test: &LoadTestProgram, options: &str) {
    let run = test.run_at("", &format!("{options} {NO_BROKER} -r 1"));
    let output = &run.output;
    assert_eq!((output.code, run.server.served()), (Some(1), 0), "{output:#?}");
    assert!(output.stdout.contains("nats://127.0.0.1:1 refused the connection"), "{output:#?}");
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
        good: |test| seeks_the_broker(test, "--agents 2"),
        bad: &[(
            "--signing-key seed.nk",
            2,
            "`--signing-key` is for runs on several machines: add `--agents N`, or leave it out",
        )],
    },
];
