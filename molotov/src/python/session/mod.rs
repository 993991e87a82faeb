//! A worker's session: aiohttp's interface over a session of the engine.

mod connections;
mod get;
mod jar;
mod measure;
mod options;
mod own;
mod request;
mod targets;

use http::Method;
use pyo3::{
    exceptions::PyValueError,
    intern,
    prelude::*,
    types::{PyAnyMethods, PyBytes, PyDict, PyString, PyTuple},
};

pub(super) use self::{
    connections::{Permits, Route},
    jar::Jar,
    measure::Measure,
    options::from_dict as options_from_dict,
};
use self::{
    options::{Pairs, Timeouts},
    own::Own,
    request::{Parts, WrittenBody},
};
use super::{
    awaitable::Awaitable,
    classes::class_of,
    context::WorkerContext,
    errors, event_loop,
    gil_cell::GilCell,
    lazy_attributes::{self, Make},
    module,
    response::Response,
    websocket,
};
use crate::session;

/// How many redirects are followed by default. aiohttp's limit of 10 counts the redirect that is one too many.
const MAX_REDIRECTS: usize = 9;

/// A worker's session.
#[pyclass(frozen, dict, weakref, subclass, name = "ClientSession", module = "molotov.session")]
pub(super) struct Session {
    inner: GilCell<session::Session>,
    context: Py<WorkerContext>,
    closed: GilCell<bool>,
    raises: bool,
    /// Requests go through `_requests` even without arguments: the script has changed the session, or the environment
    /// affects requests.
    changed: GilCell<bool>,
    /// The options that `setup` returned.
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
            inner: GilCell::new(inner),
            context,
            closed: GilCell::new(false),
            raises,
            changed: GilCell::new(changed),
            options,
        })
    }

    /// Adds the attributes that scripts rarely use, and a faster `get`.
    pub(super) fn complete_class(py: Python<'_>) -> PyResult<()> {
        get::replace(py)?;
        let make: Make = |session, name| {
            Ok(module(session.py(), "_sessions")?.call_method1("of_session", (session, name))?.unbind())
        };
        lazy_attributes::add::<Session>(py, ATTRIBUTES, make)?;
        lazy_attributes::add::<Session>(py, CHANGEABLE, |session, name| {
            session.cast::<Session>()?.get().changed.replace(session.py(), true);
            Ok(module(session.py(), "_sessions")?.call_method1("of_session", (session, name))?.unbind())
        })
    }
}

/// The attributes that `_sessions` makes.
const ATTRIBUTES: &[&str] = &[
    "_auth",
    "_auto_decompress",
    "_base_url",
    "_connector",
    "_connector_owner",
    "_cookie_jar",
    "_json_serialize",
    "_raise_for_status",
    "_requote_redirect_url",
    "_skip_auto_headers",
    "_timeout",
    "_trust_env",
    "_version",
    "auth",
    "auto_decompress",
    "connector",
    "connector_owner",
    "cookie_jar",
    "json_serialize",
    "raise_for_status",
    "requote_redirect_url",
    "skip_auto_headers",
    "timeout",
    "trust_env",
    "version",
];

/// Those that scripts may change in place. Requests use them from then on.
const CHANGEABLE: &[&str] = &["_default_headers", "_trace_configs", "headers", "trace_configs"];

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

