//! Runs with several processes, and what happens when one of them dies.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use molotov_tests::{Output, Program, Server, wait_until};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const STEADY: &str = env!("CARGO_BIN_EXE_steady");
const TROUBLED: &str = env!("CARGO_BIN_EXE_troubled");

/// The process IDs in the journal, each with its lines.
fn pids(journal: &[String]) -> BTreeMap<i32, Vec<&str>> {
    let mut of = BTreeMap::<i32, Vec<&str>>::new();
    for line in journal.iter().filter(|line| line.starts_with("process ")) {
        of.entry(line.split(' ').nth(2).unwrap().parse().unwrap()).or_default().push(line);
    }
    of
}

/// A folder with `rows.csv`, whose rows have the ids from 0.
fn rows(number: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..number).map(|id| format!("{id}\n")).collect();
    fs::write(folder.path().join("rows.csv"), format!("id\n{rows}")).unwrap();
    folder
}

/// Runs a scenario that notes rows, with four threads in each of three processes.
#[track_caller]
fn run_on(folder: &tempfile::TempDir, line: &str) -> Output {
    let line = format!("--use-extension data -p 3 --threads 4 -c {line}");
    Program::new(STEADY, &line).in_directory(folder.path()).run().exited(0)
}

/// How often the run noted each row.
fn taken(output: &Output) -> BTreeMap<u32, usize> {
    let mut taken = BTreeMap::new();
    for line in output.journal.iter().filter_map(|line| line.strip_prefix("row ")) {
        *taken.entry(line.parse().unwrap()).or_default() += 1;
    }
    taken
}

#[test]
fn a_queue_gives_each_row_once_to_all_threads_and_processes() {
    let folder = rows(10_000);
    let output = run_on(&folder, "-w 4 -s queue");
    let taken = taken(&output);
    assert_eq!(output.totals(), (10_000, 0), "{output:#?}");
    assert!(taken.keys().copied().eq(0..10_000) && taken.values().all(|count| *count == 1));
    assert!(output.stdout.contains("The 10,000 rows of rows.csv ran out after "), "{output:#?}");
    // A run takes two rows. A worker may get the last one, and find no second one.
    let output = run_on(&folder, "-w 4 -s pairs");
    let (runs, failures) = output.totals();
    assert!((4_988..=5_000).contains(&runs) && failures == 0, "{output:#?}");
    let twice = self::taken(&output).into_iter().find(|(_, count)| *count > 1);
    assert_eq!(twice, None);
}

#[test]
fn other_orders_give_all_rows_equally_often() {
    let folder = rows(10_000);
    for order in ["circular", "shuffle"] {
        let output = run_on(&folder, &format!("-w 8 -r 500 -s {order}"));
        let taken = taken(&output);
        assert_eq!((output.totals(), taken.len()), ((12_000, 0), 10_000), "{order}");
        assert_eq!((taken.values().min(), taken.values().max()), (Some(&1), Some(&2)), "{order}");
        assert!(!output.stdout.contains("ran out"), "{output:#?}");
    }
    let taken = taken(&run_on(&folder, "-w 4 -r 500 -s random"));
    assert_eq!(taken.values().sum::<usize>(), 6_000);
    assert!(taken.len() > 4_000 && taken.keys().all(|id| *id < 10_000), "{}", taken.len());
}

#[test]
fn workers_keep_their_rows_and_do_not_start_without_one() {
    let output = run_on(&rows(10), "-w 4 -r 3 -s kept");
    assert_eq!(output.totals(), (30, 0), "{output:#?}");
    assert!(taken(&output).into_iter().eq((1_000_000..1_000_010).map(|id| (id, 3))), "{output:#?}");
    assert_eq!(output.journal.iter().filter(|line| line.starts_with("kept ")).count(), 10);
    assert_eq!(output.journal.iter().filter(|line| line.starts_with("setup ")).count(), 10);
    assert_eq!(output.journal.iter().filter(|line| line.starts_with("teardown ")).count(), 10);
    assert!(output.stdout.contains("The 10 rows of rows.csv ran out "), "{output:#?}");
}

#[test]
fn a_plan_ends_when_its_rows_have_run_out() {
    let folder = rows(600);
    for plan in ["--rate 2000/s -d 60", "-w 6 --stage 60s:3", "-w 40 --ramp-up 10 -d 60"] {
        let output = run_on(&folder, &format!("{plan} -s queue"));
        assert_eq!(output.totals(), (600, 0), "{output:#?}");
        assert!(taken(&output).into_iter().eq((0..600).map(|id| (id, 1))), "{output:#?}");
        assert!(output.took < Duration::from_secs(10), "{plan}: {output:#?}");
    }
}

