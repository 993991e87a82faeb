//! Signals and forced shutdowns.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Run, Scripts};

/// Starts a run, waits for the first request, and sends these signals at intervals of half a second.
fn interrupted(scripts: &Scripts, line: &str, signals: &[&str]) -> (Run, Duration) {
    interrupted_with(scripts, line, signals, &[])
}

/// Like [`interrupted`], with these environment variables.
fn interrupted_with(scripts: &Scripts, line: &str, signals: &[&str], variables: &[(&str, &str)]) -> (Run, Duration) {
    let mut command = scripts.command(line);
    command.envs(variables.iter().copied());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while scripts.server.served() == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "the run does not start");
        thread::sleep(Duration::from_millis(10));
    }
    let first = Instant::now();
    for (n, signal) in signals.iter().enumerate() {
        if n > 0 {
            thread::sleep(Duration::from_millis(500));
        }
        assert!(Command::new("kill").args([*signal, &*child.id().to_string()]).status().unwrap().success());
    }
    let output = child.wait_with_output().unwrap();
    (Run::of(line, output), first.elapsed())
}

const SLOW: &str = r#"
import os
import molotov
@molotov.scenario()
async def slow(session):
    async with session.get(os.environ["TARGET"] + "slow") as response:
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
    for signal in ["-INT", "-TERM"] {
        let scripts = Scripts::new(&[("loadtest.py", SLOW)]);
        let (run, _) = interrupted(&scripts, "-c -w 5 -d 60", &[signal]);
        run.ends(0, "FAILURES: 0");
        assert_eq!((run.total("SUCCESSES"), run.interrupted()), (scripts.server.served(), 0), "{run:#?}");
        assert_eq!(run.out.matches("teardown_session").count(), 5, "{run:#?}");
        assert!(run.out.contains("global_teardown"), "{run:#?}");
    }
}

#[test]
fn the_second_signal_cancels_running_scenarios() {
    let script = SLOW.replace("slow\")", "never\")");
    let scripts = Scripts::new(&[("loadtest.py", &script)]);
    let (run, took) = interrupted(&scripts, "-c -w 5 -d 60", &["-INT", "-INT"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!((run.total("SUCCESSES"), run.total("FAILURES"), run.interrupted()), (0, 0, 5), "{run:#?}");
    assert!(run.out.contains("global_teardown") && took < Duration::from_secs(10), "{took:?} {run:#?}");
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
    let started = Instant::now();
    let run = scripts.run("-c -w 3 -d 1 --force-shutdown");
    assert_eq!((run.code, run.interrupted()), (Some(0), 3), "{run:#?}");
    assert_eq!(run.out.matches("cleaned up").count(), 3, "{run:#?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
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
    let started = Instant::now();
    let run = scripts.run("-c -d 1 --force-shutdown");
    assert_eq!(run.interrupted(), 1, "{run:#?}");
    assert!(run.out.contains("did not end within"), "{run:#?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// Sends a request, then blocks its thread in the way that `BLOCK` names.
const BLOCKING: &str = r#"
import os
import threading
import time
import molotov
@molotov.scenario()
async def blocks(session):
    async with session.get(os.environ["TARGET"]) as response:
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
    let blocking = |block: &'static str, line: &'static str| {
        move || {
            let scripts = Scripts::new(&[("loadtest.py", BLOCKING)]);
            let (run, took) = interrupted_with(&scripts, line, &["-INT", "-INT"], &[("BLOCK", block)]);
            assert!(took < Duration::from_secs(6), "{block} {line}: {took:?} {run:#?}");
            assert_eq!((run.code, run.total("SUCCESSES"), run.total("FAILURES")), (Some(0), 0, 0), "{run:#?}");
            assert!(run.interrupted() > 0 && run.out.contains("interrupted in the scenario `blocks`"), "{run:#?}");
            assert_eq!(
                run.out.matches("teardown_session").count(),
                if line.contains("-p") { 4 } else { 2 },
                "{run:#?}"
            );
        }
    };
    let runs = [("loop", "-c -w 2"), ("sleep", "-c -w 2"), ("lock", "-c -w 2"), ("sleep", "-c -w 2 -p 2")];
    let runs = runs.map(|(block, line)| thread::spawn(blocking(block, line)));
    let runs = runs.map(thread::JoinHandle::join);
    assert!(runs.iter().all(Result::is_ok));
}

#[test]
fn a_signal_while_a_script_loads_exits_with_its_code() {
    let script = "import pathlib, time\npathlib.Path('loading').touch()\ntime.sleep(60)\n";
    for (signal, expected) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let scripts = Scripts::new(&[("loadtest.py", script)]);
        let mut child = scripts.command("-c").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        while !scripts.directory.path().join("loading").exists() {
            assert!(started.elapsed() < Duration::from_secs(20), "the script is not loaded");
            thread::sleep(Duration::from_millis(5));
        }
        assert!(Command::new("kill").args([signal, &*child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(expected));
    }
}
