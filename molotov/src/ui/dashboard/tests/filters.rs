//! The order of errors, filters, and the keys in the footer.

use super::*;

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
