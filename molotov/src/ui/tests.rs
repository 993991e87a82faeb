//! Tests of the output of screens on terminals and pipes.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::*;
use crate::{
    metrics::{Limits, Outcome, Recorder},
    run::{Line, MemberLabel, PlanProgress, Progress, Summary, Totals},
};

/// The bytes written so far, shared with the console.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A closed pipe that counts the writes.
#[derive(Clone, Default)]
struct Gone(Arc<Mutex<usize>>);

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        *self.0.lock().unwrap() += 1;
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn summary() -> Summary {
    let recorder = Recorder::new(Limits::default());
    let browse = recorder.scenario_id("browse");
    (0..10).for_each(|_| recorder.scenario(browse, Outcome::Ok, Duration::from_millis(12)));
    Summary {
        version: "0.1.0".to_owned(),
        totals: Totals { elapsed: Duration::from_secs(2), successes: 10, ..Totals::default() },
        workers: 2,
        processes: 1,
        snapshot: recorder.take(),
        ..Summary::default()
    }
}

fn progress(successes: u64) -> Progress {
    Progress {
        totals: Totals { elapsed: Duration::from_secs(65), successes, failures: 2, ..Totals::default() },
        workers: 50,
        processes: 1,
        rate: 41.46,
        ..Progress::default()
    }
}

/// Sends the events of a short run to a screen.
fn run(screen: &mut dyn Screen) {
    screen.line(&Line::info("Preparing 2 workers..."));
    screen.line(&Line::info("OK"));
    screen.line(&Line::info("Starting").by_worker(0));
    screen.line(&Line::info("Setting up session").by_worker(0));
    screen.progress(&progress(7));
    screen.line(&Line::print("hello\tfrom \x1b[31mscenario").by_worker(0));
    screen.line(&Line::failure("assertion failed: it is not\n  left: 1\n right: 2\n").by_worker(1));
    screen.line(&Line::info("Running scenarios").by_worker(0).by_process(4321));
    screen.line(&Line::print("from afar").by_worker(1).by_member(&MemberLabel::Agent("load-\x1b2".into())));
    screen.line(&Line::failure("first\nsecond").by_worker(1).by_process(4321));
    screen.line(&Line::warning("this is an unoptimised build"));
    screen.line(&Line::print(""));
    screen.progress(&Progress { processes: 3, ..progress(8) });
    screen.progress(&Progress { agents: 3, ..progress(8) });
    screen.line(&Line::info("Ran 5 scenarios").by_worker(0));
    screen.finish(&summary());
}

fn written(kind: OutputKind, color: bool) -> String {
    let written = Written::default();
    run(&mut Console::new(written.clone(), kind, color));
    written.text()
}

#[test]
fn writes_plain_lines_to_a_pipe() {
    let text = written(OutputKind::Pipe, false);
    assert!(!text.contains(['\x1b', '\r']));
    insta::assert_snapshot!("pipe", text);
}

#[test]
fn rewrites_the_progress_line_on_a_terminal() {
    insta::assert_snapshot!(
        "terminal",
        written(OutputKind::Terminal(|| 80), false).replace('\x1b', "ESC").replace('\r', "CR")
    );
}

#[test]
fn names_the_agent_whose_fixture_has_printed_a_line() {
    let text = Written::default();
    let mut screen = Console::new(text.clone(), OutputKind::Pipe, false);
    screen.line(&Line::print("preparing").by_member(&MemberLabel::Agent("load-2".into())));
    screen.line(&Line::print("preparing\there"));
    assert_eq!(text.text(), "[A:load-2] preparing\npreparing\there\n");
}

#[test]
fn colors_lines_only_if_enabled() {
    let text = written(OutputKind::Pipe, true);
    assert!(text.contains("\x1b[31m[W:1] assertion failed: it is not\x1b[0m\n"), "{text}");
    assert!(text.contains("\x1b[33mWarning: this is an unoptimised build\x1b[0m\n"), "{text}");
    assert!(text.contains("\\u{1b}[31mscenario"), "a scenario cannot change colors");
    assert!(text.ends_with("\nSUCCESSES: 10 | FAILURES: 0\n*** Bye ***\n"), "{text}");
}

#[test]
fn erases_the_progress_line_at_the_end() {
    let text = written(OutputKind::Terminal(|| 80), false);
    let (_, end) = text.rsplit_once("SUCCESSES: 8 | FAILURES: 2").unwrap();
    let (rest_of_line, after) = end.split_once('\r').unwrap();
    assert!(!rest_of_line.contains('\n'));
    assert!(after.starts_with("\x1b[K**** Molotov v0.1.0. Happy breaking! ****\n"), "{after:?}");
}

#[test]
fn progress_line_fits_the_width_without_cutting_numbers() {
    for (width, expected) in [
        (OutputKind::Terminal(|| 80), "SUCCESSES: 123456789 | FAILURES: 2 | WORKERS: 50 | 41.5/s | 1m05s"),
        (OutputKind::Terminal(|| 50), "SUCCESSES: 123456789 | FAILURES: 2 | 1m05s"),
        (OutputKind::Terminal(|| 40), "SUCCESSES: 123456789 | FAILURES: 2"),
        (OutputKind::Terminal(|| 21), "SUCCESSES: 123456789"),
        (OutputKind::Terminal(|| 20), ""),
    ] {
        let written = Written::default();
        Console::new(written.clone(), width, false).progress(&progress(123_456_789));
        assert_eq!(written.text(), format!("\r\x1b[K{expected}"));
    }
}

#[test]
fn progress_line_of_a_rate_shows_asked_and_achieved() {
    let plan = PlanProgress {
        rate: 200.0,
        achieved: 198.2,
        planned: 2_000,
        planned_in_all: 2_000,
        started: 1_990,
        late: 7,
        dropped: 0,
    };
    let shown = |plan, width| {
        let written = Written::default();
        Console::new(written.clone(), width, false).progress(&Progress { plan: Some(plan), ..progress(1_990) });
        written.text().replace("\r\x1b[K", "")
    };
    let at_80 = OutputKind::Terminal(|| 80);
    assert_eq!(shown(plan, at_80), "SUCCESSES: 1990 | FAILURES: 2 | ACHIEVED: 198.2 OF 200.0/s | LATE: 7 | 1m05s");
    assert_eq!(
        shown(PlanProgress { late: 0, ..plan }, OutputKind::Terminal(|| 120)),
        "SUCCESSES: 1990 | FAILURES: 2 | WORKERS: 50 | ACHIEVED: 198.2 OF 200.0/s | 1m05s"
    );
    assert_eq!(
        shown(PlanProgress { dropped: 3, ..plan }, OutputKind::Terminal(|| 60)),
        "SUCCESSES: 1990 | FAILURES: 2 | ACHIEVED: 198.2 OF 200.0/s"
    );
}

#[test]
fn stops_writing_after_the_pipe_is_closed() {
    let gone = Gone::default();
    run(&mut Console::new(gone.clone(), OutputKind::Terminal(|| 80), false));
    assert_eq!(*gone.0.lock().unwrap(), 1, "nothing is written after the first error");
}

#[test]
fn quiet_accepts_all_events() {
    run(&mut Quiet);
}
