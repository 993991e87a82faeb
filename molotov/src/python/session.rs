//! A worker's session as aiohttp's users know it, over the session of the engine.

use std::{cell::RefCell, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pyo3::{
    intern,
    prelude::*,
    types::{PyAnyMethods, PyBytes, PyDict, PyString},
};

use super::{
    awaitable::Awaitable,
    connections::{Route, Settings},
    errors,
    event_loop::Loop,
    jar::Jar,
    local::Held,
    module,
    response::Response,
    upload,
};
use crate::{
    http::BoxError,
    session::{self, Context, Redirect, RequestBody, RequestBuilder, SessionOptions},
    statsd::Statsd,
};

/// The session of a worker.
#[pyclass(frozen, dict, weakref, subclass, name = "ClientSession", module = "molotov.session")]
pub(super) struct Session {
    inner: Held<session::Session>,
    context: Py<WorkerContext>,
    closed: Held<bool>,
    raises: bool,
    /// A request takes the long way even without arguments: the script has changed the session, or the environment
    /// has a say.
    changed: Held<bool>,
    /// The options that `setup` gave.
    options: Option<Py<PyDict>>,
}

impl Session {
    pub(super) fn new(
        py: Python<'_>,
        inner: session::Session,
        context: Py<WorkerContext>,
        options: Option<Py<PyDict>>,
    ) -> PyResult<Session> {
        let raises = match &options {
            Some(options) => match options.bind(py).get_item("raise_for_status")? {
                Some(raises) => raises.is_truthy()?,
                None => false,
            },
            None => false,
        };
        let changes = |name| match &options {
            Some(options) => match options.bind(py).get_item(name)? {
                Some(value) => PyResult::Ok(!value.is_none() && value.is_truthy()?),
                None => Ok(false),
            },
            None => Ok(false),
        };
        let changed = changes("trust_env")? || changes("base_url")?;
        Ok(Session {
            inner: Held::new(inner),
            context,
            closed: Held::new(false),
            raises,
            changed: Held::new(changed),
            options,
        })
    }

    fn start(
        slf: &Bound<'_, Session>,
        method: Method,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        let (py, this) = (slf.py(), slf.get());
        let plain = keywords.is_none_or(|keywords| keywords.is_empty());
        if plain
            && !*this.closed.borrow(py)
            && !*this.changed.borrow(py)
            && let Ok(url) = url.cast::<PyString>()
            && let Ok(text) = url.to_str()
            && is_plain(text)
        {
            let mut request = this.inner.borrow(py).request(method.clone(), text);
            if matches!(method, Method::POST | Method::PUT | Method::PATCH) {
                request = request.header("content-type", "application/octet-stream").body(Bytes::new());
            } else if !matches!(method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
                request = request.body(Bytes::new());
            }
            let function = name_of(&method);
            return Ok(sending(request, method, this.raises, None, Some(MOST_HOPS)).of(function));
        }
        let coroutine = module(py, "_requests")?.call_method1(
            intern!(py, "start"),
            (slf, method.as_str(), url, keywords.map_or_else(|| PyDict::new(py), Clone::clone)),
        )?;
        Ok(Awaitable::coroutine(coroutine.unbind()).of(name_of(&method)))
    }
}

/// The session's function for requests of this method.
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

/// Sets an attribute as objects without `__setattr__` do; a null pointer deletes it.
fn set_attribute(
    slf: &Bound<'_, Session>,
    name: &Bound<'_, PyString>,
    value: *mut pyo3::ffi::PyObject,
) -> PyResult<()> {
    // SAFETY: the interpreter's lock is held, and the caller keeps object, name and value alive.
    match unsafe { pyo3::ffi::PyObject_GenericSetAttr(slf.as_ptr(), name.as_ptr(), value) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(slf.py())),
    }
}

/// The class that an object of ours passes for; a subclass of a script's own passes for nothing else.
pub(super) fn class_of<'py, T: pyo3::PyTypeInfo>(
    object: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, own) = (object.py(), object.get_type());
    if !own.is(T::type_object(py)) {
        return Ok(own.into_any());
    }
    module(py, "_classes")?.call_method1(intern!(py, "class_of"), (own, name))
}

/// Whether a URL is sent as it stands: what needs quoting is left to those who know the rules.
fn is_plain(url: &str) -> bool {
    (url.starts_with("http://") || url.starts_with("https://"))
        && url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_~?=&,".contains(&byte))
        && {
            // A path of dots is resolved.
            !url.contains("/.") && !url.ends_with('?')
        }
}

/// How many redirects aiohttp follows before it gives up: it counts the one that is too many.
const MOST_HOPS: usize = 9;

