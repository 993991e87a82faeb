//! Requests as listeners see them.

use std::{cell::RefCell, fmt, rc::Rc};

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::{attach::Attachments, parts::Parts};
use crate::{http::request::Body, secrets};

/// A request as listeners see it.
pub struct Request {
    method: Method,
    url: Url,
    original_url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    streamed: bool,
    name: Rc<str>,
    attachments: Attachments,
    /// Headers from a listener, sent instead of `headers`.
    changed: RefCell<Option<HeaderMap>>,
}

impl Request {
    pub(super) fn new(parts: &Parts, original_url: Url, headers: HeaderMap, body: Option<Bytes>) -> Request {
        Request {
            method: parts.method.clone(),
            url: parts.target.url.clone(),
            original_url,
            headers,
            body,
            streamed: matches!(parts.body, Body::Stream { .. }),
            name: parts.name(),
            attachments: Attachments::default(),
            changed: RefCell::default(),
        }
    }

    /// Replaces the headers that are sent.
    pub(crate) fn change_headers(&self, headers: HeaderMap) {
        *self.changed.borrow_mut() = Some(headers);
    }

    /// Takes the headers from a listener that replace those of the request.
    pub(super) fn take_changed(&self) -> Option<HeaderMap> {
        self.changed.borrow_mut().take()
    }

    /// Attaches a value to this request until it ends, replacing an earlier value of the same type.
    ///
    /// Each hop of a redirect is a separate request; [`Event::ResponseReceived`](crate::event::Event) has the last one.
    ///
    /// ```no_run
    /// use std::time::Instant;
    ///
    /// use molotov::prelude::*;
    ///
    /// #[events]
    /// async fn time(event: &Event<'_>) {
    ///     match event {
    ///         Event::SendingRequest { request, .. } => request.attach(Instant::now()),
    ///         Event::ResponseReceived { request, .. } => {
    ///             if let Some(sent) = request.attached::<Instant>() {
    ///                 println!("{} took {:?}", request.url(), sent.elapsed());
    ///             }
    ///         }
    ///         _ => {}
    ///     }
    /// }
    /// ```
    pub fn attach<T: 'static>(&self, value: T) {
        self.attachments.attach(value);
    }

    /// Returns the value of type `T` that a listener attached to this request, or `None`.
    pub fn attached<T: 'static>(&self) -> Option<Rc<T>> {
        self.attachments.attached()
    }

    /// Returns the method; a redirect may have changed it.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URL of this request.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the URL of the first request, before redirects.
    pub fn original_url(&self) -> &Url {
        &self.original_url
    }

    /// Returns the headers, except `Host` and those that frame the body.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body, or `None` if there is none or it is a stream.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Returns whether the body is a stream.
    pub fn is_streamed(&self) -> bool {
        self.streamed
    }

    /// Returns the name of the request in the results.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method, secrets::mask_url(&self.url))
    }
}
