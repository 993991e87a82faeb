//! A response as aiohttp's users know it. What most scripts look at is here; the rest is made when it is asked for.

use std::{cell::OnceCell, rc::Rc, task::Poll};

use bytes::Bytes;
use pyo3::{
    intern,
    prelude::*,
    types::{PyBytes, PyDict, PyString},
};

use super::{awaitable::Awaitable, errors, json, local::Held, module, session::class_of};
use crate::{ErrorKind, session};

/// An answer, with its body where it has been read.
#[pyclass(frozen, dict, weakref, subclass, name = "ClientResponse", module = "molotov.session")]
pub(super) struct Response {
    inner: Held<Inner>,
}

struct Inner {
    /// Gone when it has been released without having been read.
    response: Option<Rc<session::Response>>,
    status: u16,
    /// The request's method, as it was asked for.
    method: String,
    body: OnceCell<Bytes>,
    /// The head's parts that were asked for, as Python has them.
    head: Option<Py<PyDict>>,
    /// The content type, kept where the response itself is not.
    stated: Option<String>,
    request_info: Option<Py<PyAny>>,
    released: bool,
    /// What was read by `content` already.
    stream: Option<Py<PyAny>>,
}

impl Response {
    pub(super) fn new(response: session::Response, method: String, request_info: Option<Py<PyAny>>) -> Response {
        Response::shared(Rc::new(response), method, request_info)
    }

    pub(super) fn shared(response: Rc<session::Response>, method: String, request_info: Option<Py<PyAny>>) -> Response {
        Response {
            inner: Held::new(Inner {
                status: response.status().as_u16(),
                response: Some(response),
                method,
                body: OnceCell::new(),
                head: None,
                stated: None,
                request_info,
                released: false,
                stream: None,
            }),
        }
    }

    /// The object that listeners know this response by.
    pub(super) fn known(py: Python<'_>, response: &session::Response) -> Option<Py<Response>> {
        let extension = response.extension.borrow();
        extension.as_ref()?.downcast_ref::<Py<Response>>().map(|known| known.clone_ref(py))
    }

    /// Lets the rest of the body go.
    pub(super) fn release(slf: &Bound<'_, Response>) {
        let py = slf.py();
        let this = slf.get();
        let mut inner = this.inner.borrow_mut(py);
        if inner.released {
            return;
        }
        inner.released = true;
        if let Some(response) = &inner.response
            && (matches!(inner.status, 204 | 304) || response.method() == http::Method::HEAD)
        {
            let _ = inner.body.set(Bytes::new());
        }
        // Its head may still be asked for, but a body that is not here yet is not waited for.
        drop(inner);
        if let Err(error) = this.load_head(py) {
            error.write_unraisable(py, Some(slf));
        }
        let mut inner = this.inner.borrow_mut(py);
        if let Some(response) = inner.response.take() {
            inner.stated = stated(&response);
        }
    }

    /// What the head says, as Python's objects.
    fn load_head(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let response = {
            let inner = self.inner.borrow(py);
            if let Some(head) = &inner.head {
                return Ok(head.clone_ref(py));
            }
            inner.response.clone()
        };
        let head = match &response {
            Some(response) => head_of(py, response)?,
            None => PyDict::new(py),
        };
        let head = head.unbind();
        self.inner.borrow_mut(py).head = Some(head.clone_ref(py));
        Ok(head)
    }

    /// The body, if it can be had without waiting.
    fn body_now(&self, py: Python<'_>) -> Option<Result<Bytes, PyErr>> {
        let inner = self.inner.borrow(py);
        if let Some(body) = inner.body.get() {
            return Some(Ok(body.clone()));
        }
        match &inner.response {
            Some(_) => None,
            None => Some(Err(match module(py, "_exceptions").and_then(|module| module.call_method0("released")) {
                Ok(error) => PyErr::from_value(error),
                Err(error) => error,
            })),
        }
    }

