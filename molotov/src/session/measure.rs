//! The measurement of one HTTP request. It is recorded once, however the request ends.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use url::Url;

use super::{Observer, parts::Tags};
use crate::metrics::{HTTP, OperationSample, Outcome, Status, WEBSOCKET};

/// Measures an HTTP request, and records it when dropped.
pub(crate) struct Measure {
    observer: Rc<dyn Observer>,
    /// The group in which it started.
    group: Option<Rc<str>>,
    name: Rc<str>,
    protocol: &'static str,
    /// The tags, such as `region=eu`.
    tags: Option<Tags>,
    /// The name in statsd.
    metric: Option<Box<str>>,
    started: Instant,
    /// How long it waited for connections.
    waited: Cell<Duration>,
    answer: Option<Answer>,
    /// Bytes of heads, and of the bodies of earlier hops.
    bytes_in: u64,
    body_in: u64,
    bytes_out: u64,
    retried: Cell<u32>,
    outcome: Option<Outcome>,
    /// The duration of the request, if it has ended.
    total: Option<Duration>,
}

/// The head of the final response.
struct Answer {
    status: StatusCode,
    /// Whether the status is a success.
    is_expected: bool,
    first_byte: Duration,
}

impl Measure {
    pub(crate) fn start(observer: Rc<dyn Observer>, group: Option<Rc<str>>, name: Rc<str>) -> Measure {
        Measure {
            observer,
            group,
            name,
            protocol: HTTP,
            tags: None,
            metric: None,
            started: Instant::now(),
            waited: Cell::new(Duration::ZERO),
            answer: None,
            bytes_in: 0,
            body_in: 0,
            bytes_out: 0,
            retried: Cell::new(0),
            outcome: None,
            total: None,
        }
    }

    /// Adds tags.
    pub(crate) fn with_tags(mut self, tags: Option<Tags>) -> Measure {
        self.tags = tags;
        self
    }

    /// Returns the group and the name of its row.
    pub(crate) fn row(&self) -> (Option<&Rc<str>>, &Rc<str>) {
        (self.group.as_ref(), &self.name)
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Makes this the measure of a WebSocket's handshake.
    pub(crate) fn of_websocket(mut self) -> Measure {
        self.protocol = WEBSOCKET;
        self
    }

    /// Excludes time that has passed from the duration of the request.
    pub(crate) fn leave_out(&mut self, time: Duration) {
        self.started += time;
    }

    /// Returns the number of times that the request was sent again.
    pub(crate) fn retried(&self) -> &Cell<u32> {
        &self.retried
    }

    /// Returns how long the request waited for connections, which is zero if they were idle.
    pub(crate) fn waited(&self) -> &Cell<Duration> {
        &self.waited
    }

    /// Adds the bytes of one hop: those sent, and those received before the body.
    pub(crate) fn hop(&mut self, bytes_out: u64, bytes_in: u64) {
        self.bytes_out += bytes_out;
        self.bytes_in += bytes_in;
    }

    /// Sets the bytes received of the final body.
    pub(crate) fn body_in(&mut self, bytes: u64) {
        self.body_in = bytes;
    }

    /// Notes the method and URL that led to the final response.
    pub(crate) fn answered_to(&mut self, method: &Method, url: &Url) {
        let metric = match self.protocol {
            HTTP => self.observer.request_metric(method, url),
            protocol => self.observer.operation_metric(protocol, &self.name),
        };
        self.metric = metric.map(String::into_boxed_str);
        if !self.waited.get().is_zero() {
            self.observer.connected(url);
        }
    }

    /// Notes the head of the final response, and whether its status is a success.
    pub(crate) fn answered(&mut self, status: StatusCode, first_byte: Instant, is_expected: bool) {
        let first_byte = first_byte.saturating_duration_since(self.started);
        self.answer = Some(Answer { status, is_expected, first_byte });
    }

    /// Records a complete response that ended at a known time.
    pub(crate) fn completed(mut self, at: Instant) {
        self.outcome = Some(self.by_status());
        self.total = Some(at.saturating_duration_since(self.started));
    }

    /// Records a response whose body arrived with its head.
    pub(crate) fn completed_at_once(mut self) {
        self.outcome = Some(self.by_status());
        self.total = self.answer.as_ref().map(|answer| answer.first_byte);
    }

    /// Records a failure.
    pub(crate) fn failed(mut self) {
        self.outcome = Some(Outcome::Failed);
    }

    fn by_status(&self) -> Outcome {
        match self.answer {
            Some(Answer { is_expected: true, .. }) => Outcome::Ok,
            _ => Outcome::Failed,
        }
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        let outcome = self.outcome.unwrap_or_else(|| {
            // A request that is dropped before its response, or by force, is interrupted. If a scenario leaves a part of
            // the body unread, the status decides.
            if self.answer.is_none() || self.observer.is_cutting() { Outcome::Interrupted } else { self.by_status() }
        });
        let sample = OperationSample {
            outcome,
            status: self.answer.as_ref().map(|answer| Status::Code(answer.status.as_u16())),
            connect: Some(self.waited.get()).filter(|waited| !waited.is_zero()),
            first_byte: self.answer.as_ref().map(|answer| answer.first_byte),
            total: self.total.unwrap_or_else(|| self.started.elapsed()),
            bytes_in: self.bytes_in + self.body_in,
            bytes_out: self.bytes_out,
            retried: self.retried.get(),
        };
        self.observer.measured(self.group.as_deref(), self.protocol, &self.name, self.metric.as_deref(), sample);
        for tag in self.tags.iter().flat_map(|tags| tags.iter()) {
            self.observer.tagged(tag, self.protocol, sample);
        }
    }
}
