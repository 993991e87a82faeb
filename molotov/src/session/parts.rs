//! A request on its way through the pipeline.

use std::{rc::Rc, time::Duration};

use http::{HeaderMap, Method, Version};

use super::{Expected, route::Route, websocket::Upgrade};
use crate::http::{BoxError, Error, ErrorKind, redirect, request::Body, target::Target};

/// The tags of a request, such as `region=eu`.
pub(crate) type Tags = Rc<[Rc<str>]>;

type Renew = Box<dyn FnMut() -> Result<Body, BoxError>>;

/// A request on its way through the pipeline.
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) target: Rc<Target>,
    /// The headers of the request, without cookies.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) version: Option<Version>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) read_timeout: Option<Duration>,
    /// The redirect policy, if it differs from the session's.
    pub(crate) redirect: Option<redirect::Redirect>,
    pub(crate) name: Option<Rc<str>>,
    /// The path of its group, if it differs from the context's.
    pub(crate) group: Option<Rc<str>>,
    pub(crate) tags: Option<Tags>,
    /// The statuses that are successes, if they differ from the session's.
    pub(crate) expected: Option<Expected>,
    /// Whether the body is a stream, which can be sent only once.
    pub(crate) streamed: bool,
    /// Creates a streamed body again.
    pub(crate) renew: Option<Renew>,
    /// Whether `headers` already contain the defaults: after a redirect to another server, which removes secrets, or
    /// after a listener changed them.
    pub(crate) has_defaults: bool,
    /// How the request connects, if it differs from the session.
    pub(crate) route: Option<Rc<Route>>,
    /// Set if the request opens a WebSocket.
    pub(crate) upgrade: Option<Rc<Upgrade>>,
}

impl Parts {
    /// Returns the name of the request in the results.
    pub(crate) fn name(&self) -> Rc<str> {
        match &self.name {
            Some(name) => name.clone(),
            None => self.target.name(&self.method),
        }
    }

    /// Returns whether the body can be sent again after a redirect.
    pub(crate) fn can_repeat(&self) -> bool {
        self.renew.is_some() || !self.streamed
    }

    /// Creates a streamed body again, after a redirect that needs it.
    pub(crate) fn renew_body(&mut self) -> Result<(), Error> {
        if self.streamed
            && let Some(renew) = &mut self.renew
        {
            self.body = renew().map_err(|source| {
                let message = format!("the body of the request cannot be sent again: {source}");
                Error::new(ErrorKind::Body, message).with_source(source).at(&self.method, &self.target.url)
            })?;
            self.streamed = matches!(self.body, Body::Stream { .. });
        }
        Ok(())
    }
}
