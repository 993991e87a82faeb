//! The thread of the dashboard: it takes events and keys, and draws.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver as Woken, Sender as Waker, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    control::{Control, ControlAction},
    input::Action,
    keyboard::{self, Wake},
    render,
    state::State,
    terminal,
};
use crate::{
    options::Color,
    queue::{ReceiveError, Receiver},
    run::{Line, LineKind, Summary},
    ui::{Console, Screen, screen_event::ScreenEvent},
};

/// The longest time between two frames.
const MAX_FRAME: Duration = Duration::from_secs(1);

/// A running display.
pub(super) struct Display {
    /// Returns the last state if the run was abandoned.
    pub(super) thread: JoinHandle<Option<State>>,
    waker: Waker<Wake>,
}

impl Display {
    /// Starts the thread. When the run ends, it restores the terminal and prints the summary; it adds to `written` when it draws.
    ///
    /// # Errors
    ///
    /// If the system cannot start a thread. The events are returned.
    pub(super) fn start(
        events: Receiver<ScreenEvent>,
        state: State,
        color: Color,
        control: &Arc<Control>,
        written: &Arc<AtomicU64>,
    ) -> Result<Display, (io::Error, Receiver<ScreenEvent>)> {
        let (control, written) = (control.clone(), written.clone());
        // The receiver is sent to the thread, so that it is not lost if the thread cannot be started.
        let (hand_over, taken) = channel();
        let (waker, woken) = channel();
        let keys = waker.clone();
        let thread = thread::Builder::new().name("molotov-screen".to_owned()).spawn(move || {
            let events = taken.recv().ok()?;
            match show(&events, state, &control, (&keys, &woken), &written) {
                (state, None) => Some(state),
                (state, Some(summary)) => {
                    conclude(color, &state, &summary, &written);
                    None
                }
            }
        });
        match thread {
            Ok(thread) => {
                let _ = hand_over.send(events);
                Ok(Display { thread, waker })
            }
            Err(error) => Err((error, events)),
        }
    }

    /// Shows the events so far. Lines and measures wait until progress is shown.
    pub(super) fn wake(&self) {
        // The display may have ended.
        let _ = self.waker.send(Wake::Run);
    }
}

/// Restores the terminal when it is dropped, also by a panic.
struct RestoreOnDrop;

impl Drop for RestoreOnDrop {
    fn drop(&mut self) {
        terminal::restore();
    }
}

/// Prints the warnings and the summary of a run after the terminal was restored.
fn conclude(color: Color, state: &State, summary: &Summary, written: &Arc<AtomicU64>) {
    let mut console = Console::stdout_counted(color, written.clone());
    // The warnings were on the screen that is gone.
    let lines = state.activity.entries().map(|entry| &entry.line);
    lines.filter(|line| line.kind == LineKind::Warning).for_each(|line| console.line(line));
    console.finish(summary);
}

/// Takes events without drawing, when there is no terminal.
fn take(events: &Receiver<ScreenEvent>, mut state: State) -> (State, Option<Box<Summary>>) {
    loop {
        match events.receive() {
            Some(ScreenEvent::Finish(summary)) => return (state, Some(summary)),
            Some(ScreenEvent::End) | None => return (state, None),
            Some(event) => state.apply(event),
        }
    }
}

/// Shows a run until it ends. Returns the last state, and the summary unless the run was abandoned.
fn show(
    events: &Receiver<ScreenEvent>,
    mut state: State,
    control: &Arc<Control>,
    (waker, woken): (&Waker<Wake>, &Woken<Wake>),
    written: &AtomicU64,
) -> (State, Option<Box<Summary>>) {
    let _restore = RestoreOnDrop;
    // Started before the first write to the terminal, which blocks if nobody reads.
    let keys = match keyboard::listen(control, waker) {
        Ok(keys) => keys,
        // A terminal in raw mode whose keys are not read would ignore Ctrl-C.
        Err(error) => {
            state.apply(ScreenEvent::Line(Line::warning(format!("cannot start a thread for the keyboard: {error}"))));
            return take(events, state);
        }
    };
    let Ok(mut screen) = terminal::enter() else {
        drop(keys);
        return take(events, state);
    };
    let mut body = render::Body::default();
    let mut next_draw = Instant::now();
    loop {
        let first = woken.recv_timeout(next_draw.saturating_duration_since(Instant::now())).ok();
        let mut changed = first.is_none();
        loop {
            match events.try_receive() {
                Ok(ScreenEvent::Finish(summary)) => return (state, Some(summary)),
                Ok(ScreenEvent::End) | Err(ReceiveError::Disconnected) => return (state, None),
                Ok(event) => {
                    changed |= matches!(event, ScreenEvent::Progress(_));
                    state.apply(event);
                }
                Err(ReceiveError::Timeout) => break,
            }
        }
        for wake in first.into_iter().chain(woken.try_iter()) {
            if matches!(wake, Wake::Key(_) | Wake::Interrupt) {
                changed = true;
                state.revise();
            }
            match wake.action(&mut state) {
                None => {}
                Some(Action::Stop) => {
                    state.stopping = true;
                    control.stop();
                }
                Some(Action::Pause(paused)) => control.request(ControlAction::Pause(paused)),
                Some(Action::Workers(more)) => control.request(ControlAction::Workers(more)),
                Some(Action::Suspend) => match terminal::suspend() {
                    Ok(again) => screen = again,
                    Err(_) => return take(events, state),
                },
                Some(Action::Redraw) => {
                    let _ = terminal::clear(&mut screen);
                }
            }
        }
        changed |= terminal::follow(&mut screen).unwrap_or(false);
        if changed {
            // A frame that cannot be drawn is replaced by the next one.
            let _ = terminal::draw(&mut screen, |frame| render::draw(frame, &state, &mut body));
            written.fetch_add(1, Ordering::Relaxed);
            next_draw = Instant::now() + MAX_FRAME;
        }
    }
}
