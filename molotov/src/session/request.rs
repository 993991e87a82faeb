//! A request: how it is built, and what listeners see of it.

use std::{fmt, rc::Rc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, future::LocalBoxFuture};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use serde::Serialize;
use url::Url;

use super::{Redirect, Response, Session, attach::Attachments, follow::Parts, multipart, options};
use crate::{
    http::{BoxError, Error, ErrorKind, target::Target, wire::Body},
    secrets,
};

/// What can be asked for: text, or a [`Url`].
///
/// Text that was used before on the same thread is not parsed again. A user and password in the URL
/// (`http://user:password@host/`) are sent as Basic authorization, and are no part of the URL afterwards.
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

/// What can be sent as a body: text, bytes, or a stream of parts.
pub struct RequestBody(Body);

impl RequestBody {
    /// A body that is sent as it comes, in chunks. It can be sent only once, so a redirect that asks for it again is
    /// given to the scenario.
    pub fn wrap_stream<S, B, E>(stream: S) -> RequestBody
    where
        S: Stream<Item = Result<B, E>> + 'static,
        B: Into<Bytes> + 'static,
        E: Into<BoxError> + 'static,
    {
        let stream = stream.map_ok(Into::into).map_err(Into::into);
        RequestBody(Body::Stream { stream: Box::pin(stream), length: None })
    }

    /// As [`wrap_stream`](Self::wrap_stream), of a length in bytes that is known and stated to the server.
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

/// A request that is being built; [`send`](Self::send) sends it.
///
/// What is wrong on the way is told by `send`.
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    session: Session,
    parts: Result<Parts, Error>,
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

    /// Adds a header; one of the session's defaults of the same name is not sent then.
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

    /// Sets headers, in the place of those of the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.change(|parts| {
            options::replace(&mut parts.headers, headers);
            Ok(())
        })
    }

    /// A user and password.
    pub fn basic_auth(self, user: impl fmt::Display, password: Option<impl fmt::Display>) -> Self {
        self.change(|parts| {
            parts.headers.insert(header::AUTHORIZATION, options::basic(user, password));
            Ok(())
        })
    }

    /// A token.
    pub fn bearer_auth(self, token: impl fmt::Display) -> Self {
        self.change(|parts| {
            parts.headers.insert(header::AUTHORIZATION, options::bearer(token)?);
            Ok(())
        })
    }

    /// The body.
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

    /// Adds to the URL's query: a map, or a list of pairs.
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

    /// A form as the body: a map, or a list of pairs.
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

    /// JSON as the body.
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

    /// A multipart form as the body, with files.
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

    /// How long the request may take in all, from its start to the end of the answer's body.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|parts| {
            parts.timeout = Some(timeout);
            Ok(())
        })
    }

    /// How long a connection may take to open, and how long the server may send nothing: instead of the session's
    /// limits.
    #[cfg(feature = "python")]
    pub(crate) fn partial_timeouts(self, connect: Duration, read: Duration) -> Self {
        self.change(|parts| {
            parts.connect_timeout = Some(connect);
            parts.read_timeout = Some(read);
            Ok(())
        })
    }

    /// Sends path and query as they are written, instead of as [`Url`] would write them.
    #[cfg(feature = "python")]
    pub(crate) fn path_and_query(self, path_and_query: &str) -> Self {
        self.change(|parts| {
            if parts.target.path_and_query != path_and_query {
                parts.target = parts.target.with_path_and_query(path_and_query);
            }
            Ok(())
        })
    }

    /// Which redirects are followed, instead of what the session says.
    pub fn redirect(self, redirect: Redirect) -> Self {
        self.change(|parts| {
            parts.redirect = Some(redirect);
            Ok(())
        })
    }

    /// The version of HTTP to speak.
    pub fn version(self, version: Version) -> Self {
        self.change(|parts| {
            parts.version = Some(version);
            Ok(())
        })
    }

    /// The name under which the request is measured, such as `"GET /users/{id}"`. Without, it is the method and the
    /// path, with numbers, UUIDs and long hexadecimal strings replaced.
    pub fn name(self, name: impl Into<Rc<str>>) -> Self {
        self.change(|parts| {
            parts.name = Some(name.into());
            Ok(())
        })
    }

    /// Sends the request and waits for the head of its answer.
    ///
    /// # Errors
    ///
    /// When the request could not be built, no answer came, or redirects went wrong. A status of 400 or above is no
    /// error: see [`Response::error_for_status`].
    pub async fn send(self) -> Result<Response, Error> {
        self.session.follow(self.parts?).await
    }
}

/// Awaiting a request sends it, as [`send`](RequestBuilder::send) does, for the price of an allocation.
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

    /// Keeps a value of any type with this request, by its type, until the request is over. A value of the same type is
    /// replaced.
    ///
    /// Each hop of a redirect is a request of its own; [`Event::ResponseReceived`](crate::event::Event) has the last one.
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

    /// The method; a redirect may have changed it.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Where this request goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where the first request went, before redirects.
    pub fn original_url(&self) -> &Url {
        &self.original_url
    }

    /// The headers, but for `Host` and those that frame the body.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body; `None` where there is none, or it is a stream.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Whether the body is a stream.
    pub fn is_streamed(&self) -> bool {
        self.streamed
    }

    /// The name under which the request is measured.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method, secrets::mask_url(&self.url))
    }
}
