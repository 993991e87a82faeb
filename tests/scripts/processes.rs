//! Scripts in several processes: counts, shared files, signals, and pauses.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use molotov_tests::{Server, Tmux, a_shared_cpu_is_named_as_the_bottleneck, wait_until};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{MOLOTOV, Scripts};

fn lives(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
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

/// Runs a script while the service freezes, and returns what the run says about stalls at its end.
fn with_a_freeze(options: &str) -> (Duration, String) {
    let scripts = Scripts::new(&[("loadtest.py", COUNTING)]);
    let url = format!("{}/bear/99", scripts.server.url());
    let running = scripts.program(options).env("TARGET", &url).start();
    wait_until("the workers run", || scripts.server.served() > 200);
    let frozen = scripts.server.freeze(Duration::from_secs(2));
    let output = running.wait().exited(0);
    (frozen, output.stdout.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn stalls_of_the_service_are_named_with_their_length() {
    let (frozen, text) = with_a_freeze("-p 2 -w 10 -d 6 -c");
    let (_, notice) = text.split_once("The service stalled once, for ").unwrap_or_else(|| panic!("{text}"));
    let length: f64 = notice.split(' ').next().unwrap().parse().unwrap();
    assert!((length - frozen.as_secs_f64()).abs() <= frozen.as_secs_f64() * 0.1, "{frozen:?}: {notice}");
    assert!(notice.contains("To measure it, start scenarios at a steady rate: `--rate 1"), "{notice}");
}

/// With a rate, the response times contain the stall, and nothing is hidden.
#[test]
fn scenarios_at_a_rate_hide_no_stall() {
    let (_, text) = with_a_freeze("-p 2 --rate 150/s -d 4 -c");
    assert!(!text.contains("stalled"), "{text}");
}

#[test]
fn every_run_of_every_process_is_counted() {
    let scripts = Scripts::new(&[("loadtest.py", COUNTING)]);
    let output = scripts.program("-p 4 -w 50 -r 20 -c -v").run().exited(0);
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

/// Buffers are written before a fork, since each process would write them, and at the end of each process.
#[test]
fn text_that_waits_in_a_buffer_is_written_once() {
    let buffers = r#"
import sys
import molotov

FILE = open("out.txt", "a")

def write(text):
    for stream in (sys.__stdout__, FILE):
        stream.write(text + "\n")

write("before the fork")

@molotov.teardown_session()
async def end(worker, session):
    write("by a child")
"#;
    let scripts = Scripts::new(&[("loadtest.py", &format!("{COUNTING}{buffers}"))]);
    let output = scripts.program("-p 3 -w 2 -r 2 -c").run().exited(0);
    for text in [output.stdout, scripts.written("out.txt")] {
        let count = |line: &str| text.matches(line).count();
        assert_eq!((count("before the fork"), count("by a child")), (1, 6), "{text}");
    }
}

#[test]
fn a_killed_process_is_reported_and_the_others_continue() {
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
    // Up to 50 requests were in progress. Up to a fifth of a second was not reported, at 500 runs a second.
    let kept = ok - 3_000;
    assert!(failed == 0 && kept <= of_the_killed && kept + 250 >= of_the_killed, "{kept} of {of_the_killed}");
    assert!(!children.iter().any(|pid| lives(*pid)), "a process is left");
    let note = format!("The process {killed} was killed by SIGKILL; its counts are incomplete since ");
    assert!(output.stdout.contains(&note), "{output:#?}");
    assert!(output.stdout.contains("in the parent 0 True"), "{output:#?}");
}

#[test]
fn a_stopped_process_reports_when_the_run_is_forced_to_end() {
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

/// The number of complete lines of each process. Panics at an incomplete line.
fn whole_lines(text: &str) -> BTreeMap<&str, usize> {
    let mut of = BTreeMap::new();
    for line in text.lines() {
        let (pid, rest) = line.split_once(' ').unwrap_or_else(|| panic!("an incomplete line: {line:?}"));
        assert!(rest.starts_with("reports ") && rest.ends_with(" completely"), "an incomplete line: {line:?}");
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
        text = "%d reports %s completely\n" % (os.getpid(), event)
        lines.write(text)
        blocks.write(text)
"#;
    for processes in [1, 2, 4] {
        let scripts = Scripts::new(&[("loadtest.py", COUNTING), ("extension.py", extension)]);
        let line = format!("--use-extension extension.py -p {processes} -w 10 -r 20 -c");
        let output = scripts.program(&line).run().exited(0);
        assert!(output.stdout.starts_with("Loading extension 'extension.py'\n"), "{output:#?}");
        // Each run has four events: its start, its request, its response and its success.
        let runs = processes * 200;
        for file in ["lines.txt", "blocks.txt"] {
            let text = scripts.written(file);
            let counts = match file {
                "lines.txt" => whole_lines(&text),
                // Blocks of several processes may split each other's lines, but lose no bytes.
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

/// How long the main thread of a process has used a CPU or waited for one.
fn cpu_demand(pid: i32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    let mut nanos = text.split_whitespace().map(|number| number.parse().unwrap());
    Duration::from_nanos(nanos.next().unwrap()) + Duration::from_nanos(nanos.next().unwrap())
}

/// Each of two processes uses a CPU or waits for one all the time. On an idle machine, their throughput is twice that of one. Other
/// programs do not affect the result.
#[test]
fn two_processes_do_not_wait_for_each_other() {
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
    let (started, before) = (Instant::now(), children.iter().map(|pid| cpu_demand(*pid)).collect::<Vec<_>>());
    wait_until("a second has passed", || started.elapsed() > Duration::from_secs(1));
    for (pid, before) in children.into_iter().zip(before) {
        let (wanted, passed) = (cpu_demand(pid) - before, started.elapsed());
        assert!(wanted > passed.mul_f64(0.9), "a process used or awaited a CPU for {wanted:?} of {passed:?}");
    }
    running.interrupt();
    assert!(running.wait().exited(0).totals().0 > 6);
}

#[test]
fn a_pause_does_not_count_towards_the_duration() {
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
    tmux.assert_duration_is_paused();
    let before = server.served();
    tmux.key("p");
    wait_until("it continues", || server.served() > before + 5);
    tmux.key("q");
    tmux.wait_for("paused) ·");
    tmux.wait_for("*** Bye ***");
}

#[test]
fn a_cpu_shared_with_other_programs_is_named_as_the_bottleneck() {
    let scripts = Scripts::new(&[("loadtest.py", COUNTING)]);
    a_shared_cpu_is_named_as_the_bottleneck(|line| scripts.program(&format!("loadtest.py {line}")));
}
