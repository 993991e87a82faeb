//! A request on its way through the pipeline.

use std::{rc::Rc, time::Duration};

use http::{HeaderMap, Method, Version, header};

use super::{Expected, route::Route, websocket::Upgrade};
use crate::http::{BoxError, Error, ErrorKind, redirect, request::Body, target::Target};

/// The tags of a request, such as `region=eu`.
pub(crate) type Tags = Rc<[Rc<str>]>;

type Renew = Box<dyn FnMut() -> Result<Body, BoxError>>;

/// A request on its way through the pipeline. It is moved several times, so it is small.
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) target: Rc<Target>,
    /// The headers of the request, without cookies.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) name: Option<Rc<str>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) version: Option<Version>,
    /// Whether the body is a stream, which can be sent only once.
    pub(crate) streamed: bool,
    /// Whether `headers` already contain the defaults: after a redirect to another server, which removes secrets, or
    /// after a listener changed them.
    pub(crate) has_defaults: bool,
    /// The settings that few requests have.
    pub(super) settings: Option<Box<Settings>>,
}

/// The settings that few requests have.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) read_timeout: Option<Duration>,
    /// The redirect policy, if it differs from the session's.
    pub(crate) redirect: Option<redirect::Redirect>,
    /// The path of its group, if it differs from the context's.
    pub(crate) group: Option<Rc<str>>,
    pub(crate) tags: Option<Tags>,
    /// The statuses that are successes, if they differ from the session's.
    pub(crate) expected: Option<Expected>,
    /// Creates a streamed body again.
    pub(crate) renew: Option<Renew>,
    /// How the request connects, if it differs from the session.
    pub(crate) route: Option<Rc<Route>>,
    /// Set if the request opens a WebSocket.
    pub(crate) upgrade: Option<Rc<Upgrade>>,
}

impl Parts {
    pub(crate) fn new(method: Method, target: Rc<Target>) -> Parts {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &target.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        Parts {
            method,
            target,
            headers,
            body: Body::Empty,
            name: None,
            timeout: None,
            version: None,
            streamed: false,
            has_defaults: false,
            settings: None,
        }
    }

    /// Returns the settings that few requests have, or `None` if all have their defaults.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.settings.as_deref()
    }

    /// Returns the settings that few requests have, for changing them.
    pub(crate) fn settings_mut(&mut self) -> &mut Settings {
        self.settings.get_or_insert_default()
    }

    /// Returns a copy, or `None` if the body is a stream. The group is not copied.
    pub(super) fn try_clone(&self) -> Option<Parts> {
        let body = match &self.body {
            Body::Empty => Body::Empty,
            Body::Bytes(bytes) => Body::Bytes(bytes.clone()),
            Body::Stream { .. } => return None,
        };
        Some(Parts {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: self.headers.clone(),
            body,
            name: self.name.clone(),
            timeout: self.timeout,
            version: self.version,
            streamed: false,
            has_defaults: self.has_defaults,
            settings: self.settings.as_ref().map(|settings| {
                Box::new(Settings {
                    connect_timeout: settings.connect_timeout,
                    read_timeout: settings.read_timeout,
                    redirect: settings.redirect.clone(),
                    tags: settings.tags.clone(),
                    expected: settings.expected.clone(),
                    route: settings.route.clone(),
                    ..Settings::default()
                })
            }),
        })
    }

    /// Returns the name of the request in the results.
    pub(crate) fn name(&self) -> Rc<str> {
        match &self.name {
            Some(name) => name.clone(),
            None => self.target.name(&self.method),
        }
    }

    /// Returns whether the body can be sent again after a redirect.
    pub(crate) fn can_repeat(&self) -> bool {
        !self.streamed || self.settings().is_some_and(|settings| settings.renew.is_some())
    }

    /// Creates a streamed body again, after a redirect that needs it.
    pub(crate) fn renew_body(&mut self) -> Result<(), Error> {
        if self.streamed
            && let Some(renew) = self.settings.as_mut().and_then(|settings| settings.renew.as_mut())
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