#[pymethods]
impl Session {
    #[pyo3(signature = (url, **keywords))]
    fn get(slf: &Bound<'_, Self>, url: &Bound<'_, PyAny>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Awaitable> {
        request::start(slf, Method::GET, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn post(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        request::start(slf, Method::POST, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn put(slf: &Bound<'_, Self>, url: &Bound<'_, PyAny>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Awaitable> {
        request::start(slf, Method::PUT, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn patch(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        request::start(slf, Method::PATCH, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn delete(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        request::start(slf, Method::DELETE, url, keywords)
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
        request::start(slf, Method::HEAD, url, Some(&keywords))
    }

    #[pyo3(signature = (url, **keywords))]
    fn options(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        request::start(slf, Method::OPTIONS, url, keywords)
    }

    #[pyo3(signature = (method, url, **keywords))]
    fn request(
        slf: &Bound<'_, Self>,
        method: &str,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Awaitable> {
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
            .map_err(|_| PyValueError::new_err(format!("`{method}` is not an HTTP method")))?;
        request::start(slf, method, url, keywords)
    }

    #[pyo3(signature = (url, **keywords))]
    fn ws_connect(
        slf: &Bound<'_, Self>,
        url: &Bound<'_, PyAny>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        Ok(module(slf.py(), "_websocket")?.call_method("ws_connect", (slf, url), keywords)?.unbind())
    }

    /// Sends a request from the parts that `_requests` has prepared.
    #[pyo3(signature = (method, url, headers, body, timeout, redirects, raises, info, chunked=false, written=None, route=None, defaults=None, name=None, tags=None, expect=None))]
    #[expect(clippy::too_many_arguments, reason = "they are the parts of a request, prepared by the Python package")]
    fn _send(
        &self,
        py: Python<'_>,
        method: &str,
        url: &str,
        headers: Pairs,
        body: Option<Bound<'_, PyBytes>>,
        timeout: Option<Timeouts>,
        redirects: Option<i64>,
        raises: Option<bool>,
        info: Option<Py<PyAny>>,
        chunked: bool,
        written: Option<WrittenBody>,
        route: Option<&Bound<'_, Route>>,
        defaults: Option<Pairs>,
        name: Option<&Bound<'_, PyAny>>,
        tags: Option<&Bound<'_, PyAny>>,
        expect: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Awaitable> {
        let own = Own::new(name, tags, expect)?;
        let parts = Parts { method, url, headers, body, timeout, redirects, chunked, written, route, defaults, own };
        let (request, method, max_redirects) = parts.build(py, &self.inner.borrow(py))?;
        Ok(request::send(py, request, method, raises.unwrap_or(self.raises), info, max_redirects))
    }

    /// Opens a WebSocket with the request that `_requests` has prepared.
    #[pyo3(signature = (url, headers, timeout, info, route, defaults, protocols, max_message_size, name=None))]
    #[expect(clippy::too_many_arguments, reason = "they are the parts of a request, prepared by the Python package")]
    fn _connect(
        &self,
        py: Python<'_>,
        url: &str,
        headers: Pairs,
        timeout: Option<Timeouts>,
        info: Option<Py<PyAny>>,
        route: Option<&Bound<'_, Route>>,
        defaults: Option<Pairs>,
        protocols: Vec<String>,
        max_message_size: usize,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Awaitable> {
        let method = "GET";
        let own = Own::new(name, None, None)?;
        let name = own.name.clone();
        let (body, redirects, chunked, written) = (None, None, false, None);
        let parts = Parts { method, url, headers, body, timeout, redirects, chunked, written, route, defaults, own };
        let (request, ..) = parts.build(py, &self.inner.borrow(py))?;
        Ok(websocket::connect(request::in_group(py, request), name, info, protocols, max_message_size))
    }

    /// The class that `isinstance` sees: aiohttp's, if the script has imported it.
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

    /// Closes the session at once. There is no connector for another session to take over.
    fn detach(&self, py: Python<'_>) {
        self.closed.replace(py, true);
    }

    #[getter(r#loop)]
    fn event_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        event_loop::of_run(py)
    }

    #[getter(_loop)]
    fn private_loop(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.event_loop(py)
    }

    /// The context, as listeners know it.
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

    /// The cookies, for the attribute `cookie_jar`.
    fn _jar(&self, py: Python<'_>) -> Jar {
        Jar::of(self.inner.borrow(py).jar())
    }

    /// Replaces the cookies.
    fn _use_jar(&self, py: Python<'_>, jar: &Bound<'_, Jar>) {
        self.inner.borrow(py).set_jar(jar.get().get(py));
    }

    /// Replaces the options. They are those that `setup` may return.
    fn _reopen(&self, py: Python<'_>, given: &Bound<'_, PyDict>) -> PyResult<()> {
        let options = options::from_dict(py, Some(given))?;
        let options = options.with_args(self.context.bind(py).get().inner.borrow(py).args());
        let reopened = self.inner.borrow(py).with_options(options);
        self.inner.replace(py, reopened.map_err(|error| errors::exception(py, &error))?);
        Ok(())
    }

    #[pyo3(signature = (*values, **keywords))]
    fn print(&self, py: Python<'_>, values: &Bound<'_, PyTuple>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let text: String = module(py, "_sessions")?.call_method("printed", values, keywords)?.extract()?;
        self.context.bind(py).get().inner.borrow(py).print(text);
        Ok(())
    }

    /// Scripts replace methods and private attributes of aiohttp. Requests use them from then on.
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

    /// Sends a request with arguments. Scripts wrap this method, as aiohttp's methods call it.
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
        Ok(Awaitable::coroutine(coroutine.unbind()).released_by(Response::release_now))
    }

    fn __aenter__(slf: Py<Self>) -> Awaitable {
        Awaitable::ready(Ok(slf.into_any()))
    }

    #[pyo3(signature = (*exception))]
    fn __aexit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> Awaitable {
        let _ = exception;
        self.close(py)
    }
}