/// Both workers end in the middle of the plan, and two others start later.
#[test]
fn workers_that_start_again_take_new_rows() {
    let folder = rows(10);
    let line =
        "--use-extension data --threads 1 -w 2 --delay 0.02 --stage 200ms:0 --stage 100ms:0 --stage 200ms:2 -s kept -c";
    let output = Program::new(STEADY, line).in_directory(folder.path()).run().exited(0);
    assert!(taken(&output).into_keys().eq((0..4).map(|id| 1_000_000 + id)), "{output:#?}");
}

/// Only the first worker of each process runs before the rows have run out. The other workers start on other threads, many seconds
/// later.
#[test]
fn threads_and_processes_learn_at_once_that_rows_have_run_out() {
    for (rows, plan) in [
        (rows(600), "-w 4 --ramp-up 80 -s queue"),
        // Each thread has a start every 12 s.
        (rows(1), "--rate 1/s -d 60 -s queue"),
        // The only row belongs to the worker of one process. The first workers of the others find none.
        (rows(1), "-w 4 --ramp-up 80 -r 1 -s kept"),
    ] {
        let output = run_on(&rows, plan);
        assert!(output.took < Duration::from_secs(5), "{plan}: {output:#?}");
        assert_eq!(output.totals().1, 0, "{plan}: {output:#?}");
        assert!(output.stdout.contains(" of rows.csv ran out "), "{plan}: {output:#?}");
    }
}

#[test]
fn a_wrong_row_ends_the_run_before_workers_start() {
    let folder = rows(3);
    let path = folder.path().join("rows.csv");
    fs::write(&path, "id\n1\nmany\n").unwrap();
    let output = Program::new(STEADY, "--use-extension data -p 3 -w 4 -c -s queue").in_directory(folder.path()).run();
    assert_eq!(output.journal, ["global_setup", "global_teardown"], "{output:#?}");
    assert!(
        output.exited(1).stderr.contains("rows.csv:3: the column `id` has another type: invalid digit found in string")
    );
    fs::remove_file(&path).unwrap();
    let output = Program::new(STEADY, "--use-extension data -w 4 -c -s queue").in_directory(folder.path()).run();
    assert!(output.exited(1).stderr.contains("cannot read the data file `rows.csv`"));
    // A run that needs no rows does not read them.
    let program = Program::new(STEADY, "--use-extension data --list -s queue").in_directory(folder.path());
    let list = program.run().exited(0).stdout;
    assert!(list.lines().any(|line| line.starts_with("data ") && line.contains("programs/data.rs:")), "{list}");
}

fn lives(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

#[track_caller]
fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn count(output: &Output, line: &str) -> usize {
    output.journal.iter().filter(|entry| *entry == line).count()
}

/// A service that freezes twice, with many workers on several threads of two processes. They send 200 requests a second.
#[test]
fn stalls_of_the_service_are_named_with_their_length() {
    let server = Server::new();
    let program =
        Program::new(STEADY, "-p 2 --threads 2 -w 10 -d 8.5 -c").env("TARGET", &format!("{}/bear/99", server.url()));
    let running = program.start();
    wait_until("the workers run", || server.served() > 300);
    let first = server.freeze(Duration::from_secs(2));
    let before = server.served();
    wait_until("the workers run again", || server.served() > before + 200);
    let frozen = first + server.freeze(Duration::from_secs(2));
    let output = running.wait().exited(0);
    let text = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, notice) = text.split_once("The service stalled 2 times, for ").unwrap_or_else(|| panic!("{output:#?}"));
    let length: f64 = notice.split(' ').next().unwrap().parse().unwrap();
    assert!((length - frozen.as_secs_f64()).abs() <= frozen.as_secs_f64() * 0.1, "{frozen:?}: {notice}");
    let number = |after: &str| -> f64 {
        let (_, rest) = notice.split_once(after).unwrap_or_else(|| panic!("{notice}"));
        rest.split([' ', '/']).next().unwrap().replace(',', "").parse().unwrap()
    };
    // 20 workers, whose requests take a little longer than 100 ms.
    assert!((150.0..=210.0).contains(&number("A steady ")), "{notice}");
    assert!((150.0..=210.0).contains(&number("`--rate ")), "{notice}");
    let unsent = number("would have sent ");
    assert!((unsent - number("A steady ") * length).abs() < unsent * 0.05, "{notice}");
}

