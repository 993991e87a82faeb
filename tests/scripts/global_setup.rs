//! `global_setup`: changes of options, exits, and signals.

use std::time::Duration;

use molotov_tests::{Output, Running, wait_until};
use rustix::process::Signal;

use super::Scripts;

/// A script whose `global_setup` runs these statements.
fn doing(work: &str) -> Scripts {
    let script = format!(
        r#"
import asyncio, os, socket, sys, time
import molotov

@molotov.global_setup()
def init(args):
    {work}

@molotov.scenario()
async def one(session):
    pass

@molotov.global_teardown()
def finish():
    print("global_teardown")
"#
    );
    Scripts::new(&[("loadtest.py", &script)])
}

#[test]
fn changed_options_take_effect() {
    for (work, line, runs) in [
        ("args.max_runs = 3", "", 3),
        ("args.max_runs = 3", "-p 2", 6),
        ("args.max_runs, args.workers = 2, 5", "-r 9", 10),
        ("args.duration, args.max_runs = 0, None", "-r 9", 1),
        ("args.duration = '1s'; args.delay = 60; args.max_runs = 0", "-r 9", 1),
        ("args.single_run = True", "-r 9 -d 60", 1),
        ("args.processes = 1", "-p 2 -r 2", 2),
        ("args.processes = 2", "-r 2", 4),
        ("del args.workers", "-w 2 -r 2", 4),
        ("args.workers, args.mine = 2.0, object()", "-w 2 -r 2", 4),
        ("args.rate = '40/s'", "-d 0.5", 20),
        ("args.rate, args.duration, args.max_runs = '1200/m', 0.5, None", "-r 9", 10),
        ("args.rate, args.max_runs = None, 3", "--rate 40/s", 3),
        ("args.stage = ['0s:50/s', '200ms:50/s']; args.arrivals = 'even'", "-p 2", 10),
        ("args.stage.append('200ms:50/s')", "--stage 0s:50/s,200ms:50/s", 20),
    ] {
        let output = doing(work).program(&format!("{line} -c")).run().exited(0);
        assert_eq!(output.totals(), (runs, 0), "{work}: {output:#?}");
    }
}

/// A script with a fixture that runs once for all machines, which sets a variable to this value.
fn once(value: &str) -> Scripts {
    let script = format!(
        r#"
import molotov

@molotov.global_setup()
def everywhere(args):
    print("everywhere", molotov.get_var("token"))

@molotov.global_setup(once=True)
def once(args):
    molotov.set_var("token", {value})

@molotov.scenario()
async def one(session):
    print("one", molotov.get_var("token"))
"#
    );
    Scripts::new(&[("loadtest.py", &script)])
}

#[test]
fn a_fixture_that_runs_once_comes_first_and_its_variables_are_json() {
    for line in ["-r 1", "-r 1 -p 2"] {
        let output = once("{'a': (1, 2)}").program(&format!("{line} -c")).run().exited(0);
        for printed in ["everywhere {'a': [1, 2]}", "one {'a': [1, 2]}"] {
            assert!(output.stdout.contains(printed), "{line}: {output:#?}");
        }
    }
}

#[test]
fn a_variable_that_cannot_be_sent_to_other_machines_fails_the_fixture() {
    let output = once("object()").program("-r 1 -c").run().exited(1);
    let said = "the variable 'token' that `global_setup(once=True)` has set cannot be sent to other machines";
    assert!(output.stderr.contains(said), "{output:#?}");
}

