//! The closed loop: each worker starts its next scenario when the previous one ends.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use super::{Pace, Planned, WorkerPace};
use crate::load::ClosedModel;

/// Runs workers by number: worker `i` runs while the planned number of workers is above `i`.
pub(in crate::engine) struct ClosedLoop {
    model: RefCell<ClosedModel>,
    changes: Cell<u64>,
    /// Whether the plan has ended early. Running workers continue.
    is_over: Cell<bool>,
}

impl ClosedLoop {
    pub(in crate::engine) fn new(model: &ClosedModel) -> ClosedLoop {
        ClosedLoop { model: RefCell::new(model.clone()), changes: Cell::new(0), is_over: Cell::new(false) }
    }

    pub(super) fn workers(&self) -> usize {
        usize::try_from(self.model.borrow().workers.max()).unwrap_or(usize::MAX)
    }

    pub(super) fn start_of(&self, number: usize, now: Duration) -> Option<Duration> {
        if self.is_over.get() {
            return None;
        }
        self.model.borrow().workers.rise_above(number as u64, now)
    }

    /// Ends the plan. Returns whether it had not been ended before.
    pub(super) fn end_early(&self) -> bool {
        !self.is_over.replace(true)
    }

    pub(super) fn join(&self, worker: &mut WorkerPace, now: Duration) -> Duration {
        worker.over = match self.model.borrow().span {
            Some(span) => now.saturating_add(span),
            None => self.model.borrow().workers.end(),
        };
        self.plan(worker, now);
        worker.over
    }

    /// Updates when the plan ends a worker.
    fn plan(&self, worker: &mut WorkerPace, now: Duration) {
        let model = self.model.borrow();
        if model.span.is_none() {
            worker.over = model.workers.end();
        }
        worker.end = worker.over.min(model.workers.fall_to(worker.number as u64, now));
        worker.changes = self.changes.get();
    }

    pub(super) fn next(&self, worker: &mut WorkerPace, now: Duration, delay: Duration) -> Pace {
        if worker.changes != self.changes.get() {
            self.plan(worker, now);
        }
        let model = self.model.borrow();
        // Check the time only after the first scenario, so that a duration of 0 runs one scenario.
        let at_least_one = worker.started == 0 && model.span.is_some() && worker.end == worker.over;
        if now >= worker.end && !at_least_one {
            return Pace::Done { again: now < worker.over };
        }
        let due = match worker.next {
            Some(Planned::Time(due)) => due,
            _ if worker.started == 0 => now,
            _ => now.saturating_add(delay).saturating_add(model.delay),
        };
        worker.next = Some(Planned::Time(due));
        if now < due {
            // A delay does not outlast the worker's time.
            return Pace::At(due.min(worker.end));
        }
        match model.runs.is_some_and(|runs| worker.started >= runs) {
            true => Pace::Done { again: false },
            false => Pace::At(due),
        }
    }

    /// Returns when the plan ends, or zero if it ends with its workers.
    pub(super) fn end(&self) -> Duration {
        let model = self.model.borrow();
        if model.span.is_some() || self.is_over.get() { Duration::ZERO } else { model.workers.end() }
    }

    /// Whether the plan ends only with its workers, so that a change of the plan may add some at any time.
    pub(super) fn is_open_ended(&self) -> bool {
        self.model.borrow().span.is_some() && !self.is_over.get()
    }

    pub(super) fn change(&self, model: &ClosedModel) {
        self.model.replace(model.clone());
        self.changes.set(self.changes.get() + 1);
    }
}