    /// Reads the body, and makes something of it.
    fn read_then(
        slf: &Bound<'_, Response>,
        make: impl FnOnce(&Bound<'_, Response>, Bytes) -> PyResult<Py<PyAny>> + 'static,
    ) -> Awaitable {
        let (py, this) = (slf.py(), slf.get());
        if let Some(body) = this.body_now(py) {
            return Awaitable::ready(body.and_then(|body| make(slf, body)));
        }
        let Some(response) = this.inner.borrow(py).response.clone() else {
            return Awaitable::ready(Ok(py.None()));
        };
        let mut reading = Box::pin({
            let response = response.clone();
            async move { response.buffered().await }
        });
        let keep = |slf: &Bound<'_, Response>, read: Result<Bytes, crate::Error>| match read {
            Ok(body) => {
                let py = slf.py();
                let body = after_stream(slf, body)?;
                let _ = slf.get().inner.borrow(py).body.set(body.clone());
                make(slf, body)
            }
            Err(error) if error.kind() == ErrorKind::Body => {
                let exception = module(slf.py(), "_exceptions")?.call_method1("half_body", (slf,))?;
                Err(PyErr::from_value(exception))
            }
            Err(error) => Err(errors::exception(slf.py(), &error)),
        };
        // Most bodies have come with the head.
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        if let Poll::Ready(read) = reading.as_mut().poll(&mut cx) {
            return Awaitable::ready(keep(slf, read));
        }
        let this = slf.clone().unbind();
        Awaitable::work(Box::pin(async move {
            let read = reading.await;
            Python::attach(|py| keep(this.bind(py), read))
        }))
    }

    fn ask(slf: &Bound<'_, Response>, what: &str) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let head = slf.get().load_head(py)?;
        let made = module(py, "_responses")?.call_method1(intern!(py, "head"), (slf, head, what))?;
        Ok(made.unbind())
    }
}

/// What the head of a response says, as Python's objects.
fn head_of<'py>(py: Python<'py>, response: &session::Response) -> PyResult<Bound<'py, PyDict>> {
    let head = PyDict::new(py);
    let raw = |pairs: Vec<(&[u8], &[u8])>| -> Vec<(Py<PyBytes>, Py<PyBytes>)> {
        let pair = |(name, value)| (PyBytes::new(py, name).unbind(), PyBytes::new(py, value).unbind());
        pairs.into_iter().map(pair).collect()
    };
    let pairs = |headers: &http::HeaderMap| {
        raw(headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect())
    };
    let text = |reason: &[u8]| String::from_utf8_lossy(reason).into_owned();
    head.set_item("headers", raw(response.head().pairs()))?;
    head.set_item("url", response.url().as_str())?;
    head.set_item("reason", response.head().reason().map_or_else(|| reason(response.status()), text))?;
    head.set_item("method", response.method().as_str())?;
    head.set_item("version", format!("{:?}", response.version()))?;
    let history: Vec<_> = response
        .history()
        .iter()
        .map(|hop| {
            let reason = hop.reason().map_or_else(|| reason(hop.status()), text);
            (hop.status().as_u16(), hop.url().to_string(), pairs(hop.headers()), reason)
        })
        .collect();
    head.set_item("history", history)?;
    Ok(head)
}

fn reason(status: http::StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_owned()
}

/// The content type that a response states.
fn stated(response: &session::Response) -> Option<String> {
    let value = response.headers().get(http::header::CONTENT_TYPE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The body after what `content` has taken of it already.
fn after_stream(slf: &Bound<'_, Response>, rest: Bytes) -> PyResult<Bytes> {
    let py = slf.py();
    let stream = slf.get().inner.borrow(py).stream.as_ref().map(|stream| stream.clone_ref(py));
    let Some(stream) = stream else { return Ok(rest) };
    let left: Vec<u8> = stream.bind(py).call_method0("_give_back")?.extract()?;
    Ok(if left.is_empty() { rest } else { [left.as_slice(), &rest].concat().into() })
}

/// Text as aiohttp decodes it: by the charset stated, UTF-8 otherwise, and strictly unless told otherwise.
fn decode(py: Python<'_>, body: &[u8], encoding: Option<&str>, errors: &str) -> PyResult<Py<PyAny>> {
    let encoding = encoding.unwrap_or("utf-8");
    if encoding.eq_ignore_ascii_case("utf-8")
        && let Ok(text) = std::str::from_utf8(body)
    {
        return Ok(PyString::new(py, text).into_any().unbind());
    }
    Ok(PyBytes::new(py, body).call_method1("decode", (encoding, errors))?.unbind())
}

/// The content type that was stated.
fn content_type(slf: &Bound<'_, Response>) -> Option<String> {
    let inner = slf.get().inner.borrow(slf.py());
    match &inner.response {
        Some(response) => stated(response),
        None => inner.stated.clone(),
    }
}

fn charset(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then(|| value.to_owned())
    })
}