#[test]
fn invalid_changes_are_rejected_and_useless_ones_warned_about() {
    for (work, said) in [
        (
            "args.workers = 'ten'",
            "`global_setup` set `args.workers` to 'ten': `workers` must be a number, but is a string",
        ),
        ("args.workers = 0", "`global_setup` set `args.workers` to 0: "),
        ("args.workers = 2.5", "`global_setup` set `args.workers` to 2.5: "),
        ("args.workers = None", "`global_setup` set `args.workers` to None: `workers` must be a number, but is null"),
        ("args.max_runs = -1", "`global_setup` set `args.max_runs` to -1: "),
        ("args.duration = 'soon'", "`global_setup` set `args.duration` to 'soon': "),
        ("args.duration = float('nan')", "`global_setup` set `args.duration` to nan: "),
        ("args.delay = {1}", "`global_setup` set `args.delay` to {1}: a value of the type `set` is not an option's"),
        ("args.rate = 5", "`global_setup` set `args.rate` to 5: `rate` must be a string, but is a number"),
        ("args.rate = 'fast'", "`global_setup` set `args.rate` to 'fast': `rate`: write a number and a unit of time"),
        (
            "args.rate = '5/s'",
            "`global_setup` changed the options: `--max-runs` counts the scenarios of each worker, but `args.rate`",
        ),
        (
            "args.stage, args.duration = '1s:5', 9",
            "`args.stage` already says how long the run lasts: leave out `args.duration`",
        ),
        ("args.arrivals = 'poisson'", "`args.arrivals` is about starts at a rate"),
    ] {
        for line in ["-r 1 -c", "-p 2 -r 1 -c"] {
            let output = doing(work).program(line).run().exited(1);
            assert!(output.stderr.contains(said), "{work}: {output:#?}");
            assert_eq!(output.totals(), (0, 0), "{work}: {output:#?}");
        }
    }
    let output = doing("args.quiet, args.report, args.max_runs = True, ['x.json'], 1").program("-c").run().exited(0);
    for name in ["quiet", "report"] {
        let said = format!("`global_setup` changed `args.{name}`, which has no effect: set it on the command line");
        assert!(output.stderr.contains(&said), "{output:#?}");
    }
}

#[test]
fn sys_exit_sets_the_exit_code() {
    for (work, code, said) in [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no service')", 1, "no service\n"),
        ("raise SystemExit(300)", 44, ""),
    ] {
        for line in ["-r 1 -c", "-p 2 -r 1 -c", "-r 1 -q"] {
            let output = doing(work).program(line).run().exited(code);
            assert!(!output.stdout.contains("global_teardown\n"), "{work}: {output:#?}");
            assert!(!output.stderr.contains("failed") && !output.stderr.contains("SystemExit"), "{work}: {output:#?}");
            assert!(output.stderr.contains(said), "{work}: {output:#?}");
        }
    }
}

#[test]
fn output_is_shown_while_global_setup_runs() {
    let work = "print('waiting')\n    while not os.path.exists('go'):\n        time.sleep(0.01)";
    for (line, columns) in [("-c -r 1", None), ("-c -r 1", Some(100)), ("-r 1", Some(100)), ("-c -p 2 -r 1", None)] {
        let scripts = doing(work);
        let program = scripts.program(line);
        let running = match columns {
            None => program.start(),
            Some(columns) => program.on_terminal(columns).start(),
        };
        running.wait_for("waiting");
        std::fs::write(scripts.directory.path().join("go"), "").unwrap();
        running.wait().exited(0);
    }
}

/// Statements that block: in a system call, in one that the system resumes, in the interpreter, in the event loop.
const BLOCKING: [&str; 4] = [
    "time.sleep(3600)",
    "ends = socket.socketpair(); ends[0].recv(1)",
    "while True: pass",
    "asyncio.get_event_loop().run_until_complete(asyncio.sleep(3600))",
];

/// Waits until the script has written a line, and its main thread sleeps or spins. Before a system call starts, Python notices a
/// signal only after the call. The script imports its modules first, since `KeyboardInterrupt` can be ignored during an import.
#[track_caller]
fn wait_until_it_blocks(running: &Running, entry: &str, spins: bool) {
    running.wait_for_journal(entry);
    let path = format!("/proc/{}/stat", running.id());
    let sleeps = || std::fs::read_to_string(&path).is_ok_and(|stat| stat.contains(") S "));
    wait_until("the script blocks", || spins || sleeps());
}

/// Sends signals once the script blocks, and waits until it ends.
#[track_caller]
fn ends_by(running: Running, work: &str, signals: &[Signal]) -> Output {
    wait_until_it_blocks(&running, "hanging", work == "while True: pass");
    signals.iter().for_each(|signal| running.signal(*signal));
    let output = running.wait();
    assert!(output.took < Duration::from_secs(20), "{output:#?}");
    output
}

