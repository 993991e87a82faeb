//! Event listeners as the workers of a shard call them.

use std::{cell::RefCell, collections::HashSet};

use super::Shard;
use crate::{
    engine::{panic::CatchPanic, update::Update},
    event::Event,
    run::Line,
};

/// How many different failures of listeners are shown.
const MAX_WARNINGS: usize = 100;

/// The failures of listeners that were shown. Each is shown once.
#[derive(Default)]
pub(super) struct ListenerWarnings(RefCell<HashSet<String>>);

impl ListenerWarnings {
    fn is_new(&self, text: &str) -> bool {
        let mut shown = self.0.borrow_mut();
        shown.len() < MAX_WARNINGS && shown.insert(text.to_owned())
    }
}

impl Shard {
    pub(in crate::engine) fn has_listeners(&self) -> bool {
        !self.plan.selection.events.is_empty()
    }

    /// Calls every listener in turn. A listener that fails causes a warning and nothing else.
    pub(in crate::engine) async fn notify(&self, event: &Event<'_>) {
        for listener in &self.plan.selection.events {
            let result = CatchPanic::new(self.backtraces, listener.handle(event)).await;
            if let Err(failure) = result.unwrap_or_else(|caught| Err(caught.into())) {
                let text = failure.describe("events", self.backtraces);
                if self.listener_warnings.is_new(&text) {
                    self.outbox.send(Update::Line(Line::warning(text)));
                }
            }
        }
    }
}
