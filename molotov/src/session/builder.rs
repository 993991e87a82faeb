//! Builders of requests.

use std::{fmt, rc::Rc, time::Duration};

use futures_util::future::{Either, LocalBoxFuture, ready};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use serde::Serialize;

use super::{
    Expected, Redirect, Response, Session, headers, into_url::IntoUrl, multipart, parts::Parts,
    request_body::RequestBody, route::Route,
};
use crate::{
    http::{BoxError, Error, ErrorKind, request::Body, target::Target},
    secrets,
};

/// A builder for a request.
///
/// [`send`](Self::send) sends the request, and returns any error found while building it.
///
/// ```no_run
/// # use molotov::prelude::*;
/// # async fn sample(session: &Session) -> Result<()> {
/// let found: Value = session
///     .get("http://127.0.0.1:8080/search")
///     .query(&[("q", "book"), ("page", "2")])
///     .bearer_auth("token")
///     .timeout(secs(2))
///     .name("search")
///     .send()
///     .await?
///     .error_for_status()?
///     .json()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    pub(super) session: Session,
    pub(super) parts: Result<Parts, Error>,
}

impl RequestBuilder {
    pub(super) fn new(session: Session, method: Method, url: impl IntoUrl) -> RequestBuilder {
        let target = url.into_target(session.0.base.as_deref());
        RequestBuilder::to(session, method, target)
    }

    /// Builds a request to a target, or one that fails with the error that there is instead.
    pub(super) fn to(session: Session, method: Method, target: Result<Rc<Target>, Error>) -> RequestBuilder {
        let parts = target.map(|target| Parts::new(method, target));
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
            let bad = |error: http::Error| invalid("a header cannot be sent").with_source(error);
            let name = name.try_into().map_err(|error| bad(error.into()))?;
            let value = value.try_into().map_err(|error| bad(error.into()))?;
            if name == header::AUTHORIZATION {
                // There can be only one, and the URL may have set it.
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
            headers::replace(&mut parts.headers, headers);
            Ok(())
        })
    }

    /// Sets the user and password of Basic authorization.
    pub fn basic_auth(self, user: impl fmt::Display, password: Option<impl fmt::Display>) -> Self {
        self.change(|parts| {
            parts.headers.insert(header::AUTHORIZATION, headers::basic(user, password));
            Ok(())
        })
    }

    /// Sets the token of Bearer authorization.
    pub fn bearer_auth(self, token: impl fmt::Display) -> Self {
        self.change(|parts| {
            parts.headers.insert(header::AUTHORIZATION, headers::bearer(token)?);
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

    /// Sets a function that creates the body again for redirects that need it.
    pub(crate) fn renewed_by(self, mut make: impl FnMut() -> Result<RequestBody, BoxError> + 'static) -> Self {
        self.change(|parts| {
            parts.settings_mut().renew = Some(Box::new(move || make().map(|body| body.0)));
            Ok(())
        })
    }

    /// Appends a map or a list of pairs to the query of the URL.
    pub fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.change(|parts| {
            let text = serde_urlencoded::to_string(query)
                .map_err(|error| invalid("the query cannot be written into a URL").with_source(error))?;
            if text.is_empty() {
                return Ok(());
            }
            let query = match parts.target.url.query() {
                Some(before) if !before.is_empty() => format!("{before}&{text}"),
                _ => text,
            };
            parts.target = parts.target.with_query(&query);
            Ok(())
        })
    }

    /// Sets the body to a form, from a map or a list of pairs.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Self {
        self.change(|parts| {
            let text = serde_urlencoded::to_string(form)
                .map_err(|error| invalid("the form cannot be encoded").with_source(error))?;
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
                .map_err(|error| invalid("the value cannot be written as JSON").with_source(error))?;
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
                .map_err(|error| invalid("the form's boundary cannot be sent").with_source(error))?;
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
    pub(crate) fn partial_timeouts(self, connect: Duration, read: Duration) -> Self {
        self.change(|parts| {
            let settings = parts.settings_mut();
            (settings.connect_timeout, settings.read_timeout) = (Some(connect), Some(read));
            Ok(())
        })
    }

    /// Sends path and query exactly as given, without the normalization of [`Url`].
    pub(crate) fn path_and_query(self, path_and_query: &str) -> Self {
        self.change(|parts| {
            if parts.target.path_and_query != path_and_query {
                parts.target = parts.target.with_path_and_query(path_and_query);
            }
            Ok(())
        })
    }

    /// Sets the route of this request and of its redirects, instead of the session's.
    pub(crate) fn route(self, route: Rc<Route>) -> Self {
        self.change(|parts| {
            parts.settings_mut().route = Some(route);
            Ok(())
        })
    }

    /// Sets the default headers, instead of the session's. Headers of the request replace them.
    pub(crate) fn instead_of_defaults(self, headers: HeaderMap) -> Self {
        self.change(|parts| {
            for name in headers.keys().filter(|name| !parts.headers.contains_key(*name)).cloned().collect::<Vec<_>>() {
                for value in headers.get_all(&name) {
                    parts.headers.append(&name, value.clone());
                }
            }
            parts.has_defaults = true;
            Ok(())
        })
    }

    /// Sets which redirects are followed, instead of the session's setting.
    pub fn redirect(self, redirect: Redirect) -> Self {
        self.change(|parts| {
            parts.settings_mut().redirect = Some(redirect);
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

    /// Sets the path of the group, instead of the context's.
    pub(crate) fn in_group(self, group: Rc<str>) -> Self {
        self.change(|parts| {
            parts.settings_mut().group = Some(group);
            Ok(())
        })
    }

    /// Adds a tag. All requests with the same value of a tag share a row of their own, such as `region=eu`, besides the row of
    /// their name. Use few different values: at most 200 tags have rows.
    pub fn tag(self, name: impl fmt::Display, value: impl fmt::Display) -> Self {
        self.change(|parts| {
            let tag: Rc<str> = format!("{name}={value}").into();
            let tags = &mut parts.settings_mut().tags;
            *tags = Some(tags.iter().flat_map(|tags| tags.iter().cloned()).chain([tag]).collect());
            Ok(())
        })
    }

    /// Sets the statuses that make this request a success, instead of the session's: `404`, `[200, 429]`, `200..=299`.
    ///
    /// Every other status makes it a failed request. [`Response::error_for_status`] does not depend on this.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # async fn sample(session: &Session) -> Result<()> {
    /// let gone = session.get("http://127.0.0.1:8080/orders/0").expect(404).send().await?;
    /// let busy = session.get("http://127.0.0.1:8080/search").expect([200, 429]).send().await?;
    /// # Ok(()) }
    /// ```
    pub fn expect(self, statuses: impl Into<Expected>) -> Self {
        self.change(|parts| {
            parts.settings_mut().expected = Some(statuses.into());
            Ok(())
        })
    }

    /// Makes the request a success whatever its status.
    pub fn expect_any(self) -> Self {
        self.expect(Expected::any())
    }

    /// Sends the request and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid, there is no response, or a redirect cannot be followed. A status of 400
    /// or above is not an error; see [`Response::error_for_status`].
    pub fn send(self) -> impl Future<Output = Result<Response, Error>> {
        match self.parts {
            Ok(parts) => Either::Left(self.session.send(parts)),
            Err(error) => Either::Right(ready(Err(error))),
        }
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

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::Builder, what)
}

fn content_type(parts: &mut Parts, kind: &'static str) {
    parts.headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
}