/// The work of a request, from its first byte to the head of its answer; it follows up to `most` redirects.
fn sending(
    request: RequestBuilder,
    method: Method,
    raises: bool,
    info: Option<Py<PyAny>>,
    most: Option<usize>,
) -> Awaitable {
    Awaitable::work(Box::pin(async move {
        let answer = request.send().await;
        Python::attach(|py| match answer {
            Ok(response) => {
                let bad = raises && response.status().as_u16() >= 400;
                let endless = most == Some(response.history().len()) && response.status().is_redirection();
                let response = match Response::known(py, &response) {
                    // The listeners have seen it: they and the scenario share it.
                    Some(known) => known.into_bound(py),
                    None => Bound::new(py, Response::new(response, method.as_str().to_owned(), info))?,
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
            Err(error) => Err(errors::exception(py, &error)),
        })
    }))
}

#[pymethods]
impl Session {
    #[pyo3(signature = (url, **keywords))]
    fn get(slf: &Bound<'_, Self>, url: &Bound<'_, PyAny>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Awaitable> {
        Session::start(slf, Method::GET, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn post(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        Session::start(slf, Method::POST, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn put(slf: &Bound<'_, Self>, url: &Bound<'_, PyAny>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Awaitable> {
        Session::start(slf, Method::PUT, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn patch(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        Session::start(slf, Method::PATCH, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn delete(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        Session::start(slf, Method::DELETE, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn head(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        let keywords = keywords.map_or_else(|| PyDict::new(slf.py()), Clone::clone);
        if !keywords.contains("allow_redirects")? {
            keywords.set_item("allow_redirects", false)?;
        }
        Session::start(slf, Method::HEAD, url, Some(&keywords))
    }

    #[pyo3(signature = (url, **keywords))]
    fn options(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        Session::start(slf, Method::OPTIONS, url, keywords)
    }

    #[pyo3(signature = (method, url, **keywords))]
    fn request(
        slf: &Bound<'_, Self>,
        method: &str,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
            .map_err(|_| pyo3::exceptions::PyValueError::new_err(format!("`{method}` is not a method")))?;
        Session::start(slf, method, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn ws_connect(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        Ok(module(slf.py(), "_aiohttp")?.call_method("ws_connect", (slf, url), keywords)?.unbind())
    }

    /// Sends a request whose parts are plain: what `_requests.start` makes of the keywords.
    #[pyo3(signature = (method, url, headers, body, timeout, redirects, raises, info, chunked=false, written=None, route=None, defaults=None))]
    #[expect(clippy::too_many_arguments, reason = "they are the parts of a request, told by our own Python part")]
    fn _send(
        &self,
        py: Python<'_>,
        method: &str,
        url: &str,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
        body: Option<Bound<'_, PyBytes>>,
        timeout: Option<Timeouts>,
        redirects: Option<i64>,
        raises: Option<bool>,
        info: Option<Py<PyAny>>,
        chunked: bool,
        written: Option<Written>,
        route: Option<&Bound<'_, Route>>,
        defaults: Option<Pairs>,
    ) -> PyResult<Awaitable> {
        let bad = |what: String| pyo3::exceptions::PyValueError::new_err(what);
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| bad(error.to_string()))?;
        let mut request = self.inner.borrow(py).request(method.clone(), url);
        // Below 0 none is followed, and a redirect is an answer like any other.
        let most = redirects.map_or(Some(MOST_HOPS), |most| usize::try_from(most).ok());
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
        for pair in headers {
            let (name, value) = checked(pair)?;
            request = request.header(name, value);
        }
        if let Some(defaults) = defaults {
            let mut all = HeaderMap::new();
            for pair in defaults {
                let (name, value) = checked(pair)?;
                all.append(name, value);
            }
            request = request.instead_of_defaults(self.inner.borrow(py).0.options.with_automatic(all));
        }
        if let Some(route) = route {
            request = request.route(route.get().get(py));
        }
        if let Some(body) = body {
            let body = Bytes::copy_from_slice(body.as_bytes());
            if chunked {
                let make = move || RequestBody::wrap_stream(stream::iter([Ok::<_, BoxError>(body.clone())]));
                request = request.body(make()).renewed_by(move || Ok(make()));
            } else {
                request = request.body(body);
            }
        } else if let Some((length, start, again)) = written {
            request = request.body(upload::body(length, start)).renewed_by(move || {
                let made = Python::attach(|py| again.call0(py)?.extract::<(Option<u64>, Py<PyAny>)>(py));
                let (length, start) = made.map_err(upload::Raised)?;
                Ok(upload::body(length, start))
            });
        }
        if let Some((total, connect, read)) = timeout {
            request = request.timeout(limit(total)).partial_timeouts(limit(connect), limit(read));
        }
        if redirects.is_some() {
            request = request.redirect(most.map_or_else(Redirect::none, Redirect::up_to));
        }
        Ok(sending(request, method, raises.unwrap_or(self.raises), info, most))
    }

    /// What `isinstance` looks at: aiohttp's class, where the script has imported it.
    #[getter(__class__)]
    fn class<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        class_of::<Session>(slf.as_any(), "ClientSession")
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        *self.closed.borrow(py)
    }

    fn close(&self, py: Python<'_>) -> Awaitable {
        self.closed.replace(py, true);
        Awaitable::ready(Ok(py.None()))
    }

    /// As `close`, at once: there is no connector that another session could take over.
    fn detach(&self, py: Python<'_>) {
        self.closed.replace(py, true);
    }

    #[getter(r#loop)]
    fn event_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        Loop::current().map(|event_loop| event_loop.asyncio(py).clone().unbind())
    }

    #[getter(_loop)]
    fn private_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.event_loop(py)
    }

    /// What listeners find at the session of an event.
    #[getter(context)]
    fn listeners_context(&self, py: Python<'_>) -> Py<WorkerContext> {
        self.context.clone_ref(py)
    }

    #[getter(_molotov_context)]
    fn context(&self, py: Python<'_>) -> Py<WorkerContext> {
        self.context.clone_ref(py)
    }

    #[getter(_options)]
    fn given_options(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        self.options.as_ref().map(|options| options.clone_ref(py))
    }

    /// The cookies, for `cookie_jar`.
    fn _jar(&self, py: Python<'_>) -> Jar {
        Jar::of(self.inner.borrow(py).jar())
    }

    /// Goes on with other cookies.
    fn _use_jar(&self, py: Python<'_>, jar: &Bound<'_, Jar>) {
        self.inner.borrow(py).set_jar(jar.get().get(py));
    }

    /// Goes on with other options: those that `setup` could have given.
    fn _reopen(&self, py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<()> {
        let timeout = self.context.bind(py).get().inner.borrow(py).args().timeout;
        let options = options(py, Some(given))?.or_timeout(timeout);
        let reopened = self.inner.borrow(py).with_options(options);
        self.inner.replace(py, reopened.map_err(|error| errors::exception(py, &error))?);
        Ok(())
    }

    #[pyo3(signature = (*values, **keywords))]
    fn print(
        &self,
        py: Python<'_>,
        values: &Bound<'_, pyo3::types::PyTuple>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let text: String = module(py, "_sessions")?.call_method("printed", values, keywords)?.extract()?;
        self.context.bind(py).get().inner.borrow(py).print(text);
        Ok(())
    }

    /// What is rarely asked for.
    fn __getattr__(slf: &Bound<'_, Self>, name: &str) -> PyResult<Py<PyAny>> {
        match name {
            "headers" | "trace_configs" | "_default_headers" | "_trace_configs" => {
                slf.get().changed.replace(slf.py(), true);
                Ok(module(slf.py(), "_sessions")?.call_method1("of_session", (slf, name))?.unbind())
            }
            _ => Ok(module(slf.py(), "_sessions")?.call_method1("of_session", (slf, name))?.unbind()),
        }
    }

    /// Scripts replace methods and private attributes of aiohttp's: requests look at them from then on.
    fn __setattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match name.to_str()? {
            "_request" | "_base_url" | "_default_headers" | "_timeout" | "_trace_configs" => {
                slf.get().changed.replace(slf.py(), true);
            }
            "_connector" | "_cookie_jar" => {
                slf.get().changed.replace(slf.py(), true);
                return module(slf.py(), "_sessions")?.call_method1("replaced", (slf, name, value)).map(drop);
            }
            _ => {}
        }
        set_attribute(slf, name, value.as_ptr())
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        set_attribute(slf, name, std::ptr::null_mut())
    }

    /// A request with arguments, as aiohttp's own methods make it: scripts put wrappers around it.
    #[pyo3(signature = (method, url, **keywords))]
    fn _request(
        slf: &Bound<'_, Self>,
        method: &str,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        let py = slf.py();
        let arguments = (slf, method.to_ascii_uppercase(), url, keywords.map_or_else(|| PyDict::new(py), Clone::clone));
        let coroutine = module(py, "_requests")?.call_method1(intern!(py, "start_plain"), arguments)?;
        Ok(Awaitable::coroutine(coroutine.unbind()))
    }

    fn __aenter__(slf: Py<Self>) -> Awaitable {
        Awaitable::ready(Ok(slf.into_any()))
    }

    #[pyo3(signature = (*exception))]
    fn __aexit__(&self, py: Python<'_>, exception: &Bound<'_, pyo3::types::PyTuple>) -> Awaitable {
        let _ = exception;
        self.close(py)
    }
}

/// A worker's place in the run, and what scripts attach to it: `get_context(session)` returns it.
#[pyclass(frozen, dict, weakref, name = "Context", module = "molotov.session")]
pub(super) struct WorkerContext {
    pub(super) inner: Held<Context>,
    statsd: Held<Option<Py<PyAny>>>,
}

/// Sends metrics that are written out already.
#[pyclass(frozen)]
struct Metrics(Statsd);

#[pymethods]
impl Metrics {
    fn __call__(&self, metric: String) {
        self.0.raw(metric);
    }
}

thread_local! {
    static ARGS: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Keeps the options of the run as scripts see them.
pub(super) fn set_args(args: Py<PyAny>) {
    ARGS.set(Some(args));
}

/// The run has ended.
pub(super) fn forget_args() {
    ARGS.set(None);
}

pub(super) fn args(py: Python<'_>) -> Py<PyAny> {
    ARGS.with_borrow(|args| args.as_ref().map_or_else(|| py.None(), |args| args.clone_ref(py)))
}

impl WorkerContext {
    pub(super) fn new(context: Context) -> WorkerContext {
        WorkerContext { inner: Held::new(context), statsd: Held::new(None) }
    }
}

#[pymethods]
impl WorkerContext {
    #[getter]
    fn worker_id(&self, py: Python<'_>) -> usize {
        self.inner.borrow(py).worker_id().0
    }

    #[getter]
    fn step(&self, py: Python<'_>) -> u64 {
        self.inner.borrow(py).step()
    }

    #[getter]
    fn args(&self, py: Python<'_>) -> Py<PyAny> {
        args(py)
    }

    #[getter]
    fn statsd(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if let Some(known) = &*self.statsd.borrow(py) {
            return Ok(Some(known.clone_ref(py)));
        }
        let Some(statsd) = self.inner.borrow(py).statsd_handle() else { return Ok(None) };
        let made = module(py, "_statsd")?.call_method1("Client", (Metrics(statsd),))?.unbind();
        self.statsd.replace(py, Some(made.clone_ref(py)));
        Ok(Some(made))
    }

    fn attach(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.setattr(name, value)
    }
}

/// A body that a task writes: its length, what starts the task, and what makes both anew for a redirect.
type Written = (Option<u64>, Py<PyAny>, Py<PyAny>);

/// Seconds in all, to connect, and between two reads; infinite where there is no limit.
type Timeouts = (f64, f64, f64);

pub(super) fn limit(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Headers as they go over the wire.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// The engine's options of a session, from what `setup` gave: those that are plain.
pub(super) fn options(py: Python<'_>, given: Option<&Bound<'_, PyDict>>) -> PyResult<SessionOptions> {
    // As the original: what the client sends by itself is what aiohttp sends.
    let mut options =
        SessionOptions::new().brotli(false).zstd(false).redirect(Redirect::up_to(MOST_HOPS)).like_aiohttp();
    let Some(given) = given else { return Ok(options.http1_only()) };
    let plain = module(py, "_sessions")?.call_method1("session_options", (given,))?;
    let (headers, timeout, decodes, http2, max_body, retry): (Pairs, Option<Timeouts>, bool, bool, Option<u64>, bool) =
        plain.extract()?;
    options = options.retry(retry);
    if !http2 {
        options = options.http1_only();
    }
    if let Some(max_body) = max_body {
        options = options.max_body(max_body);
    }
    for (name, value) in headers {
        let (name, value) = (HeaderName::from_bytes(&name), HeaderValue::from_bytes(&value));
        match (name, value) {
            (Ok(name), Ok(value)) => options = options.header(name, value),
            _ => return Err(pyo3::exceptions::PyValueError::new_err("a header that `setup` gave cannot be sent")),
        }
    }
    if let Some((total, connect, read)) = timeout {
        options = options.timeout(limit(total)).read_timeout(limit(read));
        if connect.is_finite() {
            options = options.connect_timeout(limit(connect));
        }
    }
    if let Some(connector) = given.get_item("connector")?.filter(|connector| !connector.is_none()) {
        let settings = module(py, "_connectors")?.call_method1("read", (connector,))?;
        options = settings.extract::<Settings<'_>>()?.apply(py, options);
    }
    Ok(if decodes { options } else { options.gzip(false).deflate(false).header("accept-encoding", "gzip, deflate") })
}
