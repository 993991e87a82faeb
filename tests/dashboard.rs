//! The dashboard on a real terminal, with real keys.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, thread, time::Duration};

use molotov_tests::{Server, Tmux, wait_until};

const STEADY: &str = env!("CARGO_BIN_EXE_steady");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

/// What the dashboard always shows.
const DASHBOARD: &str = " 1 Live ";

/// Waits until the server receives no requests for 300 ms.
#[track_caller]
fn requests_stop(server: &Server) {
    let mut last = server.served();
    wait_until("requests stop", || {
        thread::sleep(Duration::from_millis(300));
        std::mem::replace(&mut last, server.served()) == server.served()
    });
}

#[track_caller]
fn requests_continue(server: &Server) {
    let before = server.served();
    wait_until("requests continue", || server.served() > before + 5);
}

#[test]
fn a_run_whose_terminal_is_closed_ends_with_its_report() {
    let server = Server::new();
    for options in ["", "-p 2"] {
        let tmux = Tmux::new(100, 30, &server, &[]);
        tmux.line(&format!("{STEADY} -w 4 -d 1h --delay 0.02 --report out.json {options}"));
        tmux.wait_for(DASHBOARD);
        requests_continue(&server);
        let process = format!("/proc/{}", tmux.process());
        tmux.close();
        wait_until("the run ends", || !Path::new(&process).exists());
        let report = fs::read_to_string(tmux.path().join("out.json")).unwrap();
        let report = molotov_tests::report(&report);
        assert!(report["totals"]["successes"].as_u64() > Some(5), "{}", report["totals"]);
    }
}

#[test]
fn keys_switch_pages_pause_resize_suspend_and_stop() {
    let server = Server::new();
    let tmux = Tmux::new(100, 30, &server, &[]);
    let before = tmux.settings();
    tmux.line(&format!("{STEADY} -w 4 -d 1h --delay 0.02"));
    tmux.wait_for(DASHBOARD);
    requests_continue(&server);
    for shown in ["Requests a second", "┌ Latency ", " left", "● OK  no failures", "█ 200 "] {
        tmux.wait_for(shown);
    }
    tmux.wait_for("WORKERS: 4");
    tmux.wait_for("PROCESSES: 1");

    for (key, shown) in
        [("2", "GET /ok/browse"), ("4", "No errors so far."), ("5", "Open files"), ("Tab", "Running scenarios")]
    {
        tmux.key(key);
        tmux.wait_for(shown);
    }
    tmux.key("Tab");
    tmux.wait_for("Requests a second");
    tmux.key("?");
    tmux.wait_for("add or remove a tenth of the workers");
    tmux.key("Escape");
    tmux.wait_until_gone("add or remove a tenth of the workers");

    // In the last row, after the keys.
    tmux.write("\x1b[30;80HBy another program");
    tmux.wait_for("By another program");
    tmux.key("C-l");
    tmux.wait_until_gone("By another program");

    tmux.key("p");
    tmux.wait_for("paused");
    requests_stop(&server);
    tmux.key("p");
    tmux.wait_until_gone("  paused");
    requests_continue(&server);

    tmux.key("+");
    tmux.wait_for("WORKERS: 5");
    tmux.key("-");
    tmux.wait_for("WORKERS: 4");

    tmux.resize(60, 16);
    wait_until("the screen has the new size", || {
        let screen = tmux.screen();
        let rows: Vec<_> = screen.lines().collect();
        rows.len() == 16 && rows[14].starts_with(" SUCCESS: ") && screen.contains("┌ Latency ")
    });
    tmux.resize(100, 30);
    tmux.wait_for("Latency");

    tmux.key("C-z");
    tmux.wait_for("Stopped");
    requests_stop(&server);
    assert!(!tmux.screen().contains(DASHBOARD));
    tmux.line("fg");
    tmux.wait_for(DASHBOARD);
    requests_continue(&server);

    tmux.key("q");
    tmux.wait_for("*** Bye ***");
    tmux.line("echo code $?");
    tmux.wait_for("code 0");
    let history = tmux.history();
    assert!(history.contains("**** Molotov v") && history.contains("GET /ok/browse"), "{history}");
    assert!(history.contains(&format!("SUCCESSES: {} | FAILURES: 0", server.served())), "{history}");
    assert_eq!(tmux.settings(), before);
}

#[test]
fn keys_are_read_while_the_terminal_is_resized() {
    let server = Server::new();
    let tmux = Tmux::new(100, 30, &server, &[]);
    tmux.line(&format!("{STEADY} -w 1 -d 1h --delay 0.02"));
    tmux.wait_for(DASHBOARD);
    for columns in 101..111 {
        tmux.resize_and_press(columns, 30, "5");
        tmux.wait_for("Open files");
        tmux.key("1");
        tmux.wait_for("Requests a second");
    }
    tmux.resize_and_press(100, 30, "q");
    tmux.wait_for("*** Bye ***");
}

#[test]
fn output_of_scenarios_stays_inside_the_activity_pane() {
    let server = Server::new();
    let tmux = Tmux::new(120, 30, &server, &[("DO", "write")]);
    let before = tmux.settings();
    for line in ["-w 1 -d 1h --delay 0.05", "-p 2 -w 1 -d 1h --delay 0.05"] {
        tmux.line(&format!("clear; {STEADY} {line}"));
        tmux.wait_for(DASHBOARD);
        tmux.key("6");
        tmux.wait_for("written to stdout by ");
        tmux.wait_for("written to stderr by ");
        for row in tmux.screen().lines().filter(|row| row.contains("written to")) {
            assert!(row.starts_with('│') && row.trim_end().ends_with('│'), "{row}");
        }
        tmux.key("C-c");
        tmux.wait_for("*** Bye ***");
        assert_eq!(tmux.settings(), before);
    }
}

