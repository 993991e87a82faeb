//! Tests of the views in several sizes, and of hostile texts.

mod filters;
mod live;
mod pages;
mod sizes;
mod terminals;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ratatui::{Terminal, backend::TestBackend};

use super::{
    render::{Body, draw},
    state::{State, View},
};
use crate::{
    load::{ClosedModel, Levels, Load, Model, Stream},
    metrics::{ErrorSample, HTTP, Health, Limits, OperationSample, Outcome, Recorder, Snapshot, Stats, Status},
    report::open_tests,
    run::{COMPLETE_AFTER, Line, MemberLabel, PlanProgress, Progress, SizingProgress, Totals},
    ui::{RunLimits, screen_event::ScreenEvent},
};

const SIZES: [(u16, u16); 5] = [(40, 12), (60, 16), (80, 24), (120, 36), (200, 60)];

fn limits() -> RunLimits {
    RunLimits { duration: Some(Duration::from_secs(60)), ..RunLimits::default() }
}

/// The state after `seconds` of a run in which every `failing`-th scenario fails.
fn after(seconds: u64, failing: u64, processes: &[u32]) -> State {
    let mut state = State::new(limits(), true);
    state.apply(ScreenEvent::Line(Line::info("Preparing 10 workers...")));
    let mut counts = (0, 0);
    for second in 1..=seconds {
        let recorder = Recorder::new(Limits::default());
        let browse = recorder.scenario_id("browse");
        for n in 0..20 + second * 3 {
            let fails = n % failing == 0;
            let outcome = if fails { Outcome::Failed } else { Outcome::Ok };
            *(if fails { &mut counts.1 } else { &mut counts.0 }) += 1;
            recorder.scenario(browse, outcome, Duration::from_millis(5 + n % 17));
            recorder.operation(
                HTTP,
                "GET /users/{n}",
                &OperationSample {
                    outcome,
                    status: Some(Status::Code(if fails { 503 } else { 200 })),
                    connect: None,
                    first_byte: Some(Duration::from_millis(2)),
                    total: Duration::from_millis(3 + n % 17),
                    bytes_in: 100,
                    bytes_out: 50,
                    retried: 0,
                },
            );
            if fails {
                recorder.error(ErrorSample {
                    kind: "AssertionError",
                    message: "status is 503, 漢字 and 🦀 and \u{1b}[31mred\nsecond line",
                    place: Some("loadtest.py:12"),
                    scenario: "browse",
                    detail: Some("Traceback (most recent call last):\n\tFile \"loadtest.py\", line 12".to_owned()),
                    at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second),
                });
            }
        }
        let mut measures = recorder.take();
        measures.until = Duration::from_secs(second);
        measures.health = Health::default();
        measures.health.threads_cpu = Duration::from_millis(400);
        measures.health.threads_wall = Duration::from_secs(1);
        measures.health.process_cpu = Duration::from_millis(500);
        measures.health.process_wall = Duration::from_secs(1);
        measures.health.machine.busy = Duration::from_millis(1_930);
        measures.health.machine.total = Duration::from_secs(2);
        measures.health.open_files = 17;
        measures.health.connections = 10;
        measures.health.open_files_limit = Some(1024);
        let process = match processes {
            [] => None,
            many => Some(many[second as usize % many.len()]),
        };
        state.apply(ScreenEvent::Measures(process.map(MemberLabel::Process), Box::new(measures)));
        let line =
            Line::print(format!("printed \u{1b}[31m 漢字 🦀 in second {second}")).by_worker(second as usize % 10);
        state.apply(ScreenEvent::Line(process.into_iter().fold(line, Line::by_process)));
        state.apply(ScreenEvent::Progress(Progress {
            // The measures of a second are complete a moment after its end.
            totals: Totals {
                elapsed: Duration::from_secs(second) + COMPLETE_AFTER,
                successes: counts.0,
                failures: counts.1,
                ..Totals::default()
            },
            workers: 10,
            processes: processes.len().max(1),
            rate: 42.5,
            ..Progress::default()
        }));
    }
    state.progress.totals.elapsed = Duration::from_secs(seconds);
    state
}

fn screen(state: &State, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, &mut Body::default())).unwrap();
    terminal.backend().to_string()
}

/// The words of a screen that contain digits.
fn numbers(screen: &str) -> BTreeSet<String> {
    let part_of_a_word = |c: char| c.is_alphanumeric() || ".,:%µ…-<>/{}".contains(c);
    // After a row, the backend lists its wide characters.
    let rows = screen.lines().map(|row| row.split("\" Hidden").next().unwrap_or(row));
    let words = rows.flat_map(|row| row.split(|c| !part_of_a_word(c)));
    words.filter(|word| word.contains(|c: char| c.is_ascii_digit())).map(str::to_owned).collect()
}