#[test]
fn one_signal_interrupts_a_global_setup_that_blocks() {
    std::thread::scope(|threads| {
        for (work, signal, code) in [
            (BLOCKING[0], Signal::INT, 130),
            (BLOCKING[0], Signal::TERM, 143),
            (BLOCKING[0], Signal::HUP, 129),
            (BLOCKING[1], Signal::INT, 130),
            (BLOCKING[2], Signal::INT, 130),
            (BLOCKING[3], Signal::INT, 130),
        ] {
            threads.spawn(move || {
                for line in ["-c", "-c -p 2"] {
                    let scripts = doing(&format!("open(os.environ['JOURNAL'], 'a').write('hanging\\n')\n    {work}"));
                    let output = ends_by(scripts.program(line).start(), work, &[signal]).exited(code);
                    let said = "`global_setup` was interrupted: KeyboardInterrupt (at loadtest.py:8)";
                    assert!(output.stdout.contains(said), "{work} {line}: {output:#?}");
                    assert!(!output.stdout.contains("global_teardown\n"), "{work} {line}: {output:#?}");
                }
            });
        }
    });
}

#[test]
fn a_caught_signal_stops_the_run() {
    let work = "try:\n        open(os.environ['JOURNAL'], 'a').write('hanging\\n')\n        time.sleep(3600)\n    \
                except KeyboardInterrupt:\n        print('caught')";
    for line in ["-c", "-c -p 2"] {
        let output = ends_by(doing(work).program(line).start(), work, &[Signal::INT]).exited(0);
        let ended = "The run was interrupted before it began. No scenario ended.\n";
        for said in ["caught\n", "Stopping before the start\n", "global_teardown\n", ended] {
            assert!(output.stdout.contains(said), "{output:#?}");
        }
        assert_eq!(output.totals(), (0, 0), "{output:#?}");
    }
}

#[test]
fn a_second_signal_ends_the_process_if_the_first_is_ignored() {
    let work = "said = 'hanging'\n    while True:\n        try:\n            \
                open(os.environ['JOURNAL'], 'a').write(said + '\\n')\n            time.sleep(3600)\n        \
                except KeyboardInterrupt:\n            said = 'ignored'";
    for line in ["-c", "-c -p 2"] {
        let scripts = doing(work);
        let running = scripts.program(line).start();
        wait_until_it_blocks(&running, "hanging", false);
        running.interrupt();
        running.wait_for_journal("ignored");
        running.interrupt();
        running.wait().exited(130);
    }
}

#[test]
fn one_signal_ends_a_script_that_blocks_at_import() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for work in if code == 130 { &BLOCKING[..] } else { &BLOCKING[..1] } {
            let script = format!(
                "import asyncio, os, socket, time\nopen(os.environ['JOURNAL'], 'a').write('hanging\\n')\n{work}\n"
            );
            let scripts = Scripts::new(&[("loadtest.py", &script)]);
            ends_by(scripts.program("-c").start(), work, &[signal]).exited(code);
        }
    }
}

#[test]
fn the_second_signal_interrupts_a_global_teardown_that_blocks() {
    std::thread::scope(|threads| {
        for work in BLOCKING {
            threads.spawn(move || {
                for line in ["-c -r 1", "-c -r 1 -p 2"] {
                    let script = format!(
                        "import asyncio, os, socket, time, molotov\n\n@molotov.scenario()\nasync def one(session):\n    pass\n\n\
                         @molotov.global_teardown()\ndef finish():\n    open(os.environ['JOURNAL'], 'a').write('hanging\\n')\n    {work}\n"
                    );
                    let scripts = Scripts::new(&[("loadtest.py", &script)]);
                    // The system delivers two pending signals of the same kind as one.
                    let output = ends_by(scripts.program(line).start(), work, &[Signal::INT, Signal::TERM]).exited(0);
                    let said = "`global_teardown` was interrupted: KeyboardInterrupt (at loadtest.py:10)";
                    assert!(output.stdout.contains(said), "{work} {line}: {output:#?}");
                }
            });
        }
    });
}
