//! The listeners of a script: the run's events, with the names and keywords that scripts expect.

use std::{
    future::poll_fn,
    task::{Poll, Waker},
};

use futures_util::future::LocalBoxFuture;
use pyo3::{
    intern,
    prelude::*,
    types::{PyBytes, PyDict},
};

use super::function::Function;
use crate::{
    Failure, Result,
    event::{Event, ScenarioInfo},
    options::WorkerId,
    python::{
        coroutine::{Step, step},
        errors,
        event_loop::{self, AsyncioRuntime},
        gil_cell::GilCell,
        module,
        response::Response,
        worker::Worker,
    },
    registry::{Events, Origin},
    session::{Operation, Request, Session},
};

/// A coroutine function that is called with each event.
pub(super) struct Listener(Function);

/// The object that listeners receive for a request. The request owns it.
struct EventRequest(Py<PyAny>);

impl Listener {
    pub(super) fn new(function: Function) -> Listener {
        Listener(function)
    }

    fn call(&self, py: Python<'_>, name: &str, keywords: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
        self.0.function.bind(py).call((name,), Some(keywords)).map(Bound::unbind)
    }
}

/// A request as listeners see it. All listeners receive the same object, for both events.
fn request(py: Python<'_>, request: &Request) -> PyResult<Py<PyAny>> {
    if let Some(known) = request.attached::<EventRequest>() {
        return Ok(known.0.clone_ref(py));
    }
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| (PyBytes::new(py, name.as_str().as_bytes()), PyBytes::new(py, value.as_bytes())))
        .collect();
    let body = request.body().map(|body| PyBytes::new(py, body));
    let arguments = (request.method().as_str(), request.url().as_str(), request.original_url().as_str(), headers, body);
    let made = module(py, "_events")?.call_method1(intern!(py, "EventRequest"), arguments)?.unbind();
    request.attach(EventRequest(made.clone_ref(py)));
    Ok(made)
}

fn scenario<'py>(py: Python<'py>, scenario: &ScenarioInfo) -> PyResult<Bound<'py, PyAny>> {
    let known = module(py, "api")?.call_method1(intern!(py, "get_scenario"), (&scenario.name,))?;
    if !known.is_none() {
        return Ok(known);
    }
    // A scenario in Rust.
    let dict = PyDict::new(py);
    dict.set_item("name", &scenario.name)?;
    dict.set_item("weight", scenario.weight)?;
    dict.set_item("delay", scenario.delay.mean().as_secs_f64())?;
    Ok(dict.into_any())
}

/// The keywords of both events of an operation.
fn operation_keywords<'py>(py: Python<'py>, operation: &Operation, worker: WorkerId) -> PyResult<Bound<'py, PyDict>> {
    let keywords = PyDict::new(py);
    keywords.set_item("protocol", operation.protocol())?;
    keywords.set_item("name", operation.name())?;
    keywords.set_item("wid", worker.0)?;
    Ok(keywords)
}

/// The session as its worker's scripts know it.
async fn session(session: &Session) -> PyResult<Option<Py<PyAny>>> {
    let worker = Worker::of(session.context()).await?;
    Ok(Python::attach(|py| {
        let open = worker.sessions.borrow();
        open.iter().find(|(kind, _)| kind == "http").map(|(_, session)| session.clone_ref(py))
    }))
}

fn exception(py: Python<'_>, failure: &Failure) -> PyResult<Py<PyAny>> {
    match failure.cause::<Py<pyo3::exceptions::PyBaseException>>() {
        Some(exception) => Ok(exception.clone_ref(py).into_any()),
        None => Ok(pyo3::exceptions::PyException::new_err(failure.to_string()).into_value(py).into_any()),
    }
}

impl Events for Listener {
    fn origin(&self) -> &Origin {
        &self.0.origin
    }

    fn handle<'a>(&'a self, event: &'a Event<'a>) -> LocalBoxFuture<'a, Result> {
        Box::pin(async move { self.notify(event).await.map_err(errors::failure) })
    }
}

