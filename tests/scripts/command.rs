//! The `molotov` command with Python scripts: loading, fixtures, signals and asyncio.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "command/asyncio.rs"]
mod asyncio;
#[path = "command/signals.rs"]
mod signals;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Responds to every request with JSON, and counts requests. It responds to `/slow` after 200 ms, and never to `/never`.
struct Server {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, served) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counter = served.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let counter = counter.clone();
                thread::spawn(move || serve(stream.unwrap(), &counter));
            }
        });
        Server { address, served }
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, served: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    let (mut pending, mut chunk) = (Vec::new(), [0; 65536]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(read) => pending.extend_from_slice(&chunk[..read]),
        }
        // Waits until the body has arrived.
        while let Some(end) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&pending[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            let length: usize = length.unwrap_or(0);
            if pending.len() < end + 4 + length {
                break;
            }
            pending.drain(..end + 4 + length);
            served.fetch_add(1, Ordering::SeqCst);
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            match path.as_str() {
                "/slow" => thread::sleep(Duration::from_millis(200)),
                "/never" => continue,
                _ => {}
            }
            let answer =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{\"result\": \"OK\"}";
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// A temporary directory with scripts, and a server.
struct Scripts {
    directory: tempfile::TempDir,
    server: Server,
}

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

impl Scripts {
    fn new(scripts: &[(&str, &str)]) -> Scripts {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in scripts {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        Scripts { directory, server: Server::start() }
    }

    fn command(&self, line: &str) -> Command {
        self.program(env!("CARGO_BIN_EXE_molotov").into(), line)
    }

    fn program(&self, program: PathBuf, line: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(line.split(' ').filter(|word| !word.is_empty()))
            .current_dir(self.directory.path())
            .env_remove("COLUMNS")
            .env("TARGET", format!("http://{}/", self.server.address))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Run {
        Run::of(line, self.command(line).output().unwrap())
    }
}

#[derive(Debug)]
struct Run {
    #[expect(dead_code, reason = "shown where a test fails")]
    line: String,
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn of(line: &str, output: Output) -> Run {
        Run {
            line: line.to_owned(),
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ends(&self, code: i32, total: &str) {
        assert!(self.code == Some(code) && self.out.contains(total), "expected {code} and `{total}`: {self:#?}");
    }

    /// The number after a word in the line of totals.
    fn total(&self, of: &str) -> usize {
        let line = self.out.lines().find(|line| line.starts_with("SUCCESSES")).unwrap_or_else(|| panic!("{self:#?}"));
        let part = line.split(" | ").find_map(|part| part.strip_prefix(of)?.strip_prefix(": "));
        part.unwrap_or_else(|| panic!("{self:#?}")).parse().unwrap()
    }

    /// The number of interrupted scenarios.
    fn interrupted(&self) -> usize {
        let line = self.out.lines().find(|line| line.contains("interrupted by the end of the run"));
        line.map_or(0, |line| line.split(' ').next().unwrap().parse().unwrap())
    }
}

#[test]
fn help_and_version_exit_with_0() {
    let scripts = Scripts::new(&[]);
    let version = scripts.run("--version");
    assert_eq!((version.code, version.out.trim()), (Some(0), env!("CARGO_PKG_VERSION")));
    let help = scripts.run("--help");
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    assert!(help.out.contains("Usage: molotov [OPTIONS] [SCENARIO]"), "{help:#?}");
}

#[test]
fn invalid_command_lines_are_errors() {
    let scripts = Scripts::new(&[]);
    for (line, code, part) in
        [("-w 0", 2, "--workers"), ("--nope", 2, "--nope"), ("a.py b.py", 2, "b.py"), ("-q -v", 1, "-q and -v")]
    {
        let run = scripts.run(line);
        assert!(run.code == Some(code) && run.err.contains(part), "{run:#?}");
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
        let run = scripts.run(line);
        assert!(run.code == Some(code) && run.err.contains(part), "{run:#?}");
        assert!(!run.err.contains("molotov._loading"), "the traceback only shows the script: {run:#?}");
    }
}

#[test]
fn totals_equal_the_requests_of_the_server() {
    let scripts = Scripts::new(&[("loadtest.py", QUICK)]);
    let run = scripts.run("-c -w 20 -r 50");
    run.ends(0, "SUCCESSES: 1000 | FAILURES: 0");
    assert_eq!(scripts.server.served(), 1000);
    scripts.run("-c -w 3 --single-run").ends(0, "SUCCESSES: 6 | FAILURES: 0");
    scripts.run("-c -s two -r 4").ends(0, "SUCCESSES: 4 | FAILURES: 0");
    let quiet = scripts.run("-q -r 2");
    assert_eq!((quiet.code, quiet.out.as_str()), (Some(0), ""), "{quiet:#?}");
    let list = scripts.run("--list");
    assert!(list.out.contains("one") && list.out.contains("40.0 %") && list.out.contains("loadtest.py:5"), "{list:#?}");
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
    let run = scripts.run("-c -r 3 bad.py");
    run.ends(0, "SUCCESSES: 0 | FAILURES: 3");
    assert!(run.out.contains("ValueError: no good (at bad.py:5)"), "{run:#?}");
    let run = scripts.run("-c -v -r 1 bad.py");
    assert!(run.out.contains("raise ValueError(\"no good\")") && !run.out.contains("molotov."), "{run:#?}");
    scripts.run("-c -x -r 1000 bad.py").ends(0, "SUCCESSES: 0 | FAILURES: 1");
    scripts.run("-c -f 3 -r 3 bad.py").ends(1, "FAILURES: 3");
    scripts.run("-c -f 4 -r 3 bad.py").ends(0, "FAILURES: 3");
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
        let run = scripts.run(line);
        run.ends(0, "SUCCESSES: 1 | FAILURES: 0");
        let lines: Vec<_> = run.out.lines().filter(|line| !line.starts_with('[')).collect();
        let at =
            |text: &str| lines.iter().position(|line| *line == text).unwrap_or_else(|| panic!("`{text}`: {run:#?}"));
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
        assert!(order.map(at).is_sorted(), "{run:#?}");
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
    let run = scripts.run("-c -w 10 -r 100");
    run.ends(0, "SUCCESSES: 1000 | FAILURES: 0");
    let lines = |text: &str| run.out.lines().filter(|line| *line == text).count();
    assert_eq!((lines("one-two"), lines("started, finished")), (1000, 1000), "{run:#?}");
    assert_eq!((lines("while loading"), lines("no end of line"), lines("at exit")), (1, 1, 1), "{run:#?}");
    let kept = std::fs::read_to_string(scripts.directory.path().join("kept.txt")).unwrap();
    assert_eq!(kept.lines().count(), 1000);
    let quiet = scripts.run("-q -r 1");
    assert_eq!(quiet.out, "while loading\none-two\nstarted, finished\nno end of line\nat exit\n");
}

#[test]
fn a_crate_and_a_script_run_together() {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    let program = program.join("examples/mixed");
    let scripts = Scripts::new(&[("loadtest.py", QUICK)]);
    let line = "-c -w 4 --single-run loadtest.py";
    let run = Run::of(line, scripts.program(program.clone(), line).output().unwrap());
    run.ends(0, "SUCCESSES: 12 | FAILURES: 0");
    assert_eq!(scripts.server.served(), 12);
    let alone = Run::of("-c", scripts.program(program, "-c -w 4 --single-run").output().unwrap());
    alone.ends(0, "SUCCESSES: 4 | FAILURES: 0");
}