/// The charset that a content type states, unless Python has no codec of that name.
fn known_charset(py: Python<'_>, content_type: Option<&str>) -> Option<String> {
    let stated = charset(content_type?)?;
    if stated.eq_ignore_ascii_case("utf-8") {
        return Some(stated);
    }
    py.import("codecs").and_then(|codecs| codecs.call_method1("lookup", (&stated,))).is_ok().then_some(stated)
}

/// The size of the parts that `content` yields where a body arrives faster than it is read: that of one read of asyncio's.
const PART: usize = 256 * 1024;

#[pymethods]
impl Response {
    #[getter]
    fn status(&self, py: Python<'_>) -> u16 {
        self.inner.borrow(py).status
    }

    /// What `isinstance` looks at: aiohttp's class, where the script has imported it.
    #[getter(__class__)]
    fn class<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        class_of::<Response>(slf.as_any(), "ClientResponse")
    }

    #[getter]
    fn ok(&self, py: Python<'_>) -> bool {
        self.inner.borrow(py).status < 400
    }

    #[getter]
    fn method(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Response::ask(slf, "method")
    }

    #[getter(_asked_method)]
    fn asked_method(&self, py: Python<'_>) -> String {
        self.inner.borrow(py).method.clone()
    }

    #[getter]
    fn request_info(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        if let Some(info) = &slf.get().inner.borrow(py).request_info {
            return Ok(info.clone_ref(py));
        }
        let made = Response::ask(slf, "_request_info")?;
        slf.get().inner.borrow_mut(py).request_info = Some(made.clone_ref(py));
        Ok(made)
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        let inner = self.inner.borrow(py);
        inner.released || inner.body.get().is_some() || inner.response.as_ref().is_some_and(|one| one.is_complete())
    }

    #[getter(_released)]
    fn released(&self, py: Python<'_>) -> bool {
        self.inner.borrow(py).released
    }

    #[getter(_body)]
    fn body(&self, py: Python<'_>) -> Option<Py<PyBytes>> {
        self.inner.borrow(py).body.get().map(|body| PyBytes::new(py, body).unbind())
    }

    /// Everything that is rarely asked for.
    fn __getattr__(slf: &Bound<'_, Self>, name: &str) -> PyResult<Py<PyAny>> {
        match name {
            "headers"
            | "raw_headers"
            | "cookies"
            | "url"
            | "real_url"
            | "host"
            | "reason"
            | "history"
            | "version"
            | "content_type"
            | "charset"
            | "content_length"
            | "content_disposition"
            | "links"
            | "request"
            | "url_obj"
            | "connection"
            | "cookies_" => Response::ask(slf, name),
            "content" => {
                let py = slf.py();
                if let Some(stream) = &slf.get().inner.borrow(py).stream {
                    return Ok(stream.clone_ref(py));
                }
                let made = module(py, "_content")?.getattr("Content")?.call1((slf,))?.unbind();
                slf.get().inner.borrow_mut(py).stream = Some(made.clone_ref(py));
                Ok(made)
            }
            _ => Response::ask(slf, name),
        }
    }

    fn read(slf: &Bound<'_, Self>) -> Awaitable {
        let (py, this) = (slf.py(), slf.get());
        // As aiohttp: text and JSON can be had again, the bytes cannot.
        let gone = {
            let inner = this.inner.borrow(py);
            inner.released && inner.body.get().is_some() && !matches!(inner.status, 204 | 304)
        };
        if gone {
            let error = module(py, "_exceptions").and_then(|module| module.call_method0("released"));
            return Awaitable::ready(Err(error.map_or_else(|error| error, PyErr::from_value)));
        }
        let read = Response::read_then(slf, |slf, body| Ok(PyBytes::new(slf.py(), &body).into_any().unbind()));
        read.of("response.read")
    }

    #[pyo3(signature = (encoding=None, errors="strict".to_owned()))]
    fn text(slf: &Bound<'_, Self>, encoding: Option<String>, errors: String) -> Awaitable {
        let encoding = encoding.or_else(|| known_charset(slf.py(), content_type(slf).as_deref()));
        Response::read_then(slf, move |slf, body| decode(slf.py(), &body, encoding.as_deref(), &errors))
            .of("response.text")
    }

    #[pyo3(signature = (*, encoding=None, loads=None, content_type=Some("application/json".to_owned())))]
    fn json(
        slf: &Bound<'_, Self>,
        encoding: Option<String>,
        loads: Option<Py<PyAny>>,
        content_type: Option<String>,
    ) -> Awaitable {
        let stated = self::content_type(slf);
        Response::read_then(slf, move |slf, body| {
            let py = slf.py();
            if let Some(expected) = &content_type
                && !is_expected(stated.as_deref(), expected)
            {
                let error = module(py, "_exceptions")?.call_method1("wrong_content_type", (slf, stated))?;
                return Err(PyErr::from_value(error));
            }
            let body = body.trim_ascii();
            if body.is_empty() {
                return Ok(py.None());
            }
            let charset = encoding.or_else(|| known_charset(py, stated.as_deref()));
            match (loads, &charset) {
                (None, charset) if charset.as_deref().is_none_or(|known| known.eq_ignore_ascii_case("utf-8")) => {
                    Ok(json::loads(py, body)?.unbind())
                }
                (loads, charset) => {
                    let text = decode(py, body, charset.as_deref(), "strict")?;
                    match loads {
                        Some(loads) => loads.call1(py, (text,)),
                        None => Ok(py.import("json")?.call_method1("loads", (text,))?.unbind()),
                    }
                }
            }
        })
        .of("response.json")
    }

    /// The next part of the body, `None` at its end: for `content`.
    fn _chunk(slf: &Bound<'_, Self>) -> Awaitable {
        let (py, this) = (slf.py(), slf.get());
        let inner = this.inner.borrow(py);
        if inner.body.get().is_some() {
            return Awaitable::ready(Ok(py.None()));
        }
        let Some(response) = inner.response.clone() else {
            drop(inner);
            return Awaitable::ready(match this.body_now(py) {
                Some(Err(error)) => Err(error),
                _ => Ok(py.None()),
            });
        };
        Awaitable::work(Box::pin(async move {
            let part = response.chunk_shared(PART).await;
            Python::attach(|py| match part {
                Ok(Some(part)) => Ok(PyBytes::new(py, &part).into_any().unbind()),
                Ok(None) => Ok(py.None()),
                Err(error) => Err(errors::exception(py, &error)),
            })
        }))
    }

    /// The most bytes that `content` keeps.
    #[getter(_max_body)]
    fn max_body(&self, py: Python<'_>) -> Option<u64> {
        self.inner.borrow(py).response.as_ref().map(|response| response.max_body())
    }

    fn raise_for_status(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        if slf.get().inner.borrow(py).status < 400 {
            return Ok(());
        }
        let error = module(py, "_responses")?.call_method1("bad_status", (slf,))?;
        Err(PyErr::from_value(error))
    }

    #[pyo3(name = "release")]
    fn release_it(slf: &Bound<'_, Self>) -> Awaitable {
        let py = slf.py();
        Response::release(slf);
        Awaitable::ready(Ok(py.None()))
    }

    fn close(slf: &Bound<'_, Self>) {
        Response::release(slf);
    }

    fn get_encoding(slf: &Bound<'_, Self>) -> PyResult<String> {
        let stated = content_type(slf).as_deref().and_then(charset).unwrap_or_else(|| "utf-8".to_owned());
        let found = slf.py().import("codecs")?.call_method1("lookup", (stated,));
        found.map_or_else(|_| Ok("utf-8".to_owned()), |found| found.getattr("name")?.extract())
    }

    fn __aenter__(slf: Py<Self>) -> Awaitable {
        Awaitable::ready(Ok(slf.into_any()))
    }

    #[pyo3(signature = (*exception))]
    fn __aexit__(slf: &Bound<'_, Self>, exception: &Bound<'_, pyo3::types::PyTuple>) -> Awaitable {
        let _ = exception;
        Response::release_it(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        module(slf.py(), "_responses")?.call_method1("show", (slf,))?.extract()
    }
}

/// Whether a body of this type may be taken for the type that is expected.
fn is_expected(stated: Option<&str>, expected: &str) -> bool {
    let Some(stated) = stated else { return false };
    let kind = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if expected.eq_ignore_ascii_case("application/json") {
        return kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    }
    stated.to_ascii_lowercase().contains(&expected.to_ascii_lowercase())
}
