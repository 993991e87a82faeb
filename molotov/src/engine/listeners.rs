//! Calls listeners for events of the whole run, on a separate thread, so that a slow listener delays neither the stop of
//! the run nor its screen.

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

/// The thread that calls listeners for events of the whole run.
pub(super) struct RunListeners {
    counts: mpsc::Sender<usize>,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

impl RunListeners {
    /// Starts the thread if there are listeners.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot start a thread.
    pub(super) fn start(plan: &Plan, scope: Arc<Scope>, outbox: Sender<Message>) -> io::Result<Option<RunListeners>> {
        if plan.selection.events.is_empty() {
            return Ok(None);
        }
        let (counts, inbox) = channel();
        let (end, ended) = channel::<()>();
        let plan = plan.clone();
        let thread = std::thread::Builder::new().name("molotov-events".to_owned()).spawn(move || {
            scope.adopt();
            // The channel closes when this thread ends in any way.
            let _end = end;
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            // Without an event loop, no listener is called; the shards report the same error.
            if let Ok(runtime) = runtime {
                runtime.block_on(tell_all(&plan, &inbox, &outbox));
            }
        });
        Ok(Some(RunListeners { counts, ended, thread: thread? }))
    }

    /// Reports the number of running workers.
    pub(super) fn workers(&self, workers: usize) {
        let _ = self.counts.send(workers);
    }

    /// Waits until all listeners have been called, for at most `patience`.
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
                // Called every second: the same error is reported once.
                if said.as_ref() != Some(&text) {
                    outbox.send(Message::Line(Line::warning(text.clone())));
                    said = Some(text);
                }
            }
        }
    }
}
