//! The `molotov` command: its options, loading, fixtures, output and exit codes.

use molotov_tests::Program;

use super::{MOLOTOV, Scripts};

const QUICK: &str = r#"
import os
import molotov

@molotov.scenario(weight=40)
async def one(session):
    async with session.get(os.environ["TARGET"]) as response:
        assert (await response.json())["result"] == "OK"

@molotov.scenario(weight=60)
async def two(session):
    async with session.get(os.environ["TARGET"]) as response:
        assert response.status == 200
"#;

const FAILING: &str = r#"
import asyncio
import molotov

@molotov.scenario()
async def broken(session):
    await asyncio.sleep(0.05)
    1 / 0
"#;

#[test]
fn help_and_version_exit_with_0() {
    let version = Program::new(MOLOTOV, "--version").run().exited(0);
    assert_eq!(version.stdout.trim(), env!("CARGO_PKG_VERSION"));
    let help = Program::new(MOLOTOV, "--help").run().exited(0);
    assert_eq!(help.stderr, "");
    assert!(help.stdout.contains("Usage: molotov [OPTIONS] [SCENARIO]"), "{help:#?}");
}

#[test]
fn invalid_command_lines_are_errors() {
    for (line, code, part) in
        [("-w 0", 2, "--workers"), ("--nope", 2, "--nope"), ("a.py b.py", 2, "b.py"), ("-q -v", 1, "-q and -v")]
    {
        let output = Program::new(MOLOTOV, line).run().exited(code);
        assert!(output.stderr.contains(part), "{output:#?}");
    }
}

#[test]
fn scripts_that_cannot_be_loaded_are_errors() {
    let scripts = Scripts::new(&[
        ("wrong.py", "def broken(:\n"),
        ("missing.py", "import a_module_that_is_not_there\n"),
        ("empty.py", "x = 1\n"),
        ("exits.py", "import sys\nsys.exit(7)\n"),
        ("plain.py", "import molotov\n@molotov.scenario()\ndef one(session):\n    pass\n"),
        ("negative.py", "import molotov\n@molotov.scenario(weight=-1)\nasync def one(session):\n    pass\n"),
    ]);
    for (line, code, part) in [
        ("nowhere.py", 1, "Cannot import 'nowhere.py'"),
        ("", 1, "Cannot import 'loadtest.py'"),
        ("wrong.py", 1, "SyntaxError"),
        ("missing.py", 1, "missing.py\", line 1"),
        ("empty.py", 1, "You need at least one scenario. No scenario was found"),
        ("exits.py", 7, ""),
        ("plain.py", 1, "TypeError"),
        ("negative.py", 1, "has the weight -1"),
        ("--use-extension nope.py empty.py", 1, "Cannot import the extension 'nope.py'"),
    ] {
        let output = scripts.program(line).run().exited(code);
        assert!(output.stderr.contains(part), "{output:#?}");
        assert!(!output.stderr.contains("molotov._loading"), "the traceback only shows the script: {output:#?}");
    }
}

#[test]
fn totals_equal_the_requests_of_the_server() {
    let scripts = Scripts::new(&[("loadtest.py", QUICK)]);
    let run = |line: &str| scripts.program(line).run().exited(0);
    assert_eq!(run("-c -w 20 -r 50").totals(), (1000, 0));
    assert_eq!(scripts.server.served(), 1000);
    assert_eq!(run("-c -w 3 --single-run").totals(), (6, 0));
    assert_eq!(run("-c -s two -r 4").totals(), (4, 0));
    assert_eq!(run("-q -r 2").stdout, "");
    let list = run("--list");
    for part in ["one", "40.0 %", "loadtest.py:5"] {
        assert!(list.stdout.contains(part), "no {part:?}: {list:#?}");
    }
}

#[test]
fn failures_are_reported_and_set_the_exit_code() {
    let script = r#"
import molotov
@molotov.scenario()
async def fails(session):
    raise ValueError("no good")
"#;
    let scripts = Scripts::new(&[("bad.py", script)]);
    let run = |line: &str, code| scripts.program(line).run().exited(code);
    let output = run("-c -r 3 bad.py", 0);
    assert_eq!(output.totals(), (0, 3));
    assert!(output.stdout.contains("ValueError: no good (at bad.py:5)"), "{output:#?}");
    let output = run("-c -v -r 1 bad.py", 0);
    let shown = output.stdout.contains("raise ValueError(\"no good\")");
    assert!(shown && !output.stdout.contains("molotov."), "{output:#?}");
    assert_eq!(run("-c -x -r 1000 bad.py", 0).totals(), (0, 1));
    assert_eq!(run("-c -f 3 -r 3 bad.py", 1).totals(), (0, 3));
    assert_eq!(run("-c -f 4 -r 3 bad.py", 0).totals(), (0, 3));
}

