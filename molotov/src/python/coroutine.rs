//! Python's coroutine protocol: stepping a coroutine, and being stepped as one.

use pyo3::{
    exceptions::{PyBaseException, PyStopIteration},
    ffi, intern,
    prelude::*,
    types::PyType,
};

/// The outcome of a coroutine's step.
pub(super) enum Step<'py> {
    /// The coroutine waits for this object.
    Yielded(Bound<'py, PyAny>),
    /// The coroutine returned.
    Returned(Bound<'py, PyAny>),
    /// The coroutine raised an exception.
    Raised(PyErr),
}

impl Step<'_> {
    /// The outcome as `send` and `throw` report it: a returned value is a `StopIteration`.
    pub(super) fn into_result(self) -> PyResult<Py<PyAny>> {
        match self {
            Step::Yielded(value) => Ok(value.unbind()),
            Step::Returned(value) => Err(PyStopIteration::new_err((value.unbind(),))),
            Step::Raised(error) => Err(error),
        }
    }
}

/// Resumes a coroutine, or throws an exception into it.
pub(super) fn step<'py>(coroutine: &Bound<'py, PyAny>, thrown: Option<PyErr>) -> Step<'py> {
    let py = coroutine.py();
    if let Some(error) = thrown {
        return match coroutine.call_method1(intern!(py, "throw"), (error.into_value(py),)) {
            Ok(value) => Step::Yielded(value),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                match error.value(py).getattr(intern!(py, "value")) {
                    Ok(value) => Step::Returned(value),
                    Err(error) => Step::Raised(error),
                }
            }
            Err(error) => Step::Raised(error),
        };
    }
    let mut result = std::ptr::null_mut();
    // SAFETY: the coroutine and `None` are alive, and the call writes `result`: a new reference, or null on error.
    unsafe {
        match ffi::PyIter_Send(coroutine.as_ptr(), ffi::Py_None(), &mut result) {
            ffi::PySendResult::PYGEN_NEXT => Step::Yielded(Bound::from_owned_ptr(py, result)),
            ffi::PySendResult::PYGEN_RETURN => Step::Returned(Bound::from_owned_ptr(py, result)),
            ffi::PySendResult::PYGEN_ERROR => Step::Raised(PyErr::fetch(py)),
        }
    }
}

/// The exception that the arguments of `throw` describe.
pub(super) fn thrown_exception(kind: &Bound<'_, PyAny>, value: Option<&Bound<'_, PyAny>>) -> PyResult<PyErr> {
    if !kind.is_instance_of::<PyType>() {
        return Ok(PyErr::from_value(kind.clone()));
    }
    match value {
        Some(value) if value.is_instance_of::<PyBaseException>() => Ok(PyErr::from_value(value.clone())),
        Some(value) if !value.is_none() => Ok(PyErr::from_value(kind.call1((value,))?)),
        _ => Ok(PyErr::from_value(kind.call0()?)),
    }
}

/// Makes the objects of a class awaitable: implements the coroutine protocol on its
/// `fn step(&Bound<Self>, thrown: Option<PyErr>) -> Step`, beside the methods given.
///
/// A class has one block of methods, so the macro writes all of it.
macro_rules! coroutine_methods {
    (impl $class:ident { $($methods:tt)* }) => {
        #[pymethods]
        impl $class {
            fn __await__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __iter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
                $class::step(slf, None).into_result()
            }

            fn send(slf: &Bound<'_, Self>, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                $class::step(slf, None).into_result()
            }

            #[pyo3(signature = (kind, value=None, traceback=None))]
            fn throw(
                slf: &Bound<'_, Self>,
                kind: &Bound<'_, PyAny>,
                value: Option<&Bound<'_, PyAny>>,
                traceback: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Py<PyAny>> {
                let _ = traceback;
                let thrown = $crate::python::coroutine::thrown_exception(kind, value)?;
                $class::step(slf, Some(thrown)).into_result()
            }

            $($methods)*
        }
    };
}

pub(super) use coroutine_methods;
