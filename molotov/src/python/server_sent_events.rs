//! Server-sent events as scripts see them: `async for event in molotov.server_sent_events(response)`.

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    sync::OnceLock,
    task::{Context, Poll},
    time::Instant,
};

use pyo3::{exceptions::PyStopAsyncIteration, prelude::*, types::PyString};

use super::{awaitable::Awaitable, errors, gil_cell::GilCell, json, module, response::Response};
use crate::{Error, ErrorKind, session};

/// The events of a response.
#[pyclass(frozen, module = "molotov._core")]
pub(super) struct ServerSentEvents(GilCell<Rc<RefCell<State>>>);

enum State {
    /// Reading starts with the first event that the script waits for, since it needs the runtime.
    New(Rc<session::Response>),
    Reading(session::ServerSentEvents),
    Failed,
}

impl State {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<session::ServerSentEvent>, Error>> {
        if let State::New(response) = self {
            let opened = session::ServerSentEvents::new(response);
            *self = State::Failed;
            match opened {
                Ok(events) => *self = State::Reading(events),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        match self {
            State::Reading(events) => events.poll_next(cx),
            State::New(_) | State::Failed => Poll::Ready(Ok(None)),
        }
    }
}

impl ServerSentEvents {
    /// Returns the events of a response.
    pub(super) fn new(response: &Bound<'_, Response>) -> PyResult<ServerSentEvents> {
        let py = response.py();
        let engine = response.get().engine_response(py)?;
        engine.check_events().map_err(|error| refused(response, &error))?;
        Ok(ServerSentEvents(GilCell::new(Rc::new(RefCell::new(State::New(engine))))))
    }
}

#[pymethods]
impl ServerSentEvents {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__(&self, py: Python<'_>) -> Awaitable {
        let state = self.0.borrow(py).clone();
        Awaitable::work(Box::pin(async move {
            let next = poll_fn(|cx| state.borrow_mut().poll_next(cx)).await;
            Python::attach(|py| match next {
                Ok(Some(event)) => Ok(Py::new(py, ServerSentEvent(GilCell::new(event)))?.into_any()),
                Ok(None) => Err(PyStopAsyncIteration::new_err(())),
                Err(error) => Err(failed(py, &error)),
            })
        }))
    }
}

/// A server-sent event.
#[pyclass(frozen, name = "ServerSentEvent", module = "molotov")]
pub(super) struct ServerSentEvent(GilCell<session::ServerSentEvent>);

#[pymethods]
impl ServerSentEvent {
    /// The type of the event: `message`, unless the server names another one.
    #[getter]
    fn event(&self, py: Python<'_>) -> Py<PyString> {
        PyString::new(py, self.0.borrow(py).event()).unbind()
    }

    /// The data: all `data` lines of the event, joined by line feeds.
    #[getter]
    fn data(&self, py: Python<'_>) -> Py<PyString> {
        PyString::new(py, self.0.borrow(py).data()).unbind()
    }

    /// The ID of the last event that had one, or an empty string.
    #[getter]
    fn id(&self, py: Python<'_>) -> Py<PyString> {
        PyString::new(py, self.0.borrow(py).id()).unbind()
    }

    /// The time in seconds after which a browser would reconnect, or `None` if the server has not set it.
    #[getter]
    fn retry(&self, py: Python<'_>) -> Option<f64> {
        self.0.borrow(py).retry().map(|retry| retry.as_secs_f64())
    }

    /// When the last byte of the event was read from the connection, as `time.perf_counter()` counts.
    #[getter]
    fn received_at(&self, py: Python<'_>) -> PyResult<f64> {
        static EPOCH: OnceLock<(Instant, f64)> = OnceLock::new();
        let (instant, seconds) = match EPOCH.get() {
            Some(epoch) => *epoch,
            None => {
                let now = py.import("time")?.call_method0("perf_counter")?.extract()?;
                *EPOCH.get_or_init(|| (Instant::now(), now))
            }
        };
        let at = self.0.borrow(py).received_at();
        let since = at.saturating_duration_since(instant).as_secs_f64();
        Ok(seconds + since - instant.saturating_duration_since(at).as_secs_f64())
    }

    /// The time in seconds from the start of the request to `received_at`.
    #[getter]
    fn since_start(&self, py: Python<'_>) -> f64 {
        self.0.borrow(py).since_start().as_secs_f64()
    }

    /// Parses the data as JSON.
    fn json(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(json::loads(py, self.0.borrow(py).data().as_bytes())?.unbind())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (event, data) = (self.event(py), self.data(py));
        Ok(format!("<ServerSentEvent {}: {}>", event.bind(py).repr()?, data.bind(py).repr()?))
    }
}

/// The exception for a response without events.
fn refused(response: &Bound<'_, Response>, error: &Error) -> PyErr {
    let py = response.py();
    let is_status = error.kind() == ErrorKind::Status;
    let made = module(py, "_exceptions")
        .and_then(|module| module.call_method1("no_events", (response, error.to_string(), is_status)));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// The exception for a stream that ends early. Its text says how many events had come, which aiohttp's does not.
fn failed(py: Python<'_>, error: &Error) -> PyErr {
    let name = match error.kind() {
        ErrorKind::Body => "ClientPayloadError",
        ErrorKind::Closed => "ServerDisconnectedError",
        _ => return errors::exception(py, error),
    };
    let made = module(py, "_exceptions")
        .and_then(|module| module.getattr("errors"))
        .and_then(|errors| errors.getattr(name)?.call1((error.to_string(),)));
    made.map_or_else(|error| error, PyErr::from_value)
}
