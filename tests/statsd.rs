//! The metrics that a statsd daemon receives, compared with the requests of the server.

#![allow(clippy::unwrap_used)]

use std::{net::UdpSocket, thread, time::Duration};

use molotov_tests::{PATIENCE, Program, Server, StatsdDaemon, counters, wait_until};

const STEADY: &str = env!("CARGO_BIN_EXE_steady");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[test]
fn each_request_is_sent_once() {
    for line in ["-w 4 -r 50 --threads 2 -q", "-p 2 -w 2 -r 50 -q", "-w 1 -r 200 -q"] {
        let (server, daemon) = (Server::new(), StatsdDaemon::start());
        let program = Program::new(STEADY, &format!("{line} {}", daemon.option())).against(&server);
        program.env("DO", "metrics").run().exited(0);
        let lines = daemon.lines();
        let counters = counters(&lines);
        let host = hostname();
        for (path, count) in server.counts() {
            let name = format!("molotov.{host}.GET.127.0.0.1.{path}");
            assert_eq!(counters[&*format!("{name}.200")], count, "{line}: {counters:?}");
            let timings: Vec<u64> = lines
                .iter()
                .filter_map(|line| line.strip_prefix(&format!("{name}:"))?.strip_suffix("|ms")?.parse().ok())
                .collect();
            assert_eq!(timings.len() as u64, count, "{line}");
            assert!(timings.iter().all(|time| *time < 10_000), "{timings:?}");
        }
        assert_eq!(server.served(), 200);
        assert_eq!(counters["bought"], 400, "{line}");
        assert_eq!(lines.iter().filter(|line| *line == "stock:3.5|g").count(), 200, "{line}");
        assert!(lines.iter().any(|line| line == "bought:2|c|#kind:tea"), "{line}: {lines:?}");
        let expected = 200 * 4;
        assert_eq!(lines.len(), expected, "{line}");
    }
}

#[test]
fn checks_and_own_values_are_sent_once() {
    for line in ["-w 2 -r 4 -s cart -q", "-p 2 -w 1 -r 4 -s cart -q"] {
        let (server, daemon) = (Server::new(), StatsdDaemon::start());
        let program = Program::new(STEADY, &format!("{line} {}", daemon.option())).against(&server);
        program.env("DO", "custom").run().exited(0);
        let lines = daemon.lines();
        let (counters, prefix) = (counters(&lines), format!("molotov.{}", hostname()));
        for (name, count) in [
            ("checks.even.passed", 4),
            ("checks.even.failed", 4),
            ("checks.is_found.passed", 8),
            ("counters.items", 24),
        ] {
            assert_eq!(counters.get(&*format!("{prefix}.{name}")), Some(&count), "{line}: {name} {lines:?}");
        }
        let sent = |what: &str| lines.iter().filter(|line| **line == format!("{prefix}.{what}")).count();
        assert_eq!([sent("values.basket:0.5|h"), sent("values.basket:2|h")], [2, 2], "{line}: {lines:?}");
        assert_eq!(
            [sent("gauges.queue:1|g"), sent("gauges.queue:0|g"), sent("gauges.queue:-4|g")],
            [2, 2, 2],
            "{line}: {lines:?}"
        );
    }
}

#[test]
fn starts_at_a_rate_are_counted() {
    for line in ["--rate 60/s -d 1 -q", "-p 2 --rate 60/s -d 1 -q"] {
        let (server, daemon) = (Server::new(), StatsdDaemon::start());
        Program::new(STEADY, &format!("{line} {}", daemon.option())).against(&server).run().exited(0);
        let lines = daemon.lines();
        assert_eq!(counters(&lines)[&*format!("molotov.{}.starts.started", hostname())], 60, "{line}: {lines:?}");
        assert_eq!(server.served(), 60);
    }
    let (server, daemon) = (Server::new(), StatsdDaemon::start());
    let line = format!("-s fine --rate 100/s -d 1 -w 1 --when-busy drop -q {}", daemon.option());
    Program::new(TROUBLED, &line).env("TARGET", &format!("{}/after/95", server.url())).run().exited(0);
    let lines = daemon.lines();
    let (counters, name) = (counters(&lines), format!("molotov.{}.starts", hostname()));
    let [started, dropped] = ["started", "dropped"].map(|what| counters[&*format!("{name}.{what}")]);
    assert_eq!((started, started + dropped), (server.served(), 100), "{lines:?}");
}

