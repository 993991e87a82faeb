//! A response: aiohttp's interface over a response of the engine. `_responses` makes the attributes that scripts rarely use.

mod decoding;
mod head;

use std::{
    cell::OnceCell,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Method, StatusCode};
use pyo3::{
    intern,
    prelude::*,
    types::{PyBytes, PyDict, PyInt, PyTuple},
};

use self::decoding::{ExpectedType, charset, decode, known_charset};
use super::{
    awaitable::Awaitable, classes::class_of, errors, event_loop::AsyncioRuntime, gil_cell::GilCell, json,
    lazy_attributes, module,
};
use crate::{ErrorKind, session};

/// A response, with its body once it is read.
#[pyclass(frozen, dict, weakref, subclass, name = "ClientResponse", module = "molotov.session")]
pub(super) struct Response {
    /// As an object, which the interpreter reads without a call.
    #[pyo3(get)]
    status: Py<PyInt>,
    inner: GilCell<Inner>,
}

struct Inner {
    /// Without its body once it is released.
    response: Rc<session::Response>,
    /// The method of the request, before redirects.
    method: Method,
    body: OnceCell<Bytes>,
    /// The head as Python objects, once a script has used it.
    head: Option<Py<PyDict>>,
    request_info: Option<Py<PyAny>>,
    released: bool,
    /// The object that `content` returned.
    content: Option<Py<PyAny>>,
}

impl Response {
    pub(super) fn new(
        py: Python<'_>,
        response: session::Response,
        method: Method,
        request_info: Option<Py<PyAny>>,
    ) -> PyResult<Response> {
        Ok(Response {
            status: response.status().as_u16().into_pyobject(py)?.unbind(),
            inner: GilCell::new(Inner {
                response: Rc::new(response),
                method,
                body: OnceCell::new(),
                head: None,
                request_info,
                released: false,
                content: None,
            }),
        })
    }

    /// The object that listeners received for this response.
    pub(super) fn shared_with_listeners(py: Python<'_>, response: &session::Response) -> Option<Py<Response>> {
        let extension = response.extension.borrow();
        extension.as_ref()?.downcast_ref::<Py<Response>>().map(|known| known.clone_ref(py))
    }

    /// Releases the response, and discards the rest of its body. Scripts may still use the head.
    pub(super) fn release(slf: &Bound<'_, Response>) {
        let mut inner = slf.get().inner.borrow_mut(slf.py());
        if inner.released {
            return;
        }
        inner.released = true;
        if has_no_body(inner.response.status()) || inner.response.method() == Method::HEAD {
            let _ = inner.body.set(Bytes::new());
        }
        match Rc::get_mut(&mut inner.response) {
            Some(response) => response.discard_body(),
            // Something is reading the body.
            None => inner.response = Rc::new(inner.response.without_body()),
        }
    }

    /// Releases the result of an `async with`, if it is a response.
    pub(super) fn release_now(result: &Bound<'_, PyAny>) -> bool {
        result.cast::<Response>().map(Response::release).is_ok()
    }

    /// The head as Python objects.
    fn load_head(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let response = {
            let inner = self.inner.borrow(py);
            if let Some(head) = &inner.head {
                return Ok(head.clone_ref(py));
            }
            inner.response.clone()
        };
        let head = head::to_dict(py, &response)?;
        let head = head.unbind();
        self.inner.borrow_mut(py).head = Some(head.clone_ref(py));
        Ok(head)
    }

    /// The response of the engine.
    fn response(&self, py: Python<'_>) -> Rc<session::Response> {
        self.inner.borrow(py).response.clone()
    }

    /// The response of the engine, whose body can be read.
    pub(super) fn engine_response(&self, py: Python<'_>) -> PyResult<Rc<session::Response>> {
        let inner = self.inner.borrow(py);
        if inner.released {
            return Err(released(py));
        }
        Ok(inner.response.clone())
    }

