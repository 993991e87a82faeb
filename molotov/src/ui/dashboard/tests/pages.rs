//! Tests of the table with its open row, of the distribution, and of the generator, with many and hostile names.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::{
    metrics::{NOWHERE, ThreadHealth},
    ui::dashboard::input,
};

/// Names of 300 characters, wide, combining and hostile ones, and ordinary ones.
fn name(number: u64) -> String {
    match number {
        0 => format!("GET /{}", "very-long-segment/".repeat(17)),
        1 => "GET /日本語/とても長い名前の商品/詳細ページ/{n}".to_owned(),
        2 => "GET /cafe\u{301}/nai\u{308}ve/👩‍👩‍👧‍👦/{n}".to_owned(),
        3 => "GET /\u{1b}[31mred\nline".to_owned(),
        _ => format!("GET /items/{number}/{{n}}"),
    }
}

/// The health of two threads in this second.
fn generator(measures: &Snapshot, second: u64) -> Health {
    let mut health = Health { lag: measures.health.lag.clone(), ..Health::default() };
    health.threads = [4_712, 4_713]
        .map(|id| ThreadHealth {
            id,
            cpu: Duration::from_millis(180 + 20 * (second % 5)),
            delay: Duration::from_millis(12),
            wall: Duration::from_secs(1),
            preemptions: 3 + second % 2,
            longest_lag: Duration::from_micros(1_900),
        })
        .to_vec();
    for thread in &health.threads {
        health.threads_cpu += thread.cpu;
        health.threads_delay += thread.delay;
        health.threads_wall += thread.wall;
        health.preemptions += thread.preemptions;
    }
    health.process_cpu = Duration::from_millis(420);
    health.process_wall = Duration::from_secs(1);
    health.machine.busy = Duration::from_millis(1_100 + 100 * (second % 4));
    health.machine.total = Duration::from_secs(4);
    (health.connections, health.open_files, health.open_files_limit) = (30, 41 + second, Some(1_048_576));
    health
}

/// The state after `seconds` of a run with 30 scenarios, 30 requests and a step.
fn many_names(seconds: u64) -> State {
    let mut state = State::new(limits(), true);
    let mut counts = (0, 0);
    for second in 1..=seconds {
        let recorder = Recorder::new(Limits::default());
        for number in 0..30 {
            let scenario = match number {
                0 => "s".repeat(300),
                1 => "日本語のシナリオ、とても長い名前".to_owned(),
                _ => format!("scenario {number}"),
            };
            let id = recorder.scenario_id(&scenario);
            for n in 0..=number % 5 + second % 3 {
                let fails = number % 7 == 3 && n == 0;
                let outcome = if fails { Outcome::Failed } else { Outcome::Ok };
                *(if fails { &mut counts.1 } else { &mut counts.0 }) += 1;
                // Two modes, and a slow phase in the middle of the run.
                let slow = if (seconds / 3..seconds / 2).contains(&second) { 4 } else { 1 };
                let millis = (3 + number + n * n) * slow + if n == 4 { 180 } else { 0 };
                let took = Duration::from_micros(millis * 1_000 + n * 137);
                recorder.scenario(id, outcome, took * 3);
                recorder.operation(
                    HTTP,
                    &name(number),
                    &OperationSample {
                        outcome,
                        status: (n != 2).then_some(Status::Code(if fails { 503 } else { 200 })),
                        connect: None,
                        first_byte: Some(took / 2),
                        total: took,
                        bytes_in: 1_234,
                        bytes_out: 56,
                        retried: 0,
                    },
                );
                recorder.step("checkout: 支払い", outcome, took * 2);
                if fails {
                    recorder.error(ErrorSample {
                        kind: "AssertionError",
                        message: "status is 503",
                        place: Some("loadtest.py:12"),
                        scenario: &scenario,
                        detail: None,
                        at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second),
                    });
                }
            }
        }
        (0..30).for_each(|n| recorder.lag(Duration::from_micros(40 * n + 100 * (second % 7))));
        let mut measures = recorder.take();
        let health = generator(&measures, second);
        (measures.until, measures.health) = (Duration::from_secs(second), health);
        state.apply(ScreenEvent::Measures(None, Box::new(measures)));
        state.apply(ScreenEvent::Progress(Progress {
            // The measures of a second are complete a moment after its end.
            totals: Totals {
                elapsed: Duration::from_millis(second * 1_000 + 100),
                successes: counts.0,
                failures: counts.1,
                ..Totals::default()
            },
            workers: 10,
            processes: 1,
            ..Progress::default()
        }));
    }
    state
}