/// Compares views in some sizes with their snapshots.
#[track_caller]
fn check(name: &str, mut state: State, views: &[View], sizes: &[(u16, u16)]) {
    for view in views {
        state.view = *view;
        for size in sizes {
            insta::assert_snapshot!(format!("{name}-{view:?}-{}x{}", size.0, size.1), screen(&state, *size));
        }
    }
}

#[test]
fn empty_run() {
    check("empty", State::new(limits(), true), &View::ALL, &[(80, 24)]);
}

#[test]
fn busy_run() {
    check("busy", after(30, 9, &[]), &View::ALL, &SIZES);
}

#[test]
fn failing_run() {
    check("failing", after(12, 1, &[]), &[View::Live, View::Table, View::Errors], &SIZES);
}

#[test]
fn run_with_several_processes() {
    let state = after(12, 50, &[4711, 4712, 4713]);
    check("processes", state, &[View::Live, View::Generator, View::Activity], &[(80, 24), (200, 60)]);
}

/// The state of a run on `count` agents. One uses all of its CPU, and one was cut off after five seconds.
fn on_agents(count: usize) -> State {
    let mut state = State::new(limits(), true);
    for second in 1..=12 {
        for agent in 0..count {
            let label = MemberLabel::Agent(format!("load-{agent}").into());
            if agent == 2 && second > 5 {
                continue;
            }
            let busy = agent == 1;
            let recorder = Recorder::new(Limits::default());
            let browse = recorder.scenario_id("browse");
            (0..20).for_each(|n| recorder.scenario(browse, Outcome::Ok, Duration::from_millis(20 + n)));
            let mut measures = recorder.take();
            measures.until = Duration::from_secs(second);
            let millis = Duration::from_millis;
            measures.health = Health::default();
            measures.health.threads_cpu = millis(if busy { 1_940 } else { 600 });
            measures.health.threads_wall = millis(2_000);
            measures.health.saturated = millis(if busy { 2_000 } else { 0 });
            measures.health.process_cpu = millis(2_000);
            measures.health.process_wall = millis(1_000);
            measures.health.machine.busy = millis(if busy { 3_800 } else { 700 });
            measures.health.machine.total = millis(4_000);
            measures.health.lag = (0..40).map(|n| Duration::from_micros(if busy { 9_000 } else { 800 + n })).collect();
            measures.health.connections = 10;
            state.apply(ScreenEvent::Workers(label.clone(), 25));
            state.apply(ScreenEvent::Measures(Some(label), Box::new(measures)));
        }
        state.apply(ScreenEvent::Progress(Progress {
            totals: Totals { elapsed: Duration::from_secs(second) + COMPLETE_AFTER, ..Totals::default() },
            workers: 25 * count,
            processes: 1,
            agents: count,
            ..Progress::default()
        }));
    }
    state
}

#[test]
fn run_on_agents_names_the_slow_one_and_the_silent_one() {
    check("agents", on_agents(3), &[View::Generator], &[(80, 24), (120, 36)]);
    let mut many = on_agents(100);
    (many.view, many.scroll) = (View::Generator, 97);
    let text = screen(&many, (80, 24));
    assert!(text.contains("load-99") && !text.contains("load-96 "), "{text}");
    assert!(text.contains("bottleneck on agent load-1:"), "{text}");
}

/// The state after `seconds` of the plan of [`open_tests::load`], of which the first two are the warm-up.
fn at_a_rate(seconds: u64) -> State {
    let load = Arc::new(open_tests::load());
    let mut state = State::new(RunLimits { load: load.clone(), ..limits() }, true);
    let (mut started, mut late, mut dropped) = (0, 0, 0);
    for second in 1..=seconds {
        let at = Duration::from_secs(second);
        let measures = Snapshot { warm_up: second <= 2, ..open_tests::second(second) };
        let starts = measures.all_starts();
        started += starts.started;
        late += starts.late;
        dropped += starts.dropped;
        state.apply(ScreenEvent::Measures(None, Box::new(measures)));
        state.apply(ScreenEvent::Progress(Progress {
            // The measures of a second are complete a moment after its end.
            totals: Totals {
                elapsed: at + COMPLETE_AFTER,
                successes: started,
                warm_up: at.min(Duration::from_secs(2)),
                ..Totals::default()
            },
            workers: 40,
            processes: 1,
            plan: load.rate_at(at).map(|rate| PlanProgress {
                rate,
                achieved: starts.started as f64,
                planned: load.starts_before(at),
                planned_in_all: load.starts_before(at),
                started,
                late,
                dropped,
            }),
            warm_up_until: Duration::from_secs(2),
            ..Progress::default()
        }));
    }
    state
}

