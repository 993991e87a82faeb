//! An operation of any protocol, measured by the session that performs it.

use std::{
    borrow::Cow,
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use super::{Context, StepOutcome};
use crate::metrics::{OperationSample, Outcome, Status};

/// One operation of a protocol other than HTTP: a query, a call, a message with its reply.
///
/// [`Context::operation`] starts it, and [`finish`](Self::finish) ends it. Like an HTTP request, it appears in tables, reports,
/// thresholds, events and statsd. Its row is named after the protocol and the operation: `LINE echo`.
///
/// ```no_run
/// # use molotov::prelude::*;
/// # struct LineSession { context: Context }
/// # impl LineSession { async fn exchange(&mut self, line: &str) -> Result<String> { Ok(line.to_owned()) }
/// async fn echo(&mut self, line: &str) -> Result<String> {
///     let mut operation = self.context.operation("LINE", "echo").await;
///     let reply = self.exchange(line).await;
///     operation.set_status(if reply.is_ok() { "OK" } else { "ERROR" });
///     operation.finish(reply).await
/// }
/// # }
/// ```
///
/// An operation that is dropped without [`finish`](Self::finish), for example by an early return, is a failure. If the end of the
/// run cancels it, it is interrupted. Listeners see the end of finished operations only.
#[derive(Debug)]
#[must_use = "an operation that is not finished has failed"]
pub struct Operation {
    context: Context,
    protocol: Cow<'static, str>,
    name: Cow<'static, str>,
    /// The group in which it started.
    group: Option<Rc<str>>,
    started: Instant,
    status: Option<Cow<'static, str>>,
    first_byte: Option<Duration>,
    bytes_in: u64,
    bytes_out: u64,
    /// When it ended, if that is known better than when `finish` was called.
    ended: Option<Instant>,
    is_recorded: Cell<bool>,
}

impl Operation {
    /// Calls the listeners, and starts the clock.
    pub(super) async fn start(context: Context, protocol: Cow<'static, str>, name: Cow<'static, str>) -> Operation {
        let mut operation = Operation {
            group: context.group_path(),
            context,
            protocol,
            name,
            started: Instant::now(),
            status: None,
            first_byte: None,
            bytes_in: 0,
            bytes_out: 0,
            ended: None,
            // Nothing is measured before the clock starts.
            is_recorded: Cell::new(true),
        };
        if let Some(observer) = operation.context.observer().filter(|observer| observer.has_listeners()) {
            observer.operation_started(&operation).await;
            operation.started = Instant::now();
        }
        operation.is_recorded.set(false);
        operation
    }

    /// Returns the protocol, such as `LINE`.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// Returns the name, such as `echo`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the status, or `None` if none has been set.
    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// Returns the time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Sets the status, such as `OK`, `NOT_FOUND` or `23505`. Each row counts its first 100 statuses separately, so use only a few
    /// different ones.
    pub fn set_status(&mut self, status: impl Into<Cow<'static, str>>) {
        self.status = Some(status.into());
    }

    /// Notes that the first byte of the response has arrived. Only the first call has an effect.
    pub fn mark_first_byte(&mut self) {
        self.first_byte.get_or_insert(self.started.elapsed());
    }

    /// Adds to the number of bytes sent.
    pub fn add_sent(&mut self, bytes: u64) {
        self.bytes_out += bytes;
    }

    /// Adds to the number of bytes received.
    pub fn add_received(&mut self, bytes: u64) {
        self.bytes_in += bytes;
    }

    /// Sets when the operation ended, for example when the last byte of its response was read.
    pub(super) fn ended_at(&mut self, at: Instant) {
        self.ended = Some(at);
    }

    /// Ends the operation, and returns the result. `Err`, `None` and `false` are failures, and all other
    /// values are successes.
    pub async fn finish<T: StepOutcome>(self, result: T) -> T {
        self.end(if result.succeeded() { Outcome::Ok } else { Outcome::Failed }).await;
        result
    }

    /// Records an operation that was cancelled.
    #[cfg(feature = "python")]
    pub(crate) fn interrupt(self) {
        self.record(Outcome::Interrupted);
    }

    /// Sets the path of the group, instead of the context's.
    #[cfg(feature = "python")]
    pub(crate) fn set_group(&mut self, group: Rc<str>) {
        self.group = Some(group);
    }

    /// Returns the context of the worker that performs it.
    #[cfg(feature = "python")]
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Records the operation, and calls the listeners.
    async fn end(self, outcome: Outcome) {
        let elapsed = self.record(outcome);
        if let Some(observer) = self.context.observer().filter(|observer| observer.has_listeners()) {
            observer.operation_ended(&self, outcome, elapsed).await;
        }
    }

    fn record(&self, outcome: Outcome) -> Duration {
        let total = self.ended.unwrap_or_else(Instant::now).saturating_duration_since(self.started);
        if self.is_recorded.replace(true) {
            return total;
        }
        if let Some(observer) = self.context.observer() {
            let sample = OperationSample {
                outcome,
                status: self.status().map(Status::Text),
                connect: None,
                first_byte: self.first_byte,
                total,
                bytes_in: self.bytes_in,
                bytes_out: self.bytes_out,
                retried: 0,
            };
            let metric = match outcome {
                Outcome::Interrupted => None,
                Outcome::Ok | Outcome::Failed => observer.operation_metric(&self.protocol, &self.name),
            };
            observer.measured(self.group.as_deref(), &self.protocol, &self.name, metric.as_deref(), sample);
        }
        total
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let is_cut = !std::thread::panicking() && self.context.observer().is_some_and(|observer| observer.is_cutting());
        self.record(if is_cut { Outcome::Interrupted } else { Outcome::Failed });
    }
}
