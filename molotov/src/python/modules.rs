//! The `molotov` package inside the interpreter: what scripts import.

use std::{
    ffi::CString,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pyo3::{
    intern,
    prelude::*,
    types::{PyBytes, PyDict, PyString},
};

use super::{awaitable, errors, host::host, local::Held, worker};
use crate::{
    blocking::BlockingRequest,
    engine::Control,
    run::{Line, SizingResult, Summary, Verdict},
};

/// Whether the run has begun to stop.
pub(super) static STOPPING: AtomicBool = AtomicBool::new(false);
/// Whether `global_setup` runs. Nobody reads the console's lines before it ends.
static SETTING_UP: AtomicBool = AtomicBool::new(false);
static CONTROL: Mutex<Option<Control>> = Mutex::new(None);

/// Lets scripts end the run, and print in it; `None` when it is over.
pub(crate) fn set_control(control: Option<Control>) {
    *CONTROL.lock().unwrap_or_else(PoisonError::into_inner) = control;
}

/// Runs a `global_setup`; what it prints meanwhile is shown at once.
pub(super) fn set_up<T>(function: impl FnOnce() -> T) -> T {
    SETTING_UP.store(true, Ordering::Relaxed);
    let result = function();
    SETTING_UP.store(false, Ordering::Relaxed);
    result
}

/// The counts of the last run, by the names that the original's have.
static ENDED: Mutex<Vec<(&str, f64)>> = Mutex::new(Vec::new());

/// Keeps how a run has ended, for Python code that has started it.
pub(crate) fn set_ended(summary: &Summary) {
    let failed = |fixture: &str| match &summary.verdict {
        Verdict::FixtureFailed(failed) => f64::from(failed.fixture == fixture),
        _ => 0.0,
    };
    let (reached, ratio, minute) = match &summary.sizing {
        Some(SizingResult::Found { ratio, minute, .. }) => (1.0, ratio * 100.0, (minute.ok, minute.failed)),
        _ => (0.0, 0.0, (summary.totals.successes, summary.totals.failures)),
    };
    let counts = vec![
        ("OK", summary.totals.successes as f64),
        ("FAILED", summary.totals.failures as f64),
        ("MAX_WORKERS", summary.workers as f64),
        ("PROCESS", summary.processes as f64),
        ("WORKER", 0.0),
        ("REACHED", reached),
        ("RATIO", ratio),
        ("MINUTE_OK", minute.0 as f64),
        ("MINUTE_FAILED", minute.1 as f64),
        ("SETUP_FAILED", failed("setup")),
        ("SESSION_SETUP_FAILED", failed("setup_session")),
    ];
    *ENDED.lock().unwrap_or_else(PoisonError::into_inner) = counts;
}

/// What takes the place of `sys.stdout`: whole lines go to the console of the run, in order with its own.
#[pyclass(frozen, name = "Stdout", module = "molotov._core")]
pub(super) struct Stdout {
    /// Python's own, for everything else.
    original: Py<PyAny>,
    begun: Held<String>,
    /// With `-q` there is no console: scripts print by themselves, then.
    direct: bool,
}

impl Stdout {
    pub(super) fn new(original: Py<PyAny>, direct: bool) -> Stdout {
        Stdout { original, begun: Held::new(String::new()), direct }
    }

    fn show(&self, py: Python<'_>, text: &str) -> PyResult<()> {
        let shown = !self.direct
            && !SETTING_UP.load(Ordering::Relaxed)
            && CONTROL
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_ref()
                .is_some_and(|control| control.line(Line::print(text)));
        if !shown {
            self.original.bind(py).call_method1(intern!(py, "write"), (format!("{text}\n"),))?;
            self.original.bind(py).call_method0(intern!(py, "flush"))?;
        }
        Ok(())
    }
}

/// Shows what scripts have begun to print, and gives back what `sys.stdout` stands for.
pub(super) fn finish_stdout(py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
    match py.import("sys")?.getattr("stdout")?.cast_into::<Stdout>() {
        Ok(ours) => {
            ours.get().finish(py)?;
            Ok(Some(ours.get().original.clone_ref(py)))
        }
        // The script has put something else there.
        Err(_) => Ok(None),
    }
}

#[pymethods]
impl Stdout {
    fn write(&self, py: Python<'_>, text: &str) -> PyResult<usize> {
        let lines = {
            let mut begun = self.begun.borrow_mut(py);
            begun.push_str(text);
            match begun.rfind('\n') {
                None => return Ok(text.chars().count()),
                Some(end) => {
                    let rest = begun.split_off(end + 1);
                    std::mem::replace(&mut *begun, rest)
                }
            }
        };
        self.show(py, &lines[..lines.len() - 1])?;
        Ok(text.chars().count())
    }

    fn writelines(&self, py: Python<'_>, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(py, line?.cast::<PyString>()?.to_str()?)?;
        }
        Ok(())
    }

    /// A line that has only begun waits for its end, or for the end of the run.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.original.bind(py).call_method0(intern!(py, "flush")).map(drop)
    }

    /// Shows a line that has only begun.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let begun = self.begun.replace(py, String::new());
        if begun.is_empty() { Ok(()) } else { self.show(py, &begun) }
    }

    fn writable(&self) -> bool {
        true
    }

    /// Everything else is Python's own.
    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        Ok(self.original.bind(py).getattr(name)?.unbind())
    }
}

