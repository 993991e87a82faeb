//! Signals and forced shutdowns.

use std::{
    thread,
    time::{Duration, Instant},
};

use molotov_tests::{Output, Running, wait_until};
use rustix::process::Signal;

use super::Scripts;

/// Sends signals to a run of this many processes, the first after a request of each, to a path that no other requests. Returns its output, and the time since the first
/// signal.
fn interrupted(scripts: &Scripts, processes: usize, running: Running, signals: &[Signal]) -> (Output, Duration) {
    wait_until("each process sends a request", || scripts.server.counts().len() == processes);
    let first = Instant::now();
    for (n, signal) in signals.iter().enumerate() {
        if n > 0 {
            running.wait_for("Stopping");
        }
        running.signal(*signal);
    }
    (running.wait(), first.elapsed())
}

/// The number of interrupted scenarios.
fn interrupted_scenarios(output: &Output) -> usize {
    let line = output.stdout.lines().find(|line| line.contains("interrupted by the end of the run"));
    line.map_or(0, |line| line.split(' ').next().unwrap().parse().unwrap())
}

const SLOW: &str = r#"
import os
import molotov
@molotov.scenario()
async def slow(session):
    async with session.get(os.environ["TARGET"] + "/bear/5") as response:
        assert response.status == 200
@molotov.teardown_session()
async def closing(worker, session):
    print("teardown_session")
@molotov.global_teardown()
def end():
    print("global_teardown")
"#;

#[test]
fn the_first_signal_lets_running_scenarios_finish() {
    for signal in [Signal::INT, Signal::TERM] {
        let scripts = Scripts::new(&[("loadtest.py", SLOW)]);
        let (output, _) = interrupted(&scripts, 1, scripts.program("-c -w 5 -d 60").start(), &[signal]);
        let output = output.exited(0);
        assert_eq!((output.totals(), interrupted_scenarios(&output)), ((scripts.server.served(), 0), 0), "{output:#?}");
        assert_eq!(output.stdout.matches("teardown_session").count(), 5, "{output:#?}");
        assert!(output.stdout.contains("global_teardown"), "{output:#?}");
    }
}

#[test]
fn the_second_signal_cancels_running_scenarios() {
    let script = SLOW.replace("/bear/5", "/hold");
    let scripts = Scripts::new(&[("loadtest.py", &script)]);
    let running = scripts.program("-c -w 5 -d 60").start();
    let (output, took) = interrupted(&scripts, 1, running, &[Signal::INT, Signal::INT]);
    let output = output.exited(0);
    assert!(output.stdout.contains("SUCCESSES: 0 | FAILURES: 0"), "{output:#?}");
    assert_eq!(interrupted_scenarios(&output), 5, "{output:#?}");
    assert!(output.stdout.contains("global_teardown") && took < Duration::from_secs(10), "{took:?} {output:#?}");
}

#[test]
fn force_shutdown_cancels_scenarios_at_the_end_of_the_duration() {
    let script = r#"
import asyncio
import molotov
@molotov.scenario()
async def sleeps(session):
    try:
        await asyncio.sleep(60)
    finally:
        print("cleaned up")
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let output = scripts.program("-c -w 3 -d 1 --force-shutdown").run().exited(0);
    assert_eq!(interrupted_scenarios(&output), 3, "{output:#?}");
    assert_eq!(output.stdout.matches("cleaned up").count(), 3, "{output:#?}");
    assert!(output.took < Duration::from_secs(10), "{output:#?}");
}

