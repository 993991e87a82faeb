//! How a session tells the run what it does, without knowing what a run is.

use futures_util::future::LocalBoxFuture;
use http::Method;
use url::Url;

use super::{Request, Response, Session};
use crate::metrics::RequestSample;

/// A worker's observer, attached to its context: for sessions that the engine does not make itself.
#[cfg_attr(not(feature = "python"), expect(dead_code, reason = "only Python makes such sessions"))]
pub(crate) struct Observed(pub(crate) std::rc::Rc<dyn Observer>);

/// Sees what a worker's session does.
pub(crate) trait Observer {
    /// Whether anybody wants to be told of requests and responses; without, telling costs nothing.
    fn has_listeners(&self) -> bool;

    /// Whether the worker is being cut short: then what it drops is interrupted, not ended.
    fn is_cutting(&self) -> bool;

    /// A request is about to be sent; each hop of a redirect is.
    fn sending<'a>(&'a self, session: &'a Session, request: &'a Request) -> LocalBoxFuture<'a, ()>;

    /// The answer has come; the scenario has not seen it.
    fn received<'a>(
        &'a self,
        session: &'a Session,
        request: &'a Request,
        response: &'a Response,
    ) -> LocalBoxFuture<'a, ()>;

    /// The name under which statsd is told of a request; `None` where nobody tells statsd.
    fn metric(&self, method: &Method, url: &Url) -> Option<String>;

    /// A request is over: told once for each, whatever became of it.
    fn measured(&self, name: &str, metric: Option<&str>, sample: RequestSample);
}