#[test]
fn totals_include_every_scenario_of_every_process() {
    let server = Server::new();
    let program = Program::new(STEADY, "-p 4 -w 50 -r 20 -c -v").against(&server);
    let output = program.env("DO", "process,variable").run().exited(0);
    assert_eq!((server.served(), output.totals()), (4_000, (4_000, 0)), "{output:#?}");
    let pids = pids(&output.journal);
    assert_eq!(pids.len(), 4);
    for (pid, lines) in &pids {
        assert_eq!(lines.len(), 1_000, "process {pid}");
        let workers: BTreeSet<_> = lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
        assert_eq!(workers.len(), 50, "worker ids count from 0 in each process");
        assert!(output.stdout.contains(&format!("[P:{pid}] [W:49] Ran 20 scenarios")), "{output:#?}");
    }
    let numbers: BTreeSet<_> =
        output.journal.iter().filter_map(|line| line.strip_prefix("process ")?.split(' ').next()).collect();
    assert_eq!(numbers, BTreeSet::from(["0", "1", "2", "3"]));
    // All processes have the variable of `global_setup`. Both global fixtures ran once, in the parent.
    let variables: BTreeSet<_> = output.journal.iter().filter(|line| line.starts_with("variable ")).collect();
    assert_eq!(variables.len(), 1, "{variables:?}");
    assert_eq!((count(&output, "global_setup"), count(&output, "global_teardown")), (1, 1));
    assert!(output.stdout.contains("Forking 4 processes\nPreparing 50 workers...\nOK\n"), "{output:#?}");
    assert!(output.stdout.contains("200 workers · 4 processes"), "{output:#?}");
}

#[test]
fn a_killed_process_is_reported_and_the_others_continue() {
    let server = Server::new();
    // Processes report five times a second, whatever the interval of the screen.
    let line = "-p 4 -w 50 -r 20 --delay 0.1 -c --console-update 10";
    let running = Program::new(STEADY, line).against(&server).env("DO", "process").start();
    wait_until("the run has started", || server.served() > 1_200);
    let killed = running.children()[1];
    kill(killed, Signal::KILL);
    running.wait_for(&format!("the process {killed} was killed by SIGKILL"));
    let mut left = Vec::new();
    let output = running.wait_with(|running| left.extend(running.children())).exited(1);
    let pids = pids(&output.journal);
    let survivors = pids.iter().filter(|(pid, _)| **pid != killed).map(|(_, lines)| lines.len() as u64);
    assert_eq!(survivors.clone().collect::<Vec<_>>(), [1_000; 3]);
    let (ok, failed) = output.totals();
    let of_the_killed = pids[&killed].len() as u64;
    // At 500 runs a second, at most the last fifth of a second is lost.
    let kept = ok - survivors.sum::<u64>();
    assert!(failed == 0 && kept <= of_the_killed, "{kept} of {of_the_killed}: {output:#?}");
    assert!(kept + 250 >= of_the_killed, "{kept} of {of_the_killed}: {output:#?}");
    assert!(kept > 0, "{output:#?}");
    let note = format!("The process {killed} was killed by SIGKILL; its counts are incomplete since ");
    assert!(output.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(&note), "{output:#?}");
    assert!(left.into_iter().all(|pid| !lives(pid)), "a process is still alive");
    assert_eq!(count(&output, "global_teardown"), 1);
}

#[test]
fn reports_say_since_when_the_counts_of_a_killed_process_are_incomplete() {
    let server = Server::new();
    let directory = tempfile::tempdir().unwrap();
    let line = "-p 2 -w 5 --delay 0.02 -c --console-update 10 --report out.json --report out.html";
    let running = Program::new(STEADY, line).against(&server).in_directory(directory.path()).start();
    wait_until("the run has started", || server.served() > 200);
    let started = std::time::Instant::now();
    let [_, stopped] = running.children()[..] else { panic!("two processes") };
    kill(stopped, Signal::STOP);
    running.wait_for(&format!(
        "the process {stopped} is stopped and generates no load; resume it with `kill -CONT {stopped}`"
    ));
    kill(stopped, Signal::KILL);
    running.wait_for(&format!("the process {stopped} was killed by SIGKILL; its counts are incomplete since "));
    let took = started.elapsed();
    running.interrupt();
    let output = running.wait().exited(1);
    let read = |name| fs::read_to_string(directory.path().join(name)).unwrap();
    let json = molotov_tests::report(&read("out.json"));
    let [incomplete] = &json["incomplete"].as_array().unwrap()[..] else { panic!("{json}") };
    assert_eq!(
        (&incomplete["process"], &incomplete["pid"], &incomplete["thread"]),
        (&1.into(), &stopped.into(), &().into())
    );
    // Its last report was at most a fifth of a second before it was stopped.
    let (since, end) = (incomplete["since_s"].as_f64().unwrap(), json["elapsed_s"].as_f64().unwrap());
    assert!(since > 0.0 && since <= end - took.as_secs_f64() + 0.5, "{since} of {end}, {took:?}");
    let note = format!("The process {stopped} was killed by SIGKILL; its counts are incomplete since ");
    // The page says it once in its verdict, and marks the process in its table.
    let page = read("out.html");
    let row = format!("<th scope=\"row\">{stopped} (incomplete since ");
    assert!(page.contains(&note) && page.contains(&row) && page.matches("incomplete since").count() == 2, "{page}");
    // The end names the loss once, after the line at the moment of the loss.
    let (_, end) = output.stdout.split_once("Happy breaking!").unwrap();
    let end = end.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(end.matches(&note).count(), 1, "{output:#?}");
}