#[test]
fn teardowns_can_use_asyncio_after_an_interrupted_scenario() {
    // With the attribute that `nest_asyncio` sets, asyncio steps the coroutines.
    for patched in ["", "asyncio.get_event_loop()._nest_patched = True"] {
        let script = r#"
import asyncio
import molotov

async def sleeps():
    await asyncio.sleep(60)

async def reads(session):
    await session.reader.read(1)

WAYS = (
    lambda session: asyncio.Event().wait(),
    lambda session: asyncio.sleep(60),
    lambda session: reads(session),
    lambda session: asyncio.create_task(sleeps()),
    lambda session: asyncio.gather(sleeps(), sleeps()),
    lambda session: asyncio.wait_for(sleeps(), 60),
)

async def hold(reader, writer):
    await reader.read()
    writer.close()

@molotov.setup_session()
async def opened(worker, session):
    PATCH
    session.server = await asyncio.start_server(hold, "127.0.0.1", 0)
    session.reader, session.writer = await asyncio.open_connection(*session.server.sockets[0].getsockname())

@molotov.scenario()
async def waits(session):
    await WAYS[molotov.get_context(session).worker_id](session)

@molotov.teardown_session()
async def closing(worker, session):
    await asyncio.sleep(0.01)
    assert await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, lambda: 42), 10) == 42
    session.writer.close()
    await session.writer.wait_closed()
    print("closed", worker)
"#;
        let scripts = Scripts::new(&[("loadtest.py", &script.replace("PATCH", &format!("{patched}\n    ")))]);
        let output = scripts.program("-c -w 6 -d 1 --force-shutdown").run().exited(0);
        assert_eq!(interrupted_scenarios(&output), 6, "{patched}: {output:#?}");
        for worker in 0..6 {
            assert!(output.stdout.contains(&format!("closed {worker}\n")), "{patched}: {output:#?}");
        }
        assert!(!output.stdout.contains("Warning"), "{patched}: {output:#?}");
    }
}

#[test]
fn force_shutdown_interrupts_blocking_code() {
    let script = r#"
import molotov
@molotov.scenario()
async def busy(session):
    while True:
        pass
"#;
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let output = scripts.program("-c -d 1 --force-shutdown").run();
    assert_eq!(interrupted_scenarios(&output), 1, "{output:#?}");
    assert!(output.stdout.contains("did not end within"), "{output:#?}");
    assert!(output.took < Duration::from_secs(20), "{output:#?}");
}

/// Sends a request, then blocks its thread in the way that `BLOCK` names.
const BLOCKING: &str = r#"
import os
import threading
import time
import molotov
@molotov.scenario()
async def blocks(session):
    async with session.get(f"{os.environ['TARGET']}/ok/{os.getpid()}") as response:
        assert response.status == 200
    if os.environ["BLOCK"] == "sleep":
        time.sleep(3600)
    elif os.environ["BLOCK"] == "lock":
        threading.Event().wait()
    while True:
        pass
@molotov.teardown_session()
async def closing(worker, session):
    print("teardown_session")
"#;

#[test]
fn the_second_signal_interrupts_blocking_code() {
    thread::scope(|threads| {
        for (block, line) in [("loop", "-c -w 2"), ("sleep", "-c -w 2"), ("lock", "-c -w 2"), ("sleep", "-c -w 2 -p 2")]
        {
            threads.spawn(move || {
                let scripts = Scripts::new(&[("loadtest.py", BLOCKING)]);
                let running = scripts.program(line).env("BLOCK", block).start();
                let processes = if line.contains("-p 2") { 2 } else { 1 };
                let (output, took) = interrupted(&scripts, processes, running, &[Signal::INT, Signal::INT]);
                let output = output.exited(0);
                assert!(took < Duration::from_secs(6), "{block} {line}: {took:?} {output:#?}");
                for part in ["SUCCESSES: 0 | FAILURES: 0", "interrupted in the scenario `blocks`"] {
                    assert!(output.stdout.contains(part), "{block} {line}: no {part:?}: {output:#?}");
                }
                assert!(interrupted_scenarios(&output) > 0, "{block} {line}: {output:#?}");
                let teardowns = output.stdout.matches("teardown_session").count();
                assert_eq!(teardowns, 2 * processes, "{block} {line}: {output:#?}");
            });
        }
    });
}

#[test]
fn a_signal_while_a_script_loads_exits_with_its_code() {
    let script = r#"
import os
import time
with open(os.environ["JOURNAL"], "a") as journal:
    journal.write("loading\n")
time.sleep(60)
"#;
    for (signal, expected) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let scripts = Scripts::new(&[("loadtest.py", script)]);
        let running = scripts.program("-c").start();
        running.wait_for_journal("loading");
        running.signal(signal);
        running.wait().exited(expected);
    }
}