#[test]
fn timings_are_the_latencies_of_requests() {
    let (server, daemon) = (Server::new(), StatsdDaemon::start());
    let line = format!("-s held -r 1 -q {}", daemon.option());
    let running = Program::new(TROUBLED, &line).against(&server).start();
    wait_until("the request arrives", || server.served() == 1);
    thread::sleep(Duration::from_millis(300));
    server.release();
    running.wait().exited(0);
    let lines = daemon.lines();
    let time: u64 = lines.iter().find_map(|line| line.split_once(':')?.1.strip_suffix("|ms")?.parse().ok()).unwrap();
    assert!((300..5_000).contains(&time), "{lines:?}");
}

#[test]
fn statuses_are_part_of_the_name() {
    let (server, daemon) = (Server::new(), StatsdDaemon::start());
    let line = format!("-s refused -r 3 -q {}", daemon.option());
    Program::new(TROUBLED, &line).against(&server).run().exited(0);
    let lines = daemon.lines();
    let (name, count) = counters(&lines).into_iter().next().unwrap();
    assert!(name.contains(".GET.127.0.0.1./fail/refused.") && !name.ends_with(".200"), "{name}");
    assert_eq!((count, lines.len()), (3, 6));
}

#[test]
fn special_characters_in_paths_are_replaced() {
    let (server, daemon) = (Server::new(), StatsdDaemon::start());
    let program = Program::new(STEADY, &format!("-r 2 -q -s cart {}", daemon.option())).against(&server);
    program.env("DO", "odd").run().exited(0);
    let lines = daemon.lines();
    assert_eq!(lines.len(), 8, "{lines:?}");
    for line in &lines {
        assert_eq!((line.matches(':').count(), line.matches('|').count()), (1, 1), "{line}");
    }
    let name = format!("molotov.{}.GET.127.0.0.1./ok/a_b_c_d_e_f_g/{{x}}", hostname());
    assert!(lines.contains(&format!("{name}.200:1|c")), "{lines:?}");
}

#[test]
fn a_missing_daemon_does_not_affect_the_run() {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::new();
    let line = format!("-w 4 -r 500 --statsd --statsd-address udp://{gone}");
    let output = Program::new(STEADY, &line).against(&server).run().exited(0);
    assert_eq!((output.totals(), server.served()), ((2_000, 0), 2_000));
    assert!(!output.stderr.contains("statsd") && output.took < PATIENCE, "{output:#?}");
}

#[test]
fn without_the_option_nothing_is_sent() {
    let (server, daemon) = (Server::new(), StatsdDaemon::start());
    let line = daemon.option().replace("--statsd ", "");
    let program = Program::new(STEADY, &format!("-r 3 -q {line}")).against(&server);
    program.env("DO", "metrics").run().exited(0);
    assert_eq!(daemon.lines(), Vec::<String>::new());
}

#[test]
fn invalid_addresses_are_errors_before_the_run() {
    let server = Server::new();
    for (address, code, part) in [
        ("tcp://localhost:1", 2, "not over `tcp://`"),
        ("udp://", 2, "write it as `udp://localhost:8125`"),
        ("udp://host:port", 2, "write it as"),
        ("udp://nowhere.invalid:1", 1, "`nowhere.invalid`, cannot be found"),
    ] {
        let output = Program::new(STEADY, &format!("--statsd --statsd-address {address} -r 1")).against(&server).run();
        assert_eq!(output.code, Some(code), "{output:#?}");
        assert!(output.stderr.starts_with("error: ") && output.stderr.contains(part), "{output:#?}");
    }
    assert_eq!(server.served(), 0);
}
