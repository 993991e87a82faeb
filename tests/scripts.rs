//! Python scripts with the options that go beyond one process: processes, sizing, statsd, extensions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "scripts/cookies.rs"]
mod cookies;
#[path = "scripts/documentation.rs"]
mod documentation;
#[path = "scripts/event_loop.rs"]
mod event_loop;
#[path = "scripts/fallback.rs"]
mod fallback;
#[path = "scripts/global_setup.rs"]
mod global_setup;
#[path = "scripts/mistakes.rs"]
mod mistakes;
#[path = "scripts/nested.rs"]
mod nested;
#[path = "scripts/options.rs"]
mod options;
#[path = "scripts/peers.rs"]
mod peers;
#[path = "scripts/printing.rs"]
mod printing;
#[path = "scripts/uploads.rs"]
mod uploads;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

use molotov_tests::{
    LoadTestProgram, Output, Program, Ramp, Server, Tmux, every_option, few_threads_are_a_clear_error, found,
    redirect_loops_fail, wait_until,
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const MOLOTOV: &str = env!("CARGO_BIN_EXE_molotov");

/// A directory with scripts, and a server for them.
struct Scripts {
    directory: tempfile::TempDir,
    server: Server,
}

impl Scripts {
    fn new(scripts: &[(&str, &str)]) -> Scripts {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in scripts {
            fs::write(directory.path().join(name), text).unwrap();
        }
        Scripts { directory, server: Server::new() }
    }

    fn program(&self, line: &str) -> Program {
        Program::new(MOLOTOV, line).in_directory(self.directory.path()).against(&self.server)
    }

    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap()
    }
}

fn lives(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

#[test]
fn every_option_does_what_it_says() {
    every_option(&LoadTestProgram::python(MOLOTOV));
}

#[test]
fn another_package_of_the_same_name_on_the_path_is_not_loaded() {
    let script = "import molotov\n\n\n@molotov.scenario()\nasync def one(session):\n    assert molotov.get_context\n";
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let other = scripts.directory.path().join("other");
    fs::create_dir_all(other.join("molotov")).unwrap();
    for name in ["__init__.py", "run.py", "session.py"] {
        fs::write(other.join("molotov").join(name), "raise RuntimeError('the other molotov')\n").unwrap();
    }
    let program = scripts.program("-c --single-run loadtest.py").env("PYTHONPATH", other.to_str().unwrap());
    assert_eq!(program.run().exited(0).totals(), (1, 0));
}

#[test]
fn a_pause_uses_up_no_duration() {
    let server = Server::new();
    let tmux = Tmux::new(120, 30, &server, &[]);
    let script = "import molotov, os\n\n@molotov.scenario(delay=0.02)\nasync def one(session):\n    \
                  await session.get(os.environ['TARGET'] + '/ok')\n";
    fs::write(tmux.path().join("loadtest.py"), script).unwrap();
    tmux.line(&format!("{MOLOTOV} -p 2 -w 2 -d 100 loadtest.py"));
    wait_until("it runs", || server.served() > 5);
    tmux.wait_for("PROCESSES: 2");
    tmux.key("p");
    tmux.wait_for("paused");
    tmux.duration_stands_still();
    let before = server.served();
    tmux.key("p");
    wait_until("it goes on", || server.served() > before + 5);
    tmux.key("q");
    tmux.wait_for("paused) ·");
    tmux.wait_for("*** Bye ***");
}

#[test]
fn a_redirect_loop_is_one_failed_request() {
    redirect_loops_fail(&LoadTestProgram::python(MOLOTOV));
}

const COUNTING: &str = r#"
import os
import molotov

PARENT = os.getpid()
COUNT = 0

@molotov.global_setup()
def init(args):
    molotov.set_var("made", {"by": os.getpid()})
    print("global_setup", args.processes)

@molotov.scenario()
async def one(session):
    global COUNT
    COUNT += 1
    async with session.get(os.environ["TARGET"] + "/ok/%d" % os.getpid()) as response:
        assert (await response.json())["result"] == "OK"
    assert molotov.get_var("made") == {"by": PARENT}

@molotov.teardown()
def end(worker):
    if worker == 0:
        print("counted", COUNT)

@molotov.global_teardown()
def finish():
    print("in the parent", COUNT, os.getpid() == PARENT)
"#;

#[test]
fn every_run_of_every_process_is_counted() {
    let scripts = Scripts::new(&[("loadtest.py", COUNTING)]);
    let output = scripts.program("-p 4 -w 50 -r 20 -c").run().exited(0);
    assert_eq!((scripts.server.served(), output.totals()), (4_000, (4_000, 0)), "{output:#?}");
    let counts = scripts.server.counts();
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [1_000; 4], "{counts:?}");
    for pid in counts.keys().map(|path| path.rsplit('/').next().unwrap()) {
        assert!(output.stdout.contains(&format!("[P:{pid}] [W:49] Ran 20 scenarios")), "{output:#?}");
    }
    let printed = |text: &str| output.stdout.lines().filter(|line| line.ends_with(text)).count();
    assert_eq!((printed("global_setup 4"), printed("in the parent 0 True")), (1, 1), "{output:#?}");
    assert_eq!(output.stdout.matches("\ncounted ").count(), 4, "{output:#?}");
}