#[test]
fn a_log_of_many_failing_workers_is_short() {
    let scripts = Scripts::new(&[("loadtest.py", FAILING)]);
    for line in ["-w 100", "-p 2 -w 50"] {
        let output = scripts.program(&format!("{line} -d 1.3 --console-update 1")).run().exited(0);
        let text = &output.stdout;
        let progress: Vec<_> = text.lines().filter(|line| line.starts_with("[1s] 100 workers | ")).collect();
        assert!(progress.len() == 1 && progress[0].contains(" failures (100 %)"), "{text}");
        assert!(text.contains(" x ZeroDivisionError in broken: division by zero\n"), "{text}");
        assert_eq!(text.matches("[W:").count(), 1, "the first failure: {text}");
        assert!(text.lines().count() <= 40, "{text}");
    }
}

#[test]
fn fixtures_and_extensions_run_in_order() {
    let script = r#"
import molotov
@molotov.global_setup()
def begin(args):
    print("global_setup", args.workers, args.max_runs)
@molotov.setup()
async def setup(worker, args):
    print("setup", worker)
    return {"headers": {"X-Own": "1"}}
@molotov.setup_session()
async def opened(worker, session):
    session.mark = "kept"
    molotov.get_context(session).attach("number", 5)
@molotov.scenario()
async def one(session):
    context = molotov.get_context(session)
    print("scenario", session.mark, context.number, context.worker_id, context.step)
    session.print("by the session")
@molotov.teardown_session()
async def closing(worker, session):
    print("teardown_session", worker, session.closed)
@molotov.teardown()
def teardown(worker):
    print("teardown", worker)
@molotov.global_teardown()
def end():
    print("global_teardown")
"#;
    let extension = "import molotov\n@molotov.events()\nasync def heard(event, **info):\n    if event == 'scenario_success':\n        print('heard', info['scenario']['name'])\n";
    let scripts = Scripts::new(&[("loadtest.py", script), ("ears.py", extension)]);
    for line in ["-c -r 1 --use-extension ears.py -w 1", "-c -r 1 --use-extension ears.py loadtest.py"] {
        let output = scripts.program(line).run().exited(0);
        let lines: Vec<_> = output.stdout.lines().filter(|line| !line.starts_with('[')).collect();
        let at = |text: &str| {
            lines.iter().position(|line| *line == text).unwrap_or_else(|| panic!("no `{text}`: {output:#?}"))
        };
        let order = [
            "Loading extension 'ears.py'",
            "global_setup 1 1",
            "Preparing 1 worker...",
            "setup 0",
            "scenario kept 5 0 1",
            "by the session",
            "heard one",
            "teardown_session 0 False",
            "teardown 0",
            "global_teardown",
            "SUCCESSES: 1 | FAILURES: 0",
        ];
        assert!(order.map(at).is_sorted(), "{output:#?}");
    }
}

#[test]
fn all_output_of_a_script_is_shown() {
    let script = r#"
import atexit
import sys
import molotov
kept = open("kept.txt", "w")
atexit.register(lambda: print("at exit"))
print("while loading")
@molotov.scenario()
async def writes(session):
    kept.write("a line\n")
    print("one", "two", sep="-")
    print("started, ", end="")
    sys.stdout.write("finished\n")
    sys.stdout.buffer.flush()
@molotov.global_teardown()
def end():
    print("no end of line", end="")
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let output = scripts.program("-c -w 10 -r 100").run().exited(0);
    let lines = |text: &str| output.stdout.lines().filter(|line| *line == text).count();
    assert_eq!((lines("one-two"), lines("started, finished")), (1000, 1000), "{output:#?}");
    assert_eq!((lines("while loading"), lines("no end of line"), lines("at exit")), (1, 1, 1), "{output:#?}");
    assert_eq!(scripts.written("kept.txt").lines().count(), 1000);
    let quiet = scripts.program("-q -r 1").run().exited(0);
    assert_eq!(quiet.stdout, "while loading\none-two\nstarted, finished\nno end of line\nat exit\n");
}

#[test]
fn a_crate_and_a_script_run_together() {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    let program = program.join("examples/mixed");
    let scripts = Scripts::new(&[("loadtest.py", QUICK)]);
    let run = |line: &str| {
        let program = Program::new(program.to_str().unwrap(), line).in_directory(scripts.directory.path());
        program.against(&scripts.server).run().exited(0)
    };
    assert_eq!(run("-c -w 4 --single-run loadtest.py").totals(), (12, 0));
    assert_eq!(scripts.server.served(), 12);
    assert_eq!(run("-c -w 4 --single-run").totals(), (4, 0));
}
