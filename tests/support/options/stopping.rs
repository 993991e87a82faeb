//! Options for when a run stops.

use super::{FLAG, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "duration",
        good: |test| {
            for line in ["-d 0.4", "--duration=400ms"] {
                let run = test.run(&format!("{line} --delay 0.01"));
                let arrivals = run.server.arrivals();
                let took = arrivals.last().expect("some").at - arrivals[0].at;
                assert!((0.3..0.6).contains(&took.as_secs_f64()), "{line}: {took:?}");
                assert_eq!(run.output.totals(), (run.server.served(), 0), "{line}");
            }
        },
        bad: &[("-d soon", 2, "'--duration <TIME>': write seconds"), ("-d -1", 2, "a time cannot be negative")],
    },
    Row {
        option: "max-runs",
        good: |test| {
            assert_eq!(test.run("-w 7 -r 5").server.served(), 35);
            assert!(test.run("-r 0 -d 0.3").server.served() > 5, "0 is no limit");
        },
        bad: &[("-r -1", 2, "'--max-runs <N>': the number cannot be negative")],
    },
    Row {
        option: "exception",
        good: |test| {
            let run = test.run_at("/fail-at/3", "-x -r 50");
            assert_eq!((run.output.code, run.output.totals(), run.server.served()), (Some(0), (2, 1), 3));
        },
        bad: &[("--exception=1", 2, FLAG)],
    },
    Row {
        option: "force-shutdown",
        good: |test| {
            let run = test.run_at("/hold", "--force-shutdown -d 0.3 -w 2");
            assert_eq!((run.output.code, run.output.totals()), (Some(0), (0, 0)), "{:#?}", run.output);
            assert!(run.output.stdout.contains("2 scenarios were interrupted"), "{:#?}", run.output);
        },
        bad: &[("--force-shutdown=1", 2, FLAG)],
    },
];