#[test]
fn panics_restore_the_terminal() {
    let server = Server::new();
    let tmux = Tmux::new(120, 30, &server, &[("DO", "panic")]);
    let before = tmux.settings();
    tmux.line(&format!("{STEADY} -w 2 -d 1h --delay 0.05"));
    tmux.wait_for(DASHBOARD);
    tmux.key("4");
    tmux.wait_for("a scenario panics");
    tmux.wait_for("The first of them");
    requests_continue(&server);
    tmux.key("q");
    tmux.wait_for("FAILURES: 2");
    tmux.wait_for("*** Bye ***");
    assert_eq!(tmux.settings(), before);
}

#[test]
fn exit_restores_the_terminal() {
    let server = Server::new();
    let tmux = Tmux::new(100, 30, &server, &[("DO", "exit")]);
    let before = tmux.settings();
    tmux.line(&format!("{STEADY} -w 2 -d 1h --delay 0.05; echo \"it ended by $?\""));
    tmux.wait_for(DASHBOARD);
    tmux.wait_for("it ended by 7");
    assert!(!tmux.screen().contains('┌'), "{}", tmux.screen());
    assert_eq!(tmux.settings(), before);
}

#[test]
fn signals_restore_the_terminal() {
    let server = Server::new();
    let tmux = Tmux::new(100, 30, &server, &[]);
    let before = tmux.settings();
    for (signal, code) in [("TERM", 0), ("INT", 0)] {
        tmux.line(&format!("{STEADY} -w 2 -d 1h --delay 0.05; echo \"{signal} ended it by $?\""));
        tmux.wait_for(DASHBOARD);
        requests_continue(&server);
        tmux.signal(signal);
        tmux.wait_for(&format!("{signal} ended it by {code}"));
        assert!(tmux.history().contains("*** Bye ***"), "{}", tmux.history());
        assert_eq!(tmux.settings(), before);
    }
}

#[test]
fn keys_apply_to_all_processes() {
    let server = Server::new();
    let tmux = Tmux::new(100, 30, &server, &[]);
    tmux.line(&format!("{STEADY} -p 2 -w 5 -d 1h --delay 0.05"));
    tmux.wait_for("WORKERS: 10 ");
    tmux.key("p");
    tmux.wait_for("paused");
    requests_stop(&server);
    tmux.assert_duration_is_paused();
    tmux.key("p");
    requests_continue(&server);
    tmux.key("+");
    tmux.wait_for("WORKERS: 12 ");
    tmux.key("-");
    tmux.wait_for("WORKERS: 10 ");
    tmux.key("5");
    // Whether it is or was the bottleneck depends on the machine.
    tmux.wait_for("load generator ");
    tmux.key("q");
    tmux.wait_for("*** Bye ***");
}

#[test]
fn a_killed_process_does_not_change_the_terminal() {
    let server = Server::new();
    let tmux = Tmux::new(120, 30, &server, &[("DO", "process")]);
    let before = tmux.settings();
    tmux.line(&format!("{STEADY} -p 2 -w 2 -d 1h --delay 0.05"));
    tmux.wait_for("PROCESSES: 2");
    requests_continue(&server);
    let journal = fs::read_to_string(tmux.path().join("journal")).unwrap();
    let pid: i32 =
        journal.lines().find_map(|line| line.strip_prefix("process 1 ")?.split(' ').next()?.parse().ok()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    tmux.key("6");
    tmux.wait_for(&format!("the process {pid} was killed by SIGKILL"));
    tmux.wait_for("PROCESSES: 1");
    tmux.wait_for("✗ LOST  measures were lost");
    requests_continue(&server);
    tmux.key("5");
    // Whether it is or was the bottleneck depends on the machine.
    tmux.wait_for("load generator ");
    tmux.key("q");
    tmux.wait_for("*** Bye ***");
    tmux.line("echo code $?");
    tmux.wait_for("code 1");
    assert_eq!(tmux.settings(), before);
}

#[test]
fn a_second_stop_cancels_running_scenarios() {
    let server = Server::new();
    let url = format!("{}/hold", server.url());
    let tmux = Tmux::new(120, 30, &server, &[("TARGET", &url)]);
    let before = tmux.settings();
    tmux.line(&format!("{STEADY} -w 3 -d 1h"));
    wait_until("all workers wait for the server", || server.served() == 3);
    tmux.wait_for(DASHBOARD);
    tmux.key("q");
    tmux.wait_for("stopping");
    tmux.key("q");
    tmux.wait_for("3 scenarios were interrupted");
    tmux.wait_for("*** Bye ***");
    assert_eq!(tmux.settings(), before);
}

#[test]
fn dashboard_and_table_use_colors_and_the_full_width() {
    let server = Server::new();
    let tmux = Tmux::new(150, 40, &server, &[]);
    // An empty `NO_COLOR` has no effect, and the alternate screen is already in use.
    tmux.line("printf '\\033[?1049h'; seq -f 'left %g behind' 100");
    tmux.wait_for("left 100 behind");
    tmux.line(&format!("NO_COLOR= {TROUBLED} -s wrong -d 1h --delay 0.05"));
    tmux.wait_for(DASHBOARD);
    wait_until("failures are shown in red", || tmux.colored_screen().contains("\u{1b}[38;5;196m"));
    assert!(!tmux.screen().contains(" behind"), "{}", tmux.screen());
    tmux.key("q");
    tmux.wait_for("*** Bye ***");
    let screen = tmux.colored_screen();
    assert!(screen.contains("\u{1b}[31m") && screen.contains("failed %"), "{screen}");
}
