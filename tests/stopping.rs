//! Runs that stop early: the first failure, signals, forced shutdowns.

#![allow(clippy::unwrap_used)]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use molotov_tests::{Output, Program, Running, Server, Terminal, wait_until};
use rustix::process::Signal;

const STEADY: &str = env!("CARGO_BIN_EXE_steady");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

/// The number of interrupted scenarios in the output.
#[track_caller]
fn interrupted(output: &Output) -> u64 {
    let mut lines = output.stdout.lines().filter(|line| !line.starts_with("The run was interrupted"));
    let line = lines.find(|line| line.to_lowercase().contains("interrupted"));
    let Some(line) = line else { return 0 };
    let mut words = line.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no number in {line:?}: {output:#?}"))
}

#[track_caller]
fn assert_counts_agree(output: &Output, server: &Server) {
    let (ok, failed) = output.totals();
    let (served, cut) = (server.served(), interrupted(output));
    assert!(ok + failed <= served, "{ok} + {failed} > {served} served: {output:#?}");
    assert!(served <= ok + failed + cut, "{served} served > {ok} + {failed} + {cut}: {output:#?}");
}

#[test]
fn the_first_failure_stops_everything() {
    for line in ["-x", "-x -w 5", "-x -w 8 --threads 2"] {
        let server = Server::new();
        let output = Program::new(TROUBLED, &format!("-s third_refused {line}")).against(&server).run().exited(0);
        let (ok, failed) = output.totals();
        assert_eq!(failed, 1, "{output:#?}");
        assert!(ok >= 1, "{output:#?}");
        assert_counts_agree(&output, &server);
        assert_eq!(output.journal.last().map(String::as_str), Some("global_teardown"));
    }
}

#[test]
fn a_signal_lets_running_scenarios_finish() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let server = Server::new();
        let running = Program::new(TROUBLED, "-w 3 -s held").against(&server).start();
        wait_until("all workers wait for the server", || server.served() == 3);
        running.signal(signal);
        // The scenarios are still running.
        server.release();
        let output = running.wait().exited(0);
        assert_eq!((output.totals(), interrupted(&output)), ((server.served(), 0), 0), "{output:#?}");
        assert_eq!(output.journal.iter().filter(|line| *line == "teardown").count(), 3, "{output:#?}");
        assert_eq!(output.journal.last().map(String::as_str), Some("global_teardown"));
    }
}

#[test]
fn a_signal_stops_a_busy_run() {
    let server = Server::new();
    let running = Program::new(STEADY, "-w 10").against(&server).start();
    wait_until("the run has started", || server.served() > 100);
    running.interrupt();
    let output = running.wait().exited(0);
    assert_eq!(output.totals(), (server.served(), 0), "{output:#?}");
    assert_eq!(interrupted(&output), 0);
}

#[test]
fn a_signal_ends_delays_and_ramp_ups() {
    for line in ["--delay 1h", "--ramp-up 2h -w 2 -r 1"] {
        let server = Server::new();
        let running = Program::new(STEADY, line).against(&server).start();
        wait_until("the first scenario has run", || server.served() == 1);
        running.interrupt();
        let output = running.wait().exited(0);
        assert_eq!(output.totals(), (1, 0), "{line}: {output:#?}");
        assert_eq!(interrupted(&output), 0, "{line}: {output:#?}");
    }
}

#[test]
fn a_second_signal_cancels_running_scenarios() {
    let server = Server::new();
    let running = Program::new(TROUBLED, "-w 4 -s held_later").against(&server).start();
    wait_until("all workers hang in their second run", || server.served() == 8);
    running.interrupt();
    // Two signals in quick succession may be delivered as one.
    running.wait_for("Stopping");
    running.interrupt();
    let output = running.wait().exited(0);
    assert_eq!(output.totals(), (4, 0), "{output:#?}");
    assert_eq!(interrupted(&output), 4, "{output:#?}");
    assert_counts_agree(&output, &server);
    assert_eq!(output.journal.iter().filter(|line| *line == "teardown").count(), 4, "{output:#?}");
    assert_eq!(output.journal.last().map(String::as_str), Some("global_teardown"));
}

