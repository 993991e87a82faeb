//! Requests: how they are built, and how listeners see them.

use std::{fmt, rc::Rc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, future::LocalBoxFuture};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use serde::Serialize;
use url::Url;

use super::{Redirect, Response, Session, attach::Attachments, follow::Parts, multipart, options};
use crate::{
    http::{BoxError, Error, ErrorKind, request::Body, target::Target},
    secrets,
};

/// A type that can be used as the URL of a request: text, or a [`Url`].
///
/// A text is parsed once per thread. A user and password in the URL (`http://user:password@host/`) are sent as Basic
/// authorization, and removed from the URL.
pub trait IntoUrl: sealed::IntoTarget {}

impl<T: sealed::IntoTarget> IntoUrl for T {}

mod sealed {
    use super::*;

    #[allow(private_interfaces, reason = "nobody outside can name or call it")]
    pub trait IntoTarget {
        fn into_target(self) -> Result<Rc<Target>, Error>;
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &str {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::parse(self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for String {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::parse(&self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &String {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::parse(self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for Url {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::from_url(self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &Url {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::parse(self.as_str())
        }
    }
}

/// The body of a request: text, bytes, or a stream of parts.
pub struct RequestBody(Body);

impl RequestBody {
    /// Returns a body that is sent in chunks while the stream produces them. It can be sent only once, so a redirect that
    /// needs it again is returned to the scenario.
    pub fn wrap_stream<S, B, E>(stream: S) -> RequestBody
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        let stream = stream.map_ok(Into::into).map_err(Into::into);
        RequestBody(Body::Stream { stream: Box::pin(stream), length: None })
    }

    /// Returns a body like [`wrap_stream`](Self::wrap_stream), with a known length in bytes, which is sent to the server.
    pub fn sized_stream<S, B, E>(length: u64, stream: S) -> RequestBody
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        let stream = stream.map_ok(Into::into).map_err(Into::into);
        RequestBody(Body::Stream { stream: Box::pin(stream), length: Some(length) })
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! from_bytes {
    ($($from:ty),*) => {$(
        impl From<$from> for RequestBody {
            fn from(bytes: $from) -> RequestBody {
                RequestBody(Body::Bytes(bytes.into()))
            }
        }
    )*};
}

from_bytes!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);

/// A builder for a request.
///
/// [`send`](Self::send) sends the request, and returns any error found while building it.
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    pub(super) session: Session,
    pub(super) parts: Result<Parts, Error>,
}

impl RequestBuilder {
    pub(super) fn new(session: Session, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let parts = url.into_target().map(|target| Parts {
            method,
            headers: target.authorization.iter().map(|value| (header::AUTHORIZATION, value.clone())).collect(),
            target,
            body: Body::Empty,
            version: None,
            timeout: None,
            connect_timeout: None,
            read_timeout: None,
            redirect: None,
            name: None,
            streamed: false,
            #[cfg(feature = "python")]
            renew: None,
            stripped: false,
            route: None,
        });
        RequestBuilder { session, parts }
    }

    fn change(mut self, change: impl FnOnce(&mut Parts) -> Result<(), Error>) -> Self {
        if let Ok(parts) = &mut self.parts
            && let Err(error) = change(parts)
        {
            let error = error.at(&parts.method, &parts.target.url);
            self.parts = Err(error);
        }
        self
    }

    /// Adds a header. It replaces a default header of the session with the same name.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        K: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        self.change(|parts| {
            let bad = |error: http::Error| builder("a header cannot be sent").with_source(error);
            let name = name.try_into().map_err(|error| bad(error.into()))?;
            let value = value.try_into().map_err(|error| bad(error.into()))?;
            if name == header::AUTHORIZATION {
                // There can be only one; the URL may have brought another.
                parts.headers.insert(name, value);
            } else {
                parts.headers.append(name, value);
            }
            Ok(())
        })
    }

    /// Sets headers, replacing those with the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.change(|parts| {
            options::replace(&mut parts.headers, headers);
            Ok(())
        })
    }

    /// Sets the user and password of Basic authorization.
    pub fn basic_auth(self, user: impl fmt::Display, password: Option<impl fmt::Display>) -> Self {
        self.change(|parts| {
            parts.headers.insert(header::AUTHORIZATION, options::basic(user, password));
            Ok(())
        })
    }

    /// Sets the token of Bearer authorization.
    pub fn bearer_auth(self, token: impl fmt::Display) -> Self {
        self.change(|parts| {
            parts.headers.insert(header::AUTHORIZATION, options::bearer(token)?);
            Ok(())
        })
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<RequestBody>) -> Self {
        self.change(|parts| {
            parts.body = body.into().0;
            parts.streamed = matches!(parts.body, Body::Stream { .. });
            Ok(())
        })
    }

    /// Makes the body anew where a redirect asks for it again.
    #[cfg(feature = "python")]
    pub(crate) fn renewed_by(self, mut make: impl FnMut() -> Result<RequestBody, BoxError> + 'static) -> Self {
        self.change(|parts| {
            parts.renew = Some(Box::new(move || make().map(|body| body.0)));
            Ok(())
        })
    }

