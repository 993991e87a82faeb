//! Sizing, against services of known capacity.

#![allow(clippy::unwrap_used)]

use std::thread;

use molotov_tests::{Program, Ramp, Server, found, interval, wait_until};

const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

/// Sizes a service, and compares the result with the one expected for this ramp-up, service time and window of 5 s.
fn size(capacity: usize, processes: usize) {
    let (workers, seconds) = (120, 24.0);
    let ramp = Ramp { capacity: capacity as f64, slope: workers as f64 / seconds, tolerance: 0.05 };
    let server = Server::new();
    let line = format!("--sizing -s borne -p {processes} -w {} --ramp-up {seconds} -c", workers / processes);
    let output = Program::new(TROUBLED, &line).against(&server).env("CAPACITY", &capacity.to_string()).run().exited(0);
    let (found, expected) = (found(&output.stdout), ramp.workers());
    assert!((found - expected).abs() <= 0.15 * expected, "{found} instead of {expected}: {}", output.stdout);
    let end = output.stdout.split_once("Sizing is over!").unwrap().1;
    assert!(end.starts_with("\n\nError Ratio ") && end.ends_with("\n\n*** Bye ***\n"), "{end}");
    let numbers: Vec<u64> = end.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    let [_, _, _, ok, failed, minute_ok, minute_failed] = numbers[..] else { panic!("{end}") };
    assert_eq!(ok + failed, server.served(), "{end}");
    assert!(minute_ok <= ok && minute_failed <= failed && failed > 0, "{end}");
}

#[test]
fn sizing_finds_the_capacity() {
    thread::scope(|threads| {
        for capacity in [15, 30, 50] {
            threads.spawn(move || size(capacity, 1));
        }
    });
}

#[test]
fn sizing_finds_the_capacity_with_several_processes() {
    size(40, 2);
}

#[test]
fn sizing_reports_a_ratio_of_100_percent_if_all_scenarios_fail() {
    let server = Server::new();
    let line = "--sizing --sizing-tolerance 90 -s refused -w 4 --ramp-up 1 --delay 0.01 -c";
    let output = Program::new(TROUBLED, line).against(&server).run().exited(0);
    assert!(output.stdout.contains("Error Ratio 100.00 % obtained with 1 workers."), "{output:#?}");
    assert!(server.served() >= 100, "{output:#?}");
}

#[test]
fn a_search_finds_the_rate_that_a_service_bears() {
    thread::scope(|threads| {
        threads.spawn(|| search_rate(""));
        threads.spawn(|| search_rate("-p 2"));
    });
}

#[test]
fn a_search_finds_the_workers_that_a_service_bears() {
    thread::scope(|threads| {
        threads.spawn(|| search_workers("-w 8"));
        threads.spawn(|| search_workers("-w 4 -p 2"));
    });
}

/// With eight requests of 100 ms at a time, 20 workers wait for 250 ms.
fn search_workers(workers: &str) {
    let server = Server::new();
    let line = format!("--sizing {workers} -d 60 -s queued --threshold p50<250ms -c --report json:-");
    let output = Program::new(TROUBLED, &line).against(&server).env("CAPACITY", "8").run().exited(0);
    let report = molotov_tests::report(&output.stdout);
    let (met, broken) = interval(&report);
    assert!(met <= 21.0 && broken >= 18.0 && broken <= met * 1.23 + 2.0, "{workers}: {met} to {broken}");
    assert_eq!(report["sizing"]["unit"], "workers", "{workers}");
    let steps = report["sizing"]["steps"].as_array().unwrap();
    assert_eq!(steps[0]["load"], 8.0, "{workers}: all processes have eight workers at first");
    // Processes have equal numbers of workers.
    let processes = if workers.contains("-p 2") { 2.0 } else { 1.0 };
    assert!(steps.iter().all(|step| step["load"].as_f64().unwrap() % processes == 0.0), "{workers}: {steps:#?}");
}

/// A search that finds no load exits with 1.
#[test]
fn a_search_fails_if_no_load_meets_the_thresholds() {
    let server = Server::new();
    let line = "--sizing --rate 8/s -d 4 -s fine --threshold p95<1us -c";
    let output = Program::new(TROUBLED, line).against(&server).run().exited(1);
    assert!(output.stdout.contains("Capacity: less than "), "{output:#?}");
}

/// Ten requests at a time, of 100 ms each: a hundred per second.
fn search_rate(processes: &str) {
    let server = Server::new();
    let line = format!("--sizing --rate 60/s -d 40 -s queued --threshold p95<2s -c --report json:- {processes}");
    let output = Program::new(TROUBLED, &line).against(&server).env("CAPACITY", "10").run().exited(0);
    let (text, report) = (&output.stderr, molotov_tests::report(&output.stdout));
    let (met, broken) = interval(&report);
    // A sleep takes a little longer than asked for.
    assert!(met <= 100.0 && broken >= 95.0 && (broken - met) / (broken + met) <= 0.1, "{text}");
    assert_eq!(report["sizing"]["unit"], "starts_per_second");
    assert!(report["sizing"]["steps"].as_array().unwrap().len() >= 4, "{text}");
    assert!(text.contains("Sizing is over!\n\nCapacity: between "), "{text}");
    assert_eq!(report["thresholds"], serde_json::json!([]), "thresholds apply to the steps");
}

#[test]
fn an_interrupted_search_says_what_it_knows() {
    let server = Server::new();
    let line = "--sizing --rate 40/s -d 60 -s fine --threshold p95<2s -c";
    let running = Program::new(TROUBLED, line).against(&server).start();
    wait_until("the rate has been raised", || server.served() > 150);
    running.interrupt();
    let output = running.wait().exited(0);
    let end = output.stdout.split_once("Sizing was not finished. (interrupted)\n\nCapacity: at least ").unwrap().1;
    assert!(end.contains("\nstep ") && end.contains("  met\n"), "{end}");
}

#[test]
fn an_unfinished_sizing_says_why() {
    let server = Server::new();
    let running = Program::new(TROUBLED, "--sizing -s fine -w 5 --ramp-up 1 -c").against(&server).start();
    wait_until("the run has started", || server.served() > 50);
    running.interrupt();
    let output = running.wait().exited(0);
    assert!(output.stdout.ends_with("\nSizing was not finished. (interrupted)\n*** Bye ***\n"), "{output:#?}");

    let output = Program::new(TROUBLED, "--sizing -s fine -w 3 --ramp-up 0.3 -d 1 -c").against(&server).run().exited(0);
    let end = "Sizing was not finished. (failures stayed within the tolerance, with up to 3 workers)\n*** Bye ***\n";
    assert!(output.stdout.ends_with(end), "{output:#?}");
}

#[test]
fn sizing_has_a_default_ramp_up_and_number_of_workers() {
    let server = Server::new();
    let running = Program::new(TROUBLED, "--sizing -s fine -c -v --delay 0.05").against(&server).start();
    running.wait_for("Preparing 500 workers...");
    running.wait_for("[W:2] Running scenarios");
    running.interrupt();
    let output = running.wait().exited(0);
    // 500 workers over 300 s: the third starts after 1.2 s.
    let arrivals = server.arrivals();
    assert!(arrivals.last().unwrap().at - arrivals[0].at > std::time::Duration::from_millis(1_100), "{output:#?}");
    assert!(!output.stdout.contains("[W:20] Running"), "{output:#?}");
}