    /// Reads the body and converts it.
    fn read_then(
        slf: &Bound<'_, Response>,
        convert: impl FnOnce(&Bound<'_, Response>, Bytes) -> PyResult<Py<PyAny>> + 'static,
    ) -> Awaitable {
        let (py, this) = (slf.py(), slf.get());
        let available = {
            let inner = this.inner.borrow(py);
            match inner.body.get() {
                Some(body) => Some(body.clone()),
                None if inner.released => return Awaitable::ready(Err(released(py))),
                // Most bodies arrive with the head.
                None if inner.content.is_none() => inner.response.whole_body().inspect(|body| {
                    let _ = inner.body.set(body.clone());
                }),
                None => None,
            }
        };
        if let Some(body) = available {
            return Awaitable::ready(convert(slf, body));
        }
        let response = this.inner.borrow(py).response.clone();
        let mut reading = Box::pin(async move { response.buffered().await });
        let finish = |slf: &Bound<'_, Response>, read: Result<Bytes, crate::Error>| match read {
            Ok(body) => {
                let py = slf.py();
                let body = after_content(slf, body)?;
                let _ = slf.get().inner.borrow(py).body.set(body.clone());
                convert(slf, body)
            }
            Err(error) if error.kind() == ErrorKind::Body => {
                let exception = module(slf.py(), "_exceptions")?.call_method1("half_body", (slf,))?;
                Err(PyErr::from_value(exception))
            }
            Err(error) => Err(errors::exception(slf.py(), &error)),
        };
        let runtime = AsyncioRuntime::current();
        let polled = {
            let _context = runtime.as_deref().map(AsyncioRuntime::context);
            reading.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        if let Poll::Ready(read) = polled {
            return Awaitable::ready(finish(slf, read));
        }
        let this = slf.clone().unbind();
        Awaitable::work(Box::pin(async move {
            let read = reading.await;
            Python::attach(|py| finish(this.bind(py), read))
        }))
    }

    /// Adds the attributes that scripts rarely use.
    pub(super) fn add_attributes(py: Python<'_>) -> PyResult<()> {
        lazy_attributes::add::<Response>(py, ATTRIBUTES, |response, name| {
            Response::attribute(response.cast::<Response>()?, name)
        })?;
        lazy_attributes::add::<Response>(py, &["content"], |response, _| {
            let (py, slf) = (response.py(), response.cast::<Response>()?);
            if let Some(content) = &slf.get().inner.borrow(py).content {
                return Ok(content.clone_ref(py));
            }
            let made = module(py, "_content")?.getattr("Content")?.call1((slf,))?.unbind();
            slf.get().inner.borrow_mut(py).content = Some(made.clone_ref(py));
            Ok(made)
        })
    }

    /// An attribute that `_responses` makes.
    fn attribute(slf: &Bound<'_, Response>, what: &str) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let head = slf.get().load_head(py)?;
        let made = module(py, "_responses")?.call_method1(intern!(py, "head"), (slf, head, what))?;
        Ok(made.unbind())
    }
}

/// The attributes that `_responses` makes.
const ATTRIBUTES: &[&str] = &[
    "charset",
    "connection",
    "content_disposition",
    "content_length",
    "content_type",
    "cookies",
    "headers",
    "history",
    "host",
    "links",
    "raw_headers",
    "real_url",
    "reason",
    "request",
    "url",
    "url_obj",
    "version",
];

/// The body that is left after `content` has read part of it.
fn after_content(slf: &Bound<'_, Response>, rest: Bytes) -> PyResult<Bytes> {
    let py = slf.py();
    let content = slf.get().inner.borrow(py).content.as_ref().map(|content| content.clone_ref(py));
    let Some(content) = content else { return Ok(rest) };
    let left: Vec<u8> = content.bind(py).call_method0("_give_back")?.extract()?;
    Ok(if left.is_empty() { rest } else { [left.as_slice(), &rest].concat().into() })
}

/// Whether responses with this status have no body.
fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The exception of a body that a released response has lost.
fn released(py: Python<'_>) -> PyErr {
    match module(py, "_exceptions").and_then(|module| module.call_method0("released")) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// The most that one read of `content` returns, in bytes: the size of a read in asyncio.
const MAX_PART: usize = 256 * 1024;

#[pymethods]
impl Response {
    /// The class that `isinstance` sees: aiohttp's, if the script has imported it.
    #[getter(__class__)]
    fn class<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        class_of::<Response>(slf.as_any(), "ClientResponse")
    }

    #[getter]
    fn ok(&self, py: Python<'_>) -> bool {
        self.inner.borrow(py).response.status().as_u16() < 400
    }

    #[getter]
    fn method(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        Response::attribute(slf, "method")
    }

    #[getter(_asked_method)]
    fn asked_method(&self, py: Python<'_>) -> String {
        self.inner.borrow(py).method.to_string()
    }

    #[getter]
    fn request_info(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        if let Some(info) = &slf.get().inner.borrow(py).request_info {
            return Ok(info.clone_ref(py));
        }
        let made = Response::attribute(slf, "_request_info")?;
        slf.get().inner.borrow_mut(py).request_info = Some(made.clone_ref(py));
        Ok(made)
    }

    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        let inner = self.inner.borrow(py);
        inner.released || inner.body.get().is_some() || inner.response.is_complete()
    }

    #[getter(_released)]
    fn released(&self, py: Python<'_>) -> bool {
        self.inner.borrow(py).released
    }

    #[getter(_body)]
    fn body(&self, py: Python<'_>) -> Option<Py<PyBytes>> {
        self.inner.borrow(py).body.get().map(|body| PyBytes::new(py, body).unbind())
    }

