//! The context of a worker: what `get_context(session)` returns.

use pyo3::{exceptions::PyAttributeError, prelude::*, types::PyString};

use super::{gil_cell::GilCell, module, operation::Operation, options};
use crate::{session::Context, statsd::Statsd};

/// A worker's context, with the attributes that scripts attach to it.
#[pyclass(frozen, dict, weakref, name = "Context", module = "molotov.session")]
pub(super) struct WorkerContext {
    pub(super) inner: GilCell<Context>,
    statsd: GilCell<Option<Py<PyAny>>>,
}

/// Sends metrics that are already formatted.
#[pyclass(frozen)]
struct Metrics(Statsd);

#[pymethods]
impl Metrics {
    fn __call__(&self, metric: String) {
        self.0.raw(metric);
    }
}

impl WorkerContext {
    pub(super) fn new(context: Context) -> WorkerContext {
        WorkerContext { inner: GilCell::new(context), statsd: GilCell::new(None) }
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
        options::args(py)
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

    fn operation(&self, py: Python<'_>, protocol: String, name: String) -> Operation {
        Operation::new(Some(self.inner.borrow(py).clone()), protocol, name)
    }

    fn unique(&self, py: Python<'_>) -> u64 {
        self.inner.borrow(py).unique()
    }

    /// The attributes that scripts may replace, as they attach what they like.
    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<usize> {
        match name {
            "worker_number" => Ok(self.inner.borrow(py).worker_number()),
            _ => Err(PyAttributeError::new_err(format!("'Context' object has no attribute '{name}'"))),
        }
    }

    fn attach(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.setattr(name, value)
    }
}
