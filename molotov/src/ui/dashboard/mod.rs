//! The dashboard: what a terminal shows while a run goes on.
//!
//! `state` is fed by lines, measures and progress, `render` draws it, `input` knows the keys, `terminal` takes the terminal over
//! and gives it back. All of it lives on a thread of its own, so that neither the run waits for the screen nor the screen for
//! the run.

mod input;
mod keyboard;
mod render;
mod rows;
mod state;
mod terminal;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub(crate) use self::terminal::exit;
use self::{input::Action, keyboard::Keyboard, state::State};
use super::{About, Background, Console, Output, Screen, background, feed::Feed};
use crate::{
    metrics::Snapshot,
    options::Color,
    queue::{ReceiveError, Receiver, Sender, queue},
    run::{Line, LineKind, Progress, Summary},
};

/// How long a key may wait to be seen.
const KEYS: Duration = Duration::from_millis(40);

/// What who looks at the dashboard asks of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlAction {
    /// Stop: running scenarios may end.
    Stop,
    /// Cut what runs.
    Force,
    /// Hold the workers, or let them go on.
    Pause(bool),
    /// A tenth of the workers more, or less.
    Workers(bool),
}

/// Hands on what is asked of the run.
type ControlHandler = Box<dyn Fn(ControlAction) + Send + Sync>;

/// The dashboard. Until the run begins it only keeps what it is told.
pub struct Dashboard {
    color: Color,
    control: Option<ControlHandler>,
    feed: Sender<Feed>,
    fed: Option<Receiver<Feed>>,
    captured: Option<File>,
    shown: Option<JoinHandle<Option<State>>>,
    /// Where the end is shown when the dashboard never was.
    console: Option<Background<Console<Output>>>,
    /// Counts what is drawn and written, for who waits for it.
    written: Arc<AtomicU64>,
    /// The run has come to its end.
    over: bool,
}

impl std::fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dashboard").field("shown", &self.shown.is_some()).finish_non_exhaustive()
    }
}

impl Dashboard {
    /// Whether there is a terminal for it.
    pub fn fits() -> bool {
        terminal::is_there()
    }

    /// A dashboard that hands on what is asked of the run.
    pub fn new(color: Color, control: impl Fn(ControlAction) + Send + Sync + 'static) -> Dashboard {
        let (feed, fed) = queue();
        Dashboard {
            color,
            control: Some(Box::new(control)),
            feed,
            fed: Some(fed),
            captured: None,
            shown: None,
            console: None,
            written: Arc::default(),
            over: false,
        }
    }

    fn tell(&self, feed: Feed) {
        // A screen that has gone shows nothing any more; the run goes on.
        self.feed.send(feed);
    }

    /// Ends the thread and gives the terminal back; gives what was known last.
    fn end(&mut self) -> Option<State> {
        self.tell(Feed::End);
        let shown = self.shown.take()?;
        background::wait(&shown, &self.written, &mut || true);
        let state = if shown.is_finished() { shown.join().ok().flatten() } else { None };
        terminal::restore();
        state
    }
}

impl Screen for Dashboard {
    fn line(&mut self, line: &Line) {
        self.tell(Feed::Line(line.clone()));
    }

    fn progress(&mut self, progress: &Progress) {
        self.tell(Feed::Progress(*progress));
    }

    fn measures(&mut self, member: Option<&Arc<str>>, measures: &Snapshot) {
        self.tell(Feed::Measures(member.cloned(), Box::new(measures.clone())));
    }

    fn before_fork(&mut self) {
        // Where this fails the terminal is shared: what is written runs over the screen, and nothing is lost.
        self.captured = terminal::capture().ok();
    }

    fn begin(&mut self, about: &About) {
        if self.captured.is_none() {
            self.captured = terminal::capture().ok();
        }
        let (Some(captured), Some(fed), Some(control)) = (self.captured.take(), self.fed.take(), self.control.take())
        else {
            return;
        };
        let feed = self.feed.clone();
        let reader = thread::Builder::new().name("molotov-output".to_owned());
        let reader = reader.spawn(move || read(captured, &feed));
        let state = State::new(about.clone(), self.color.is_on(true));
        let screen = thread::Builder::new().name("molotov-screen".to_owned());
        let (color, written) = (self.color, self.written.clone());
        let keyboard = Arc::new(Keyboard::new(control));
        // What is fed stays here until there is a thread to take it.
        let (hand_over, taken) = channel();
        let shown = reader.and_then(|_| {
            screen.spawn(move || {
                let fed = taken.recv().ok()?;
                match show(&fed, state, &keyboard, &written) {
                    (state, None) => Some(state),
                    (state, Some(summary)) => {
                        conclude(color, &state, &summary, &written);
                        None
                    }
                }
            })
        });
        match shown {
            Ok(shown) => {
                let _ = hand_over.send(fed);
                self.shown = Some(shown);
            }
            Err(error) => {
                // Without threads, all is written at the end.
                terminal::restore();
                self.fed = Some(fed);
                self.tell(Feed::Line(Line::warning(format!("cannot start a thread for the dashboard: {error}"))));
            }
        }
    }

