//! The output of a run: text, order, closed pipes, reports, memory.

#![allow(clippy::unwrap_used)]

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use molotov_tests::{Program, Quota, Server, a_shared_cpu_is_named_as_the_bottleneck, report, wait_until};

mod reports;

const STEADY: &str = env!("CARGO_BIN_EXE_steady");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

#[test]
fn a_piped_run_prints_plain_text() {
    let server = Server::new();
    let output = Program::new(STEADY, "-w 2 -r 2").env("DO", "print").against(&server).run().exited(0);
    let text = &output.stdout;
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    for line in [
        "Preparing 2 workers...",
        "OK",
        "[W:0] Starting",
        "[W:1] Starting",
        "[W:0] Setting up session",
        "[W:0] Running scenarios",
        "[W:0] Ran 2 scenarios",
        "[W:1] Ran 2 scenarios",
        concat!("**** Molotov v", env!("CARGO_PKG_VERSION"), ". Happy breaking! ****"),
    ] {
        assert_eq!(text.lines().filter(|one| *one == line).count(), 1, "{line:?} in\n{text}");
    }
    assert_eq!(text.matches("printed by ").count(), 4, "{text}");
    let last: Vec<_> = text.lines().rev().take(2).collect();
    assert_eq!(last, ["*** Bye ***", "SUCCESSES: 4 | FAILURES: 0"]);
    assert!(text.ends_with("*** Bye ***\n"));
}

#[test]
fn no_line_is_lost_at_the_end_of_a_short_run() {
    for _ in 0..5 {
        let server = Server::new();
        let output = Program::new(STEADY, "-w 20 -r 5 -v").env("DO", "print").against(&server).run().exited(0);
        assert_eq!(output.stdout.matches("printed by ").count(), 100, "{}", output.stdout);
        assert_eq!(output.stdout.matches("] Ran 5 scenarios").count(), 20, "{}", output.stdout);
    }
}

#[test]
fn the_table_is_between_the_banner_and_the_totals() {
    let server = Server::new();
    let output = Program::new(STEADY, "-r 4 -s cart").against(&server).run().exited(0);
    let text = &output.stdout;
    let banner = text.find("**** Molotov v").unwrap();
    let totals = text.find("SUCCESSES: 4 | FAILURES: 0").unwrap();
    let table = &text[banner..totals];
    for part in ["cart", "GET /ok/cart", "p95", "200"] {
        assert!(table.contains(part), "no {part:?} in\n{table}");
    }
}

#[test]
fn control_characters_of_users_do_not_reach_the_terminal() {
    let output = Program::new(TROUBLED, "-r 1 -s talkative").run().exited(0);
    assert!(output.stdout.contains("one\n") && output.stdout.contains("two "), "{}", output.stdout);
    assert!(!output.stdout.contains('\u{1b}'), "{:?}", output.stdout);
}

#[test]
fn an_unoptimised_build_is_a_warning_on_standard_error() {
    let server = Server::new();
    let output = Program::new(STEADY, "-r 1").against(&server).run().exited(0);
    let warnings = usize::from(cfg!(debug_assertions));
    assert_eq!(output.stderr.matches("cargo run --release").count(), warnings, "{output:#?}");
    assert_eq!(output.stderr.lines().count(), warnings, "{output:#?}");
}

#[test]
fn a_closed_pipe_does_not_break_the_run() {
    let server = Server::new();
    let running = Program::new(STEADY, "-w 2 -r 400").env("DO", "print").against(&server).start();
    running.wait_for("[W:0] Starting");
    running.close_stdout();
    let output = running.wait().exited(0);
    assert!(!output.stderr.contains("panicked"), "{output:#?}");
    assert_eq!(server.served(), 800);
    assert_eq!(output.journal.last().map(String::as_str), Some("global_teardown"));
}

#[test]
fn help_does_not_panic_if_the_pipe_is_closed() {
    let running = Program::new(STEADY, "--help").start();
    running.close_stdout();
    let output = running.wait();
    assert!(!output.stderr.contains("panicked"), "{output:#?}");
}

#[test]
fn lines_appear_during_the_run() {
    let server = Server::new();
    let running = Program::new(TROUBLED, "-r 1 -s held").against(&server).start();
    running.wait_for("[W:0] Running scenarios\n");
    wait_until("the request arrives", || server.served() == 1);
    server.release();
    running.wait().exited(0);
}