#[test]
fn run_at_a_rate() {
    let mut state = at_a_rate(8);
    check("rate", at_a_rate(8), &[View::Live, View::Table], &SIZES);
    state.help = true;
    let help = screen(&state, (80, 24));
    assert!(help.contains("raise or lower the rate by a tenth"), "{help}");
    assert!(screen(&at_a_rate(1), (80, 24)).contains(" ○ WAITING  warm-up, 1 s left; not counted "));
}

#[test]
fn run_with_stages_of_workers() {
    let mut state = after(12, 50, &[]);
    let workers = Levels::default().then(Duration::from_secs(20), 0, 30).then(Duration::from_secs(20), 30, 10);
    let closed = ClosedModel { workers, span: None, runs: None, delay: Duration::ZERO };
    let stream = Stream { scenario: None, model: Model::Closed(closed) };
    state.limits.load = Arc::new(Load { streams: vec![stream] });
    check("stages", state, &[View::Live], &[(80, 24), (120, 36)]);
}

#[test]
fn long_error() {
    let mut state = State::new(limits(), true);
    let recorder = Recorder::new(Limits::default());
    let message = "the answer is wrong, and ".repeat(12);
    recorder.error(ErrorSample {
        kind: "assertion",
        message: &message,
        place: Some("src/a/very/long/path/of/modules/that/does/not/fit/anywhere/lib.rs:1234"),
        scenario: "browse",
        detail: None,
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    });
    let mut measures = recorder.take();
    measures.health = Health::default();
    state.apply(ScreenEvent::Measures(None, Box::new(measures)));
    state.apply(ScreenEvent::Line(Line::failure(message).by_worker(3)));
    check("long", state, &[View::Live, View::Errors, View::Activity], &[(80, 24), (120, 36)]);
}

#[test]
fn generator_view_shows_the_bottleneck() {
    let mut state = after(12, 50, &[]);
    let mut measures = Snapshot::default();
    measures.health.lag = std::iter::repeat_n(Duration::from_millis(18), 20_000).collect();
    measures.health.threads_wall = Duration::from_secs(12);
    state.apply(ScreenEvent::Measures(None, Box::new(measures)));
    check("limited", state, &[View::Generator], &[(80, 24)]);
}

/// A run with 30 scenarios and requests, 90 kinds of errors, long names, and names with wide and combining characters.
fn crowded() -> State {
    let thresholds = ["p95(wide 漢字 scenario) < 1s", "failures < 1%", "requests.p95 < 21ms", "p99(never run) < 1s"];
    let thresholds = thresholds.into_iter().map(|text| text.parse().unwrap()).collect();
    let mut state = State::new(RunLimits { thresholds, ..limits() }, true);
    let long = "a very long name of a scenario ".repeat(10);
    assert!(long.len() > 300);
    let mut totals = Totals::default();
    for second in 1..=20_u64 {
        let recorder = Recorder::new(Limits::default());
        for number in 0..30_u64 {
            let name = match number {
                0 => long.clone(),
                1 => "wide 漢字 scenario".to_owned(),
                2 => "combining e\u{301}e\u{301}e\u{301} 👩‍👩‍👧‍👦".to_owned(),
                _ => format!("scenario {number}"),
            };
            let scenario = recorder.scenario_id(&name);
            let fails = number < 3;
            let outcome = if fails { Outcome::Failed } else { Outcome::Ok };
            let latency = Duration::from_millis(10 + number + second % 5);
            recorder.scenario(scenario, outcome, latency);
            let code = [200, 201, 204, 302, 404, 500][number as usize % 6];
            let sample = OperationSample {
                outcome,
                status: Some(Status::Code(code)),
                connect: None,
                first_byte: None,
                total: latency / 2,
                bytes_in: 100,
                bytes_out: 50,
                retried: 0,
            };
            recorder.operation(HTTP, &format!("GET /{name}"), &sample);
            totals.successes += u64::from(!fails);
            totals.failures += u64::from(fails);
        }
        for number in 0..90 {
            recorder.error(ErrorSample {
                kind: &format!("Error{number}"),
                message: &format!("漢字 {long}"),
                place: Some(&format!("loadtest.py:{number}")),
                scenario: &long,
                detail: None,
                at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second),
            });
        }
        let elapsed = Duration::from_secs(second);
        let measures = Snapshot { until: elapsed, health: Health::default(), ..recorder.take() };
        state.apply(ScreenEvent::Measures(None, Box::new(measures)));
        let totals = Totals { elapsed: elapsed + COMPLETE_AFTER, ..totals };
        let progress = Progress { totals, workers: 30, processes: 1, rate: 30.0, ..Progress::default() };
        state.apply(ScreenEvent::Progress(progress));
    }
    state
}

#[test]
fn crowded_run() {
    check("crowded", crowded(), &[View::Live, View::Errors], &SIZES);
}
