//! Operations of a script's own protocol: `async with molotov.operation("LINE", "echo")`.

use futures_util::FutureExt;
use pyo3::{exceptions::PyRuntimeError, prelude::*, types::PyString};

use super::{awaitable::Awaitable, gil_cell::GilCell, group};
use crate::session;

/// An operation of a worker, measured from the start of its `async with` block to the end.
#[pyclass(frozen, dict, module = "molotov.session")]
pub(super) struct Operation {
    protocol: String,
    name: String,
    state: GilCell<State>,
}

struct State {
    /// The worker that performs it; `None` outside a run, where nothing is measured.
    context: Option<session::Context>,
    running: Option<session::Operation>,
    status: Option<String>,
    failed: bool,
}

impl Operation {
    pub(super) fn new(context: Option<session::Context>, protocol: String, name: String) -> Operation {
        Operation { protocol, name, state: GilCell::new(State { context, running: None, status: None, failed: false }) }
    }

    /// Changes the operation, if it is running.
    fn change(&self, py: Python<'_>, change: impl FnOnce(&mut session::Operation)) {
        if let Some(running) = &mut self.state.borrow_mut(py).running {
            change(running);
        }
    }
}

/// Whether an operation has to wait for listeners.
fn has_listeners(context: &session::Context) -> bool {
    context.observer().is_some_and(|observer| observer.has_listeners())
}

#[pymethods]
impl Operation {
    #[getter]
    fn protocol(&self) -> &str {
        &self.protocol
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[getter]
    fn status(&self, py: Python<'_>) -> Option<String> {
        self.state.borrow(py).status.clone()
    }

    /// Any object is a status by its text, so that numbers and enumerations need not be converted.
    #[setter]
    fn set_status(&self, py: Python<'_>, status: &Bound<'_, PyAny>) -> PyResult<()> {
        let status = if status.is_none() { None } else { Some(status.str()?.to_string_lossy().into_owned()) };
        let mut state = self.state.borrow_mut(py);
        if let (Some(running), Some(status)) = (&mut state.running, &status) {
            running.set_status(status.clone());
        }
        state.status = status;
        Ok(())
    }

    /// Marks the operation as failed, without an exception.
    fn fail(&self, py: Python<'_>) {
        self.state.borrow_mut(py).failed = true;
    }

    /// Notes that the first byte of the response has arrived.
    fn mark_first_byte(&self, py: Python<'_>) {
        self.change(py, session::Operation::mark_first_byte);
    }

    /// Adds to the number of bytes sent.
    fn add_sent(&self, py: Python<'_>, size: u64) {
        self.change(py, |running| running.add_sent(size));
    }

    /// Adds to the number of bytes received.
    fn add_received(&self, py: Python<'_>, size: u64) {
        self.change(py, |running| running.add_received(size));
    }

    fn __aenter__(slf: Py<Self>, py: Python<'_>) -> PyResult<Awaitable> {
        let this = slf.get();
        let context = match &mut *this.state.borrow_mut(py) {
            State { running: Some(_), .. } => {
                return Err(PyRuntimeError::new_err("this operation is running already; make another one"));
            }
            state => {
                (state.status, state.failed) = (None, false);
                state.context.clone()
            }
        };
        let Some(context) = context else { return Ok(Awaitable::ready(Ok(slf.into_any()))) };
        let (protocol, name) = (this.protocol.clone(), this.name.clone());
        let waits = has_listeners(&context);
        let group = group::path(py);
        let start = async move {
            let mut operation = context.operation(protocol, name).await;
            if let Some(group) = group {
                operation.set_group(group);
            }
            operation
        };
        if !waits {
            this.state.borrow_mut(py).running = start.now_or_never();
            return Ok(Awaitable::ready(Ok(slf.into_any())));
        }
        Ok(Awaitable::work(Box::pin(async move {
            let running = start.await;
            Python::attach(|py| slf.get().state.borrow_mut(py).running = Some(running));
            Ok(slf.into_any())
        })))
    }

    fn __aexit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        exception: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<Awaitable> {
        let _ = (kind, traceback);
        let none = |py: Python<'_>| Ok(Awaitable::ready(Ok(py.None())));
        let (running, failed) = {
            let mut state = self.state.borrow_mut(py);
            (state.running.take(), state.failed)
        };
        let Some(running) = running else { return none(py) };
        if group::is_cut(exception)? {
            // What is cancelled cannot wait for listeners.
            running.interrupt();
            return none(py);
        }
        let succeeded = exception.is_none() && !failed;
        let waits = has_listeners(running.context());
        let finish = async move { running.finish(succeeded).await };
        if !waits {
            finish.now_or_never();
            return none(py);
        }
        Ok(Awaitable::work(Box::pin(async move {
            finish.await;
            Ok(Python::attach(|py| py.None()))
        })))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let name = PyString::new(py, &self.name);
        let status = self.state.borrow(py).status.clone().unwrap_or_else(|| "no status".to_owned());
        format!("<Operation {} {}: {status}>", self.protocol, name.to_string_lossy())
    }
}
