//! The remaining options.

use super::{FLAG, Row};
use crate::{Program, Server};

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "uvloop",
        good: |test| {
            if test.script.is_some() {
                let missing = test.run_at("", "--uvloop -r 1");
                assert_eq!((missing.output.code, missing.server.served()), (Some(1), 0), "{:#?}", missing.output);
                assert!(missing.output.stderr.contains("uvloop"), "{:#?}", missing.output);
                test.write("uvloop.py", "");
                let server = Server::new();
                let path = test.path().to_string_lossy().into_owned();
                let installed = test.program("--uvloop -r 1", &server, "").env("PYTHONPATH", &path).run().exited(0);
                assert_eq!(server.served(), 1);
                let output = installed.stdout + &installed.stderr;
                assert_eq!(output.lines().filter(|line| line.contains("uvloop")).count(), 1, "{output}");
            } else {
                assert_eq!(test.run("--uvloop -r 1").server.served(), 1);
            }
        },
        bad: &[("--uvloop=1", 2, FLAG)],
    },
    Row {
        option: "version",
        good: |test| {
            assert_eq!(test.run("--version").output.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"));
        },
        bad: &[("--version=1", 2, FLAG)],
    },
    Row {
        option: "help",
        good: |test| {
            assert!(test.run("-h").output.stdout.contains("Usage: "));
        },
        bad: &[("--help=1", 2, FLAG)],
    },
    Row {
        option: "generate",
        good: |test| {
            let made = |kind: &str| {
                let output = Program::new(&test.program, &format!("--generate {kind}")).run().exited(0);
                assert!(output.stderr.is_empty(), "{output:#?}");
                output.stdout
            };
            assert!(made("man").starts_with(".ie") && made("man").contains(".SH OPTIONS"), "{}", made("man"));
            assert!(made("markdown").contains("| `-w`, `--workers N` |"), "{}", made("markdown"));
            for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
                assert!(made(shell).contains("ramp-up"), "{shell}: {}", made(shell));
            }
        },
        bad: &[
            ("--generate nothing", 2, "invalid value 'nothing' for '--generate <KIND>'"),
            ("--generate man -w 2", 2, "cannot be used with one or more of the other"),
        ],
    },
];