/// The part of the package that is written in Rust.
#[pymodule]
pub mod _core {
    use super::*;

    #[pymodule_export]
    use super::super::awaitable::{Awaitable, Token};
    #[pymodule_export]
    use super::super::connections::{Permits, Route};
    #[pymodule_export]
    use super::super::event_loop::wait;
    #[pymodule_export]
    use super::super::interrupts::break_in;
    #[pymodule_export]
    use super::super::jar::Jar;
    #[pymodule_export]
    use super::super::measure::Measure;
    #[pymodule_export]
    use super::super::response::Response;
    #[pymodule_export]
    use super::super::session::{Session, WorkerContext};
    #[pymodule_export]
    use super::super::upload::Upload;
    #[pymodule_export]
    use super::super::worker::Parked;
    #[pymodule_export]
    use super::Stdout;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        awaitable::add_send_slot(module.py());
        module.add("Interrupted", super::super::interrupted(module.py()))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    /// Asks the run to stop.
    #[pyfunction]
    fn stop() {
        STOPPING.store(true, Ordering::Relaxed);
        if let Some(control) = &*CONTROL.lock().unwrap_or_else(PoisonError::into_inner) {
            control.stop();
        }
    }

    #[pyfunction]
    fn is_stopped() -> bool {
        STOPPING.load(Ordering::Relaxed)
    }

    /// The context of the worker whose code is running.
    #[pyfunction]
    fn current_context(py: Python<'_>) -> PyResult<Option<Py<WorkerContext>>> {
        match worker::running() {
            None => Ok(None),
            Some(context) => Ok(Some(Py::new(py, WorkerContext::new(context))?)),
        }
    }

    /// Says something that is worth knowing.
    #[pyfunction]
    fn warn(text: &str) {
        crate::notice::note(text);
    }

    /// Runs a command line. Returns the exit code, and the counts if there was a run.
    #[pyfunction]
    fn run(py: Python<'_>, line: Vec<std::ffi::OsString>) -> (u8, Vec<(&'static str, f64)>) {
        ENDED.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let code = py.detach(|| (host().command_line)(line));
        (code, std::mem::take(&mut *ENDED.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Runs a command line; gives back the code to exit with.
    #[pyfunction]
    fn main(py: Python<'_>, line: Vec<std::ffi::OsString>) -> u8 {
        py.detach(|| (host().command_line)(line))
    }

    /// Runs the command line of one of the commands beside `molotov`; gives back the code to exit with.
    #[pyfunction]
    fn program(
        py: Python<'_>,
        line: Vec<std::ffi::OsString>,
        python: std::path::PathBuf,
        packages: std::path::PathBuf,
    ) -> PyResult<u8> {
        let ran = py.detach(|| (host().program)(line, python, packages));
        ran.ok_or_else(|| pyo3::exceptions::PyValueError::new_err("there is no such command"))
    }

    type Pairs = Vec<(Py<PyBytes>, Py<PyBytes>)>;

    /// Makes one request at once.
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
        let method = http::Method::from_bytes(method.as_bytes())
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
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
        if let Some(most) = redirects {
            request = request.redirects(most);
        }
        let answer = py.detach(|| crate::request(request)).map_err(|error| errors::exception(py, &error))?;
        let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let name = PyBytes::new(py, name.as_str().as_bytes()).unbind();
            (name, PyBytes::new(py, value.as_bytes()).unbind())
        };
        let headers = answer.headers.iter().map(pair).collect();
        Ok((answer.status.as_u16(), headers, PyString::new(py, &String::from_utf8_lossy(&answer.body)).unbind()))
    }
}

