//! Runs a screen on its own thread, so that a reader that does not read blocks only that thread.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    screen::{RunLimits, Screen},
    screen_event::ScreenEvent,
};
use crate::{
    metrics::Snapshot,
    queue::{Receiver, Sender, queue},
    run::{Line, MemberLabel, Progress, Summary},
};

/// The largest number of lines that are written together.
const BATCH: usize = 64;
/// A reader that has read nothing for this time is considered stuck.
const STUCK_AFTER: Duration = Duration::from_millis(300);
/// How often to check whether everything is written.
const POLL: Duration = Duration::from_millis(5);

/// Shows a run on a screen that may block.
///
/// The thread starts with the workers, since no thread may exist while processes are forked. Earlier events wait in the queue.
#[derive(Debug)]
pub struct Background<S> {
    events: Sender<ScreenEvent>,
    screen: Shared<S>,
    thread: Option<JoinHandle<()>>,
    written: Arc<AtomicU64>,
    /// Whether the screen needs measures.
    measured: bool,
    finished: bool,
}

/// The screen and its events, until the thread takes them.
type Shared<S> = Arc<Mutex<Option<(S, Receiver<ScreenEvent>)>>>;

impl<S: Screen + 'static> Background<S> {
    /// Runs `screen`, which counts the bytes that it writes in `written`. It receives measures only if it is `measured`.
    pub(super) fn new(screen: S, written: Arc<AtomicU64>, measured: bool) -> Background<S> {
        let (events, received) = queue();
        let screen = Arc::new(Mutex::new(Some((screen, received))));
        Background { events, screen, thread: None, written, measured, finished: false }
    }

    pub(super) fn send(&self, event: ScreenEvent) {
        self.events.send(event);
    }

    fn start(&mut self) {
        if self.thread.is_some() {
            return;
        }
        let screen = self.screen.clone();
        let thread = thread::Builder::new().name("molotov-console".to_owned());
        match thread.spawn(move || show(&screen)) {
            Ok(thread) => self.thread = Some(thread),
            // Without a thread, `flush` writes everything at the end.
            Err(error) => tracing::warn!("cannot start the thread of the console: {error}"),
        }
    }
}

/// Shows events until the last one.
fn show<S: Screen>(screen: &Shared<S>) {
    let Some((mut screen, events)) = screen.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let mut lines = Vec::new();
    while let Some(mut event) = events.receive() {
        // Lines that wait are written together.
        loop {
            match event {
                ScreenEvent::Line(line) => lines.push(line),
                other => {
                    screen.lines(&std::mem::take(&mut lines));
                    match other {
                        ScreenEvent::Progress(progress) => screen.progress(&progress),
                        ScreenEvent::Measures(member, measures) => screen.measures(member.as_ref(), &measures),
                        ScreenEvent::Workers(member, running) => screen.workers(&member, running),
                        ScreenEvent::Finish(summary) => return screen.finish(&summary),
                        ScreenEvent::Line(_) | ScreenEvent::End => return,
                    }
                }
            }
            match events.try_receive() {
                Ok(next) if lines.len() < BATCH => event = next,
                Ok(next) => {
                    screen.lines(&std::mem::take(&mut lines));
                    event = next;
                }
                Err(_) => break,
            }
        }
        screen.lines(&std::mem::take(&mut lines));
    }
}

/// Waits until a thread has ended. While `hurry` returns `true`, it waits only as long as `written` grows.
pub(super) fn wait(thread: &JoinHandle<impl Sized>, written: &AtomicU64, hurry: &mut dyn FnMut() -> bool) {
    let mut last = (written.load(Ordering::Relaxed), Instant::now());
    while !thread.is_finished() {
        let now = written.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
        if hurry() && last.1.elapsed() >= STUCK_AFTER {
            return;
        }
        thread::sleep(POLL);
    }
}

impl<S: Screen + 'static> Screen for Background<S> {
    fn line(&mut self, line: &Line) {
        self.send(ScreenEvent::Line(line.clone()));
    }

    fn progress(&mut self, progress: &Progress) {
        self.send(ScreenEvent::Progress(*progress));
    }

    fn measures(&mut self, member: Option<&MemberLabel>, measures: &Snapshot) {
        if self.measured {
            self.send(ScreenEvent::Measures(member.cloned(), Box::new(measures.clone())));
        }
    }

    fn workers(&mut self, member: &MemberLabel, running: usize) {
        if self.measured {
            self.send(ScreenEvent::Workers(member.clone(), running));
        }
    }

    fn begin(&mut self, limits: &RunLimits) {
        if let Some((screen, _)) = &mut *self.screen.lock().unwrap_or_else(PoisonError::into_inner) {
            screen.begin(limits);
        }
        self.start();
    }

    fn finish(&mut self, summary: &Summary) {
        self.finished = true;
        self.send(ScreenEvent::Finish(Box::new(summary.clone())));
        self.start();
    }

    fn flush(&mut self, hurry: &mut dyn FnMut() -> bool) {
        match &self.thread {
            Some(thread) => wait(thread, &self.written, hurry),
            None => show(&self.screen),
        }
    }
}

/// After a panic, writes what is queued while the reader reads.
impl<S> Drop for Background<S> {
    fn drop(&mut self) {
        if let (false, Some(thread)) = (self.finished, &self.thread) {
            self.events.send(ScreenEvent::End);
            wait(thread, &self.written, &mut || true);
        }
    }
}
