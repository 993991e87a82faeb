//! What fits in terminals of every size.

use super::*;

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
    state.apply(ScreenEvent::Measures(Some(MemberLabel::Process(1_234_567)), Box::new(measures)));
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
fn charts_use_the_room_of_the_terminal() {
    let rows_with_axis = |size| {
        let screen = screen(&after(30, 9, &[]), size);
        screen.lines().filter(|row| row.starts_with("\"│") && row.contains(['┤', '│']) && row.contains("││")).count()
    };
    let heights = [(60, 16), (80, 24), (120, 36), (200, 60)].map(rows_with_axis);
    assert!(heights[0] >= 5 && heights.is_sorted() && heights[3] > 2 * heights[1], "{heights:?}");
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