    fn finish(&mut self, summary: &Summary) {
        self.over = true;
        if self.shown.is_some() {
            return self.tell(Feed::Finish(Box::new(summary.clone())));
        }
        terminal::restore();
        let mut console = Console::stdout(self.color).in_background();
        // It never started, so its lines are all there is to show.
        while let Some(Ok(feed)) = self.fed.as_ref().map(Receiver::try_receive) {
            console.feed(feed);
        }
        console.finish(summary);
        self.console = Some(console);
    }

    fn settle(&mut self, hurry: &mut dyn FnMut() -> bool) {
        if let Some(console) = &mut self.console {
            console.settle(hurry);
        }
        if let Some(shown) = &self.shown {
            background::wait(shown, &self.written, hurry);
        }
    }
}

/// Left in the middle, by a panic: the terminal is given back, with what was written last.
impl Drop for Dashboard {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let state = self.end();
        let mut err = io::stderr().lock();
        for line in state.iter().flat_map(|state| state.lines.iter().rev().take(40).rev()) {
            if line.kind == LineKind::Print && line.worker.is_none() {
                let _ = writeln!(err, "{}", line.text);
            }
        }
    }
}

/// Reads what the program's libraries and children write.
fn read(captured: File, feed: &Sender<Feed>) {
    let mut captured = BufReader::new(captured);
    let mut line = Vec::new();
    while let Ok(1..) = captured.read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line);
        if !feed.send(Feed::Line(Line::print(text.trim_end_matches(['\n', '\r'])))) {
            return;
        }
        line.clear();
    }
}

/// Gives the terminal back when the thread goes, however it goes.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        terminal::restore();
    }
}

/// Writes what remains of a run when the dashboard is gone.
fn conclude(color: Color, state: &State, summary: &Summary, written: &Arc<AtomicU64>) {
    let mut console = Console::stdout_counted(color, written.clone());
    // The screen is gone; what was warned of is not.
    state.lines.iter().filter(|line| line.kind == LineKind::Warning).for_each(|line| console.line(line));
    console.finish(summary);
}

/// Consumes the queue when there is no terminal.
fn listen(fed: &Receiver<Feed>, mut state: State) -> (State, Option<Box<Summary>>) {
    loop {
        match fed.receive() {
            Some(Feed::Finish(summary)) => return (state, Some(summary)),
            Some(Feed::End) | None => return (state, None),
            Some(feed) => state.feed(feed),
        }
    }
}

/// Shows a run until its end: what it knows then, and what the run came to.
fn show(
    fed: &Receiver<Feed>,
    mut state: State,
    keyboard: &Arc<Keyboard>,
    written: &AtomicU64,
) -> (State, Option<Box<Summary>>) {
    let _restored = Restored;
    // Before the terminal is written to, which blocks where nobody reads.
    let keys = match keyboard::listen(keyboard) {
        Ok(keys) => keys,
        // A terminal that is taken over without reading keys would ignore Ctrl-C.
        Err(error) => {
            state.feed(Feed::Line(Line::warning(format!("cannot start a thread for the keyboard: {error}"))));
            return listen(fed, state);
        }
    };
    let Ok(mut screen) = terminal::enter() else {
        drop(keys);
        return listen(fed, state);
    };
    let mut next_draw = Instant::now();
    loop {
        let mut changed = false;
        loop {
            match fed.try_receive() {
                Ok(Feed::Finish(summary)) => return (state, Some(summary)),
                Ok(Feed::End) | Err(ReceiveError::Disconnected) => return (state, None),
                Ok(feed) => {
                    changed |= matches!(feed, Feed::Progress(_));
                    state.feed(feed);
                }
                Err(ReceiveError::Timeout) => break,
            }
        }
        let key = match keys.pressed.recv_timeout(KEYS) {
            Ok(key) => Some(key),
            Err(RecvTimeoutError::Timeout) => None,
            // There are no keys any more: the terminal is gone, or there is no thread to read them.
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(KEYS);
                None
            }
        };
        if let Some(key) = key {
            changed = true;
            match key.action(&mut state) {
                None => {}
                Some(Action::Stop) => {
                    state.stopping = true;
                    keyboard.stop();
                }
                Some(Action::Pause(paused)) => keyboard.request(ControlAction::Pause(paused)),
                Some(Action::Workers(more)) => keyboard.request(ControlAction::Workers(more)),
                Some(Action::Suspend) => match terminal::suspend() {
                    Ok(again) => screen = again,
                    Err(_) => return listen(fed, state),
                },
                Some(Action::Redraw) => {
                    let _ = screen.clear();
                }
            }
        }
        changed |= terminal::follow(&mut screen).unwrap_or(false);
        if changed || Instant::now() >= next_draw {
            // What cannot be drawn is drawn the next time.
            let _ = terminal::draw(&mut screen, |frame| render::draw(frame, &state));
            written.fetch_add(1, Ordering::Relaxed);
            next_draw = Instant::now() + Duration::from_secs(1);
        }
    }
}
