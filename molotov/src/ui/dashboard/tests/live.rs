//! What the live view and the lines around the views show of a run.

use super::*;

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
fn pause_does_not_move_the_progress_bar() {
    let mut state = after(30, 9, &[]);
    let before = state.completion();
    state.progress.totals.elapsed += Duration::from_secs(20);
    state.progress.totals.paused += Duration::from_secs(20);
    assert_eq!(state.completion(), before);
    assert!(screen(&state, SIZES[0]).contains("50 % · 30s left"), "{}", screen(&state, SIZES[0]));
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
