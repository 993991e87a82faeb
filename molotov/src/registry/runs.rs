//! The runs of a scenario by a worker, which use the same memory.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    task::{Context, Poll},
};

use futures_util::future::LocalBoxFuture;

use super::Slots;
use crate::failure::Result;

/// The runs of a scenario by a worker, one after the other.
///
/// They are one future without an end, which is allocated once. [`Slots::end_run`] ends a run, and the next poll starts the next
/// one.
pub struct Runs<'a> {
    slots: &'a Slots,
    runs: LocalBoxFuture<'a, Infallible>,
}

impl<'a> Runs<'a> {
    /// Returns the runs of a future that calls [`Slots::end_run`] at the end of each.
    pub fn new(slots: &'a Slots, runs: impl Future<Output = Infallible> + 'a) -> Runs<'a> {
        Runs { slots, runs: Box::pin(runs) }
    }

    /// Returns runs that call a function.
    pub(crate) fn of<Run>(slots: &'a Slots, mut run: impl FnMut() -> Run + 'a) -> Runs<'a>
    where
        Run: Future<Output = Result> + 'a,
    {
        Runs::new(slots, async move {
            loop {
                let result = run().await;
                slots.end_run(result).await;
            }
        })
    }

    /// Returns the size of the future, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of_val(&*self.runs)
    }

    /// Continues the current run, or starts the next one. Returns the result of a run that ends.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result> {
        let Poll::Pending = self.runs.as_mut().poll(cx);
        self.slots.take_result().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Slots {
    /// Ends a run with this result. Returns when the next run starts.
    pub async fn end_run(&self, result: Result) {
        self.set_result(result);
        let mut has_ended = false;
        // The worker sees the result at once, and polls again for the next run. Nothing has to wake it.
        poll_fn(|_| if std::mem::replace(&mut has_ended, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}
