//! The screens as people and pipes see them.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::*;
use crate::{
    metrics::{Limits, Outcome, Recorder},
    run::Totals,
};

/// What was written so far, readable while the console writes on.
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

/// A reader that has gone, and how often somebody wrote to it.
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

/// A short run as its coordinator tells it.
fn tell(screen: &mut dyn Screen) {
    screen.line(&Line::info("Preparing 2 workers..."));
    screen.line(&Line::info("OK"));
    screen.line(&Line::info("Starting").by_worker(0));
    screen.line(&Line::info("Setting up session").by_worker(0));
    screen.progress(&progress(7));
    screen.line(&Line::print("hello\tfrom \x1b[31mscenario").by_worker(0));
    screen.line(&Line::failure("assertion failed: it is not\n  left: 1\n right: 2\n").by_worker(1));
    screen.line(&Line::info("Running scenarios").by_worker(0).by_process(4321));
    screen.line(&Line::failure("first\nsecond").by_worker(1).by_process(4321));
    screen.line(&Line::warning("this is an unoptimised build"));
    screen.line(&Line::print(""));
    screen.progress(&Progress { processes: 3, ..progress(8) });
    screen.line(&Line::info("Ran 5 scenarios").by_worker(0));
    screen.finish(&summary());
}

fn told(medium: Medium, color: bool) -> String {
    let written = Written::default();
    tell(&mut Console::new(written.clone(), medium, color));
    written.text()
}

#[test]
fn a_pipe_gets_plain_lines() {
    let text = told(Medium::Pipe, false);
    assert!(!text.contains(['\x1b', '\r']));
    insta::assert_snapshot!("pipe", text);
}

#[test]
fn a_terminal_gets_progress_that_rewrites_itself() {
    insta::assert_snapshot!(
        "terminal",
        told(Medium::Terminal(|| 80), false).replace('\x1b', "ESC").replace('\r', "CR")
    );
}

#[test]
fn colours_only_when_asked() {
    let text = told(Medium::Pipe, true);
    assert!(text.contains("\x1b[31m[W:1] assertion failed: it is not\x1b[0m\n"), "{text}");
    assert!(text.contains("\x1b[33mWarning: this is an unoptimised build\x1b[0m\n"), "{text}");
    assert!(text.contains("\\u{1b}[31mscenario"), "what a scenario prints cannot change colours");
    assert!(text.ends_with("\nSUCCESSES: 10 | FAILURES: 0\n*** Bye ***\n"), "{text}");
}

#[test]
fn no_progress_is_left_on_the_terminal() {
    let text = told(Medium::Terminal(|| 80), false);
    let (_, end) = text.rsplit_once("SUCCESSES: 8 | FAILURES: 2").unwrap();
    let (rest_of_line, after) = end.split_once('\r').unwrap();
    assert!(!rest_of_line.contains('\n'));
    assert!(after.starts_with("\x1b[K**** Molotov v0.1.0. Happy breaking! ****\n"), "{after:?}");
}

#[test]
fn progress_never_wraps_and_its_numbers_are_never_cut() {
    for (width, expected) in [
        (Medium::Terminal(|| 80), "SUCCESSES: 123456789 | FAILURES: 2 | WORKERS: 50 | 41.5/s | 1m05s"),
        (Medium::Terminal(|| 50), "SUCCESSES: 123456789 | FAILURES: 2 | 1m05s"),
        (Medium::Terminal(|| 40), "SUCCESSES: 123456789 | FAILURES: 2"),
        (Medium::Terminal(|| 21), "SUCCESSES: 123456789"),
        (Medium::Terminal(|| 20), ""),
    ] {
        let written = Written::default();
        Console::new(written.clone(), width, false).progress(&progress(123_456_789));
        assert_eq!(written.text(), format!("\r\x1b[K{expected}"));
    }
}

#[test]
fn a_reader_that_went_away_is_left_alone() {
    let gone = Gone::default();
    tell(&mut Console::new(gone.clone(), Medium::Terminal(|| 80), false));
    assert_eq!(*gone.0.lock().unwrap(), 1, "after the first failure nothing is written");
}

#[test]
fn quiet_says_nothing() {
    // It has nowhere to write to; this holds it to the whole trait.
    tell(&mut Quiet);
}
