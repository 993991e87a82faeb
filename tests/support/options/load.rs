//! Options for the load.

use std::{collections::BTreeSet, time::Duration};

use super::{FLAG, Row};
use crate::Server;

pub(super) const ROWS: &[Row] = &[
    Row {
        option: "workers",
        good: |test| {
            for line in ["-w 3 -r 1", "-w3 -r1", "--workers=3 --max-runs=1", "--work 3 -r 1"] {
                let run = test.run(line);
                assert_eq!((run.server.served(), run.output.totals()), (3, (3, 0)), "{line}");
                assert!(run.output.stdout.contains("[W:2] Ran 1 scenarios"), "{line}");
            }
        },
        bad: &[("-w 0", 2, "'--workers <N>': the minimum is 1"), ("-w many", 2, "write a whole number")],
    },
    Row {
        option: "processes",
        good: |test| {
            for line in ["-p 2 -w 2 -r 3", "--process 2 -w 2 -r 3"] {
                let run = test.run(line);
                assert_eq!((run.server.served(), run.output.totals()), (12, (12, 0)), "{line}");
                assert!(run.output.stdout.contains("Forking 2 processes\n"), "{:#?}", run.output);
            }
        },
        bad: &[("-p 0", 2, "'--processes <N>': the minimum is 1"), ("-p 5000", 2, "the maximum is 1024")],
    },
    Row {
        option: "threads",
        good: |test| {
            for threads in [1, 3] {
                let server = Server::new();
                let line = format!("-w 6 -r 2 --threads {threads}");
                let output = test.program(&line, &server, "").env("DO", "threads").run().exited(0);
                assert_eq!(server.served(), 12);
                if test.script.is_none() {
                    let seen: BTreeSet<_> = output.journal.iter().filter(|line| line.starts_with("ThreadId")).collect();
                    assert_eq!(seen.len(), threads, "{seen:?}");
                }
            }
        },
        bad: &[("--threads 0", 2, "'--threads <N>': the minimum is 1")],
    },
    Row {
        option: "ramp-up",
        good: |test| {
            let arrivals = test.run("-w 3 -r 1 --ramp-up 0.9").server.arrivals();
            let after = |n: usize| (arrivals[n].at - arrivals[0].at).as_secs_f64();
            assert!((after(1) - 0.3).abs() < 0.2 && (after(2) - 0.6).abs() < 0.2, "{arrivals:?}");
        },
        bad: &[("--ramp-up nan", 2, "'--ramp-up <TIME>': write seconds")],
    },
    Row {
        option: "rate",
        good: |test| {
            for line in ["--rate 40/s -d 0.5", "--rate=2400/m -d 500ms -p 2", "--rate 40/s -d 0.5 -w 1 --threads 2"] {
                let run = test.run(line);
                assert_eq!((run.server.served(), run.output.totals()), (20, (20, 0)), "{line}: {:#?}", run.output);
                let arrivals = run.server.arrivals();
                let took = (arrivals[19].at - arrivals[0].at).as_secs_f64();
                assert!((0.3..0.9).contains(&took), "{line}: {took} s instead of 0.475 s");
            }
        },
        bad: &[
            ("--rate 5", 2, "'--rate <RATE>': write a number and a unit of time"),
            ("--rate 0/s", 2, "the rate must be higher than 0"),
        ],
    },
    Row {
        option: "stage",
        good: |test| {
            for line in ["--stage 200ms:100/s --stage 0s:50/s,0.2s:50/s", "--rate 100/s --stage 200ms:0/s,200ms:100/s"]
            {
                let run = test.run(line);
                assert_eq!((run.server.served(), run.output.totals()), (20, (20, 0)), "{line}: {:#?}", run.output);
            }
            let run = test.run("--stage 200ms:3 --stage=200ms:3 --delay 0.01");
            assert_eq!(run.output.totals(), (run.server.served(), 0));
            for worker in 0..4 {
                let line = format!("[W:{worker}] Starting");
                assert_eq!(run.output.stdout.contains(&line), worker < 3, "{line}: {:#?}", run.output);
            }
        },
        bad: &[
            ("--stage 30s", 2, "'--stage <STAGE>': write a time and a level"),
            ("--stage 30s:5,1m:5/s", 2, "all stages"),
        ],
    },
    Row {
        option: "arrivals",
        good: |test| {
            let planned = |line: &str| {
                test.run(&format!("--rate 100/s -d 0.3 --report out.json {line}"));
                crate::report(&test.read("out.json"))["starts"]["planned"].as_u64().expect("a number")
            };
            assert_eq!(planned("--arrivals even"), 30);
            let numbers: Vec<_> =
                [1, 2, 3, 1].map(|seed| planned(&format!("--arrivals=poisson --seed {seed}"))).to_vec();
            assert_eq!(numbers[0], numbers[3], "the same seed: {numbers:?}");
            assert!(numbers.iter().any(|number| *number != 30), "{numbers:?}");
        },
        bad: &[("--arrivals often", 2, "[possible values: even, poisson]")],
    },
    Row {
        option: "when-busy",
        good: |test| {
            // Ten starts in the first tenth of a second, for one worker that is busy for a tenth of a second with each.
            let served = |line: &str| {
                let line = format!("-w 1 --stage 0s:100/s,100ms:100/s,0s:0/s,500ms:0/s {line}");
                test.run_at("/bear/9", &line).server.served()
            };
            let (waiting, dropping) = (served("--when-busy wait"), served("--when-busy=drop"));
            assert!((4..=6).contains(&waiting), "{waiting}");
            assert!((1..=2).contains(&dropping), "{dropping}");
        },
        bad: &[("--when-busy stop", 2, "[possible values: wait, drop]")],
    },
    Row {
        option: "warm-up",
        good: |test| {
            // All requests are sent, whether they are measured apart or not.
            assert_eq!(test.run("--rate 40/s -d 0.5 --warm-up 0.2").server.served(), 20);
        },
        bad: &[("--warm-up nan", 2, "'--warm-up <TIME>': write seconds")],
    },
    Row {
        option: "delay",
        good: |test| {
            let arrivals = test.run("-r 3 --delay 150ms").server.arrivals();
            assert!(
                arrivals.windows(2).all(|pair| pair[1].at - pair[0].at >= Duration::from_millis(149)),
                "{arrivals:?}"
            );
        },
        bad: &[("--delay inf", 2, "'--delay <TIME>': the maximum is 100 years")],
    },
    Row {
        option: "timeout",
        good: |test| {
            let run = test.run_at("/hold", "-r 1 --timeout 0.2");
            assert_eq!((run.output.code, run.output.totals()), (Some(0), (0, 1)), "{:#?}", run.output);
            assert!(run.output.took >= Duration::from_millis(200));
        },
        bad: &[("--timeout 0", 2, "'--timeout <TIME>': the time must be longer than 0")],
    },
    Row {
        option: "sizing",
        good: |test| {
            let shown = test.run("--sizing -w 3 --ramp-up 0.2 -d 0.5 --delay 0.01").output.stdout;
            let end =
                "Sizing was not finished. (failures stayed within the tolerance, with up to 3 workers)\n*** Bye ***\n";
            assert!(shown.ends_with(end), "{shown}");
            // One worker is the default of other runs, but here it is explicit.
            let shown = test.run("--sizing -w 1 --ramp-up 0.1 -d 0.2 --delay 0.01").output.stdout;
            assert!(shown.contains("with up to 1 workers)\n"), "{shown}");
        },
        bad: &[("--sizing=1", 2, FLAG)],
    },
    Row {
        option: "sizing-tolerance",
        good: |test| {
            let run = test.run_at("/fail", "--sizing --sizing-tolerance 99.5 -w 2 --ramp-up 0.1 --delay 0.001");
            assert!(run.output.stdout.contains("\nError Ratio 100.00 % obtained with "), "{:#?}", run.output);
        },
        bad: &[("--sizing-tolerance 100", 2, "from 0 to below 100"), ("--sizing-tolerance x", 2, "write a percentage")],
    },
];