#[test]
fn a_terminal_gets_a_line_of_progress() {
    let server = Server::new();
    let program = Program::new(TROUBLED, "-w 2 -r 1 -s held --console-update 0.05").against(&server).on_terminal(100);
    let running = program.start();
    running.wait_for("\r\u{1b}[KSUCCESSES: 0 | FAILURES: 0 | WORKERS: 2");
    server.release();
    let output = running.wait().exited(0);
    // The line is removed before the totals are printed.
    assert!(output.stdout.ends_with("SUCCESSES: 2 | FAILURES: 0\r\n*** Bye ***\r\n"), "{output:#?}");
    let after = output.stdout.rsplit("Happy breaking").next().unwrap();
    assert!(!after.contains("WORKERS:") && !after.contains("\u{1b}[K"), "{output:#?}");
}

#[test]
fn only_unoptimised_builds_are_warned_about() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("build");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../molotov/build.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    assert!(Command::new(rustc).arg(source).arg("-o").arg(&script).status().unwrap().success());
    for (level, warned) in [("0", true), ("1", false), ("3", false), ("s", false)] {
        let output = Command::new(&script).env("OPT_LEVEL", level).env("TARGET", "any").output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.contains("cargo::rustc-cfg=unoptimized\n"), warned, "{level}: {output}");
    }
}

#[test]
fn a_run_without_a_limit_prints_a_hint() {
    for (line, workers) in [("", "1 worker"), ("-p 2 -w 3", "6 workers")] {
        let server = Server::new();
        let running = Program::new(STEADY, &format!("{line} --delay 0.05")).against(&server).start();
        running.wait_for(&format!(
            "{workers} for 24 hours, the default (Ctrl-C stops); limit the run with `-d TIME` or `-r N`"
        ));
        wait_until("it runs", || server.served() > 0);
        running.interrupt();
        running.wait().exited(0);
    }
    for line in ["-d 0.1", "-r 1", "--single-run"] {
        let server = Server::new();
        let output = Program::new(STEADY, line).against(&server).run().exited(0);
        assert!(!output.stdout.contains("24 hours"), "{line}: {output:#?}");
    }
    // No hint if the same duration is given explicitly.
    let server = Server::new();
    let running = Program::new(STEADY, "-d 86400 --delay 0.05").against(&server).start();
    wait_until("it runs", || server.served() > 0);
    running.interrupt();
    let output = running.wait().exited(0);
    assert!(!output.stdout.contains("24 hours"), "{output:#?}");
}

#[test]
fn console_update_sets_the_interval_of_the_progress_line() {
    let drawn = |update: &str| {
        let server = Server::new();
        let line = format!("-d 0.6 --delay 0.05 --console-update {update}");
        let output = Program::new(STEADY, &line).against(&server).on_terminal(100).run().exited(0);
        output.stdout.matches("| WORKERS: ").count()
    };
    let (seldom, often) = (drawn("10"), drawn("0"));
    assert!(often >= 10, "drawn {often} times");
    assert!(often <= 60, "no more than 50 times a second: drawn {often} times");
    assert!(seldom <= 5, "drawn {seldom} times");
}

#[test]
fn colors_follow_the_terminal_and_no_color() {
    let red = |program: fn(Program) -> Program| {
        let server = Server::new();
        let output = program(Program::new(TROUBLED, "-s wrong -r 1").against(&server).on_terminal(80)).run().exited(0);
        output.stdout.contains("\u{1b}[31m")
    };
    assert!(red(|program| program));
    assert!(!red(|program| program.env("NO_COLOR", "1")));
    assert!(!red(|program| program.arg("--color=never")));
}

