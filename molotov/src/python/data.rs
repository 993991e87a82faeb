//! The data files of scripts: `molotov.data("users.csv")`.

use std::{cell::RefCell, path::PathBuf, sync::Arc};

use pyo3::{exceptions::PyValueError, prelude::*, types::PyDict};
use serde_json::value::RawValue;

use super::{context::WorkerContext, errors::DataExhausted, json, options, run_state};
use crate::{
    data::{Each, RawRow, RowError, Rows},
    failure::Failure,
};

/// The rows of a file. Forked processes share it.
#[pyclass(frozen, name = "Rows", module = "molotov._core")]
pub(super) struct ScriptRows {
    rows: Arc<Rows>,
    each: Each,
}

/// The rows that a worker keeps, with the file and the step for which it got each.
#[derive(Default)]
struct KeptRows(RefCell<Vec<Kept>>);

struct Kept {
    file: Arc<Rows>,
    step: Option<u64>,
    row: Py<PyAny>,
}

#[pymethods]
impl ScriptRows {
    #[new]
    fn new(py: Python<'_>, path: &str, folder: Option<PathBuf>, each: &str, order: &str) -> PyResult<ScriptRows> {
        let each = match each {
            "worker" => Each::Worker,
            "run" => Each::Run,
            _ => return Err(PyValueError::new_err(format!("`each` is \"worker\" or \"run\", not {each:?}"))),
        };
        let order = order.parse().map_err(|error: String| PyValueError::new_err(error))?;
        let args = options::args(py).into_bound(py);
        let seed = if args.is_none() { None } else { args.getattr("seed")?.extract()? };
        let rows = Rows::open(path, folder.as_deref(), order, seed, &mut |_| Ok(()));
        let rows = Arc::new(rows.map_err(|error| PyValueError::new_err(error.to_string()))?);
        run_state::opened(rows.clone());
        Ok(ScriptRows { rows, each })
    }

    fn __len__(&self) -> usize {
        self.rows.len() as usize
    }

    /// Takes the next row.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let taken = self.rows.take(|row| Ok(to_python(py, row)));
        taken.map_err(exception)?
    }

    /// The row of a worker, which it takes at the first call, or at the first call of each run.
    fn kept<'py>(&self, py: Python<'py>, worker: &Bound<'py, WorkerContext>) -> PyResult<Bound<'py, PyAny>> {
        let context = worker.get().inner.borrow(py).clone();
        let step = (self.each == Each::Run).then(|| context.step());
        let kept = context.attached::<KeptRows>().unwrap_or_else(|| {
            context.attach(KeptRows::default());
            context.attached().expect("it has just been attached")
        });
        let mut kept = kept.0.borrow_mut();
        if let Some(known) = kept.iter().find(|kept| Arc::ptr_eq(&kept.file, &self.rows) && kept.step == step) {
            return Ok(known.row.bind(py).clone());
        }
        let row = self.take(py)?;
        kept.retain(|kept| !Arc::ptr_eq(&kept.file, &self.rows));
        kept.push(Kept { file: self.rows.clone(), step, row: row.clone().unbind() });
        Ok(row)
    }
}

fn exception(failure: Failure) -> PyErr {
    match failure.is_end_of_rows() {
        true => DataExhausted::new_err(failure.to_string()),
        false => PyValueError::new_err(failure.to_string()),
    }
}

/// A row as a dictionary of texts, or what its JSON is in Python.
fn to_python<'py>(py: Python<'py>, row: RawRow<'_>) -> PyResult<Bound<'py, PyAny>> {
    match row {
        RawRow::Csv { record, headers } => {
            let fields = PyDict::new(py);
            for (name, value) in headers.iter().zip(record) {
                fields.set_item(name, value)?;
            }
            Ok(fields.into_any())
        }
        RawRow::Json(_) => {
            let text: Result<Box<RawValue>, RowError> = row.deserialize();
            let text = text.map_err(|_| PyValueError::new_err("the row is not JSON"))?;
            json::loads(py, text.get().as_bytes())
        }
    }
}