#[test]
fn a_forced_stop_resumes_a_stopped_process() {
    let server = Server::new();
    let running = Program::new(STEADY, "-p 2 -w 5 --delay 0.02 -c").against(&server).start();
    wait_until("the run has started", || server.served() > 50);
    let stopped = running.children()[1];
    kill(stopped, Signal::STOP);
    running.interrupt();
    running.wait_for("Stopping");
    running.interrupt();
    let output = running.wait().exited(0);
    let (ok, failed) = output.totals();
    assert_eq!(failed, 0);
    // Requests that were in progress when the process was stopped are interrupted.
    assert!(ok <= server.served() && ok + 10 >= server.served(), "{ok} of {}: {output:#?}", server.served());
    assert!(!output.stdout.contains("incomplete"), "{output:#?}");
    assert_eq!((count(&output, "teardown 0"), count(&output, "teardown 4")), (2, 2), "{output:#?}");
}

#[test]
fn a_killed_process_is_detected_within_a_second() {
    let server = Server::new();
    let running = Program::new(STEADY, "-p 2 -w 1 --delay 1h -c --console-update 30").against(&server).start();
    wait_until("both processes send requests", || server.served() == 2);
    let killed = running.children()[0];
    let before = std::time::Instant::now();
    kill(killed, Signal::ABORT);
    running.wait_for(&format!("the process {killed} was killed by SIGABRT"));
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    running.interrupt();
    let output = running.wait().exited(1);
    assert_eq!(output.totals().0, 1, "the run of the other process is counted: {output:#?}");
}

#[test]
fn processes_end_when_their_parent_dies() {
    for line in ["-p 3 -w 5 -s held -q", "-p 3 -w 2 -s stuck --threads 1 -q"] {
        let server = Server::new();
        let running = Program::new(TROUBLED, line).against(&server).start();
        wait_until("all processes have started", || running.children().len() == 3);
        match line.contains("stuck") {
            true => running.wait_for_journal("stuck"),
            false => wait_until("they send requests", || server.served() == 15),
        }
        let children = running.children();
        running.signal(Signal::KILL);
        assert_eq!(running.wait().code, None);
        wait_until("no process is alive", || !children.iter().any(|pid| lives(*pid)));
    }
}

#[test]
fn signals_end_all_processes() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = Server::new();
        let running = Program::new(TROUBLED, "-p 3 -w 2 -s held -c").against(&server).start();
        wait_until("all workers wait for the server", || server.served() == 6);
        let children = running.children();
        // A terminal signals the whole group.
        children.iter().for_each(|pid| kill(*pid, Signal::INT));
        running.signal(signal);
        running.wait_for("Stopping: waiting for running scenarios");
        server.release();
        let output = running.wait().exited(0);
        assert_eq!(output.totals(), (6, 0), "{output:#?}");
        assert_eq!(count(&output, "teardown"), 6, "{output:#?}");
        assert_eq!(output.journal.last().map(String::as_str), Some("global_teardown"));
        assert!(!children.iter().any(|pid| lives(*pid)));
    }
}

#[test]
fn a_second_signal_cancels_scenarios_of_all_processes() {
    let server = Server::new();
    let running = Program::new(TROUBLED, "-p 2 -w 3 -s held -c").against(&server).start();
    wait_until("all workers wait for the server", || server.served() == 6);
    running.interrupt();
    running.wait_for("Stopping");
    running.interrupt();
    let output = running.wait().exited(0);
    assert_eq!(output.totals(), (0, 0), "{output:#?}");
    assert!(output.stdout.contains("6 scenarios were interrupted"), "{output:#?}");
    assert_eq!(count(&output, "teardown"), 6, "{output:#?}");
}

