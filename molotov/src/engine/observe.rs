//! What a worker's session tells the run: its measures, its events, and at `-vv` every request and response.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use http::Method;
use url::Url;

use super::{exchange, shard::Shard};
use crate::{
    event::Event,
    metrics::RequestSample,
    options::WorkerId,
    run::LineKind,
    session::{Observer, Request, Response, Session},
};

/// A worker's session is observed by one of these.
pub(super) struct WorkerObserver {
    shard: Rc<Shard>,
    worker: WorkerId,
    shows_exchanges: bool,
}

impl WorkerObserver {
    pub(super) fn new(shard: Rc<Shard>, worker: WorkerId) -> WorkerObserver {
        let shows_exchanges = shard.args.verbose > 1 && !shard.args.quiet;
        WorkerObserver { shard, worker, shows_exchanges }
    }
}

impl Observer for WorkerObserver {
    fn has_listeners(&self) -> bool {
        self.shows_exchanges || self.shard.has_listeners()
    }

    fn is_cutting(&self) -> bool {
        self.shard.cutting.get()
    }

    fn sending<'a>(&'a self, session: &'a Session, request: &'a Request) -> LocalBoxFuture<'a, ()> {
        Box::pin(async move {
            if self.shows_exchanges {
                self.shard.line(self.worker, LineKind::Print, exchange::request(request));
            }
            self.shard.tell(&Event::SendingRequest { session, request }).await;
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
                let text = exchange::response(response).await;
                self.shard.line(self.worker, LineKind::Print, text);
            }
            self.shard.tell(&Event::ResponseReceived { session, request, response }).await;
        })
    }

    fn metric(&self, method: &Method, url: &Url) -> Option<String> {
        self.shard.statsd.as_ref().map(|statsd| statsd.name(method, url))
    }

    fn measured(&self, name: &str, metric: Option<&str>, sample: RequestSample) {
        if let (Some(statsd), Some(metric), Some(status)) = (&self.shard.statsd, metric, sample.status) {
            statsd.request(metric, status, sample.total);
        }
        if let Some(status) = sample.status {
            self.shard.answered(status);
        }
        self.shard.recorder.request(name, &sample);
    }

    fn cookie_dropped(&self, host: &str) {
        self.shard.cookie_dropped(host);
    }
}