/// The modules that are written in Python.
const SOURCES: &[(&str, &str)] = &[
    ("molotov.api", include_str!("lib/molotov/api.py")),
    ("molotov.util", include_str!("lib/molotov/util.py")),
    ("molotov.session", include_str!("lib/molotov/session.py")),
    ("molotov.run", include_str!("lib/molotov/run.py")),
    ("molotov._loop", include_str!("lib/molotov/_loop.py")),
    ("molotov._aiohttp", include_str!("lib/molotov/_aiohttp.py")),
    ("molotov._arguments", include_str!("lib/molotov/_arguments.py")),
    ("molotov.__main__", include_str!("lib/molotov/__main__.py")),
    ("molotov._beside", include_str!("lib/molotov/_beside.py")),
    ("molotov._blocking", include_str!("lib/molotov/_blocking.py")),
    ("molotov._bodies", include_str!("lib/molotov/_bodies.py")),
    ("molotov._classes", include_str!("lib/molotov/_classes.py")),
    ("molotov._connectors", include_str!("lib/molotov/_connectors.py")),
    ("molotov._content", include_str!("lib/molotov/_content.py")),
    ("molotov._events", include_str!("lib/molotov/_events.py")),
    ("molotov._exceptions", include_str!("lib/molotov/_exceptions.py")),
    ("molotov._headers", include_str!("lib/molotov/_headers.py")),
    ("molotov._jars", include_str!("lib/molotov/_jars.py")),
    ("molotov._requests", include_str!("lib/molotov/_requests.py")),
    ("molotov._responses", include_str!("lib/molotov/_responses.py")),
    ("molotov._sessions", include_str!("lib/molotov/_sessions.py")),
    ("molotov._targets", include_str!("lib/molotov/_targets.py")),
    ("molotov._timeouts", include_str!("lib/molotov/_timeouts.py")),
    ("molotov._uploads", include_str!("lib/molotov/_uploads.py")),
    ("molotov._tls", include_str!("lib/molotov/_tls.py")),
    ("molotov._types", include_str!("lib/molotov/_types.py")),
    ("molotov._errors", include_str!("lib/molotov/_errors.py")),
    ("molotov._url", include_str!("lib/molotov/_url.py")),
    ("molotov._processes", include_str!("lib/molotov/_processes.py")),
    ("molotov._runs", include_str!("lib/molotov/_runs.py")),
    ("molotov._environment", include_str!("lib/molotov/_environment.py")),
    ("molotov._statsd", include_str!("lib/molotov/_statsd.py")),
    ("molotov._traces", include_str!("lib/molotov/_traces.py")),
    ("molotov._tracing", include_str!("lib/molotov/_tracing.py")),
    ("molotov._finder", include_str!("lib/molotov/_finder.py")),
    ("molotov", include_str!("lib/molotov/__init__.py")),
];

/// Puts the package into an interpreter that this program has started: no file of it need be installed.
///
/// A package of that name that is installed, such as the original, is not looked at.
pub(super) fn install(py: Python<'_>) -> PyResult<()> {
    let modules = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?;
    if modules.contains("molotov._core")? {
        return Ok(());
    }
    let core = pyo3::wrap_pymodule!(_core)(py);
    let sources = PyDict::new(py);
    for (name, source) in SOURCES {
        sources.set_item(name, source)?;
    }
    let (_, finder) = SOURCES.iter().find(|(name, _)| *name == "molotov._finder").copied().unwrap_or_default();
    let finder = CString::new(finder)?;
    let finder = PyModule::from_code(py, &finder, c"molotov/_finder.py", c"molotov._finder")?;
    finder.call_method1("install", (sources, core))?;
    Ok(())
}