#[test]
fn a_process_that_is_killed_is_told_and_the_others_go_on() {
    let scripts = Scripts::new(&[("loadtest.py", COUNTING)]);
    let running = scripts.program("-p 4 -w 50 -r 20 --delay 0.1 -c --console-update 10").start();
    wait_until("the run is under way", || scripts.server.served() > 1_200);
    let children = running.children();
    let killed = children[2];
    kill_process(Pid::from_raw(killed).unwrap(), Signal::KILL).unwrap();
    running.wait_for(&format!("the process {killed} was killed by SIGKILL"));
    let output = running.wait().exited(1);
    let mut counts = scripts.server.counts();
    let of_the_killed = counts.remove(&format!("/ok/{killed}")).unwrap();
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [1_000; 3], "{counts:?}");
    let (ok, failed) = output.totals();
    // Up to 50 requests were under way, and up to a fifth of a second of 500 runs a second was not reported.
    let kept = ok - 3_000;
    assert!(failed == 0 && kept <= of_the_killed && kept + 250 >= of_the_killed, "{kept} of {of_the_killed}");
    assert!(!children.iter().any(|pid| lives(*pid)), "a process is left");
    let note = format!("Counts of process 2 (pid {killed}) are incomplete since ");
    assert!(output.stdout.contains(&note), "{output:#?}");
    assert!(output.stdout.contains("in the parent 0 True"), "{output:#?}");
}

#[test]
fn a_stopped_process_reports_when_the_run_is_forced_down() {
    let scripts = Scripts::new(&[("loadtest.py", COUNTING)]);
    let running = scripts.program("-p 2 -w 5 --delay 0.02 -c --console-update 10").start();
    wait_until("the run is under way", || scripts.server.served() > 50);
    let stopped = running.children()[1];
    kill_process(Pid::from_raw(stopped).unwrap(), Signal::STOP).unwrap();
    running.wait_for(&format!("the process {stopped} is stopped and generates no load"));
    running.interrupt();
    running.wait_for("Stopping");
    running.interrupt();
    let output = running.wait().exited(0);
    let ((ok, failed), served) = (output.totals(), scripts.server.served());
    assert!(failed == 0 && ok <= served && ok + 10 >= served, "{ok} of {served}: {output:#?}");
    assert!(!output.stdout.contains("incomplete"), "{output:#?}");
}

#[test]
fn a_parent_that_dies_leaves_no_orphan() {
    let script = r#"
import asyncio, molotov, time, os
@molotov.scenario()
async def waits(session):
    await session.get(os.environ["TARGET"] + "/hold/it")
@molotov.scenario()
async def busy(session):
    await session.get(os.environ["TARGET"] + "/ok/it")
    while True:
        time.sleep(0.01)
"#;
    for (scenario, workers) in [("waits", 5), ("busy", 1)] {
        let scripts = Scripts::new(&[("loadtest.py", script)]);
        let running = scripts.program(&format!("-p 2 -w {workers} -s {scenario} -q")).start();
        wait_until("all workers work", || scripts.server.served() == 2 * workers);
        let children = running.children();
        assert_eq!(children.len(), 2);
        running.signal(Signal::KILL);
        assert_eq!(running.wait().code, None);
        wait_until("no process is left", || !children.iter().any(|pid| lives(*pid)));
    }
}