#[test]
fn secrets_are_masked_unless_show_secrets_is_given() {
    const REPORTS: [&str; 3] = ["out.json", "out.html", "out.csv"];
    for (line, shown) in [("", false), ("-p 2", false), ("--show-secrets", true)] {
        let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
        let daemon = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let line = format!("{line} --statsd --statsd-address udp://{}", daemon.local_addr().unwrap());
        let reports = REPORTS.map(|name| format!("--report {name}")).join(" ");
        let program = Program::new(TROUBLED, &format!("-s secretive -r 1 -vv {reports} {line}")).against(&server);
        let output = program.in_directory(directory.path()).run().exited(0);
        let files = REPORTS.map(|name| fs::read_to_string(directory.path().join(name)).unwrap());
        let mut packet = [0; 2048];
        let length = daemon.recv(&mut packet).unwrap();
        let metrics = String::from_utf8_lossy(&packet[..length]).into_owned();
        assert!(metrics.contains("GET.127.0.0.1./fail/secretive") && !metrics.contains("t0ken"), "{metrics}");
        let all = format!("{}{}{}", output.stdout, output.stderr, files.concat());
        for secret in ["t0ken", "pa55", "c00kie", "YWRhOnBhNTU="] {
            assert_eq!(all.contains(secret), shown, "{line}: {secret} in\n{all}");
        }
        assert_eq!(all.contains("token=***"), !shown, "{line}: {all}");
        assert!(all.contains("secretive?token="), "{line}: {all}");
        assert_eq!(server.arrivals()[0].authorization.as_deref(), Some("Basic YWRhOnBhNTU="));
    }
}

#[test]
fn a_log_of_many_failing_workers_is_short() {
    for line in ["-w 500", "-p 2 -w 250"] {
        let line = format!("-s unparsable -d 1.3 --console-update 1 --report out.json {line}");
        let directory = tempfile::tempdir().unwrap();
        let output = Program::new(TROUBLED, &line).in_directory(directory.path()).run().exited(0);
        let text = &output.stdout;
        assert!(text.lines().count() <= 40, "{text}");
        let progress: Vec<_> = text.lines().filter(|line| line.starts_with("[1s] 500 workers | ")).collect();
        assert!(progress.len() == 1 && progress[0].contains(" failures (100 %)"), "{text}");
        assert_eq!(text.matches("[W:").count(), 1, "the first failure: {text}");
        assert_eq!(text.matches("SUCCESSES: ").count(), 1, "{text}");
        assert!(output.stderr.contains("wrote the report `out.json`\n"), "{output:#?}");
    }
}

#[test]
fn an_interruption_is_named_in_the_last_lines() {
    for line in ["-d 1h", "-p 2 -d 1h"] {
        let server = Server::new();
        let running = Program::new(STEADY, &format!("{line} --delay 0.05")).against(&server).start();
        wait_until("it runs", || server.served() > 0);
        running.interrupt();
        let output = running.wait().exited(0);
        let last: Vec<_> = output.stdout.lines().rev().take(4).collect();
        assert!(last[3].starts_with("The run was interrupted after "), "{output:#?}");
    }
}

/// Runs a program that fails at full speed until its memory no longer grows. Returns the memory in MiB.
fn memory_while_failing(program: Program) -> u64 {
    let running = program.start();
    let memory = running.settled_memory();
    running.interrupt();
    running.read();
    running.wait().exited(0);
    memory
}

#[test]
fn memory_stays_bounded_while_everything_fails() {
    for line in ["", "-p 2", "-q"] {
        for reader in [Program::unread, Program::discarded] {
            let program = Program::new(TROUBLED, &format!("-s unparsable -w 20 {line}"));
            let memory = memory_while_failing(reader(program));
            assert!(memory < 100, "{memory} MiB with {line:?}");
        }
    }
}

/// With a quota, the generator stops in each period of the scheduler, so its threads never look busy.
#[test]
fn an_exhausted_cpu_quota_is_named_as_the_bottleneck() {
    let Some(quota) = Quota::new(20) else { return };
    let runs = ["", "-p 2"].map(|line| {
        let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
        let program = quota.program(STEADY, &format!("-w 4 -d 1.5 --report out.json {line}"));
        (program.against(&server).in_directory(directory.path()).start(), server, directory)
    });
    for (running, _server, directory) in runs {
        let output = running.wait().exited(0);
        let generator = &report(&fs::read_to_string(directory.path().join("out.json")).unwrap())["generator"];
        assert_eq!(generator["bottleneck"], "quota", "{generator}");
        let text = output.stdout.replace('\n', " ");
        assert!(text.contains("The load generator was the bottleneck: it used up its CPU quota in "), "{text}");
    }
}

