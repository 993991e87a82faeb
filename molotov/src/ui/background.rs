//! A screen on a thread of its own: a reader that does not read holds up that thread and nobody else.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{About, Screen, feed::Feed};
use crate::{
    metrics::Snapshot,
    queue::{Receiver, Sender, queue},
    run::{Line, Progress, Summary},
};

/// How many lines are written in one go.
const BATCH: usize = 64;
/// A reader that has read nothing for so long does not read.
const UNREAD: Duration = Duration::from_millis(300);
/// How often it is looked whether all is written.
const LOOK: Duration = Duration::from_millis(5);

/// Shows a run on a screen that may block.
///
/// The thread starts with the workers, since no thread may exist while processes are forked; what comes earlier waits in the queue.
#[derive(Debug)]
pub struct Background<S> {
    feed: Sender<Feed>,
    screen: Shared<S>,
    thread: Option<JoinHandle<()>>,
    written: Arc<AtomicU64>,
    finished: bool,
}

/// The screen and what it is fed with; taken by the thread.
type Shared<S> = Arc<Mutex<Option<(S, Receiver<Feed>)>>>;

impl<S: Screen + 'static> Background<S> {
    /// Shows it on `screen`, which adds to `written` what it has written.
    pub(super) fn new(screen: S, written: Arc<AtomicU64>) -> Background<S> {
        let (feed, fed) = queue();
        let screen = Arc::new(Mutex::new(Some((screen, fed))));
        Background { feed, screen, thread: None, written, finished: false }
    }

    pub(super) fn feed(&self, feed: Feed) {
        self.feed.send(feed);
    }

    fn start(&mut self) {
        if self.thread.is_some() {
            return;
        }
        let screen = self.screen.clone();
        let thread = thread::Builder::new().name("molotov-console".to_owned());
        match thread.spawn(move || show(&screen)) {
            Ok(thread) => self.thread = Some(thread),
            // Without a thread all of it is written at the end, by whoever waits for it.
            Err(error) => tracing::warn!("cannot start the console's thread: {error}"),
        }
    }
}

/// Shows what is fed, to the end.
fn show<S: Screen>(screen: &Shared<S>) {
    let Some((mut screen, fed)) = screen.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    let mut lines = Vec::new();
    while let Some(mut feed) = fed.receive() {
        // What is there already is written together.
        loop {
            match feed {
                Feed::Line(line) => lines.push(line),
                other => {
                    screen.lines(&std::mem::take(&mut lines));
                    match other {
                        Feed::Progress(progress) => screen.progress(&progress),
                        Feed::Measures(member, measures) => screen.measures(member.as_ref(), &measures),
                        Feed::Finish(summary) => return screen.finish(&summary),
                        Feed::Line(_) | Feed::End => return,
                    }
                }
            }
            match fed.try_receive() {
                Ok(next) if lines.len() < BATCH => feed = next,
                Ok(next) => {
                    screen.lines(&std::mem::take(&mut lines));
                    feed = next;
                }
                Err(_) => break,
            }
        }
        screen.lines(&std::mem::take(&mut lines));
    }
}

/// Waits until a thread has ended, or, as soon as somebody is in a hurry, until nothing is `written` any more.
pub(super) fn wait(thread: &JoinHandle<impl Sized>, written: &AtomicU64, hurry: &mut dyn FnMut() -> bool) {
    let mut last = (written.load(Ordering::Relaxed), Instant::now());
    while !thread.is_finished() {
        let now = written.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
        if hurry() && last.1.elapsed() >= UNREAD {
            return;
        }
        thread::sleep(LOOK);
    }
}

impl<S: Screen + 'static> Screen for Background<S> {
    fn line(&mut self, line: &Line) {
        self.feed(Feed::Line(line.clone()));
    }

    fn progress(&mut self, progress: &Progress) {
        self.feed(Feed::Progress(*progress));
    }

    fn measures(&mut self, _: Option<&Arc<str>>, _: &Snapshot) {}

    fn begin(&mut self, _: &About) {
        self.start();
    }

    fn finish(&mut self, summary: &Summary) {
        self.finished = true;
        self.feed(Feed::Finish(Box::new(summary.clone())));
        self.start();
    }

    fn settle(&mut self, hurry: &mut dyn FnMut() -> bool) {
        match &self.thread {
            Some(thread) => wait(thread, &self.written, hurry),
            None => show(&self.screen),
        }
    }
}

/// A panic ended the run early: writes what is queued, as long as the reader reads.
impl<S> Drop for Background<S> {
    fn drop(&mut self) {
        if let (false, Some(thread)) = (self.finished, &self.thread) {
            self.feed.send(Feed::End);
            wait(thread, &self.written, &mut || true);
        }
    }
}
