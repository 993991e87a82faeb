//! The `molotov` package inside the interpreter: what scripts import.

use std::ffi::CString;

use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict},
};

use super::native::_core;

/// The modules that are written in Python.
const SOURCES: &[(&str, &str)] = &[
    ("molotov.api", include_str!("lib/molotov/api.py")),
    ("molotov.util", include_str!("lib/molotov/util.py")),
    ("molotov.session", include_str!("lib/molotov/session.py")),
    ("molotov.run", include_str!("lib/molotov/run.py")),
    ("molotov._exception", include_str!("lib/molotov/_exception.py")),
    ("molotov._loading", include_str!("lib/molotov/_loading.py")),
    ("molotov._loop", include_str!("lib/molotov/_loop.py")),
    ("molotov._aiohttp", include_str!("lib/molotov/_aiohttp.py")),
    ("molotov._arguments", include_str!("lib/molotov/_arguments.py")),
    ("molotov.__main__", include_str!("lib/molotov/__main__.py")),
    ("molotov._fallback", include_str!("lib/molotov/_fallback.py")),
    ("molotov._blocking", include_str!("lib/molotov/_blocking.py")),
    ("molotov._bodies", include_str!("lib/molotov/_bodies.py")),
    ("molotov._classes", include_str!("lib/molotov/_classes.py")),
    ("molotov._connectors", include_str!("lib/molotov/_connectors.py")),
    ("molotov._contexts", include_str!("lib/molotov/_contexts.py")),
    ("molotov._content", include_str!("lib/molotov/_content.py")),
    ("molotov._events", include_str!("lib/molotov/_events.py")),
    ("molotov._exceptions", include_str!("lib/molotov/_exceptions.py")),
    ("molotov._headers", include_str!("lib/molotov/_headers.py")),
    ("molotov._imports", include_str!("lib/molotov/_imports.py")),
    ("molotov._data", include_str!("lib/molotov/_data.py")),
    ("molotov._measures", include_str!("lib/molotov/_measures.py")),
    ("molotov._jars", include_str!("lib/molotov/_jars.py")),
    ("molotov._requests", include_str!("lib/molotov/_requests.py")),
    ("molotov._responses", include_str!("lib/molotov/_responses.py")),
    ("molotov._sessions", include_str!("lib/molotov/_sessions.py")),
    ("molotov._streams", include_str!("lib/molotov/_streams.py")),
    ("molotov._targets", include_str!("lib/molotov/_targets.py")),
    ("molotov._timeouts", include_str!("lib/molotov/_timeouts.py")),
    ("molotov._uploads", include_str!("lib/molotov/_uploads.py")),
    ("molotov._tls", include_str!("lib/molotov/_tls.py")),
    ("molotov._types", include_str!("lib/molotov/_types.py")),
    ("molotov._errors", include_str!("lib/molotov/_errors.py")),
    ("molotov._url", include_str!("lib/molotov/_url.py")),
    ("molotov._websocket", include_str!("lib/molotov/_websocket.py")),
    ("molotov._processes", include_str!("lib/molotov/_processes.py")),
    ("molotov._runs", include_str!("lib/molotov/_runs.py")),
    ("molotov._environment", include_str!("lib/molotov/_environment.py")),
    ("molotov._statsd", include_str!("lib/molotov/_statsd.py")),
    ("molotov._traces", include_str!("lib/molotov/_traces.py")),
    ("molotov._tracing", include_str!("lib/molotov/_tracing.py")),
    ("molotov._finder", include_str!("lib/molotov/_finder.py")),
    ("molotov", include_str!("lib/molotov/__init__.py")),
];

/// The modules as byte code, with the number of its format. Empty if there was no interpreter when this was built.
const COMPILED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/package.marshal"));

/// Makes the package importable in an interpreter that this program has started, without installed files.
///
/// It takes precedence over an installed package of that name, such as the original.
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
    let codes = codes(py)?;
    let finder = finder(py, &codes)?;
    modules.set_item("molotov._finder", &finder)?;
    finder.call_method1("install", (sources, codes, core))?;
    Ok(())
}

/// Returns the module that imports the others.
fn finder<'py>(py: Python<'py>, codes: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyModule>> {
    const NAME: &str = "molotov._finder";
    if let Some(code) = codes.get_item(NAME)? {
        let code = py.import("marshal")?.call_method1("loads", (code,))?;
        let module = PyModule::new(py, NAME)?;
        py.import("builtins")?.call_method1("exec", (code, module.dict()))?;
        return Ok(module);
    }
    let (_, source) = SOURCES.iter().find(|(name, _)| *name == NAME).copied().unwrap_or_default();
    PyModule::from_code(py, &CString::new(source)?, c"molotov/_finder.py", c"molotov._finder")
}

/// Returns the compiled modules, serialized by `marshal`. There are none if this interpreter cannot run them.
fn codes(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let optimized = py.import("sys")?.getattr("flags")?.getattr("optimize")?.is_truthy()?;
    if COMPILED.is_empty() || optimized {
        return Ok(PyDict::new(py));
    }
    let (number, codes): (Bound<'_, PyAny>, Bound<'_, PyDict>) =
        py.import("marshal")?.call_method1("loads", (PyBytes::new(py, COMPILED),))?.extract()?;
    match number.eq(py.import("_frozen_importlib_external")?.getattr("MAGIC_NUMBER")?)? {
        true => Ok(codes),
        false => Ok(PyDict::new(py)),
    }
}
