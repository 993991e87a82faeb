//! The dashboard, which shows a run on a terminal while it is running.
//!
//! `state` applies lines, measures and progress, `render` draws the state, `input` maps keys to actions, and `terminal` takes over
//! the terminal and restores it. All of that runs on the thread of `display`, so that the run never waits for the screen, nor the
//! screen for the run. `keyboard` reads keys on another thread.

mod control;
mod display;
mod input;
mod keyboard;
mod render;
mod state;
mod terminal;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    sync::{Arc, atomic::AtomicU64},
    thread,
};

pub use self::control::ControlAction;
pub(crate) use self::terminal::exit;
use self::{control::Control, display::Display, state::State};
use super::{Background, Console, Output, RunLimits, Screen, background, screen_event::ScreenEvent};
use crate::{
    metrics::Snapshot,
    options::Color,
    queue::{Receiver, Sender, queue},
    run::{Line, LineKind, MemberLabel, Progress, Summary},
};

/// The number of lines that are printed if the run is abandoned.
const LAST_LINES: usize = 40;

/// The dashboard. It shows nothing until the run begins.
pub struct Dashboard {
    color: Color,
    control: Arc<Control>,
    events: Sender<ScreenEvent>,
    received: Option<Receiver<ScreenEvent>>,
    captured: Option<File>,
    display: Option<Display>,
    /// Shows the end of the run if there is no display.
    console: Option<Background<Console<Output>>>,
    /// Counts draws and writes, to see whether the reader of the terminal still reads.
    written: Arc<AtomicU64>,
    finished: bool,
}

impl std::fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dashboard").field("shown", &self.display.is_some()).finish_non_exhaustive()
    }
}

impl Dashboard {
    /// Returns whether standard input and output are a terminal that can show the dashboard.
    pub fn fits() -> bool {
        terminal::is_there()
    }

    /// Creates a dashboard that calls `control` when the user wants to control the run.
    pub fn new(color: Color, control: impl Fn(ControlAction) + Send + Sync + 'static) -> Dashboard {
        let (events, received) = queue();
        Dashboard {
            color,
            control: Arc::new(Control::new(control)),
            events,
            received: Some(received),
            captured: None,
            display: None,
            console: None,
            written: Arc::default(),
            finished: false,
        }
    }

    fn send(&self, event: ScreenEvent) {
        // If the display has ended, the event is lost and the run continues.
        self.events.send(event);
    }

    /// Sends an event that is shown at once.
    fn show(&self, event: ScreenEvent) {
        self.send(event);
        self.display.iter().for_each(Display::wake);
    }

    /// Ends the display, restores the terminal, and returns the last state.
    fn end(&mut self) -> Option<State> {
        self.show(ScreenEvent::End);
        let thread = self.display.take()?.thread;
        background::wait(&thread, &self.written, &mut || true);
        let state = if thread.is_finished() { thread.join().ok().flatten() } else { None };
        terminal::restore();
        state
    }
}

impl Screen for Dashboard {
    fn line(&mut self, line: &Line) {
        self.send(ScreenEvent::Line(line.clone()));
    }

    fn progress(&mut self, progress: &Progress) {
        self.show(ScreenEvent::Progress(*progress));
    }

    fn measures(&mut self, member: Option<&MemberLabel>, measures: &Snapshot) {
        self.send(ScreenEvent::Measures(member.cloned(), Box::new(measures.clone())));
    }

    fn workers(&mut self, member: &MemberLabel, running: usize) {
        self.send(ScreenEvent::Workers(member.clone(), running));
    }

    fn before_fork(&mut self) {
        // If this fails, the output of children overwrites the screen, and nothing is lost.
        self.captured = terminal::capture().ok();
    }

    fn begin(&mut self, limits: &RunLimits) {
        if self.captured.is_none() {
            self.captured = terminal::capture().ok();
        }
        let Some(captured) = self.captured.take() else { return };
        let Some(received) = self.received.take() else { return };
        let events = self.events.clone();
        let reader = thread::Builder::new().name("molotov-output".to_owned());
        let started = match reader.spawn(move || read(captured, &events)) {
            Ok(_) => {
                let mut state = State::new(limits.clone(), self.color.is_on(true));
                state.ascii = !super::unicode::shows_unicode(|name| std::env::var(name).ok());
                Display::start(received, state, self.color, &self.control, &self.written)
            }
            Err(error) => Err((error, received)),
        };
        match started {
            Ok(display) => self.display = Some(display),
            Err((error, received)) => {
                // `finish` writes everything that was received.
                terminal::restore();
                self.received = Some(received);
                let warning = format!("cannot start a thread for the dashboard: {error}");
                self.send(ScreenEvent::Line(Line::warning(warning)));
            }
        }
    }

    fn finish(&mut self, summary: &Summary) {
        self.finished = true;
        if self.display.is_some() {
            return self.show(ScreenEvent::Finish(Box::new(summary.clone())));
        }
        terminal::restore();
        let mut console = Console::stdout(self.color).in_background();
        while let Some(Ok(event)) = self.received.as_ref().map(Receiver::try_receive) {
            console.send(event);
        }
        console.finish(summary);
        self.console = Some(console);
    }

    fn flush(&mut self, hurry: &mut dyn FnMut() -> bool) {
        if let Some(console) = &mut self.console {
            console.flush(hurry);
        }
        if let Some(display) = &self.display {
            background::wait(&display.thread, &self.written, hurry);
        }
    }
}

/// Restores the terminal if a panic abandons the run, and prints the last captured lines.
impl Drop for Dashboard {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let state = self.end();
        let mut err = io::stderr().lock();
        let entries = state.iter().flat_map(|state| state.activity.entries().rev().take(LAST_LINES).rev());
        for line in entries.map(|entry| &entry.line) {
            if line.kind == LineKind::Print && line.worker.is_none() {
                let _ = writeln!(err, "{}", line.text);
            }
        }
    }
}

/// Reads what the libraries of the program and its child processes write.
fn read(captured: File, events: &Sender<ScreenEvent>) {
    let mut captured = BufReader::new(captured);
    let mut line = Vec::new();
    while let Ok(1..) = captured.read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line);
        if !events.send(ScreenEvent::Line(Line::print(text.trim_end_matches(['\n', '\r'])))) {
            return;
        }
        line.clear();
    }
}
