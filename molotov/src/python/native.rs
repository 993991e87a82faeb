//! The native module `molotov._core`: the part of the package that is written in Rust.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyBytes, PyString},
};

use crate::{
    blocking::BlockingRequest,
    python::{awaitable, errors, host::host, interrupts::interrupted, run_state, worker},
    vars::Scope,
};

/// The part of the package that is written in Rust.
#[pymodule]
pub mod _core {
    use super::*;

    #[pymodule_export]
    use crate::python::awaitable::{Awaitable, EngineFuture};
    #[pymodule_export]
    use crate::python::context::WorkerContext;
    #[pymodule_export]
    use crate::python::data::ScriptRows;
    #[pymodule_export]
    use crate::python::delay::think;
    #[pymodule_export]
    use crate::python::event_loop::wait;
    #[pymodule_export]
    use crate::python::group::Group;
    #[pymodule_export]
    use crate::python::interrupts::break_in;
    #[pymodule_export]
    use crate::python::measures::{check, count, gauge, record, unique};
    #[pymodule_export]
    use crate::python::operation::Operation;
    #[pymodule_export]
    use crate::python::response::Response;
    #[pymodule_export]
    use crate::python::server_sent_events::{ServerSentEvent, ServerSentEvents};
    #[pymodule_export]
    use crate::python::session::{Jar, Measure, Permits, Route, Session};
    #[pymodule_export]
    use crate::python::stdout::Stdout;
    #[pymodule_export]
    use crate::python::upload::Upload;
    #[pymodule_export]
    use crate::python::websocket::WebSocket;
    #[pymodule_export]
    use crate::python::worker::ParkedCoroutine;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        awaitable::add_slots(module.py());
        Response::add_attributes(module.py())?;
        Session::complete_class(module.py())?;
        for class in [module.py().get_type::<Session>(), module.py().get_type::<Response>()] {
            // The name in the messages of `AttributeError` is without its module then, as those of classes in Python are.
            class.setattr("__name__", class.name()?)?;
        }
        module.add("DataExhausted", module.py().get_type::<errors::DataExhausted>())?;
        module.add("Interrupted", interrupted(module.py()))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    /// Stops the run.
    #[pyfunction]
    fn stop() {
        run_state::stop();
    }

    #[pyfunction]
    fn is_stopped() -> bool {
        run_state::is_stopping()
    }

    /// The context of the worker whose code runs.
    #[pyfunction]
    fn current_context(py: Python<'_>) -> PyResult<Option<Py<WorkerContext>>> {
        match worker::current_context() {
            None => Ok(None),
            Some(context) => Ok(Some(Py::new(py, WorkerContext::new(context))?)),
        }
    }

    /// Makes an operation of the worker with that context. Without one, it measures nothing.
    #[pyfunction]
    fn operation(
        py: Python<'_>,
        context: Option<Bound<'_, WorkerContext>>,
        protocol: String,
        name: String,
    ) -> Operation {
        Operation::new(context.map(|context| context.get().inner.borrow(py).clone()), protocol, name)
    }

    /// The address of `--host`, without a slash at its end.
    #[pyfunction]
    #[pyo3(name = "host")]
    fn host_option() -> Option<String> {
        Some(Scope::current().request_defaults().host?.as_str().to_owned())
    }

    /// The headers of `--header` and `--cookie`.
    #[pyfunction]
    fn default_headers() -> Vec<(String, String)> {
        let headers = Scope::current().request_defaults().headers;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    /// Makes a group of the worker with that context.
    #[pyfunction]
    fn group(context: &Bound<'_, WorkerContext>, name: String) -> Group {
        Group::new(context.get().inner.borrow(context.py()).clone(), name)
    }

    /// The server-sent events of a response.
    #[pyfunction]
    fn server_sent_events(response: &Bound<'_, Response>) -> PyResult<ServerSentEvents> {
        ServerSentEvents::new(response)
    }

    /// Prints a note to the user.
    #[pyfunction]
    fn warn(text: &str) {
        crate::notice::note(text);
    }

    /// Runs a command line. Returns the exit code, and the counts of the run. They are empty if there was none.
    #[pyfunction]
    fn run(py: Python<'_>, line: Vec<OsString>) -> (u8, run_state::Counts) {
        drop(run_state::take_counts());
        let code = py.detach(|| (host().command_line)(line));
        (code, run_state::take_counts())
    }

    /// Runs a command line. Returns the exit code.
    #[pyfunction]
    fn main(py: Python<'_>, line: Vec<OsString>) -> u8 {
        py.detach(|| (host().command_line)(line))
    }

    /// Runs the command line of `molostart` or `moloslave`. Returns the exit code.
    #[pyfunction]
    fn program(py: Python<'_>, line: Vec<OsString>, python: PathBuf, packages: PathBuf) -> PyResult<u8> {
        let ran = py.detach(|| (host().program)(line, python, packages));
        ran.ok_or_else(|| PyValueError::new_err("there is no such command"))
    }

    type Pairs = Vec<(Py<PyBytes>, Py<PyBytes>)>;

    /// Makes one request, and blocks until it has ended.
    #[pyfunction]
    fn request(
        py: Python<'_>,
        method: &str,
        url: &str,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
        body: Option<Vec<u8>>,
        timeout: Option<f64>,
        redirects: Option<usize>,
    ) -> PyResult<(u16, Pairs, Py<PyString>)> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut request = BlockingRequest::new(method, url);
        for (name, value) in headers {
            request = request.header(name.as_slice(), value.as_slice());
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        if let Some(timeout) = timeout {
            request = request.timeout(Duration::try_from_secs_f64(timeout).unwrap_or(Duration::MAX));
        }
        if let Some(limit) = redirects {
            request = request.redirects(limit);
        }
        let answer = py.detach(|| crate::request(request)).map_err(|error| errors::exception(py, &error))?;
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            let name = PyBytes::new(py, name.as_str().as_bytes()).unbind();
            (name, PyBytes::new(py, value.as_bytes()).unbind())
        };
        let headers = answer.headers.iter().map(pair).collect();
        Ok((answer.status.as_u16(), headers, PyString::new(py, &String::from_utf8_lossy(&answer.body)).unbind()))
    }
}