fn press(state: &mut State, keys: &[KeyCode]) {
    for key in keys {
        assert_eq!(input::key(state, KeyEvent::new(*key, KeyModifiers::NONE)), None);
    }
}

#[test]
fn many_long_and_wide_names() {
    check("many", many_names(40), &[View::Table, View::Distribution, View::Generator], &SIZES);
}

#[test]
fn opened_row_has_its_charts() {
    let mut state = many_names(40);
    press(&mut state, &[KeyCode::Char('2'), KeyCode::Down, KeyCode::Enter]);
    check("scenario", state, &[View::Table], &SIZES);
    let mut state = many_names(40);
    state.filter = "GET".to_owned();
    press(&mut state, &[KeyCode::Char('2'), KeyCode::Down, KeyCode::Down, KeyCode::Down, KeyCode::Enter]);
    check("request", state, &[View::Table], &SIZES);
}

#[test]
fn rows_are_selected_opened_and_closed() {
    use KeyCode::{Char, Down, End, Enter, Esc, Home, Up};
    let mut state = many_names(4);
    state.filter = "items".to_owned();
    press(&mut state, &[Char('2'), Down, Down]);
    let (index, row) = state.selected_row().unwrap();
    assert_eq!((index, &*row.name), (2, "GET /items/11/{n}"));
    // The selection follows its row in another order.
    press(&mut state, &[Char('s'), Char('s')]);
    assert_eq!(state.selected_row().unwrap().1, row);
    press(&mut state, &[Enter]);
    assert!(screen(&state, (120, 36)).contains("request GET /items/11/{n}"), "{}", screen(&state, (120, 36)));
    press(&mut state, &[Home]);
    let all = screen(&state, (120, 36));
    assert!(all.contains("all 30 requests") && all.contains("Statuses"), "arrows open other rows: {all}");
    press(&mut state, &[Esc]);
    assert!(screen(&state, (120, 36)).contains("Name  "), "the table again");
    assert_eq!(state.filter, "items", "only the row was closed");
    press(&mut state, &[Esc, End, Up, Down, Down]);
    assert_eq!(state.filter, "");
    assert_eq!(&*state.selected_row().unwrap().1.name, "checkout: 支払い", "the last row");
    assert!(screen(&state, (40, 12)).contains("支払い"), "{}", screen(&state, (40, 12)));
    // A view shows its own row.
    press(&mut state, &[Char('3')]);
    assert!(screen(&state, (80, 24)).contains("Latency of all 30 requests"));
    press(&mut state, &[Down]);
    assert!(!screen(&state, (80, 24)).contains("all 30 requests"));
}

#[test]
fn an_empty_table_has_nothing_to_open() {
    let mut state = State::new(limits(), true);
    press(&mut state, &[KeyCode::Char('2'), KeyCode::Down, KeyCode::Enter, KeyCode::Char('3'), KeyCode::Up]);
    assert_eq!((state.opened_row(), state.selected_row()), (None, None));
    for view in View::ALL {
        state.view = view;
        screen(&state, (80, 24));
    }
}

/// Ten scenarios a second for ten seconds, then two.
#[test]
fn rate_of_the_last_seconds_is_beside_that_of_the_run() {
    let mut state = State::new(limits(), false);
    for second in 1..=20 {
        let recorder = Recorder::new(Limits::default());
        let id = recorder.scenario_id("browse");
        (0..if second <= 10 { 10 } else { 2 })
            .for_each(|_| recorder.scenario(id, Outcome::Ok, Duration::from_millis(5)));
        let measures = Snapshot { until: Duration::from_secs(second), ..recorder.take() };
        state.apply(ScreenEvent::Measures(None, Box::new(measures)));
        let totals = Totals { elapsed: Duration::from_secs(second), ..Totals::default() };
        state.apply(ScreenEvent::Progress(Progress { totals, ..Progress::default() }));
        let row = &state.table_rows()[1];
        match second {
            1 => assert_eq!(state.recent_rate(row), None),
            10 => assert_eq!(state.recent_rate(row), Some(10.0)),
            13 => assert_eq!(state.recent_rate(row), Some((2.0 * 10.0 + 3.0 * 2.0) / 5.0)),
            20 => assert_eq!(state.recent_rate(row), Some(2.0)),
            _ => {}
        }
    }
    state.view = View::Table;
    let screen = screen(&state, (120, 36));
    assert!(screen.contains("6.00    2.00  5.00ms"), "{screen}");
}