#[test]
fn the_end_of_the_duration_waits_for_scenarios() {
    let server = Server::new();
    let running = Program::new(TROUBLED, "-w 2 -s held -d 0.1").against(&server).start();
    wait_until("both workers wait for the server", || server.served() == 2);
    std::thread::scope(|scope| {
        // The server responds after the end of the duration.
        let started = Instant::now();
        wait_until("the duration is over", || started.elapsed() > Duration::from_millis(300));
        scope.spawn(|| server.release());
    });
    let output = running.wait().exited(0);
    assert_eq!((output.totals(), interrupted(&output)), ((2, 0), 0), "{output:#?}");
}

#[test]
fn force_shutdown_cancels_running_scenarios() {
    let server = Server::new();
    let output = Program::new(TROUBLED, "-w 3 -s held_later -d 0.5 --force-shutdown").against(&server).run().exited(0);
    assert_eq!(output.totals(), (3, 0), "{output:#?}");
    assert_eq!(interrupted(&output), 3, "{output:#?}");
    assert_counts_agree(&output, &server);
    assert!(output.took < Duration::from_secs(10), "{:?}", output.took);
    assert_eq!(output.journal.iter().filter(|line| *line == "teardown").count(), 3, "{output:#?}");
    assert_eq!(output.journal.last().map(String::as_str), Some("global_teardown"));
}

#[test]
fn force_shutdown_at_full_speed_counts_every_request() {
    let server = Server::new();
    let output = Program::new(STEADY, "-w 20 -d 0.5 --force-shutdown --threads 2").against(&server).run().exited(0);
    assert_counts_agree(&output, &server);
    assert!(output.totals().0 > 100, "{output:#?}");
}

#[test]
fn a_blocked_thread_is_named_and_abandoned() {
    let server = Server::new();
    let running = Program::new(TROUBLED, "-s stuck").against(&server).start();
    running.wait_for_journal("stuck");
    running.interrupt();
    running.wait_for("Stopping");
    running.interrupt();
    let output = running.wait().exited(0);
    assert!(output.stdout.contains("`stuck`"), "{output:#?}");
    assert!(output.stdout.contains("Counts of thread 0 are incomplete since "), "{output:#?}");
    assert_eq!((output.totals(), interrupted(&output)), ((0, 0), 1), "{output:#?}");
    assert_eq!(output.journal.last().map(String::as_str), Some("global_teardown"));
}

#[test]
fn a_third_signal_ends_a_global_teardown_that_hangs() {
    let server = Server::new();
    for line in ["-s fine -r 1", "-s fine -r 1 -p 2"] {
        let running = Program::new(TROUBLED, line).against(&server).env("DO", "hang_at_last").start();
        running.wait_for_journal("hanging");
        running.wait_with(|running| running.interrupt()).exited(130);
    }
}

#[test]
fn a_second_signal_ends_a_global_setup_that_hangs() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        for line in ["-s fine", "-s fine -p 2"] {
            let running = Program::new(TROUBLED, line).env("DO", "hang").start();
            running.wait_for_journal("hanging");
            running.wait_with(|running| running.signal(signal)).exited(code);
        }
    }
}

#[test]
fn one_signal_during_global_setup_lets_it_finish_and_starts_no_worker() {
    for line in ["-s fine", "-s fine -p 2"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("go");
        let running = Program::new(TROUBLED, line).env("WAIT_FOR", file.to_str().unwrap()).start();
        running.wait_for_journal("waiting");
        running.interrupt();
        std::fs::write(file, "").unwrap();
        let output = running.wait().exited(0);
        assert_eq!(output.totals(), (0, 0), "{output:#?}");
        assert_eq!(output.journal, ["waiting", "global_setup", "global_teardown"], "{output:#?}");
    }
}

