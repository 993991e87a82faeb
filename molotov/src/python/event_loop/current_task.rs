//! The current task of asyncio while the engine steps coroutines.
//!
//! asyncio has a table of the current tasks by event loop. An entry that is added and removed for each step would be slow, so it
//! stays during a turn of the runtime. Between steps, it is `None`, which is also what `asyncio.current_task()` returns without
//! an entry.

use std::cell::Cell;

use pyo3::{ffi, prelude::*, types::PyDict};

use crate::python::asyncio;

/// The entry of an event loop in asyncio's table.
pub(in crate::python) struct CurrentTask {
    event_loop: Py<PyAny>,
    /// asyncio's table. `None` in versions of Python without one.
    table: Option<Py<PyDict>>,
    /// The entry stays until the end of the turn.
    stays: Cell<bool>,
    /// A worker's task is the current task.
    is_entered: Cell<bool>,
}

impl CurrentTask {
    pub(super) fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<CurrentTask> {
        let py = event_loop.py();
        // Later versions do not use the table.
        let table = if py.version_info() < (3, 14) {
            py.import("asyncio.tasks")?.getattr("_current_tasks")?.cast_into::<PyDict>().ok()
        } else {
            None
        };
        Ok(CurrentTask {
            event_loop: event_loop.clone().unbind(),
            table: table.map(Bound::unbind),
            stays: Cell::new(false),
            is_entered: Cell::new(false),
        })
    }

    /// Makes a task the current task. During a turn of the runtime, the entry stays.
    ///
    /// # Errors
    ///
    /// If another task is the current task.
    pub(super) fn enter(&self, py: Python<'_>, task: &Py<PyAny>, in_turn: bool) -> PyResult<()> {
        let event_loop = self.event_loop.bind(py);
        let Some(table) = &self.table else { return asyncio::enter_task(py, event_loop, task) };
        let table = table.bind(py);
        let is_free = if self.stays.get() { !self.is_entered.get() } else { table.get_item(event_loop)?.is_none() };
        if !is_free {
            // The function raises the exception.
            return asyncio::enter_task(py, event_loop, task);
        }
        table.set_item(event_loop, task)?;
        self.stays.set(in_turn);
        self.is_entered.set(true);
        Ok(())
    }

    /// Ends what [`CurrentTask::enter`] began.
    ///
    /// # Errors
    ///
    /// If another task is the current task.
    pub(super) fn leave(&self, py: Python<'_>, task: &Py<PyAny>) -> PyResult<()> {
        let event_loop = self.event_loop.bind(py);
        let Some(table) = &self.table else { return asyncio::leave_task(py, event_loop, task) };
        self.is_entered.set(false);
        if self.stays.get() {
            return table.bind(py).set_item(event_loop, py.None());
        }
        // It raises an exception if the script has left the task.
        asyncio::leave_task(py, event_loop, task)
    }

    /// Removes the entry, so that asyncio can step tasks.
    pub(in crate::python) fn clear(&self, py: Python<'_>) {
        if self.stays.replace(false)
            && let Some(table) = &self.table
        {
            // SAFETY: both objects are alive.
            if unsafe { ffi::PyDict_DelItem(table.as_ptr(), self.event_loop.as_ptr()) } != 0 {
                // The script has removed it.
                drop(PyErr::take(py));
            }
        }
    }
}