#[test]
fn opened_row_and_wide_names_cut_no_numbers() {
    let mut state = many_names(30);
    for keys in [&[KeyCode::Char('2')][..], &[KeyCode::End, KeyCode::Up, KeyCode::Enter], &[KeyCode::Home]] {
        press(&mut state, keys);
        let whole = numbers(&screen(&state, (400, 100)));
        for width in (24..60).step_by(5).chain([50, 60, 80, 99, 100, 120]) {
            for height in [12, 16, 24, 36] {
                let screen = screen(&state, (width, height));
                assert!(!screen.contains('\u{1b}'), "{screen}");
                let cut: Vec<_> =
                    numbers(&screen).into_iter().filter(|word| !whole.contains(word) && !word.contains('…')).collect();
                assert!(cut.is_empty(), "at {width}x{height}: {cut:?}\n{screen}");
            }
        }
    }
}

#[test]
fn pages_are_drawn_in_every_size_and_in_ascii() {
    let mut state = many_names(10);
    state.ascii = true;
    press(&mut state, &[KeyCode::Char('2')]);
    for keys in [&[][..], &[KeyCode::Down, KeyCode::Enter], &[KeyCode::Char('3')], &[KeyCode::Char('5')]] {
        press(&mut state, keys);
        for width in [1, 5, 12, 20, 49, 80, 300] {
            for height in [1, 2, 3, 5, 9, 16, 23, 100] {
                let screen = screen(&state, (width, height));
                // After a row, the backend lists its wide characters.
                assert!(screen.lines().all(|row| row.split("\" Hidden").next().unwrap().is_ascii()), "{screen}");
            }
        }
    }
    check("ascii", state, &[View::Distribution, View::Generator], &[(80, 24)]);
}

/// A run with checks of which some fail, a tag, a counter, a value and a gauge.
fn with_checks() -> State {
    let mut state = after(5, 10, &[]);
    let recorder = Recorder::new(Limits::default());
    for n in 0..200 {
        recorder.check("has \u{1b}[31mitems", "browse", (n % 20 == 3).then_some((Some("3 is too large"), NOWHERE)));
        recorder.check("is cached", "browse", None);
        recorder.value("basket", f64::from(n) / 4.0);
    }
    recorder.count("retries", 41);
    recorder.gauge("queue", -3.5, Duration::from_secs(1));
    recorder.gauge("queue", 12.25, Duration::from_secs(2));
    let (outcome, status, total) = (Outcome::Ok, Some(Status::Code(200)), Duration::from_millis(5));
    let (connect, first_byte) = (None, None);
    let sample = OperationSample { outcome, status, connect, first_byte, total, bytes_in: 1, bytes_out: 1, retried: 0 };
    recorder.tagged("region=eu", HTTP, &sample);
    let measures = Snapshot { until: Duration::from_secs(5), ..recorder.take() };
    state.apply(ScreenEvent::Measures(None, Box::new(measures)));
    state
}

#[test]
fn checks_and_own_values_have_parts_of_the_table() {
    let mut state = with_checks();
    check("checks", with_checks(), &[View::Table, View::Live], &[(60, 16), (80, 24), (120, 36)]);
    press(&mut state, &[KeyCode::Char('2'), KeyCode::End, KeyCode::Enter]);
    assert_eq!(&*state.selected_row().unwrap().1.name, "queue");
    assert_eq!(state.opened_row(), None, "a gauge has no course");
    // The arrows leave open only rows with a course.
    press(&mut state, &[KeyCode::Home, KeyCode::Enter, KeyCode::End]);
    assert!(state.opened_row().is_some_and(|row| row.name.starts_with("GET ")), "{:?}", state.opened_row());
    press(&mut state, &[KeyCode::Esc, KeyCode::Char('s'), KeyCode::Char('s'), KeyCode::Char('3'), KeyCode::End]);
    for view in View::ALL {
        state.view = view;
        SIZES.iter().for_each(|size| assert!(!screen(&state, *size).contains('\u{1b}')));
    }
}