#[test]
fn nohup_is_respected() {
    let server = Server::new();
    let line = format!("nohup {TROUBLED} -w 1 -s held -c 2>/dev/null");
    let running = Program::new("sh", "-c").arg(&format!("exec {line}")).against(&server).start();
    wait_until("the worker waits for the server", || server.served() == 1);
    running.signal(Signal::HUP);
    running.interrupt();
    running.wait_for("Stopping");
    server.release();
    let output = running.wait().exited(0);
    assert_eq!(output.stdout.matches("Stopping").count(), 1, "{output:#?}");
    assert_eq!((output.totals(), interrupted(&output)), ((1, 0), 0), "{output:#?}");
}

#[test]
fn interrupts_end_a_dashboard_on_a_blocked_terminal() {
    for (full_at_first, interrupts, expected) in [(true, 3, 130), (false, 3, 130), (false, 2, 0)] {
        let terminal = Terminal::new();
        let before = terminal.settings();
        if full_at_first {
            terminal.fill();
        }
        let line = "-s unparsable -w 5 --console-update 0.02";
        let mut command = Command::new(TROUBLED);
        let mut child = terminal.attach(command.args(line.split(' ')).env("TERM", "xterm")).spawn().unwrap();
        wait_until("the terminal is in raw mode", || terminal.settings() != before);
        if !full_at_first {
            wait_until("the dashboard is shown", || terminal.is_written());
            terminal.fill();
        }
        let full = Instant::now();
        wait_until("the dashboard draws", || full.elapsed() > Duration::from_millis(150));
        terminal.press(&b"\x03\x03\x03"[..interrupts]);
        let last = Instant::now();
        let mut code = None;
        wait_until("it ends", || {
            code = child.try_wait().unwrap();
            code.is_some()
        });
        assert!(last.elapsed() < Duration::from_millis(1_500), "{interrupts}: {:?}", last.elapsed());
        assert_eq!(code.and_then(|code| code.code()), Some(expected));
        assert_eq!(terminal.settings(), before);
    }
}

/// A run whose standard output is a full pipe that is not read. With `-v`, each failure is a line.
fn unread(line: &str) -> Running {
    let verbose = if line == "-q" { "" } else { "-v" };
    let running = Program::new(TROUBLED, &format!("-s unparsable -w 5 {verbose} {line}")).unread().start();
    let started = Instant::now();
    wait_until("the pipe is full", || started.elapsed() > Duration::from_millis(700));
    running
}

/// Waits until a program ends, calling `meanwhile`. Returns its output and the time it took.
fn ends(running: Running, mut meanwhile: impl FnMut(&Running)) -> (Output, Duration) {
    let started = Instant::now();
    // Stays zero if the program ends at once.
    let mut ended = Duration::ZERO;
    let output = running.wait_with(|running| {
        meanwhile(running);
        ended = started.elapsed();
    });
    (output, ended)
}

#[test]
fn one_signal_ends_an_unread_run_once_the_reader_continues() {
    for line in ["", "-p 2", "-q"] {
        let running = unread(line);
        running.interrupt();
        running.read();
        let (output, took) = ends(running, |_| ());
        assert!(took < Duration::from_secs(3), "{took:?} with {line:?}");
        assert_eq!(output.code, Some(0), "{line:?}: {}", output.stderr);
        assert!(line == "-q" || output.totals().1 > 0);
    }
}

#[test]
fn a_second_signal_ends_an_unread_run_at_once() {
    for line in ["", "-p 2"] {
        let running = unread(line);
        running.interrupt();
        let first = Instant::now();
        wait_until("the first signal has arrived", || first.elapsed() > Duration::from_millis(300));
        running.interrupt();
        let (output, took) = ends(running, |_| ());
        assert!(took < Duration::from_secs(3), "{took:?} with {line:?}");
        assert_eq!(output.code, Some(0), "{line:?}: {}", output.stderr);
    }
}
