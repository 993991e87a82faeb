//! The replacement of `sys.stdout` during a run.

use pyo3::{intern, prelude::*, types::PyString};

use super::{gil_cell::GilCell, run_state};

/// Replaces `sys.stdout`: sends complete lines to the console of the run, in order with the console's own lines.
#[pyclass(frozen, name = "Stdout", module = "molotov._core")]
pub(super) struct Stdout {
    /// The stream that this object replaces.
    original: Py<PyAny>,
    /// The start of a line that is not complete.
    partial: GilCell<String>,
    /// With `-q` there is no console, so output goes to the original stream.
    direct: bool,
}

impl Stdout {
    pub(super) fn new(original: Py<PyAny>, direct: bool) -> Stdout {
        Stdout { original, partial: GilCell::new(String::new()), direct }
    }

    fn show(&self, py: Python<'_>, text: &str) -> PyResult<()> {
        let shown = !self.direct && run_state::print(text);
        if !shown {
            self.original.bind(py).call_method1(intern!(py, "write"), (format!("{text}\n"),))?;
            self.original.bind(py).call_method0(intern!(py, "flush"))?;
        }
        Ok(())
    }
}

/// Shows an incomplete last line, and returns the stream that `sys.stdout` replaced. `None` if a script has replaced `sys.stdout`.
pub(super) fn finish(py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
    match py.import("sys")?.getattr("stdout")?.cast_into::<Stdout>() {
        Ok(ours) => {
            ours.get().finish(py)?;
            Ok(Some(ours.get().original.clone_ref(py)))
        }
        Err(_) => Ok(None),
    }
}

#[pymethods]
impl Stdout {
    fn write(&self, py: Python<'_>, text: &str) -> PyResult<usize> {
        let lines = {
            let mut partial = self.partial.borrow_mut(py);
            partial.push_str(text);
            match partial.rfind('\n') {
                None => return Ok(text.chars().count()),
                Some(end) => {
                    let rest = partial.split_off(end + 1);
                    std::mem::replace(&mut *partial, rest)
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

    /// Flushes the original stream. An incomplete line is shown when it is completed, or at the end of the run.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.original.bind(py).call_method0(intern!(py, "flush")).map(drop)
    }

    /// Shows an incomplete line.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let partial = self.partial.replace(py, String::new());
        if partial.is_empty() { Ok(()) } else { self.show(py, &partial) }
    }

    fn writable(&self) -> bool {
        true
    }

    /// Any other attribute is the original stream's.
    fn __getattr__(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        Ok(self.original.bind(py).getattr(name)?.unbind())
    }
}
