//! Every option of the command line: a good use whose effect is seen, and a bad one that is told. The same table for a Rust
//! load test and for a Python script.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::UdpSocket,
    path::Path,
    time::Duration,
};

use tempfile::TempDir;

use crate::{Output, Program, Server};

/// A load test of three scenarios, `browse`, `cart` and `admire`: each requests `/ok/` and its name once.
pub struct LoadTestProgram {
    program: String,
    /// What stands on every command line: the script.
    script: Option<&'static str>,
    directory: TempDir,
}

/// The load test in Python.
const SCRIPT: &str = r#"
import os
import molotov

async def hit(session, name):
    async with session.get(os.environ["TARGET"] + "/ok/" + name) as response:
        assert response.status == 200, response.status
        assert (await response.json())["result"] == "OK"

@molotov.scenario(weight=70)
async def browse(session):
    await hit(session, "browse")

@molotov.scenario(weight=20)
async def cart(session):
    await hit(session, "cart")

@molotov.scenario(weight=10)
async def admire(session):
    await hit(session, "admire")
"#;

/// An extension in Python; the Rust load test has one of the same name.
const EXTENSION: &str = r#"
import os
import molotov

@molotov.events()
async def witness(event, **info):
    if event == "scenario_success":
        with open(os.environ["JOURNAL"], "a") as journal:
            journal.write("witnessed\n")
"#;

/// What a run left behind, with the server that it hit.
struct Run {
    output: Output,
    server: Server,
}

impl LoadTestProgram {
    /// The load test that the program at `path` is.
    ///
    /// # Panics
    ///
    /// When there is no place for files.
    pub fn rust(path: &str) -> LoadTestProgram {
        LoadTestProgram { program: path.to_owned(), script: None, directory: tempfile::tempdir().expect("a directory") }
    }

    /// A script, run by the program at `path`.
    ///
    /// # Panics
    ///
    /// When the script cannot be written.
    pub fn python(path: &str) -> LoadTestProgram {
        let load_test = LoadTestProgram { script: Some("loadtest.py"), ..LoadTestProgram::rust(path) };
        load_test.write("loadtest.py", SCRIPT);
        load_test.write("witness.py", EXTENSION);
        load_test
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("the file is written");
    }

    fn program(&self, line: &str, server: &Server, base: &str) -> Program {
        let line = format!("{} {line}", self.script.unwrap_or_default());
        let program = Program::new(&self.program, &line).in_directory(self.path());
        program.env("TARGET", &format!("{}{base}", server.url()))
    }

    /// Runs a line against paths that begin with `base`.
    fn run_at(&self, base: &str, line: &str) -> Run {
        let server = Server::new();
        let output = self.program(line, &server, base).run();
        Run { output, server }
    }

    /// Runs a line that is expected to end well.
    #[track_caller]
    fn run(&self, line: &str) -> Run {
        let run = self.run_at("", line);
        assert_eq!(run.output.code, Some(0), "{line}: {:#?}", run.output);
        run
    }
}

impl LoadTestProgram {
    /// Runs two processes at an even rate for two seconds and a bit, and asserts that the reports show that rate in both.
    ///
    /// # Panics
    ///
    /// When they do not.
    #[track_caller]
    fn course_is_even(&self, update: &str) {
        let line = format!(
            "-p 2 -w 2 -d 2.3 --delay 0.02 -q --console-update {update} --report {update}.csv --report {update}.json"
        );
        let run = self.run(&line);
        let csv = fs::read_to_string(self.path().join(format!("{update}.csv"))).expect("the report is there");
        let rows: Vec<Vec<f64>> =
            csv.lines().skip(1).map(|row| row.split(',').flat_map(str::parse).collect()).collect();
        let ended: Vec<f64> = rows.iter().map(|row| row[3]).collect();
        let rates: Vec<f64> = rows.iter().map(|row| row[3] / row[1]).collect();
        assert_eq!((rows.len(), rows[0][0], rows[0][1]), (2, 1.0, 1.0), "{update}: {csv}");
        // At most 200 a second: as many of them in the first second as later.
        assert!(rates.iter().all(|rate| (40.0..210.0).contains(rate)), "{update}: {rates:?}");
        assert!((rates[0] / rates[1] - 1.0).abs() < 0.4, "{update}: {rates:?}");
        assert_eq!(ended.iter().sum::<f64>(), run.server.served() as f64, "{update}: {csv}");
        let json = fs::read_to_string(self.path().join(format!("{update}.json"))).expect("the report is there");
        let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        let course = json["timeline"].as_array().expect("points").iter().map(|point| point["successes"].as_f64());
        assert!(course.eq(ended.iter().copied().map(Some)), "{update}: {csv} {json}");
    }
}

