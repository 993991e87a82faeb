//! One request's measure: recorded once, whatever becomes of the request.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use url::Url;

use super::Observer;
use crate::metrics::{Outcome, RequestSample};

/// Records itself when it goes: as what it was told, or as interrupted.
pub(crate) struct Measure {
    observer: Rc<dyn Observer>,
    name: Rc<str>,
    /// The name for statsd.
    metric: Option<String>,
    started: Instant,
    status: Option<StatusCode>,
    first_byte: Option<Duration>,
    /// Bytes of heads and of bodies that are over.
    bytes_in: u64,
    body_in: u64,
    bytes_out: u64,
    retried: Cell<u32>,
    outcome: Option<Outcome>,
    ended: Option<Instant>,
}

impl Measure {
    pub(crate) fn start(observer: Rc<dyn Observer>, name: Rc<str>) -> Measure {
        Measure {
            observer,
            name,
            metric: None,
            started: Instant::now(),
            status: None,
            first_byte: None,
            bytes_in: 0,
            body_in: 0,
            bytes_out: 0,
            retried: Cell::new(0),
            outcome: None,
            ended: None,
        }
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Leaves time that has passed out of the request's duration.
    pub(crate) fn leave_out(&mut self, time: Duration) {
        self.started += time;
    }

    /// Counts how often the request is sent again.
    pub(crate) fn retried(&self) -> &Cell<u32> {
        &self.retried
    }

    /// The final answer comes from this request.
    pub(crate) fn answered_to(&mut self, method: &Method, url: &Url) {
        self.metric = self.observer.metric(method, url);
    }

    /// A hop was made: so much went out, so much came before the body.
    pub(crate) fn hop(&mut self, bytes_out: u64, bytes_in: u64) {
        self.bytes_out += bytes_out;
        self.bytes_in += bytes_in;
    }

    /// So much of the final body has come.
    pub(crate) fn body_in(&mut self, bytes: u64) {
        self.body_in = bytes;
    }

    /// The head of the final answer has come.
    pub(crate) fn answered(&mut self, status: StatusCode, first_byte: Instant) {
        self.status = Some(status);
        self.first_byte = Some(first_byte.saturating_duration_since(self.started));
    }

    /// The answer is complete, at a moment that is known.
    pub(crate) fn completed(mut self, at: Instant) {
        self.outcome = Some(self.by_status());
        self.ended = Some(at);
    }

    /// It went wrong.
    pub(crate) fn failed(mut self) {
        self.outcome = Some(Outcome::Failed);
    }

    fn by_status(&self) -> Outcome {
        match self.status {
            Some(status) if status.as_u16() < 400 => Outcome::Ok,
            _ => Outcome::Failed,
        }
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(|| {
            // Dropped before the answer, or by force: interrupted. Dropped with a part of the body unread, by a
            // scenario that did not care for it: what the status says.
            if self.status.is_none() || self.observer.is_cutting() { Outcome::Interrupted } else { self.by_status() }
        });
        let ended = self.ended.unwrap_or_else(Instant::now);
        self.observer.measured(
            &self.name,
            self.metric.as_deref(),
            RequestSample {
                outcome,
                status: self.status.map(|status| status.as_u16()),
                first_byte: self.first_byte,
                total: ended.saturating_duration_since(self.started),
                bytes_in: self.bytes_in + self.body_in,
                bytes_out: self.bytes_out,
                retried: self.retried.get(),
            },
        );
    }
}
