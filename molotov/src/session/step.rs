//! A step that runs, which a scenario measures.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::Context;
use crate::metrics::Outcome;

/// A running step. Dropping it records it, so interrupted steps are counted too.
pub(super) struct Step<'a> {
    context: &'a Context,
    name: &'a str,
    started: Instant,
    /// The time that the worker had thought before.
    thought: Duration,
    /// The time spent describing errors, which the step does not include.
    aside: Cell<Duration>,
    outcome: Outcome,
}

impl<'a> Step<'a> {
    pub(super) fn start(context: &'a Context, name: &'a str) -> Step<'a> {
        Step {
            context,
            name,
            started: Instant::now(),
            thought: context.thought(),
            aside: Cell::default(),
            outcome: Outcome::Interrupted,
        }
    }

    /// Returns where to add time that the step does not include.
    pub(super) fn aside(&self) -> &Cell<Duration> {
        &self.aside
    }

    pub(super) fn end(mut self, succeeded: bool) {
        self.outcome = if succeeded { Outcome::Ok } else { Outcome::Failed };
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        // A panic is a failure. A step is interrupted only if its future is dropped.
        let outcome = match self.outcome {
            Outcome::Interrupted if std::thread::panicking() => Outcome::Failed,
            outcome => outcome,
        };
        if let Some(observer) = self.context.observer() {
            let apart = self.aside.get() + self.context.thought().saturating_sub(self.thought);
            observer.step(self.name, outcome, self.started.elapsed().saturating_sub(apart));
        }
    }
}
