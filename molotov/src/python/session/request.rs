//! Starts the requests of a session.

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pyo3::{
    exceptions::PyValueError,
    intern,
    prelude::*,
    types::{PyAnyMethods, PyBytes, PyDict, PyString},
};

use super::{
    MAX_REDIRECTS, Session,
    connections::{Route, timeout_of},
    options::{Pairs, Timeouts},
    own::Own,
    targets::plain_target,
};
use crate::{
    http::BoxError,
    python::{
        awaitable::Awaitable,
        errors::{self, ScriptException},
        group, module,
        response::Response,
        upload,
    },
    session::{self, Redirect, RequestBody, RequestBuilder},
};

/// Starts a request. One without arguments of aiohttp's never leaves Rust; `_requests` prepares all others.
pub(super) fn start(
    slf: &Bound<'_, Session>,
    method: Method,
    url: &Bound<'_, PyAny>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Awaitable> {
    let (py, this) = (slf.py(), slf.get());
    let own = match keywords {
        Some(keywords) if !keywords.is_empty() => Own::only(keywords)?,
        _ => Some(Own::default()),
    };
    if let Some(own) = own
        && !*this.closed.borrow(py)
        && !*this.changed.borrow(py)
        && let Ok(url) = url.cast::<PyString>()
        && let session = this.inner.borrow(py)
        && let Some(target) = plain_target(url, session.0.base.as_ref())
    {
        let mut request = session.request_to(method.clone(), target);
        if matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            request = request.header("content-type", "application/octet-stream").body(Bytes::new());
        } else if !matches!(method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
            request = request.body(Bytes::new());
        }
        let function = name_of(&method);
        let request = own.apply(request);
        return Ok(send(py, request, method, this.raises, None, Some(MAX_REDIRECTS)).of(function));
    }
    let coroutine = module(py, "_requests")?.call_method1(
        intern!(py, "start"),
        (slf, method.as_str(), url, keywords.map_or_else(|| PyDict::new(py), Clone::clone)),
    )?;
    Ok(Awaitable::coroutine(coroutine.unbind()).of(name_of(&method)).released_by(Response::release_now))
}

/// The function of the session that sends requests with this method.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "session.get",
        Method::POST => "session.post",
        Method::PUT => "session.put",
        Method::PATCH => "session.patch",
        Method::DELETE => "session.delete",
        Method::HEAD => "session.head",
        Method::OPTIONS => "session.options",
        _ => "session.request",
    }
}

/// Adds a request to the group of the code that runs.
pub(super) fn in_group(py: Python<'_>, request: RequestBuilder) -> RequestBuilder {
    match group::path(py) {
        Some(group) => request.in_group(group),
        None => request,
    }
}

/// Sends a request until the head of its response, and follows up to `max_redirects` redirects.
pub(super) fn send(
    py: Python<'_>,
    request: RequestBuilder,
    method: Method,
    raises: bool,
    info: Option<Py<PyAny>>,
    max_redirects: Option<usize>,
) -> Awaitable {
    // Not an async block, which would contain the future of the request twice.
    let sending = in_group(py, request).send().map(move |result| {
        Python::attach(|py| match result {
            Ok(response) => answered(py, response, method, raises, info, max_redirects),
            Err(error) => Err(errors::exception(py, &error)),
        })
    });
    Awaitable::work(Box::pin(sending)).released_by(Response::release_now)
}

/// Returns the response to the script, or raises the exception that it has asked for.
fn answered(
    py: Python<'_>,
    response: session::Response,
    method: Method,
    raises: bool,
    info: Option<Py<PyAny>>,
    max_redirects: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let bad = raises && response.status().as_u16() >= 400;
    let endless = response.status().is_redirection() && max_redirects == Some(response.history().len());
    let response = match Response::shared_with_listeners(py, &response) {
        // The scenario and the listeners share the object.
        Some(known) => known.into_bound(py),
        None => Bound::new(py, Response::new(py, response, method, info)?)?,
    };
    if bad {
        response.call_method0("raise_for_status")?;
    }
    if endless {
        let error = module(py, "_responses")?.call_method1("too_many_redirects", (&response,))?;
        if !error.is_none() {
            return Err(PyErr::from_value(error));
        }
    }
    Ok(response.into_any().unbind())
}

