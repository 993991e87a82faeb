//! Reports what the sessions of a worker do: measurements, events, and at `-vv` each request and response.

use std::{
    borrow::Cow,
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::LocalBoxFuture;
use http::Method;
use url::Url;

use super::{
    shard::Shard,
    stall::{BIN, Kind},
    transcript,
};
use crate::{
    event::Event,
    metrics::{HTTP, OperationSample, Outcome, Recorder, Status},
    options::WorkerId,
    run::LineKind,
    session::{Observer, Operation, Request, Response, Session},
};

/// Observes the sessions of one worker.
pub(super) struct WorkerObserver {
    shard: Rc<Shard>,
    worker: WorkerId,
    shows_exchanges: bool,
    /// When the current scenario started, on the run's clock. Before the first one, when the worker did.
    start: Cell<Duration>,
}

impl WorkerObserver {
    pub(super) fn new(shard: Rc<Shard>, worker: WorkerId) -> WorkerObserver {
        let shows_exchanges = shard.args.verbose > 1 && !shard.args.quiet;
        WorkerObserver { shard, worker, shows_exchanges, start: Cell::default() }
    }

    /// Notes that the worker or its next scenario starts, which decides whether its requests belong to the warm-up.
    pub(super) fn starts(&self, at: Duration) {
        self.start.set(at);
    }

    fn recorder(&self) -> &Recorder {
        self.shard.recorders.at(self.start.get())
    }
}

impl Observer for WorkerObserver {
    fn has_listeners(&self) -> bool {
        self.shows_exchanges || self.shard.has_listeners()
    }

    fn is_cutting(&self) -> bool {
        self.shard.cancelling.get()
    }

    fn sending<'a>(&'a self, session: &'a Session, request: &'a Request) -> LocalBoxFuture<'a, ()> {
        Box::pin(async move {
            if self.shows_exchanges {
                self.shard.line(self.worker, LineKind::Print, transcript::request(request));
            }
            self.shard.notify(&Event::SendingRequest { session, request }).await;
        })
    }

    fn received<'a>(
        &'a self,
        session: &'a Session,
        request: &'a Request,
        response: &'a Response,
    ) -> LocalBoxFuture<'a, ()> {
        Box::pin(async move {
            if self.shows_exchanges {
                let text = transcript::response(response).await;
                self.shard.line(self.worker, LineKind::Print, text);
            }
            self.shard.notify(&Event::ResponseReceived { session, request, response }).await;
        })
    }

    fn operation_started<'a>(&'a self, operation: &'a Operation) -> LocalBoxFuture<'a, ()> {
        Box::pin(async move {
            if self.shows_exchanges {
                self.shard.line(self.worker, LineKind::Print, transcript::operation(operation));
            }
            self.shard.notify(&Event::OperationStart { operation, worker: self.worker }).await;
        })
    }

    fn operation_ended<'a>(
        &'a self,
        operation: &'a Operation,
        outcome: Outcome,
        elapsed: Duration,
    ) -> LocalBoxFuture<'a, ()> {
        Box::pin(async move {
            if self.shows_exchanges {
                self.shard.line(self.worker, LineKind::Print, transcript::operation_end(operation, outcome));
            }
            self.shard.notify(&Event::OperationEnd { operation, outcome, elapsed, worker: self.worker }).await;
        })
    }

    fn request_metric(&self, method: &Method, url: &Url) -> Option<String> {
        self.shard.statsd.as_ref().map(|statsd| statsd.request_name(method, url))
    }

    fn operation_metric(&self, protocol: &str, name: &str) -> Option<String> {
        self.shard.statsd.as_ref().map(|statsd| statsd.operation_name(protocol, name))
    }

    fn measured(
        &self,
        group: Option<&str>,
        protocol: &str,
        name: &str,
        metric: Option<&str>,
        sample: OperationSample<'_>,
    ) {
        if let (Some(statsd), Some(metric)) = (&self.shard.statsd, metric) {
            let status = sample.status.unwrap_or(Status::Text(sample.outcome.name()));
            statsd.record(metric, status, sample.total);
        }
        if let Some(Status::Code(status)) = sample.status {
            self.shard.answered(status);
        }
        if sample.total >= BIN {
            let name = if protocol == HTTP { Cow::Borrowed(name) } else { format!("{protocol} {name}").into() };
            self.shard.waited(Kind::Requests, &name, sample.total, Instant::now());
        }
        self.recorder().operation_in(group, protocol, name, &sample);
    }

    fn tagged(&self, tag: &str, protocol: &str, sample: OperationSample<'_>) {
        self.recorder().tagged(tag, protocol, &sample);
    }

    fn checked(
        &self,
        name: &str,
        scenario: &str,
        result: Result<(), Option<String>>,
        place: &dyn Fn() -> Option<String>,
    ) {
        if let Some(statsd) = &self.shard.statsd {
            statsd.check(name, result.is_ok());
        }
        let failed = result.as_ref().err().map(|message| (message.as_deref(), place));
        self.recorder().check(name, scenario, failed);
    }

    fn counted(&self, name: &str, number: u64) {
        if let Some(statsd) = &self.shard.statsd {
            statsd.count(name, number);
        }
        self.recorder().count(name, number);
    }

    fn recorded(&self, name: &str, value: f64) {
        if let Some(statsd) = &self.shard.statsd {
            statsd.value(name, value);
        }
        self.recorder().value(name, value);
    }

    fn gauged(&self, name: &str, value: f64) {
        if let Some(statsd) = &self.shard.statsd {
            statsd.gauge(name, value);
        }
        self.recorder().gauge(name, value, self.shard.clock.now());
    }

    fn transferred(&self, group: Option<&str>, protocol: &str, name: &str, bytes_in: u64, bytes_out: u64) {
        self.recorder().transferred(group, protocol, name, bytes_in, bytes_out);
    }

    fn step(&self, name: &str, outcome: Outcome, took: Duration) {
        self.recorder().step(name, outcome, took);
    }

    fn connected(&self, url: &Url) {
        self.shard.recorders.run().target(&url.origin().ascii_serialization());
    }

    fn cookie_dropped(&self, host: &str) {
        self.shard.cookie_dropped(host);
    }
}