/// Threads that wait for a CPU are not busy all the time.
#[test]
fn a_cpu_shared_with_other_programs_is_named_as_the_bottleneck() {
    let server = Server::new();
    a_shared_cpu_is_named_as_the_bottleneck(|line| Program::new(STEADY, line).against(&server));
}

#[test]
fn debug_output_masks_secrets_of_the_configuration() {
    let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
    let tests = r#"{"molotov": {"tests": {"test": {"max_runs": 1, "db_password": "s3cret"}}}}"#;
    fs::write(directory.path().join("molotov.json"), tests).unwrap();
    let program = Program::new(STEADY, "--debug --config molotov.json").against(&server);
    let output = program.in_directory(directory.path()).run().exited(0);
    assert!(output.stderr.contains("the run begins") && output.stderr.contains("db_password"), "{output:#?}");
    assert!(!output.stderr.contains("s3cret"), "{output:#?}");
}

#[test]
fn a_report_on_standard_output_moves_other_output_to_standard_error() {
    for (line, path) in [("", "json:-"), ("-p 2", "json:/dev/stdout"), ("-q", "json:-")] {
        let server = Server::new();
        let line = format!("{line} -r 2 --use-extension witness --report {path} --report csv:/dev/null");
        let output = Program::new(STEADY, &line).env("DO", "print").against(&server).run().exited(0);
        let report = report(&output.stdout);
        assert_eq!(report["totals"]["successes"], server.served(), "{line}");
        for part in ["SUCCESSES: ", "printed by ", "Loading extension"] {
            assert_eq!(output.stderr.contains(part), !line.starts_with("-q"), "{line}: {part} in {}", output.stderr);
        }
    }
    let output = Program::new(STEADY, "-r 1 --report json:- --report html:/dev/stdout").run().exited(2);
    assert!(output.stderr.contains("only one report can go to standard output"), "{output:#?}");
}

#[test]
fn reports_are_written_when_standard_output_is_closed() {
    for line in ["-w 2 -r 200", "-w 1 -p 2 -r 200", "-w 2 -r 200 --use-extension witness"] {
        let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
        let program = Program::new(STEADY, &format!("{line} --report out.json")).env("DO", "print").against(&server);
        let running = program.in_directory(directory.path()).start();
        running.close_stdout();
        running.wait().exited(0);
        let report = report(&fs::read_to_string(directory.path().join("out.json")).unwrap());
        assert_eq!((report["totals"]["successes"].as_u64(), server.served()), (Some(400), 400), "{line}");
    }
}

#[test]
fn a_full_standard_output_is_an_error() {
    for line in ["--list", "--help", "--version", "--report json:-", "", "-p 2", "-x", "--report out.json"] {
        let (server, directory) = (Server::new(), tempfile::tempdir().unwrap());
        let program = Program::new(STEADY, &format!("-r 2 {line}")).against(&server).in_directory(directory.path());
        let output = program.full().run().exited(1);
        assert!(output.stderr.contains("No space left on device"), "{line}: {output:#?}");
        if line.contains("out.json") {
            let report = report(&fs::read_to_string(directory.path().join("out.json")).unwrap());
            assert_eq!(report["totals"]["successes"], server.served());
        }
    }
}

#[test]
fn a_report_file_that_is_a_mount_point_is_written_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("out.json");
    fs::write(&file, "old").unwrap();
    let before = fs::metadata(&file).unwrap().ino();
    // The mount is made in a namespace, so that it is invisible to others. Users other than root need a user namespace.
    let namespace = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let mounted = |command: &str| {
        let mount = format!("mount --bind out.json out.json && {command}");
        Program::new("unshare", namespace).arg("sh").arg("-c").arg(&mount).in_directory(directory.path())
    };
    let possible = mounted("true").run();
    if possible.code != Some(0) {
        eprintln!("skipped: this system does not allow mounts in namespaces: {possible:#?}");
        return;
    }
    let server = Server::new();
    let output = mounted(&format!("exec {STEADY} -r 2 -q --report out.json")).against(&server).run().exited(0);
    assert!(!output.stderr.contains("report"), "{output:#?}");
    let report = report(&fs::read_to_string(&file).unwrap());
    assert_eq!(report["totals"]["successes"], 2);
    assert_eq!(fs::metadata(&file).unwrap().ino(), before, "the file is the same one");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "there are no other files");
}