/// A body that a task writes: its length, what starts the task, and what makes both again for a redirect.
pub(super) type WrittenBody = (Option<u64>, Py<PyAny>, Py<PyAny>);

/// The parts of a request that `_requests` has prepared.
pub(super) struct Parts<'a, 'py> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: Pairs,
    pub(super) body: Option<Bound<'py, PyBytes>>,
    pub(super) timeout: Option<Timeouts>,
    /// How many redirects to follow. A negative number returns the redirect as the response.
    pub(super) redirects: Option<i64>,
    pub(super) chunked: bool,
    pub(super) written: Option<WrittenBody>,
    pub(super) route: Option<&'a Bound<'py, Route>>,
    /// The headers to send instead of the session's.
    pub(super) defaults: Option<Pairs>,
    pub(super) own: Own,
}

impl Parts<'_, '_> {
    /// Builds the request. Returns it with its method and the number of redirects that it follows.
    pub(super) fn build(
        self,
        py: Python<'_>,
        session: &session::Session,
    ) -> PyResult<(RequestBuilder, Method, Option<usize>)> {
        let bad = |what: String| PyValueError::new_err(what);
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|error| bad(error.to_string()))?;
        let mut request = session.request(method.clone(), self.url);
        // A negative number follows none, and returns the redirect as the response.
        let max_redirects = self.redirects.map_or(Some(MAX_REDIRECTS), |limit| usize::try_from(limit).ok());
        let under_base = session.0.base.as_ref().filter(|_| self.url.starts_with('/'));
        let joined = under_base.map(|base| base.address.join(self.url));
        let url = joined.as_deref().unwrap_or(self.url);
        if let Some(rest) = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
            && let rest = rest.strip_suffix('?').unwrap_or(rest)
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
        {
            request = request.path_and_query(rest);
        }
        let checked = |(name, value): (Vec<u8>, Vec<u8>)| -> PyResult<(HeaderName, HeaderValue)> {
            let name = HeaderName::from_bytes(&name).map_err(|error| bad(error.to_string()))?;
            Ok((name, HeaderValue::from_bytes(&value).map_err(|error| bad(error.to_string()))?))
        };
        for pair in self.headers {
            let (name, value) = checked(pair)?;
            request = request.header(name, value);
        }
        if let Some(defaults) = self.defaults {
            let mut all = HeaderMap::new();
            for pair in defaults {
                let (name, value) = checked(pair)?;
                all.append(name, value);
            }
            request = request.instead_of_defaults(session.0.options.with_automatic(all));
        }
        if let Some(route) = self.route {
            request = request.route(route.get().get(py));
        }
        if let Some(body) = self.body {
            let body = Bytes::copy_from_slice(body.as_bytes());
            if self.chunked {
                let make = move || RequestBody::wrap_stream(stream::iter([Ok::<_, BoxError>(body.clone())]));
                request = request.body(make()).renewed_by(move || Ok(make()));
            } else {
                request = request.body(body);
            }
        } else if let Some((length, start, again)) = self.written {
            request = request.body(upload::body(length, start)).renewed_by(move || {
                let made = Python::attach(|py| again.call0(py)?.extract::<(Option<u64>, Py<PyAny>)>(py));
                let (length, start) = made.map_err(ScriptException)?;
                Ok(upload::body(length, start))
            });
        }
        if let Some((total, connect, read)) = self.timeout {
            request = request.timeout(timeout_of(total)).partial_timeouts(timeout_of(connect), timeout_of(read));
        }
        if self.redirects.is_some() {
            request = request.redirect(max_redirects.map_or_else(Redirect::none, Redirect::up_to));
        }
        Ok((self.own.apply(request), method, max_redirects))
    }
}
