//! What terminals without colors or Unicode show, and texts that would control a terminal.

use super::*;

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
