//! Keys: what each of them does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::{State, View};

/// What a key asks of the run, or of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Stop the run; asked again, cut it.
    Stop,
    /// Hold the workers, or let them go on.
    Pause(bool),
    /// More workers, or fewer.
    Workers(bool),
    /// Give the terminal back until the program is called again.
    Suspend,
    /// Draw everything anew.
    Redraw,
}

/// Rows that a page key goes.
const PAGE: usize = 10;

/// Takes a key: changes what is shown, or asks for something.
pub(super) fn key(state: &mut State, key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => return Some(Action::Stop),
        KeyCode::Char('z') if control => return Some(Action::Suspend),
        KeyCode::Char('l') if control => return Some(Action::Redraw),
        _ => {}
    }
    if state.filtering {
        match key.code {
            KeyCode::Enter => state.filtering = false,
            KeyCode::Esc => {
                state.filtering = false;
                state.filter.clear();
            }
            KeyCode::Backspace => {
                state.filter.pop();
            }
            KeyCode::Char(c) if !control => state.filter.push(c),
            _ => {}
        }
        (state.scroll, state.selected) = (0, 0);
        return None;
    }
    if state.help {
        state.help = false;
        if !matches!(key.code, KeyCode::Char('q')) {
            return None;
        }
    }
    match key.code {
        KeyCode::Char('q') => return Some(Action::Stop),
        KeyCode::Char('p') | KeyCode::Char(' ') => {
            state.paused = !state.paused;
            return Some(Action::Pause(state.paused));
        }
        KeyCode::Char('+') | KeyCode::Char('=') => return Some(Action::Workers(true)),
        KeyCode::Char('-') => return Some(Action::Workers(false)),
        KeyCode::Char('?') | KeyCode::Char('h') => state.help = true,
        KeyCode::Char('s') => state.sort = state.sort.next(),
        KeyCode::Char('/') => state.filtering = true,
        KeyCode::Esc => state.filter.clear(),
        KeyCode::Tab => show(state, state.view.next()),
        KeyCode::Char(digit @ '1'..='4') => {
            show(state, View::ALL[digit as usize - '1' as usize]);
        }
        KeyCode::Up | KeyCode::Char('k') => go(state, -1),
        KeyCode::Down | KeyCode::Char('j') => go(state, 1),
        KeyCode::PageUp => go(state, -(PAGE as isize)),
        KeyCode::PageDown => go(state, PAGE as isize),
        KeyCode::Home => go(state, isize::MIN / 2),
        KeyCode::End => go(state, isize::MAX / 2),
        _ => {}
    }
    None
}

fn show(state: &mut State, view: View) {
    if state.view != view {
        (state.view, state.scroll, state.selected) = (view, 0, 0);
    }
}

/// Goes down by so many rows, or up.
fn go(state: &mut State, rows: isize) {
    let last = state.length().saturating_sub(1);
    match state.view {
        // The newest line stands at the end: up is away from it.
        View::Live => state.scroll = state.scroll.saturating_add_signed(-rows).min(last),
        View::Table | View::Generator => state.scroll = state.scroll.saturating_add_signed(rows).min(last),
        View::Errors => state.selected = state.selected.saturating_add_signed(rows).min(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Line;

    fn press(state: &mut State, code: KeyCode) -> Option<Action> {
        key(state, KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_ask_and_show() {
        let mut state = State::default();
        assert_eq!(press(&mut state, KeyCode::Char('q')), Some(Action::Stop));
        assert_eq!(key(&mut state, KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Action::Stop));
        assert_eq!(press(&mut state, KeyCode::Char('p')), Some(Action::Pause(true)));
        assert_eq!(press(&mut state, KeyCode::Char('p')), Some(Action::Pause(false)));
        assert_eq!(press(&mut state, KeyCode::Char('+')), Some(Action::Workers(true)));
        for view in [View::Table, View::Errors, View::Generator, View::Live] {
            assert_eq!(press(&mut state, KeyCode::Tab), None);
            assert_eq!(state.view, view);
        }
        press(&mut state, KeyCode::Char('3'));
        assert_eq!(state.view, View::Errors);
    }

    #[test]
    fn a_filter_is_written_and_taken_back() {
        let mut state = State::default();
        for c in "/qp+".chars() {
            assert_eq!(press(&mut state, KeyCode::Char(c)), None, "{c} is a part of the filter");
        }
        press(&mut state, KeyCode::Backspace);
        press(&mut state, KeyCode::Enter);
        assert_eq!((state.filter.as_str(), state.filtering), ("qp", false));
        assert!(state.fits("the QP of it") && !state.fits("q p"));
        press(&mut state, KeyCode::Esc);
        assert_eq!(state.filter, "");
    }

    #[test]
    fn scrolling_stays_within() {
        let mut state = State::default();
        (0..20).for_each(|n| state.feed(crate::ui::feed::Feed::Line(Line::info(n.to_string()))));
        press(&mut state, KeyCode::Down);
        assert_eq!(state.scroll, 0);
        press(&mut state, KeyCode::PageUp);
        press(&mut state, KeyCode::Home);
        assert_eq!(state.scroll, 19);
        press(&mut state, KeyCode::End);
        assert_eq!(state.scroll, 0);
    }
}