#[test]
fn a_process_that_gets_a_signal_stops_the_run_normally() {
    let server = Server::new();
    let running = Program::new(STEADY, "-p 2 -w 2 --delay 0.05 -d 2 -c").against(&server).start();
    wait_until("both processes send requests", || server.served() > 8);
    kill(running.children()[0], Signal::TERM);
    let output = running.wait().exited(0);
    assert_eq!(output.totals(), (server.served(), 0), "{output:#?}");
    assert_eq!((count(&output, "teardown 0"), count(&output, "teardown 1")), (2, 2));
}

#[test]
fn the_first_failure_stops_all_processes() {
    let server = Server::new();
    let output = Program::new(TROUBLED, "-p 3 -w 1 -s third_refused -x -c").against(&server).run().exited(0);
    let (ok, failed) = output.totals();
    assert_eq!((failed, ok + failed), (1, server.served()), "{output:#?}");
    // The failure may come before the last process has started its worker.
    let started = output.stdout.matches("] Starting\n").count();
    assert_eq!(count(&output, "teardown"), started, "{output:#?}");
}

#[test]
fn fail_counts_the_failures_of_all_processes() {
    for (fail, code) in [(6, 1), (7, 0)] {
        let server = Server::new();
        let line = format!("-p 3 -w 1 -r 2 -s wrong -f {fail} -q");
        Program::new(TROUBLED, &line).against(&server).run().exited(code);
        assert_eq!(server.served(), 6);
    }
}

#[test]
fn a_failing_fixture_stops_all_processes() {
    let server = Server::new();
    for (fixture, runs) in [("global_setup", 0), ("setup", 1), ("setup_session", 1)] {
        let program = Program::new(TROUBLED, "-p 2 -w 1 -s held -c").against(&server).env("DO", fixture);
        let output = program.run().exited(1);
        assert!(output.stderr.contains(&format!("the fixture `{fixture}` failed")), "{output:#?}");
        assert!(output.stderr.contains("has no database"), "{output:#?}");
        assert_eq!(output.stdout.contains("Forking"), runs > 0, "{output:#?}");
    }
    assert_eq!(server.served(), 0);
}

#[test]
fn threads_before_a_fork_are_an_error_that_names_them() {
    let server = Server::new();
    let program = Program::new(STEADY, "-p 2 -r 1 -c").against(&server).env("DO", "leave-a-thread");
    let output = program.run().exited(1);
    assert!(output.stderr.contains("cannot fork while other threads are alive: left-behind"), "{output:#?}");
    assert_eq!(server.served(), 0);
}

#[test]
fn current_workers_events_count_all_processes_and_are_sent_by_the_parent() {
    let server = Server::new();
    let program = Program::new(STEADY, "-p 2 -w 3 -d 2.5 --delay 0.1 -c").against(&server);
    let output = program.env("DO", "workers,variable").run().exited(0);
    let events: Vec<_> = output.journal.iter().filter(|line| line.starts_with("workers ")).collect();
    let parent = output.journal.iter().find_map(|line| line.strip_prefix("variable Some(")).unwrap();
    let parent = parent.trim_end_matches(')');
    assert!(events.iter().all(|line| line.ends_with(&format!(" {parent}"))), "{events:?} {parent}");
    assert!(events.iter().any(|line| line.starts_with("workers 6 ")), "{events:?}");
    assert!(events.last().unwrap().starts_with("workers 0 "), "{events:?}");
}

#[test]
fn a_seed_gives_each_process_its_own_numbers() {
    let numbers = |seed| {
        let server = Server::new();
        let program = Program::new(STEADY, &format!("-p 2 -w 2 -r 3 -q {seed}")).against(&server);
        let output = program.env("DO", "random").run().exited(0);
        let lines: BTreeSet<_> = output.journal.into_iter().filter(|line| line.starts_with("random ")).collect();
        assert_eq!(lines.len(), 12, "{lines:?}");
        let numbers: BTreeSet<_> = lines.iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
        assert_eq!(numbers.len(), 12, "two workers have equal numbers: {lines:?}");
        lines
    };
    assert_eq!(numbers("--seed 7"), numbers("--seed 7"));
    assert_ne!(numbers(""), numbers(""));
}