/// Every line that is whole, by its process, with how often.
fn whole_lines(text: &str) -> BTreeMap<&str, usize> {
    let mut of = BTreeMap::new();
    for line in text.lines() {
        let (pid, rest) = line.split_once(' ').unwrap_or_else(|| panic!("a torn line: {line:?}"));
        assert!(rest.starts_with("told of ") && rest.ends_with(" to the end"), "a torn line: {line:?}");
        *of.entry(pid).or_default() += 1;
    }
    of
}

#[test]
fn an_extension_writes_to_one_file_from_all_processes() {
    let extension = r#"
import os
import molotov
lines = open("lines.txt", "w", buffering=1)
blocks = open("blocks.txt", "w")
@molotov.events()
async def write(event, **info):
    if event != "current_workers":
        text = "%d told of %s to the end\n" % (os.getpid(), event)
        lines.write(text)
        blocks.write(text)
"#;
    for processes in [1, 2, 4] {
        let scripts = Scripts::new(&[("loadtest.py", COUNTING), ("extension.py", extension)]);
        let line = format!("--use-extension extension.py -p {processes} -w 10 -r 20 -c");
        let output = scripts.program(&line).run().exited(0);
        assert!(output.stdout.starts_with("Loading extension 'extension.py'\n"), "{output:#?}");
        // The start of a scenario, its request, its response, its success.
        let runs = processes * 200;
        for file in ["lines.txt", "blocks.txt"] {
            let text = scripts.written(file);
            let counts = match file {
                "lines.txt" => whole_lines(&text),
                // Blocks of several processes may cut each other's lines, and lose none of their bytes.
                _ if processes > 1 => {
                    let bytes: usize = text.len();
                    assert_eq!(bytes, scripts.written("lines.txt").len(), "{file}");
                    continue;
                }
                _ => whole_lines(&text),
            };
            assert_eq!((counts.len(), counts.values().sum::<usize>()), (processes, 4 * runs), "{file}");
        }
    }
}

#[test]
fn sizing_finds_the_capacity() {
    let script = r#"
import os
import molotov
@molotov.scenario()
async def borne(session):
    async with session.get(os.environ["TARGET"] + "/bear/" + os.environ["CAPACITY"]) as response:
        assert response.status == 200
"#;
    let size = |capacity: usize, processes: usize| {
        let (workers, seconds) = (120, 24.0);
        let ramp = Ramp { capacity: capacity as f64, slope: workers as f64 / seconds, tolerance: 0.05 };
        let scripts = Scripts::new(&[("loadtest.py", script)]);
        let line = format!("--sizing -p {processes} -w {} --ramp-up {seconds} -c", workers / processes);
        let output = scripts.program(&line).env("CAPACITY", &capacity.to_string()).run().exited(0);
        let (found, expected) = (found(&output.stdout), ramp.workers());
        assert!((found - expected).abs() <= 0.15 * expected, "{found} instead of {expected}: {}", output.stdout);
    };
    thread::scope(|threads| {
        for (capacity, processes) in [(15, 1), (30, 1), (50, 1), (40, 2)] {
            threads.spawn(move || size(capacity, processes));
        }
    });
}