    /// Appends a map or a list of pairs to the query of the URL.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.change(|parts| {
            let text = serde_urlencoded::to_string(query)
                .map_err(|error| builder("the query cannot be written into a URL").with_source(error))?;
            if text.is_empty() {
                return Ok(());
            }
            let mut url = parts.target.url.clone();
            let query = match url.query() {
                Some(before) if !before.is_empty() => format!("{before}&{text}"),
                _ => text,
            };
            url.set_query(Some(&query));
            parts.target = Target::from_url(url)?;
            Ok(())
        })
    }

    /// Sets the body to a form, from a map or a list of pairs.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.change(|parts| {
            let text = serde_urlencoded::to_string(form)
                .map_err(|error| builder("the form cannot be encoded").with_source(error))?;
            content_type(parts, "application/x-www-form-urlencoded");
            parts.body = Body::Bytes(text.into());
            parts.streamed = false;
            Ok(())
        })
    }

    /// Sets the body to JSON.
    pub fn json<T: Serialize + ?Sized>(self, json: &T) -> Self {
        self.change(|parts| {
            let text = serde_json::to_vec(json)
                .map_err(|error| builder("the value cannot be written as JSON").with_source(error))?;
            content_type(parts, "application/json");
            parts.body = Body::Bytes(text.into());
            parts.streamed = false;
            Ok(())
        })
    }

    /// Sets the body to a multipart form, which can have files.
    pub fn multipart(self, form: multipart::Form) -> Self {
        self.change(|parts| {
            let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={}", form.boundary()))
                .map_err(|error| builder("the form's boundary cannot be sent").with_source(error))?;
            parts.headers.insert(header::CONTENT_TYPE, kind);
            parts.body = form.into_body();
            parts.streamed = matches!(parts.body, Body::Stream { .. });
            Ok(())
        })
    }

    /// Sets the total timeout, from the start of the request to the end of the response's body.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|parts| {
            parts.timeout = Some(timeout);
            Ok(())
        })
    }

    /// Sets the timeouts of connecting and of each read, instead of the session's.
    #[cfg(feature = "python")]
    pub(crate) fn partial_timeouts(self, connect: Duration, read: Duration) -> Self {
        self.change(|parts| {
            parts.connect_timeout = Some(connect);
            parts.read_timeout = Some(read);
            Ok(())
        })
    }

    /// Sends path and query exactly as given, without the normalization of [`Url`].
    #[cfg(feature = "python")]
    pub(crate) fn path_and_query(self, path_and_query: &str) -> Self {
        self.change(|parts| {
            if parts.target.path_and_query != path_and_query {
                parts.target = parts.target.with_path_and_query(path_and_query);
            }
            Ok(())
        })
    }

    /// Connects in another way than the session does, also where a redirect leads.
    #[cfg(feature = "python")]
    pub(crate) fn route(self, route: Rc<super::Route>) -> Self {
        self.change(|parts| {
            parts.route = Some(route);
            Ok(())
        })
    }

    /// Sends these headers instead of the session's own; one that the request has wins.
    #[cfg(feature = "python")]
    pub(crate) fn instead_of_defaults(self, headers: HeaderMap) -> Self {
        self.change(|parts| {
            for name in headers.keys().filter(|name| !parts.headers.contains_key(*name)).cloned().collect::<Vec<_>>() {
                for value in headers.get_all(&name) {
                    parts.headers.append(&name, value.clone());
                }
            }
            parts.stripped = true;
            Ok(())
        })
    }

    /// Sets which redirects are followed, instead of the session's setting.
    pub fn redirect(self, redirect: Redirect) -> Self {
        self.change(|parts| {
            parts.redirect = Some(redirect);
            Ok(())
        })
    }

    /// Sets the version of HTTP.
    pub fn version(self, version: Version) -> Self {
        self.change(|parts| {
            parts.version = Some(version);
            Ok(())
        })
    }

    /// Sets the name of the request in the results, such as `"GET /users/{id}"`. The default is the method and the path,
    /// with numbers, UUIDs and long hexadecimal strings replaced.
    pub fn name(self, name: impl Into<Rc<str>>) -> Self {
        self.change(|parts| {
            parts.name = Some(name.into());
            Ok(())
        })
    }

    /// Sends the request and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid, there is no response, or a redirect cannot be followed. A status of 400
    /// or above is not an error; see [`Response::error_for_status`].
    pub async fn send(self) -> Result<Response, Error> {
        self.session.follow(self.parts?).await
    }
}

/// Awaiting a builder sends the request like [`send`](RequestBuilder::send), at the cost of an allocation.
///
/// ```no_run
/// # use molotov::prelude::*;
/// # async fn page(session: &Session) -> Result<()> {
/// let page = session.get("http://127.0.0.1:8080/").await?;
/// # Ok(()) }
/// ```
impl IntoFuture for RequestBuilder {
    type Output = Result<Response, Error>;
    type IntoFuture = LocalBoxFuture<'static, Result<Response, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parts {
            Ok(parts) => write!(f, "RequestBuilder({} {})", parts.method, secrets::mask_url(&parts.target.url)),
            Err(error) => write!(f, "RequestBuilder({error:?})"),
        }
    }
}

fn builder(what: &str) -> Error {
    Error::new(ErrorKind::Builder, what)
}

fn content_type(parts: &mut Parts, kind: &'static str) {
    parts.headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
}

/// A request, as listeners see it.
pub struct Request {
    method: Method,
    url: Url,
    original_url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    streamed: bool,
    name: Rc<str>,
    attachments: Attachments,
    /// The headers that a listener wants to be sent instead.
    changed: std::cell::RefCell<Option<HeaderMap>>,
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
            changed: std::cell::RefCell::default(),
        }
    }

    /// Has these headers sent instead.
    #[cfg(feature = "python")]
    pub(crate) fn change_headers(&self, headers: HeaderMap) {
        *self.changed.borrow_mut() = Some(headers);
    }

    /// The headers that a listener wants to be sent instead.
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
