//! Maps keys to actions.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::state::{State, View};

/// What a key does besides changing the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Stop the run; a second time, interrupt its scenarios.
    Stop,
    /// Pause the workers, or resume them.
    Pause(bool),
    /// Add workers, or remove some.
    Workers(bool),
    /// Suspend the program, as job control does.
    Suspend,
    /// Redraw the whole screen.
    Redraw,
}

/// The number of rows that a page key scrolls.
const PAGE: usize = 10;

/// Applies a key to the state, or returns the action that it stands for.
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
        KeyCode::Enter if state.view == View::Table => state.open_row(),
        // An open row is closed first.
        KeyCode::Esc if state.view == View::Table && state.close_row() => {}
        KeyCode::Esc => state.filter.clear(),
        KeyCode::Tab => show(state, state.view.next()),
        KeyCode::Char(digit @ '1'..='6') => {
            show(state, View::ALL[digit as usize - '1' as usize]);
        }
        KeyCode::Up | KeyCode::Char('k') => scroll(state, -1),
        KeyCode::Down | KeyCode::Char('j') => scroll(state, 1),
        KeyCode::PageUp => scroll(state, -(PAGE as isize)),
        KeyCode::PageDown => scroll(state, PAGE as isize),
        KeyCode::Home => scroll(state, isize::MIN / 2),
        KeyCode::End => scroll(state, isize::MAX / 2),
        _ => {}
    }
    None
}

fn show(state: &mut State, view: View) {
    if state.view != view {
        (state.view, state.scroll, state.selected) = (view, 0, 0);
    }
}

/// Scrolls down, or up if `rows` is negative.
fn scroll(state: &mut State, rows: isize) {
    let last = state.length().saturating_sub(1);
    match state.view {
        // The newest line is at the bottom, and `scroll` counts from there.
        View::Activity => state.scroll = state.scroll.saturating_add_signed(-rows).min(last),
        View::Live => {}
        View::Table => state.select_row(rows),
        View::Distribution => state.select_distribution(rows),
        View::Generator => state.scroll = state.scroll.saturating_add_signed(rows).min(last),
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
    fn keys_return_actions_and_change_the_view() {
        let mut state = State::default();
        assert_eq!(press(&mut state, KeyCode::Char('q')), Some(Action::Stop));
        assert_eq!(key(&mut state, KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Action::Stop));
        assert_eq!(press(&mut state, KeyCode::Char('p')), Some(Action::Pause(true)));
        assert_eq!(press(&mut state, KeyCode::Char('p')), Some(Action::Pause(false)));
        assert_eq!(press(&mut state, KeyCode::Char('+')), Some(Action::Workers(true)));
        for view in View::ALL.into_iter().cycle().skip(1).take(View::ALL.len()) {
            assert_eq!(press(&mut state, KeyCode::Tab), None);
            assert_eq!(state.view, view);
        }
        assert_eq!(state.view, View::Live);
        press(&mut state, KeyCode::Char('4'));
        assert_eq!(state.view, View::Errors);
    }

    #[test]
    fn filter_is_edited_and_cleared() {
        let mut state = State::default();
        for c in "/qp+".chars() {
            assert_eq!(press(&mut state, KeyCode::Char(c)), None, "{c} is part of the filter");
        }
        press(&mut state, KeyCode::Backspace);
        press(&mut state, KeyCode::Enter);
        assert_eq!((state.filter.as_str(), state.filtering), ("qp", false));
        assert!(state.matches("the QP of it") && !state.matches("q p"));
        press(&mut state, KeyCode::Esc);
        assert_eq!(state.filter, "");
    }

    #[test]
    fn scrolling_stops_at_both_ends() {
        let mut state = State::default();
        state.view = View::Activity;
        (0..20).for_each(|n| state.apply(crate::ui::screen_event::ScreenEvent::Line(Line::info(n.to_string()))));
        press(&mut state, KeyCode::Down);
        assert_eq!(state.scroll, 0);
        press(&mut state, KeyCode::PageUp);
        press(&mut state, KeyCode::Home);
        assert_eq!(state.scroll, 19);
        press(&mut state, KeyCode::End);
        assert_eq!(state.scroll, 0);
    }
}
