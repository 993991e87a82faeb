//! Merges the updates of a process before they are sent to another machine.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    engine::{clock::Clock, update::Update},
    queue::{Item, ReceiveError, Receiver},
};

/// How long state and lines wait for more of their kind.
const STATE_PERIOD: Duration = Duration::from_millis(200);
/// How long after the end of a second its measures are sent: the time that shards take to report them.
const MEASURES_DELAY: Duration = Duration::from_millis(100);

/// Sends the updates that arrive until all senders are gone: the measures of a second at once, others sooner.
///
/// # Errors
///
/// If `send` returns one.
pub(super) fn send_all(
    waiting: &Receiver<Update>,
    clock: &Arc<Clock>,
    mut send: impl FnMut(Update) -> io::Result<()>,
) -> io::Result<()> {
    let mut batch = Batch::default();
    loop {
        let now = Instant::now();
        if batch.state_due.is_some_and(|due| now >= due) {
            batch.take_state().into_iter().try_for_each(&mut send)?;
        }
        if batch.measures_due.is_some_and(|due| now >= due) {
            batch.take().into_iter().try_for_each(&mut send)?;
        }
        let due = [batch.state_due, batch.measures_due].into_iter().flatten().min();
        match waiting.receive_until(due.unwrap_or(now + Duration::from_secs(3_600))) {
            Ok(update) => {
                if let Some(next) = batch.add(update, clock) {
                    batch.take().into_iter().chain([next]).try_for_each(&mut send)?;
                }
            }
            Err(ReceiveError::Timeout) => {}
            Err(ReceiveError::Disconnected) => return batch.take().into_iter().try_for_each(&mut send),
        }
    }
}

/// Updates that wait.
#[derive(Default)]
struct Batch {
    /// Lines, and the number of workers.
    state: Vec<Update>,
    measures: Vec<Update>,
    reported: Option<Duration>,
    state_due: Option<Instant>,
    measures_due: Option<Instant>,
}

impl Batch {
    /// Adds an update. Returns one that must be sent at once, after those that wait.
    fn add(&mut self, update: Update, clock: &Clock) -> Option<Update> {
        let now = Instant::now();
        match update {
            Update::Reported(until) => self.reported = self.reported.max(Some(until)),
            Update::Measures(_) | Update::Bins(_) => merge(&mut self.measures, update),
            Update::Line(_) | Update::Workers { .. } => {
                self.state_due.get_or_insert(now + STATE_PERIOD);
                merge(&mut self.state, update);
                return None;
            }
            update => return Some(update),
        }
        self.measures_due.get_or_insert_with(|| {
            let run = now.saturating_duration_since(clock.epoch());
            let next = Duration::from_secs(run.saturating_sub(MEASURES_DELAY).as_secs() + 1);
            clock.epoch() + next + MEASURES_DELAY
        });
        None
    }

    fn take_state(&mut self) -> Vec<Update> {
        self.state_due = None;
        std::mem::take(&mut self.state)
    }

    /// Takes everything. The time up to which measures were reported comes after them.
    fn take(&mut self) -> Vec<Update> {
        self.measures_due = None;
        let mut all = self.take_state();
        all.append(&mut self.measures);
        all.extend(self.reported.take().map(Update::Reported));
        all
    }
}

/// Adds an update to others, and merges it if that loses no detail.
fn merge(waiting: &mut Vec<Update>, update: Update) {
    let mut update = update;
    for earlier in waiting.iter_mut().rev() {
        match earlier.merge(update, true) {
            None => return,
            Some(returned) => update = returned,
        }
    }
    waiting.push(update);
}