impl Listener {
    async fn notify(&self, event: &Event<'_>) -> PyResult<()> {
        let coroutine = match event {
            Event::CurrentWorkers { workers } => return self.notify_of_workers(*workers),
            Event::SendingRequest { session: of, request: sent } => {
                let session = session(of).await?;
                let (shown, coroutine) = Python::attach(|py| {
                    let keywords = PyDict::new(py);
                    let shown = request(py, sent)?;
                    keywords.set_item("session", session)?;
                    keywords.set_item("request", &shown)?;
                    PyResult::Ok((shown, self.call(py, "sending_request", &keywords)?))
                })?;
                let finished = finish(coroutine).await;
                return Python::attach(|py| change_headers(py, &shown, sent)).and(finished);
            }
            Event::ResponseReceived { session: of, request: sent, response } => {
                let session = session(of).await?;
                Python::attach(|py| {
                    let request = request(py, sent)?;
                    let earlier = Response::shared_with_listeners(py, response);
                    let response = match earlier {
                        Some(known) => known.into_bound(py),
                        None => {
                            let gone =
                                || pyo3::exceptions::PyRuntimeError::new_err("the response has no body to share");
                            let view = response.view().ok_or_else(gone)?;
                            let method = view.method().clone();
                            let made = Bound::new(py, Response::new(py, view, method, None)?)?;
                            made.setattr("request", request.clone_ref(py))?;
                            *response.extension.borrow_mut() = Some(Box::new(made.clone().unbind()));
                            made
                        }
                    };
                    let keywords = PyDict::new(py);
                    keywords.set_item("session", session)?;
                    keywords.set_item("response", response)?;
                    keywords.set_item("request", request)?;
                    self.call(py, "response_received", &keywords)
                })?
            }
            Event::OperationStart { operation, worker } => {
                Python::attach(|py| self.call(py, "operation_start", &operation_keywords(py, operation, *worker)?))?
            }
            Event::OperationEnd { operation, outcome, elapsed, worker } => Python::attach(|py| {
                let keywords = operation_keywords(py, operation, *worker)?;
                keywords.set_item("status", operation.status())?;
                keywords.set_item("outcome", outcome.name())?;
                keywords.set_item("elapsed", elapsed.as_secs_f64())?;
                self.call(py, "operation_end", &keywords)
            })?,
            Event::ScenarioStart { scenario: of, worker } => {
                self.call_for_scenario("scenario_start", of, worker.0, None)?
            }
            Event::ScenarioSuccess { scenario: of, worker } => {
                self.call_for_scenario("scenario_success", of, worker.0, None)?
            }
            Event::ScenarioFailure { scenario: of, failure, worker } => {
                self.call_for_scenario("scenario_failure", of, worker.0, Some(failure))?
            }
        };
        finish(coroutine).await
    }

    fn call_for_scenario(
        &self,
        event: &str,
        of: &ScenarioInfo,
        worker: usize,
        failure: Option<&Failure>,
    ) -> PyResult<Py<PyAny>> {
        Python::attach(|py| {
            let keywords = PyDict::new(py);
            keywords.set_item("scenario", scenario(py, of)?)?;
            keywords.set_item("wid", worker)?;
            if let Some(failure) = failure {
                keywords.set_item("exception", exception(py, failure)?)?;
            }
            self.call(py, event, &keywords)
        })
    }

    /// Called on another thread: has asyncio run the listener, without waiting for it.
    fn notify_of_workers(&self, workers: usize) -> PyResult<()> {
        Python::attach(|py| {
            let event_loop = event_loop::asyncio(py, false)?;
            if event_loop.call_method0("is_closed")?.is_truthy()? {
                return Ok(());
            }
            let keywords = PyDict::new(py);
            keywords.set_item("workers", workers)?;
            let coroutine = self.call(py, "current_workers", &keywords)?;
            module(py, "_loop")?.call_method1("call_from_thread", (event_loop, coroutine))?;
            Ok(())
        })
    }
}

/// Applies the changes of listeners to the request's headers.
fn change_headers(py: Python<'_>, shown: &Py<PyAny>, sent: &Request) -> PyResult<()> {
    let changed: Option<Vec<(Vec<u8>, Vec<u8>)>> = shown.bind(py).call_method0("_changed")?.extract()?;
    let Some(changed) = changed else { return Ok(()) };
    let mut headers = http::HeaderMap::new();
    for (name, value) in changed {
        let bad = |error: http::Error| pyo3::exceptions::PyValueError::new_err(error.to_string());
        let name = http::HeaderName::from_bytes(&name).map_err(|error| bad(error.into()))?;
        headers.append(name, http::HeaderValue::from_bytes(&value).map_err(|error| bad(error.into()))?);
    }
    sent.change_headers(headers);
    Ok(())
}

/// Wakes a future when an asyncio task is done.
#[pyclass(frozen)]
struct WakeOnDone(GilCell<(bool, Option<Waker>)>);

#[pymethods]
impl WakeOnDone {
    fn __call__(&self, py: Python<'_>, task: &Bound<'_, PyAny>) {
        let _ = task;
        let mut state = self.0.borrow_mut(py);
        state.0 = true;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }
}

/// Runs a listener's coroutine to its end. Most wait for nothing. One that waits continues as an asyncio task.
async fn finish(coroutine: Py<PyAny>) -> PyResult<()> {
    let waiting = Python::attach(|py| match step(coroutine.bind(py), None) {
        Step::Returned(_) => Ok(None),
        Step::Raised(error) => Err(error),
        Step::Yielded(awaited) => {
            let event_loop = AsyncioRuntime::current()
                .ok_or_else(|| pyo3::exceptions::PyRuntimeError::new_err("the event loop is gone"))?;
            let done = Bound::new(py, WakeOnDone(GilCell::new((false, None))))?;
            let arguments = (event_loop.asyncio(py), &coroutine, awaited, &done);
            let task = module(py, "_loop")?.call_method1("continue_as_task", arguments)?.unbind();
            event_loop.nudge(py);
            Ok(Some((task, done.unbind())))
        }
    });
    let nudge = || Python::attach(|py| AsyncioRuntime::current().inspect(|event_loop| event_loop.nudge(py)));
    nudge();
    let Some((task, done)) = waiting? else { return Ok(()) };
    poll_fn(|cx| {
        Python::attach(|py| {
            let mut state = done.bind(py).get().0.borrow_mut(py);
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        })
    })
    .await;
    Python::attach(|py| task.bind(py).call_method0("result").map(drop))
}