/// One option: its long name, what a good use does, and lines that are refused, each with an exit code and a part of what is
/// told.
struct Row {
    option: &'static str,
    good: fn(&LoadTestProgram),
    bad: &'static [(&'static str, i32, &'static str)],
}

/// Goes through every option.
///
/// # Panics
///
/// When an option does not do what it should, or is not tried here.
pub fn every_option(load_test: &LoadTestProgram) {
    let help = load_test.run("--help").output.stdout;
    let words = help.split(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '.' | '`'));
    let options: BTreeSet<_> =
        words.filter_map(|word| word.strip_prefix("--")).filter(|word| !word.is_empty()).collect();
    // The command's only.
    let rows = || TABLE.iter().filter(|row| row.option != "generate" || load_test.script.is_some());
    let tried: BTreeSet<_> = rows().map(|row| row.option).collect();
    assert_eq!(options, tried, "options that are there, and options that are tried");
    for row in rows() {
        (row.good)(load_test);
        for (line, code, told) in row.bad {
            let run = load_test.run_at("", line);
            let output = &run.output;
            assert_eq!(output.code, Some(*code), "{line}: {output:#?}");
            assert!(output.stderr.contains(told), "{line}: {output:#?}");
            let quiet = output.stdout.lines().all(|line| line.starts_with("Loading extension "));
            assert!(output.stderr.starts_with("error: ") && quiet, "{line}: {output:#?}");
            assert_eq!(run.server.served(), 0, "{line}");
        }
    }
}

const FLAG: &str = "unexpected value '1' for";

