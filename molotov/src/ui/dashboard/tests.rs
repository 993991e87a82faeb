//! Tests of the views in several sizes, and of hostile texts.

mod pages;

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
    run::{COMPLETE_AFTER, Line, PlanProgress, Progress, SizingProgress, Totals},
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
        state.apply(ScreenEvent::Measures(process.map(|pid: u32| pid.to_string().into()), Box::new(measures)));
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
fn run_at_a_rate_is_drawn_in_every_size_without_colors() {
    let mut state = at_a_rate(5);
    state.colored = false;
    for view in [View::Live, View::Table] {
        state.view = view;
        for width in [1, 5, 20, 49, 50, 79, 200] {
            for height in [1, 2, 3, 5, 9, 16, 23, 60] {
                screen(&state, (width, height));
            }
        }
    }
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

/// Between two seconds, only the numbers around the view change.
#[test]
fn views_are_drawn_once_a_second_and_after_keys() {
    let mut state = after(12, 50, &[]);
    state.view = View::Table;
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let mut body = Body::default();
    let mut drawn = |state: &State| {
        terminal.draw(|frame| draw(frame, state, &mut body)).unwrap();
        let screen = terminal.backend().to_string();
        (screen.contains("SUCCESS: 1,000,000"), screen.contains("GET /late"))
    };
    assert_eq!(drawn(&state), (false, false));
    let mut measures = Snapshot { until: Duration::from_millis(12_300), ..Snapshot::default() };
    measures.requests.insert("GET /late".into(), Stats::default());
    state.apply(ScreenEvent::Measures(None, Box::new(measures)));
    let elapsed = Duration::from_millis(12_400);
    let totals = Totals { elapsed, successes: 1_000_000, ..state.progress.totals };
    let progress = Progress { totals, ..state.progress };
    state.apply(ScreenEvent::Progress(progress));
    assert_eq!(drawn(&state), (true, false));
    state.revise();
    assert_eq!(drawn(&state), (true, true), "a key was pressed");
    let totals = Totals { elapsed: elapsed + Duration::from_secs(1), successes: 2, ..totals };
    state.totals.requests.remove("GET /late");
    state.apply(ScreenEvent::Progress(Progress { totals, ..progress }));
    assert_eq!(drawn(&state), (false, false), "a second has passed");
}

#[test]
fn draws_every_size() {
    let mut state = after(10, 3, &[1, 2]);
    state.progress.sizing = Some(SizingProgress::Failures { ratio: 0.031, tolerance: 0.05 });
    for (view, help) in View::ALL.into_iter().map(|view| (view, false)).chain([(View::Live, true)]) {
        (state.view, state.help) = (view, help);
        for width in [1, 5, 20, 49, 50, 79, 200] {
            for height in [1, 2, 3, 5, 9, 16, 23, 60] {
                screen(&state, (width, height));
            }
        }
    }
}

/// The words of a screen that contain digits.
fn numbers(screen: &str) -> BTreeSet<String> {
    let part_of_a_word = |c: char| c.is_alphanumeric() || ".,:%µ…-<>/{}".contains(c);
    // After a row, the backend lists its wide characters.
    let rows = screen.lines().map(|row| row.split("\" Hidden").next().unwrap_or(row));
    let words = rows.flat_map(|row| row.split(|c| !part_of_a_word(c)));
    words.filter(|word| word.contains(|c: char| c.is_ascii_digit())).map(str::to_owned).collect()
}

/// A number that is cut reads as another number.
#[test]
fn cuts_no_numbers() {
    let mut state = after(40, 3, &[1_234_567, 2_345_678]);
    state.progress.totals.successes = 1_234_567;
    state.progress.sizing = Some(SizingProgress::Failures { ratio: 0.031, tolerance: 0.05 });
    let mut measures = Snapshot::default();
    measures.requests.insert("POST /orders/{n}/items".into(), Stats::default());
    measures.requests.values_mut().for_each(|stats| stats.counts.ok = 9_876_543);
    measures.health.lag = [Duration::from_millis(123); 100].into_iter().collect();
    measures.health.open_files_limit = Some(1_048_576);
    measures.health.quota.periods = 1_000;
    measures.health.quota.throttled_periods = 987;
    measures.health.machine.total = Duration::from_secs(2);
    state.apply(ScreenEvent::Measures(Some("1234567".into()), Box::new(measures)));
    for view in View::ALL {
        state.view = view;
        // The numbers on an axis depend on its height.
        let whole: BTreeSet<_> =
            [16, 24, 100].into_iter().flat_map(|height| numbers(&screen(&state, (400, height)))).collect();
        assert!(whole.contains("1,234,567"), "{view:?}: {whole:?}");
        for width in (24..60).step_by(3).chain([40, 50, 70, 80, 100]) {
            for height in [16, 24] {
                let screen = screen(&state, (width, height));
                let cut: Vec<_> =
                    numbers(&screen).into_iter().filter(|word| !whole.contains(word) && !word.contains('…')).collect();
                assert!(cut.is_empty(), "{view:?} at {width}x{height}: {cut:?}\n{screen}");
            }
        }
    }
}

#[test]
fn narrow_table_leaves_out_whole_columns() {
    let mut state = after(40, 3, &[]);
    state.view = View::Table;
    let screen = screen(&state, (40, 12));
    assert!(screen.contains("Count") && screen.contains("Failed") && !screen.contains("p99"), "{screen}");
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

#[test]
fn escapes_control_characters() {
    let mut state = after(5, 2, &[]);
    for view in View::ALL {
        state.view = view;
        for size in SIZES {
            assert!(!screen(&state, size).contains('\u{1b}'));
        }
    }
}

#[test]
fn draws_without_colors_if_disabled() {
    let mut state = after(5, 2, &[]);
    state.colored = false;
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    for view in View::ALL {
        state.view = view;
        terminal.draw(|frame| draw(frame, &state, &mut Body::default())).unwrap();
        let colors = terminal
            .backend()
            .buffer()
            .content()
            .iter()
            .any(|cell| cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset);
        assert!(!colors, "{view:?}");
    }
}

#[test]
fn pause_does_not_move_the_progress_bar() {
    let mut state = after(30, 9, &[]);
    let before = state.completion();
    state.progress.totals.elapsed += Duration::from_secs(20);
    state.progress.totals.paused += Duration::from_secs(20);
    assert_eq!(state.completion(), before);
    assert!(screen(&state, SIZES[0]).contains("50 % · 30s left"), "{}", screen(&state, SIZES[0]));
}

#[test]
fn sorts_errors_by_count_in_a_stable_order() {
    let mut state = State::new(limits(), false);
    let mut order = Vec::new();
    for second in 1..=4 {
        let recorder = Recorder::new(Limits::default());
        // The rare kinds happen last, each second in another order.
        let rare = if second % 2 == 0 { ["B", "C"] } else { ["C", "B"] };
        for (n, kind) in ["A", "A", "A"].into_iter().chain(rare).enumerate() {
            recorder.error(ErrorSample {
                kind,
                message: "no good",
                place: None,
                scenario: "browse",
                detail: None,
                at: SystemTime::UNIX_EPOCH + Duration::from_secs(second * 10 + n as u64),
            });
        }
        state.apply(ScreenEvent::Measures(None, Box::new(recorder.take())));
        order.push(state.errors().iter().map(|group| format!("{} {}", group.count, group.kind)).collect::<Vec<_>>());
    }
    assert_eq!(order[0], ["3 A", "1 C", "1 B"]);
    assert_eq!(order[3], ["12 A", "4 C", "4 B"]);
    assert_eq!(order[2], ["9 A", "3 C", "3 B"]);
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

#[test]
fn live_view_shows_thresholds_with_lights_and_values() {
    let screen = screen(&crowded(), (120, 36));
    let rows = [
        "✗ failures < 1%                 10.00 %  BROKEN",
        "▲ requests.p95 < 21ms            20.0ms  close",
        "● p95(wide 漢字 scenario) < 1s   15.0ms  met",
        "○ p99(never run) < 1s                 –  no data",
    ];
    let found: Vec<_> = rows.iter().filter(|row| !screen.contains(**row)).collect();
    assert!(found.is_empty(), "{found:?}\n{screen}");
    assert!(screen.starts_with("\" ✗ BROKEN  1 of 4 thresholds broken: failures < 1%"), "{screen}");
}

/// A `GET` of 0.4 ms, then 600 ms of think time and a delay of 1 s. Think time is in no chart of requests.
#[test]
fn charts_of_requests_exclude_think_time() {
    let mut state = State::new(limits(), false);
    for second in 1..=29_u64 {
        let recorder = Recorder::new(Limits::default());
        let in_cycle = second * 1_000 % 1_600;
        if in_cycle < 1_000 {
            let total = Duration::from_micros(400);
            let (outcome, status) = (Outcome::Ok, Some(Status::Code(200)));
            let (connect, first_byte) = (None, None);
            let sample =
                OperationSample { outcome, status, connect, first_byte, total, bytes_in: 1, bytes_out: 1, retried: 0 };
            recorder.operation(HTTP, "GET /", &sample);
        } else {
            recorder.scenario(recorder.scenario_id("think"), Outcome::Ok, Duration::from_millis(601));
        }
        let elapsed = Duration::from_secs(second);
        state.apply(ScreenEvent::Measures(None, Box::new(Snapshot { until: elapsed, ..recorder.take() })));
        let totals = Totals { elapsed: elapsed + COMPLETE_AFTER, ..Totals::default() };
        state.apply(ScreenEvent::Progress(Progress { totals, ..Progress::default() }));
    }
    let latencies: Vec<_> = state.trend.points().filter_map(|point| point.latency.p50).collect();
    assert!((10..30).contains(&latencies.len()), "{latencies:?}");
    assert!(latencies.iter().all(|latency| *latency < 0.005), "{latencies:?}");
    let screen = screen(&state, (120, 36));
    assert!(
        screen.contains("Latency of requests") && screen.contains("p50 400µs") && screen.contains("p99 –"),
        "{screen}"
    );
    assert!(!screen.contains("601ms") && !screen.contains("600ms") && !screen.contains("1.00s"), "{screen}");
}

#[test]
fn charts_use_the_room_of_the_terminal() {
    let rows_with_axis = |size| {
        let screen = screen(&after(30, 9, &[]), size);
        screen.lines().filter(|row| row.starts_with("\"│") && row.contains(['┤', '│']) && row.contains("││")).count()
    };
    let heights = [(60, 16), (80, 24), (120, 36), (200, 60)].map(rows_with_axis);
    assert!(heights[0] >= 5 && heights.is_sorted() && heights[3] > 2 * heights[1], "{heights:?}");
}

#[test]
fn terminals_without_unicode_show_ascii_only() {
    for mut state in [after(30, 9, &[]), after(12, 1, &[1, 2]), at_a_rate(5), crowded(), State::new(limits(), true)] {
        state.ascii = true;
        for view in View::ALL {
            state.view = view;
            for help in [false, true] {
                state.help = help;
                for size in SIZES {
                    let screen = screen(&state, size);
                    assert!(screen.is_ascii(), "{view:?}: {screen}");
                }
            }
        }
    }
    let mut state = after(30, 9, &[]);
    state.ascii = true;
    check("ascii", state, &[View::Live, View::Errors, View::Activity], &[(80, 24)]);
}

#[test]
fn filters_hide_no_failures() {
    let mut state = after(12, 3, &[]);
    for (filter, matching) in [("browse", 1), ("loadtest.py:12", 1), ("assertion", 1), ("elsewhere", 0)] {
        state.filter = filter.to_owned();
        assert_eq!(state.matching_errors().len(), matching, "{filter}");
    }
    for (view, sentence) in [
        (View::Errors, "No error matches `elsewhere`; 1 hidden"),
        (View::Table, "No row matches `elsewhere`; 2 hidden"),
    ] {
        state.view = view;
        for size in [(60, 16), (80, 24)] {
            let screen = screen(&state, size);
            assert!(screen.contains(sentence) && screen.contains("filter: elsewhere"), "{screen}");
            assert!(!screen.contains("No errors so far"), "{screen}");
        }
    }
    state.view = View::Live;
    assert!(screen(&state, (120, 36)).contains("× AssertionError at loadtest.py:12 in browse"));
}

#[test]
fn footer_shows_whole_keys_and_the_filter() {
    let mut state = after(12, 3, &[]);
    state.filter = "browse".to_owned();
    for view in View::ALL {
        state.view = view;
        for columns in [40, 60, 80] {
            let screen = screen(&state, (columns, 24));
            let keys = screen.lines().nth(23).unwrap();
            assert!(["q stop", "filter: browse", "? help"].iter().all(|part| keys.contains(part)), "{keys}");
            assert!(!keys.contains('…') && (columns < 60 || keys.contains("p pause")), "{keys}");
        }
    }
    state.view = View::Table;
    assert!(screen(&state, (60, 24)).contains("Enter opens"), "{}", screen(&state, (60, 24)));
    state.open_row();
    assert!(screen(&state, (60, 24)).contains("Esc closes"), "{}", screen(&state, (60, 24)));
}

#[test]
fn titles_of_charts_show_the_plan_of_now() {
    let mut state = at_a_rate(8);
    let mut plan = state.progress.plan.unwrap();
    assert!(screen(&state, (200, 60)).contains(&format!("asked {}", render_number(plan.rate))));
    plan.rate = 0.0;
    state.progress.plan = Some(plan);
    let paused = screen(&state, (200, 60));
    assert!(paused.contains("asked 0 ") && paused.contains("ASKED: 0/s"), "{paused}");
}

fn render_number(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number}") } else { crate::format::rate(number) }
}

#[test]
fn lost_measures_are_in_the_header() {
    let mut state = after(12, 1_000, &[1, 2]);
    state.progress.measures_lost = true;
    let screen = screen(&state, (80, 24));
    assert!(screen.starts_with("\" ✗ LOST  measures were lost"), "{screen}");
}

#[test]
fn heads_of_errors_are_whole_if_they_fit() {
    let mut state = State::new(limits(), true);
    let recorder = Recorder::new(Limits::default());
    let place = "src/a/very/long/path/of/modules/scenarios/checkout.rs:1234";
    recorder.error(ErrorSample {
        kind: "assertion",
        message: "assertion failed\n left: 1\n right: 2",
        place: Some(place),
        scenario: "browse",
        detail: None,
        at: SystemTime::UNIX_EPOCH,
    });
    state.apply(ScreenEvent::Measures(None, Box::new(recorder.take())));
    let screen = screen(&state, (90, 24));
    assert!(screen.contains(&format!("1 × assertion at {place} in browse")), "{screen}");
    assert!(screen.contains("assertion failed left: 1 right: 2"), "{screen}");
}

/// One slow request ends in the pause after 10 busy seconds.
#[test]
fn stragglers_have_no_percentiles() {
    let mut state = after(10, 1_000, &[]);
    let recorder = Recorder::new(Limits::default());
    let (outcome, status, total) = (Outcome::Ok, Some(Status::Code(200)), Duration::from_secs(3));
    let (connect, first_byte) = (None, None);
    let sample = OperationSample { outcome, status, connect, first_byte, total, bytes_in: 1, bytes_out: 1, retried: 0 };
    recorder.operation(HTTP, "GET /", &sample);
    let elapsed = Duration::from_secs(11);
    state.apply(ScreenEvent::Measures(None, Box::new(Snapshot { until: elapsed, ..recorder.take() })));
    let totals = Totals { elapsed: elapsed + COMPLETE_AFTER, ..Totals::default() };
    state.apply(ScreenEvent::Progress(Progress { totals, ..Progress::default() }));
    let screen = screen(&state, (120, 36));
    assert!(screen.contains("p50 3.00s p95 – p99 –"), "{screen}");
}