    fn read(slf: &Bound<'_, Self>) -> Awaitable {
        let (py, this) = (slf.py(), slf.get());
        // As in aiohttp, a released response still has its text and its JSON, but not its bytes.
        let is_lost = {
            let inner = this.inner.borrow(py);
            inner.released && inner.body.get().is_some() && !has_no_body(inner.response.status())
        };
        if is_lost {
            return Awaitable::ready(Err(released(py)));
        }
        let read = Response::read_then(slf, |slf, body| Ok(PyBytes::new(slf.py(), &body).into_any().unbind()));
        read.of("response.read")
    }

    #[pyo3(signature = (encoding=None, errors="strict".to_owned()))]
    fn text(slf: &Bound<'_, Self>, encoding: Option<String>, errors: String) -> Awaitable {
        let encoding = encoding.or_else(|| {
            let (py, response) = (slf.py(), slf.get().response(slf.py()));
            known_charset(py, head::content_type(&response).as_deref())
        });
        Response::read_then(slf, move |slf, body| decode(slf.py(), &body, encoding.as_deref(), &errors))
            .of("response.text")
    }

    #[pyo3(signature = (*, encoding=None, loads=None, content_type=ExpectedType::Json))]
    fn json(
        slf: &Bound<'_, Self>,
        encoding: Option<String>,
        loads: Option<Py<PyAny>>,
        content_type: ExpectedType,
    ) -> Awaitable {
        Response::read_then(slf, move |slf, body| {
            let py = slf.py();
            let response = slf.get().response(py);
            let charset = if content_type == ExpectedType::Json && head::is_plain_json(&response) {
                encoding
            } else {
                let stated = head::content_type(&response);
                if !content_type.matches(stated.as_deref()) {
                    let error = module(py, "_exceptions")?.call_method1("wrong_content_type", (slf, stated))?;
                    return Err(PyErr::from_value(error));
                }
                encoding.or_else(|| known_charset(py, stated.as_deref()))
            };
            let body = body.trim_ascii();
            if body.is_empty() {
                return Ok(py.None());
            }
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

    /// The next part of the body, for `content`. `None` at the end.
    fn _chunk(slf: &Bound<'_, Self>) -> Awaitable {
        let (py, this) = (slf.py(), slf.get());
        let inner = this.inner.borrow(py);
        if inner.body.get().is_some() {
            return Awaitable::ready(Ok(py.None()));
        }
        if inner.released {
            return Awaitable::ready(Err(released(py)));
        }
        let response = inner.response.clone();
        Awaitable::work(Box::pin(async move {
            let part = response.chunk_shared(MAX_PART).await;
            Python::attach(|py| match part {
                Ok(Some(part)) => Ok(PyBytes::new(py, &part).into_any().unbind()),
                Ok(None) => Ok(py.None()),
                Err(error) => Err(errors::exception(py, &error)),
            })
        }))
    }

    /// How many bytes `content` may hold.
    #[getter(_max_body)]
    fn max_body(&self, py: Python<'_>) -> Option<u64> {
        let inner = self.inner.borrow(py);
        (!inner.released).then(|| inner.response.max_body())
    }

    fn raise_for_status(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        if slf.get().inner.borrow(py).response.status().as_u16() < 400 {
            return Ok(());
        }
        let error = module(py, "_responses")?.call_method1("bad_status", (slf,))?;
        Err(PyErr::from_value(error))
    }

    #[pyo3(name = "release")]
    fn release_awaitable(slf: &Bound<'_, Self>) -> PyResult<Py<Awaitable>> {
        Response::release(slf);
        Awaitable::nothing(slf.py())
    }

    fn close(slf: &Bound<'_, Self>) {
        Response::release(slf);
    }

    fn get_encoding(slf: &Bound<'_, Self>) -> PyResult<String> {
        let response = slf.get().response(slf.py());
        let stated = head::content_type(&response).as_deref().and_then(charset).unwrap_or("utf-8").to_owned();
        let found = slf.py().import("codecs")?.call_method1("lookup", (stated,));
        found.map_or_else(|_| Ok("utf-8".to_owned()), |found| found.getattr("name")?.extract())
    }

    fn __aenter__(slf: Py<Self>) -> Awaitable {
        Awaitable::ready(Ok(slf.into_any()))
    }

    #[pyo3(signature = (*exception))]
    fn __aexit__(slf: &Bound<'_, Self>, exception: &Bound<'_, PyTuple>) -> PyResult<Py<Awaitable>> {
        let _ = exception;
        Response::release_awaitable(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        module(slf.py(), "_responses")?.call_method1("show", (slf,))?.extract()
    }
}
