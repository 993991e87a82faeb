//! The functions of a script.

use std::{borrow::Cow, path::Path, rc::Rc};

use pyo3::{prelude::*, types::PyTuple};

use crate::{
    Result,
    python::{errors, module, worker::Worker},
    registry::Origin,
    session::Context,
};

/// A function of a script, and where it is defined.
pub(super) struct Function {
    pub(super) function: Py<PyAny>,
    pub(super) origin: Origin,
}

impl Function {
    pub(super) fn new(py: Python<'_>, function: &Bound<'_, PyAny>) -> PyResult<Function> {
        let (home, name, file, line): (String, String, String, u32) =
            module(py, "_loading")?.call_method1("place", (function,))?.extract()?;
        let here = std::env::current_dir().unwrap_or_default();
        let file = match Path::new(&file).strip_prefix(&here) {
            Ok(short) => short.to_string_lossy().into_owned(),
            Err(_) => file,
        };
        let origin = Origin {
            function: Cow::Owned(name),
            module: Cow::Owned(home.replace('.', "::")),
            file: Cow::Owned(file),
            line,
            extension: None,
        };
        Ok(Function { function: function.clone().unbind(), origin })
    }

    /// The origin of what the package does itself.
    pub(super) fn built_in(function: &'static str) -> Origin {
        Origin {
            function: Cow::Borrowed(function),
            module: Cow::Borrowed("(python)"),
            file: Cow::Borrowed(Origin::BUILT_IN),
            line: 0,
            extension: None,
        }
    }

    /// Calls a coroutine function, and runs the coroutine as the worker.
    pub(super) async fn run(
        &self,
        context: &Context,
        worker: &Rc<Worker>,
        arguments: impl FnOnce(Python<'_>) -> PyResult<Py<PyTuple>>,
    ) -> Result<Py<PyAny>> {
        let coroutine = Python::attach(|py| {
            let arguments = arguments(py)?;
            self.function.bind(py).call1(arguments.bind(py)).map(Bound::unbind)
        });
        let coroutine = coroutine.map_err(errors::failure)?;
        worker.run(context, coroutine).await.map_err(errors::failure)
    }
}