#[test]
fn statsd_is_told_of_every_request_and_of_the_scripts_own_metrics() {
    let script = r#"
import os
import molotov
@molotov.scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/ok/a%20b") as response:
        await response.read()
    statsd = molotov.get_context(session).statsd
    if "--statsd" not in os.environ["LINE"]:
        assert statsd is None
        return
    statsd.increment("bought", value=2)
    statsd.incr("seen")
    statsd.decrement("stock")
    statsd.gauge("load", value=3.5, tags={"a": "b"})
    statsd.timing("took", value=12.5)
    statsd.histogram("size", value=3)
    with statsd.timeit("block"):
        pass
    await statsd.timeit_task(response.text(), "task")
    statsd.increment("odd:na|me", value=1, tags={"x|y": "1,2"})
"#;
    for (line, runs) in [("-w 2 -r 10 -q", 20), ("-p 2 -w 2 -r 10 -q", 40)] {
        let scripts = Scripts::new(&[("loadtest.py", script)]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let line = format!("{line} --statsd --statsd-address udp://{}", socket.local_addr().unwrap());
        scripts.program(&line).env("LINE", &line).run().exited(0);
        let (mut packet, mut text) = ([0; 65_536], String::new());
        // The program has ended: all that it sent is in the socket.
        while let Ok(length) = socket.recv(&mut packet) {
            text.push_str(std::str::from_utf8(&packet[..length]).unwrap().trim_end());
            text.push('\n');
        }
        let count = |line: &str| text.lines().filter(|one| *one == line).count();
        for metric in [
            "bought:2|c",
            "seen:1|c",
            "stock:-1|c",
            "load:3.5|g|#a:b",
            "took:12.5|ms",
            "size:3|h",
            "odd_na_me:1|c|#x_y:1_2",
        ] {
            assert_eq!(count(metric), runs, "{metric}: {text}");
        }
        let ends = |end: &str| text.lines().filter(|line| line.starts_with("molotov.") && line.ends_with(end)).count();
        assert_eq!((ends(".GET.127.0.0.1./ok/a_b.200:1|c"), ends("|ms")), (runs, runs), "{text}");
        let starts = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!((starts("block:"), starts("task:")), (runs, runs), "{text}");
        assert_eq!(scripts.server.served() as usize, runs);
    }
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let output: Output = scripts.program("-r 1 -q -f 1").env("LINE", "").run();
    assert_eq!(output.code, Some(0), "{output:#?}");
}

#[test]
fn random_numbers_differ_between_processes() {
    let script = r#"
import molotov, random
random.random()
@molotov.scenario()
async def one(session):
    print("drawn", random.random())
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let output = scripts.program("-p 3 -r 2 -c").run().exited(0);
    let drawn: BTreeSet<_> =
        output.stdout.lines().filter_map(|line| line.split_once("drawn ")).map(|line| line.1).collect();
    assert_eq!(drawn.len(), 6, "{output:#?}");
}

/// How long a process has used a CPU or waited for one, by its main thread.
fn wanted_a_cpu(pid: i32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    let mut nanos = text.split_whitespace().map(|number| number.parse().unwrap());
    Duration::from_nanos(nanos.next().unwrap()) + Duration::from_nanos(nanos.next().unwrap())
}

/// Nothing that they share holds up two processes: each wants a CPU all the time. On an idle machine that is twice the throughput of
/// one; what other programs take from them is no matter here.
#[test]
fn throughput_of_two_processes_is_twice_that_of_one() {
    let script = r#"
import molotov
said = []
@molotov.scenario()
async def busy(session):
    if not said:
        said.append(print("busy", flush=True))
    sum(number * number for number in range(20_000))
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let running = scripts.program("-p 2 -w 1 -d 1h -c").start();
    wait_until("both processes are busy", || running.written().matches("busy").count() == 2);
    let children = running.children();
    assert_eq!(children.len(), 2);
    let (started, before) = (Instant::now(), children.iter().map(|pid| wanted_a_cpu(*pid)).collect::<Vec<_>>());
    wait_until("they have worked for a while", || started.elapsed() > Duration::from_secs(1));
    for (pid, before) in children.into_iter().zip(before) {
        let (wanted, passed) = (wanted_a_cpu(pid) - before, started.elapsed());
        assert!(wanted > passed.mul_f64(0.9), "one process wanted a CPU for {wanted:?} of {passed:?}");
    }
    running.interrupt();
    assert!(running.wait().exited(0).totals().0 > 6);
}

#[test]
fn a_failure_is_told_in_full_where_the_directory_is_gone() {
    let scripts = Scripts::new(&[(
        "loadtest.py",
        r#"
import os, tempfile
import molotov

@molotov.global_setup()
def leave(args):
    gone = tempfile.mkdtemp()
    os.chdir(gone)
    os.rmdir(gone)

@molotov.scenario()
async def fails(session):
    raise ValueError("no luck")
"#,
    )]);
    let output = scripts.program("loadtest.py -c --single-run").run();
    assert!(output.stdout.contains("`fails` failed: ValueError: no luck (at "), "{output:?}");
    assert!(output.stdout.contains("loadtest.py:13)"), "{output:?}");
    assert!(output.stdout.contains("1 × ValueError in fails"), "{output:?}");
}

#[test]
fn what_only_aiohttp_can_do_says_so_where_it_is_missing() {
    let script = r#"
import molotov

@molotov.scenario()
async def one(session):
    await session.post("http://127.0.0.1:1/", data=b"x", expect100=True)
"#;
    // As if it were not installed, wherever it may be.
    let missing = "raise ModuleNotFoundError(\"No module named 'aiohttp'\", name='aiohttp')\n";
    let scripts = Scripts::new(&[("loadtest.py", script), ("aiohttp.py", missing)]);
    let output = scripts.program("-c -r 1").run().exited(0);
    assert_eq!(output.totals(), (0, 1));
    assert!(output.stdout.contains("only aiohttp itself can do that, and it is not installed"), "{output:#?}");
    assert!(output.stdout.contains("pip install aiohttp"), "{output:#?}");
}

const SECRETIVE: &str = r#"
import os
import molotov

@molotov.scenario()
async def one(session):
    url = os.environ["TARGET"].replace("http://", "http://ada:pa55@") + "/fail/one?token=t0ken"
    async with session.get(url, headers={"Cookie": "id=c00kie"}) as response:
        response.raise_for_status()

@molotov.scenario()
async def two(session):
    raise ValueError("http://ada:pa55@localhost/?token=t0ken")
"#;

#[test]
fn secrets_of_scripts_are_shown_nowhere_unless_asked_for() {
    for (line, shown) in [("", false), ("-p 2", false), ("--show-secrets", true)] {
        let scripts = Scripts::new(&[("loadtest.py", SECRETIVE)]);
        let output = scripts.program(&format!("--single-run -vv --report out.json {line}")).run().exited(0);
        let all = format!("{}{}{}", output.stdout, output.stderr, scripts.written("out.json"));
        for secret in ["t0ken", "pa55", "c00kie", "YWRhOnBhNTU="] {
            assert_eq!(all.contains(secret), shown, "{line}: {secret} in\n{all}");
        }
        assert_eq!(all.contains("token=***"), !shown, "{line}: {all}");
        assert_eq!(scripts.server.arrivals()[0].authorization.as_deref(), Some("Basic YWRhOnBhNTU="));
    }
}

/// What a server does to a script's requests, and what the script gets: the limit of a body is 1 MiB.
#[test]
fn a_hostile_server_fails_requests_and_nothing_else() {
    const SCRIPT: &str = r#"
import asyncio, gzip, json, resource, socketserver, threading

import molotov

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
BOMB = gzip.compress(bytes(4 << 20))
FOREVER = b"10000\r\n" + bytes(65536) + b"\r\n"


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            line = self.rfile.readline()
            if not line:
                return
            path = line.split()[1].decode()
            while self.rfile.readline().strip():
                pass
            try:
                self.answer(path)
            except OSError:
                return

    def answer(self, path):
        coding, body = "identity", b"ok"
        if path == "/codings":
            coding = "deflate," * 4000 + "deflate"
        if path == "/bomb":
            coding, body = "gzip", BOMB
        if path == "/deep":
            body = b"[" * 500000
        head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: %s\r\n" % coding
        if path == "/endless":
            self.wfile.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
            while True:
                self.wfile.write(FOREVER)
        self.wfile.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


SERVER = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
URL = "http://127.0.0.1:%d" % SERVER.server_address[1]


@molotov.setup()
async def setup(worker_id, args):
    return {"max_body": 1 << 20}


async def parts(response):
    taken = 0
    async for part in response.content.iter_chunked(65536):
        taken += len(part)
        if taken > 8 << 20:
            return


USES = {
    "read": lambda response: response.read(),
    "text": lambda response: response.text(),
    "json": lambda response: response.json(),
    "content": lambda response: response.content.read(),
    "line": lambda response: response.content.readline(),
    "exactly": lambda response: response.content.readexactly(4 << 20),
    "parts": parts,
}


@molotov.scenario()
async def all(session):
    found = {}
    for path in ("/codings", "/bomb", "/endless", "/deep", "/"):
        for use in USES:
            if path in ("/deep", "/") and use not in ("json", "read"):
                continue
            try:
                async with session.get(URL + path, timeout=5) as response:
                    await USES[use](response)
                found[path + " " + use] = "ok"
            except Exception as error:
                found[path + " " + use] = "%s %s" % (type(error).__name__, "max_body" in str(error))
    with open("found.json", "w") as file:
        json.dump([found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss], file)
"#;
    let scripts = Scripts::new(&[("hostile.py", SCRIPT)]);
    let output = scripts.program("-w 1 -r 1 hostile.py").run();
    assert_eq!(output.code, Some(0), "{output:?}");
    let (found, kilobytes): (BTreeMap<String, String>, u64) =
        serde_json::from_str(&scripts.written("found.json")).unwrap();
    for (case, outcome) in &found {
        let (path, way) = case.split_once(' ').unwrap();
        let expected = match (path, way) {
            ("/codings", _) => "ClientPayloadError False",
            ("/bomb" | "/endless", "parts") | ("/", "read") | ("/deep", "read") => "ok",
            ("/bomb" | "/endless", _) => "ClientPayloadError True",
            ("/deep", _) => "RecursionError False",
            _ => "JSONDecodeError False",
        };
        assert_eq!(outcome, expected, "{case}");
    }
    assert_eq!(found.len(), 25, "{found:?}");
    assert!(kilobytes < 200 << 10, "{} MB", kilobytes >> 10);
}

/// The server offers HTTP/2 too, and shows a certificate that it has signed itself.
#[test]
fn sessions_speak_http1_unless_asked_and_trust_ssl_cert_file() {
    const SCRIPT: &str = r#"
import json, os, socket, ssl, threading

import molotov

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain("certificate.pem", "key.pem")
CONTEXT.set_alpn_protocols(["h2", "http/1.1"])
LISTENER = socket.create_server(("127.0.0.1", 0))
URL = "https://localhost:%d/" % LISTENER.getsockname()[1]
AGREED = []


def serve():
    while True:
        plain, _ = LISTENER.accept()
        try:
            with CONTEXT.wrap_socket(plain, server_side=True) as stream:
                AGREED.append(stream.selected_alpn_protocol())
                # HTTP/2 is not spoken here, only agreed on.
                if AGREED[-1] == "http/1.1":
                    stream.recv(65536)
                    stream.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        except OSError:
            AGREED.append("failed")


threading.Thread(target=serve, daemon=True).start()


@molotov.setup()
async def setup(worker_id, args):
    return {"http2": True} if worker_id == 1 else {}


@molotov.scenario()
async def one(session):
    try:
        async with session.get(URL, timeout=5) as response:
            got = await response.text()
    except Exception as error:
        got = type(error).__name__
    with open("found-%d.json" % molotov.get_context(session).worker_id, "w") as file:
        json.dump([got, AGREED], file)
"#;
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let scripts = Scripts::new(&[("tls.py", SCRIPT), ("certificate.pem", &certificate), ("key.pem", &key)]);
    for (workers, file, expected) in [(1, "found-0.json", ("ok", "http/1.1")), (2, "found-1.json", ("", "h2"))] {
        let line = format!("-w {workers} -r 1 tls.py");
        let output = scripts.program(&line).env("SSL_CERT_FILE", "certificate.pem").run();
        let (got, agreed): (String, Vec<String>) = serde_json::from_str(&scripts.written(file)).unwrap();
        assert!(agreed.contains(&expected.1.to_owned()), "{agreed:?} {output:?}");
        assert!(expected.0.is_empty() || got == expected.0, "{got} {output:?}");
        if workers == 1 {
            assert_eq!(agreed, ["http/1.1"]);
        }
    }
}

const PRINTING: &str = r#"
import molotov

print("at import")

@molotov.global_setup()
def init(args):
    print("in global_setup")

@molotov.scenario()
async def one(session):
    print("in the scenario")
    await session.get("file:///etc/hostname")
"#;

#[test]
fn a_report_of_a_script_on_standard_output_has_it_for_itself() {
    for line in ["", "-p 2"] {
        let scripts = Scripts::new(&[("loadtest.py", PRINTING), ("witness.py", "")]);
        let line = format!("-r 1 --use-extension witness --report json:- {line} -- loadtest.py");
        let output = scripts.program(&line).run().exited(0);
        let report: serde_json::Value = serde_json::from_str(&output.stdout).expect(&output.stdout);
        assert!(report["totals"]["failures"].as_u64() > Some(0), "{output:#?}");
        let message = report["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("the scheme `file` is not supported; use http or https"), "{message}");
        for part in ["at import", "in global_setup", "in the scenario", "Loading extension 'witness'"] {
            assert!(output.stderr.contains(part), "{line}: {output:#?}");
        }
        let full = scripts.program("-r 1").full().run().exited(1);
        assert!(full.stderr.contains("No space left on device"), "{full:#?}");
    }
}

const SLOW: &str = r#"
import asyncio
import os
import molotov

@molotov.scenario()
async def one(session):
    try:
        await session.get(os.environ["TARGET"] + "/hold/one?token=t0ken", timeout=0.1)
    except asyncio.TimeoutError as error:
        assert str(error) == ""
        raise
"#;

#[test]
fn a_timeout_is_described_beside_its_empty_text() {
    let scripts = Scripts::new(&[("loadtest.py", SLOW)]);
    scripts.program("-r 1 --report out.json").run().exited(0);
    let report: serde_json::Value = serde_json::from_str(&scripts.written("out.json")).unwrap();
    let message = report["errors"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("TimeoutError: no answer came in time (GET http://127.0.0.1:"), "{message}");
    assert!(message.contains("/hold/one?token=***)"), "{message}");
}

const OUT_OF_FILES: &str = r#"
import os
import resource
import molotov

@molotov.scenario()
async def one(session):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        await session.get(os.environ["TARGET"] + "/ok")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
"#;

#[test]
fn too_many_open_files_are_named_and_not_a_directory() {
    let scripts = Scripts::new(&[("loadtest.py", OUT_OF_FILES)]);
    let output = scripts.program("-r 1 --report out.json").run().exited(0);
    let report: serde_json::Value = serde_json::from_str(&scripts.written("out.json")).unwrap();
    let message = report["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("Too many open files; raise the limit (ulimit -n)"), "{output:#?}");
    assert!(message.contains("127.0.0.1") && !message.contains("/tmp"), "{message}");
}

#[test]
fn memory_stays_bounded_while_every_script_fails() {
    // Long enough that lines that are kept show in its memory.
    let script =
        "import molotov\n@molotov.scenario()\nasync def fails(session):\n    raise ValueError('no luck ' * 1000)\n";
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let fail = &|line: &str, reader: fn(Program) -> Program| {
        let running = reader(scripts.program(&format!("-w 20 -c {line}"))).start();
        let memory = running.settled_memory();
        running.interrupt();
        running.read();
        running.wait().exited(0);
        assert!(memory < 100, "{memory} MiB with {line:?}");
    };
    thread::scope(|threads| {
        for line in ["", "-p 2", "-q"] {
            threads.spawn(move || fail(line, Program::unread));
            threads.spawn(move || fail(line, Program::discarded));
        }
    });
}

#[test]
fn threads_that_the_system_refuses_are_a_clear_error() {
    let script = "import molotov\n@molotov.events()\nasync def seen(event, **info):\n    pass\n\
                  @molotov.scenario()\nasync def idle(session):\n    pass\n";
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    for options in ["-w 1 -r 2 loadtest.py", "-w 1 -p 2 -r 1 loadtest.py"] {
        few_threads_are_a_clear_error(|options| scripts.program(options), options);
    }
}

/// Fails at full speed, and says when it has printed more than a pipe holds.
const FAILING: &str = r#"
import os
import molotov

failures = 0

@molotov.scenario()
async def fails(session):
    global failures
    failures += 1
    if failures == 1000:
        open(f"full-{os.getpid()}", "w").close()
    raise ValueError("no luck " * 30)
"#;

/// The pipe is full and nobody reads it. One signal ends the run once the reader resumes; a second ends it at once.
#[test]
fn signals_end_a_failing_script_that_nobody_reads() {
    let end = &|line: &str, interrupts: u32| {
        let scripts = Scripts::new(&[("loadtest.py", FAILING)]);
        let running = scripts.program(&format!("-w 5 -c {line}")).unread().start();
        let processes = if line == "-p 2" { 2 } else { 1 };
        wait_until("the pipe is full", || {
            let names = fs::read_dir(scripts.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.to_string_lossy().starts_with("full-")).count() == processes
        });
        running.interrupt();
        if interrupts == 1 {
            running.read();
        } else {
            let first = Instant::now();
            wait_until("the first has come", || first.elapsed() > Duration::from_millis(300));
            running.interrupt();
        }
        let (last, mut ended) = (Instant::now(), Duration::ZERO);
        let output = running.wait_with(|_| ended = last.elapsed());
        assert!(ended < Duration::from_secs(3), "{ended:?} with {line:?} and {interrupts}");
        assert_eq!(output.code, Some(0), "{line:?} and {interrupts}: {}", output.stderr);
    };
    thread::scope(|threads| {
        // With `-q` there is nothing to read, and the first signal is enough.
        for (line, interrupts) in [("", 1), ("", 2), ("-p 2", 1), ("-p 2", 2), ("-q", 1)] {
            threads.spawn(move || end(line, interrupts));
        }
    });
}
