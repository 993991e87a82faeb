//! The classes that our objects pass for.

use pyo3::{PyTypeInfo, intern, prelude::*};

use super::module;

/// The class that `isinstance` sees for one of our objects. A script's subclass is seen as itself.
pub(super) fn class_of<'py, T: PyTypeInfo>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let (py, own) = (object.py(), object.get_type());
    if !own.is(T::type_object(py)) {
        return Ok(own.into_any());
    }
    module(py, "_classes")?.call_method1(intern!(py, "class_of"), (own, name))
}
