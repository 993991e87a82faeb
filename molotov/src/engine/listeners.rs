//! The listeners' thread of the coordinator: events about the whole run are told here, beside it, so that a slow
//! listener holds up neither the stop of the run nor its screen.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, LocalOptions};

use super::{message::Message, panic::CatchPanic, plan::Plan};
use crate::{event::Event, queue::Sender, run::Line, vars::Scope};

/// Tells the run's own events; there is none without a listener.
pub(super) struct RunListeners {
    counts: mpsc::Sender<usize>,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

impl RunListeners {
    /// Starts the thread, if there is a listener to tell.
    ///
    /// # Errors
    ///
    /// When the system has no thread.
    pub(super) fn start(plan: &Plan, scope: Arc<Scope>, outbox: Sender<Message>) -> io::Result<Option<RunListeners>> {
        if plan.selection.events.is_empty() {
            return Ok(None);
        }
        let (counts, inbox) = channel();
        let (end, ended) = channel::<()>();
        let plan = plan.clone();
        let thread = std::thread::Builder::new().name("molotov-events".to_owned()).spawn(move || {
            scope.adopt();
            // Closed when this thread ends, however it ends.
            let _end = end;
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            // A thread without an event loop has no listeners; the shards report the same trouble by themselves.
            if let Ok(runtime) = runtime {
                runtime.block_on(tell_all(&plan, &inbox, &outbox));
            }
        });
        Ok(Some(RunListeners { counts, ended, thread: thread? }))
    }

    /// Tells how many workers run.
    pub(super) fn workers(&self, workers: usize) {
        let _ = self.counts.send(workers);
    }

    /// Ends the thread once everything is told, or leaves it after `patience`.
    pub(super) fn end(self, patience: Duration) {
        drop(self.counts);
        let until = Instant::now() + patience;
        let left = until.saturating_duration_since(Instant::now());
        if self.ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected) {
            let _ = self.thread.join();
        }
    }
}

async fn tell_all(plan: &Plan, inbox: &Receiver<usize>, outbox: &Sender<Message>) {
    let mut said = None;
    while let Ok(workers) = inbox.recv() {
        for listener in &plan.selection.events {
            let event = Event::CurrentWorkers { workers };
            let told = CatchPanic::new(false, listener.handle(&event)).await;
            if let Err(failure) = told.unwrap_or_else(|caught| Err(caught.into())) {
                let text = failure.describe("events", false);
                // Told once a second: the same complaint once is enough.
                if said.as_ref() != Some(&text) {
                    outbox.send(Message::Line(Line::warning(text.clone())));
                    said = Some(text);
                }
            }
        }
    }
}