const TABLE: &[Row] = &[
    Row {
        option: "single-run",
        good: |load_test| {
            let run = load_test.run("--single-run -w 2");
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
        good: |load_test| {
            for line in ["-s cart -r 4", "--single-mode=cart -r4", "--single-m cart -r 4"] {
                assert_eq!(load_test.run(line).server.counts(), BTreeMap::from([("/ok/cart".to_owned(), 4)]), "{line}");
            }
        },
        bad: &[("-s nobody", 1, "nobody"), ("--single-mode", 2, "a value is required")],
    },
    Row {
        option: "config",
        good: |load_test| {
            let script = load_test.script.map(|script| format!("\"scenario\": \"{script}\", ")).unwrap_or_default();
            let tests = format!(
                "{{\"test\": {{{script}\"workers\": 2, \"max_runs\": 3}}, \"one\": {{{script}\"max_runs\": 1}}}}"
            );
            load_test.write("good.json", &format!("{{\"molotov\": {{\"tests\": {tests}}}}}"));
            for (line, served) in [("--config good.json", 6), ("--config good.json one -w 4 -r 9", 4)] {
                // The name of the test takes the place of the script.
                let server = Server::new();
                let program = Program::new(&load_test.program, line).in_directory(load_test.path()).against(&server);
                let output = program.run().exited(0);
                assert_eq!((server.served(), output.totals()), (served, (served, 0)), "{line}: {output:#?}");
                let told = "warning: the test `one` in `good.json` overrides `--max-runs` of the command line";
                assert_eq!(output.stderr.contains(told), line.contains("-r 9"), "{line}: {output:#?}");
                assert!(!output.stderr.contains("--workers"), "{line}: {output:#?}");
            }
            for (text, line, told) in [
                ("{\"molotov\": {\"tests\": {\"test\": {\"workers\": \"two\"}}}}", "test", "bad.json:1:44"),
                ("{\"molotov\": {\"tests\": {\"tset\": {}}}}", "test", "did you mean `tset`?"),
                ("{\"molotov\": ", "test", "invalid JSON"),
            ] {
                load_test.write("bad.json", text);
                let line = format!("--config bad.json {line}");
                let output = Program::new(&load_test.program, &line).in_directory(load_test.path()).run().exited(2);
                assert!(output.stderr.starts_with("error: ") && output.stderr.contains(told), "{output:#?}");
            }
        },
        bad: &[("--config nowhere.json", 2, "cannot read the configuration `nowhere.json`")],
    },
    Row {
        option: "version",
        good: |load_test| {
            assert_eq!(load_test.run("--version").output.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"));
        },
        bad: &[("--version=1", 2, FLAG)],
    },
    Row {
        option: "help",
        good: |load_test| {
            assert!(load_test.run("-h").output.stdout.contains("Usage: "));
        },
        bad: &[("--help=1", 2, FLAG)],
    },
    Row {
        option: "debug",
        good: |load_test| {
            assert!(load_test.run("--debug -r 1").output.stderr.contains("DEBUG"));
            assert!(!load_test.run("-r 1").output.stderr.contains("DEBUG"));
        },
        bad: &[("--debug=1", 2, FLAG)],
    },
    Row {
        option: "verbose",
        good: |load_test| {
            let shown = load_test.run("-vv -r 1 -s cart").output.stdout;
            assert!(shown.contains("> GET ") && shown.contains("< ") && shown.contains("\"OK\""), "{shown}");
            let lines = |line: &str| load_test.run_at("/fail", line).output.stdout.lines().count();
            assert!(lines("-v -r 1 -s cart") > lines("-r 1 -s cart"), "-v shows where it failed");
        },
        bad: &[("--verbose=2", 2, "unexpected value '2' for"), ("-q -v", 1, "-q and -v at the same time")],
    },
    Row {
        option: "workers",
        good: |load_test| {
            for line in ["-w 3 -r 1", "-w3 -r1", "--workers=3 --max-runs=1", "--work 3 -r 1"] {
                let run = load_test.run(line);
                assert_eq!((run.server.served(), run.output.totals()), (3, (3, 0)), "{line}");
                assert!(run.output.stdout.contains("[W:2] Ran 1 scenarios"), "{line}");
            }
        },
        bad: &[("-w 0", 2, "'--workers <N>': the minimum is 1"), ("-w many", 2, "write a whole number")],
    },
    Row {
        option: "ramp-up",
        good: |load_test| {
            let arrivals = load_test.run("-w 3 -r 1 --ramp-up 0.9").server.arrivals();
            let after = |n: usize| (arrivals[n].at - arrivals[0].at).as_secs_f64();
            assert!((after(1) - 0.3).abs() < 0.2 && (after(2) - 0.6).abs() < 0.2, "{arrivals:?}");
        },
        bad: &[("--ramp-up nan", 2, "'--ramp-up <TIME>': write seconds")],
    },
    Row {
        option: "sizing",
        good: |load_test| {
            let shown = load_test.run("--sizing -w 3 --ramp-up 0.2 -d 0.5 --delay 0.01").output.stdout;
            let end =
                "Sizing was not finished. (failures stayed within the tolerance, with up to 3 workers)\n*** Bye ***\n";
            assert!(shown.ends_with(end), "{shown}");
            // One worker is as many as any other run has by default, but it was asked for.
            let shown = load_test.run("--sizing -w 1 --ramp-up 0.1 -d 0.2 --delay 0.01").output.stdout;
            assert!(shown.contains("with up to 1 workers)\n"), "{shown}");
        },
        bad: &[("--sizing=1", 2, FLAG)],
    },
    Row {
        option: "sizing-tolerance",
        good: |load_test| {
            let run = load_test.run_at("/fail", "--sizing --sizing-tolerance 99.5 -w 2 --ramp-up 0.1 --delay 0.001");
            assert!(run.output.stdout.contains("\nError Ratio 100.00 % obtained with "), "{:#?}", run.output);
        },
        bad: &[("--sizing-tolerance 100", 2, "from 0 to below 100"), ("--sizing-tolerance x", 2, "write a percentage")],
    },
    Row {
        option: "delay",
        good: |load_test| {
            let arrivals = load_test.run("-r 3 --delay 150ms").server.arrivals();
            assert!(
                arrivals.windows(2).all(|pair| pair[1].at - pair[0].at >= Duration::from_millis(149)),
                "{arrivals:?}"
            );
        },
        bad: &[("--delay inf", 2, "'--delay <TIME>': the maximum is 100 years")],
    },
    Row {
        option: "console-update",
        good: |load_test| {
            let shown = |update: &str| {
                let server = Server::new();
                let line = format!("-c -d 0.7 --delay 0.01 --console-update {update}");
                let output = load_test.program(&line, &server, "").on_terminal(100).run().exited(0);
                output.stdout.matches("SUCCESSES: ").count()
            };
            let (often, never) = (shown("0"), shown("1h"));
            assert!(often > 10 && never == 1, "{often} times, and {never}");
            // How often the screen is drawn changes no number.
            std::thread::scope(|threads| {
                for update in ["5", "0.2", "0"] {
                    threads.spawn(move || load_test.course_is_even(update));
                }
            });
        },
        bad: &[("--console-update x", 2, "'--console-update <TIME>': write seconds")],
    },
    Row {
        option: "processes",
        good: |load_test| {
            for line in ["-p 2 -w 2 -r 3", "--process 2 -w 2 -r 3"] {
                let run = load_test.run(line);
                assert_eq!((run.server.served(), run.output.totals()), (12, (12, 0)), "{line}");
                assert!(run.output.stdout.contains("Forking 2 processes\n"), "{:#?}", run.output);
            }
        },
        bad: &[("-p 0", 2, "'--processes <N>': the minimum is 1"), ("-p 5000", 2, "the maximum is 1024")],
    },
    Row {
        option: "duration",
        good: |load_test| {
            for line in ["-d 0.4", "--duration=400ms"] {
                let run = load_test.run(&format!("{line} --delay 0.01"));
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
        good: |load_test| {
            assert_eq!(load_test.run("-w 7 -r 5").server.served(), 35);
            assert!(load_test.run("-r 0 -d 0.3").server.served() > 5, "0 is no limit");
        },
        bad: &[("-r -1", 2, "'--max-runs <N>': the number cannot be negative")],
    },
    Row {
        option: "quiet",
        good: |load_test| {
            let Run { output, server } = load_test.run("-qr3");
            assert_eq!((output.stdout.as_str(), output.stderr.as_str(), server.served()), ("", "", 3));
        },
        bad: &[("--quiet=1", 2, FLAG), ("-qv", 1, "-q and -v at the same time")],
    },
    Row {
        option: "exception",
        good: |load_test| {
            let run = load_test.run_at("/fail-at/3", "-x -r 50");
            assert_eq!((run.output.code, run.output.totals(), run.server.served()), (Some(0), (2, 1), 3));
        },
        bad: &[("--exception=1", 2, FLAG)],
    },
    Row {
        option: "fail",
        good: |load_test| {
            for (line, code) in [("-f 3 -r 3", 1), ("--fail 4 -r 3", 0), ("-q -f 3 -r 3", 1)] {
                assert_eq!(load_test.run_at("/fail", line).output.code, Some(code), "{line}");
            }
        },
        bad: &[("-f few", 2, "'--fail <N>': write a whole number")],
    },
    Row {
        option: "console",
        good: |load_test| {
            let server = Server::new();
            let output = load_test.program("-c -r 2", &server, "").on_terminal(100).run().exited(0);
            // Lines in the order in which they come, and no other screen.
            assert!(output.stdout.contains("[W:0] Ran 2 scenarios"), "{output:#?}");
            assert!(!output.stdout.contains("\u{1b}[?1049h"), "{output:#?}");
        },
        bad: &[("--console=1", 2, FLAG)],
    },
    Row {
        option: "statsd",
        good: |load_test| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
            let address = socket.local_addr().expect("an address");
            load_test.run(&format!("-s cart -r 2 --statsd --statsd-address udp://{address}"));
            let mut packet = [0; 2_000];
            let length = socket.recv(&mut packet).expect("a packet");
            let text = String::from_utf8_lossy(&packet[..length]).into_owned();
            assert!(text.contains(".GET.127.0.0.1./ok/cart.200:1|c"), "{text}");
        },
        bad: &[("--statsd=1", 2, FLAG)],
    },
    Row {
        option: "statsd-address",
        good: |load_test| {
            // Alone it changes nothing; what it does is tried with `--statsd`.
            assert_eq!(load_test.run("--statsd-address udp://127.0.0.1:9 -r 1").server.served(), 1);
        },
        bad: &[
            ("--statsd --statsd-address tcp://localhost:1", 2, "not over `tcp://`"),
            ("--statsd --statsd-address udp://nowhere.invalid:1", 1, "`nowhere.invalid`, cannot be found"),
        ],
    },
    Row {
        option: "uvloop",
        good: |load_test| {
            if load_test.script.is_some() {
                let missing = load_test.run_at("", "--uvloop -r 1");
                assert_eq!((missing.output.code, missing.server.served()), (Some(1), 0), "{:#?}", missing.output);
                assert!(missing.output.stderr.contains("uvloop"), "{:#?}", missing.output);
                load_test.write("uvloop.py", "");
                let server = Server::new();
                let path = load_test.path().to_string_lossy().into_owned();
                let there = load_test.program("--uvloop -r 1", &server, "").env("PYTHONPATH", &path).run().exited(0);
                assert_eq!(server.served(), 1);
                let told = there.stdout + &there.stderr;
                assert_eq!(told.lines().filter(|line| line.contains("uvloop")).count(), 1, "{told}");
            } else {
                assert_eq!(load_test.run("--uvloop -r 1").server.served(), 1);
            }
        },
        bad: &[("--uvloop=1", 2, FLAG)],
    },
    Row {
        option: "use-extension",
        good: |load_test| {
            let witnessed = |line: &str| {
                let run = load_test.run(line);
                run.output.journal.iter().filter(|line| *line == "witnessed").count()
            };
            assert_eq!(witnessed("-r 3"), 0);
            assert_eq!(witnessed("--use-extension=witness -r 3"), 3);
            assert_eq!(witnessed("--use-extension witness -r 3"), 3);
            assert!(
                load_test
                    .run("-r 1 --use-extension=witness")
                    .output
                    .stdout
                    .starts_with("Loading extension 'witness'\n")
            );
            if let Some(script) = load_test.script {
                // It takes all that follows; the last is the script, then.
                let server = Server::new();
                let line = format!("-r 3 --use-extension witness.py {script}");
                let program = Program::new(&load_test.program, &line).in_directory(load_test.path()).against(&server);
                assert_eq!(program.run().exited(0).journal.len(), 3);
            }
        },
        bad: &[("--use-extension=nowhere", 1, "nowhere"), ("-r 1 --use-extension=", 2, "a value is required")],
    },
    Row {
        option: "force-shutdown",
        good: |load_test| {
            let run = load_test.run_at("/hold", "--force-shutdown -d 0.3 -w 2");
            assert_eq!((run.output.code, run.output.totals()), (Some(0), (0, 0)), "{:#?}", run.output);
            assert!(run.output.stdout.contains("2 scenarios were interrupted"), "{:#?}", run.output);
        },
        bad: &[("--force-shutdown=1", 2, FLAG)],
    },
    Row {
        option: "threads",
        good: |load_test| {
            for threads in [1, 3] {
                let server = Server::new();
                let line = format!("-w 6 -r 2 --threads {threads}");
                let output = load_test.program(&line, &server, "").env("DO", "threads").run().exited(0);
                assert_eq!(server.served(), 12);
                if load_test.script.is_none() {
                    let seen: BTreeSet<_> = output.journal.iter().filter(|line| line.starts_with("ThreadId")).collect();
                    assert_eq!(seen.len(), threads, "{seen:?}");
                }
            }
        },
        bad: &[("--threads 0", 2, "'--threads <N>': the minimum is 1")],
    },
    Row {
        option: "generate",
        good: |load_test| {
            let made = |kind: &str| {
                let output = Program::new(&load_test.program, &format!("--generate {kind}")).run().exited(0);
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
    Row {
        option: "seed",
        good: |load_test| {
            let picks = |seed: &str| {
                let run = load_test.run(&format!("-r 40 {seed}"));
                run.server.arrivals().into_iter().map(|arrival| arrival.path).collect::<Vec<_>>()
            };
            assert_eq!(picks("--seed 7"), picks("--seed 7"));
            assert_ne!(picks("--seed 7"), picks("--seed 8"));
        },
        bad: &[("--seed x", 2, "'--seed <N>': write a whole number")],
    },
    Row {
        option: "report",
        good: |load_test| {
            let run = load_test.run("-r 5 -q --report out.json --report out.html --report out.CSV");
            let read = |name: &str| fs::read_to_string(load_test.path().join(name)).expect("the report is there");
            let report: serde_json::Value = serde_json::from_str(&read("out.json")).expect("it is JSON");
            assert_eq!((&report["totals"]["successes"], run.server.served()), (&5.into(), 5));
            assert!(read("out.html").starts_with("<!DOCTYPE html>") && read("out.CSV").starts_with("at_s,"));
        },
        bad: &[
            ("--report out.txt", 2, "has no known format; name a file that ends in .json, .html or .csv"),
            ("--report nowhere/out.json", 2, "there is no directory `nowhere`"),
        ],
    },
    Row {
        option: "threshold",
        good: |load_test| {
            for (line, code, told) in [
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
                let run = load_test.run_at("", line);
                assert_eq!(run.output.code, Some(code), "{line}: {:#?}", run.output);
                assert!(run.output.stdout.contains(told), "{line}: {:#?}", run.output);
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
        option: "list",
        good: |load_test| {
            let run = load_test.run("--list");
            assert_eq!(run.server.served(), 0);
            assert!(["browse", "cart", "admire"].iter().all(|name| run.output.stdout.contains(name)));
        },
        bad: &[("--list=1", 2, FLAG)],
    },
    Row {
        option: "color",
        good: |load_test| {
            for (line, colored) in [("--color always", true), ("--color never", false), ("--color auto", false)] {
                let output = load_test.run_at("/fail", &format!("-r 1 {line}")).output;
                assert_eq!(output.stdout.contains('\u{1b}'), colored, "{line}: {output:#?}");
            }
        },
        bad: &[("--color pink", 2, "[possible values: auto, always, never]")],
    },
    Row {
        option: "timeout",
        good: |load_test| {
            let run = load_test.run_at("/hold", "-r 1 --timeout 0.2");
            assert_eq!((run.output.code, run.output.totals()), (Some(0), (0, 1)), "{:#?}", run.output);
            assert!(run.output.took >= Duration::from_millis(200));
        },
        bad: &[("--timeout 0", 2, "'--timeout <TIME>': the time must be longer than 0")],
    },
    Row {
        option: "show-secrets",
        good: |load_test| {
            for (line, shown) in [("", false), ("--show-secrets", true)] {
                let server = Server::new();
                let target = server.url().replace("http://", "http://ada:pa55@") + "/ok?token=t0ken&path=";
                let program = load_test.program(&format!("-r 1 -vv {line}"), &server, "").env("TARGET", &target);
                let output = program.run().exited(0);
                assert_eq!(server.arrivals()[0].authorization.as_deref(), Some("Basic YWRhOnBhNTU="));
                let told = |text: &str| output.stdout.contains(text) || output.stderr.contains(text);
                assert_eq!((told("t0ken"), told("YWRhOnBhNTU=")), (shown, shown), "{line}: {output:#?}");
                assert!(!told("pa55"), "{line}: {output:#?}");
            }
        },
        bad: &[("--show-secrets=1", 2, FLAG)],
    },
];

/// Checks that a redirect loop is one failed request, as often as it is requested.
///
/// # Panics
///
/// When it is counted otherwise.
pub fn redirect_loops_fail(load_test: &LoadTestProgram) {
    for line in ["-r 3", "-r 3 -p 2"] {
        let output = load_test.run_at("/loop", &format!("{line} -s browse --report loop.json")).output;
        let report = fs::read_to_string(load_test.path().join("loop.json")).expect("the report is there");
        let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
        let runs = if line.contains("-p 2") { 6 } else { 3 };
        assert_eq!(output.totals(), (0, runs), "{output:#?}");
        let requests = report["requests"].as_array().expect("a list");
        assert_eq!(requests.len(), 1, "{requests:#?}");
        let [ok, failed, statuses] = ["ok", "failed", "statuses"].map(|name| &requests[0][name]);
        assert_eq!((ok, failed), (&0.into(), &runs.into()), "{line}: {requests:#?}");
        assert_eq!(statuses, &serde_json::json!({}), "{line}");
    }
}
