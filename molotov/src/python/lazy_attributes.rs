//! Attributes that scripts rarely use, made when a script asks for them.
//!
//! They are descriptors instead of a method `__getattr__`, so that the interpreter finds all other attributes by its own, fast way.

use pyo3::{
    PyTypeInfo,
    prelude::*,
    types::{PyString, PyType},
};

/// Makes the attribute with this name of an object.
pub(super) type Make = fn(&Bound<'_, PyAny>, &str) -> PyResult<Py<PyAny>>;

/// A descriptor without `__set__`: an attribute with the same name in the dictionary of the object has precedence.
#[pyclass(frozen)]
struct LazyAttribute {
    name: &'static str,
    make: Make,
}

#[pymethods]
impl LazyAttribute {
    fn __get__(
        slf: &Bound<'_, Self>,
        object: &Bound<'_, PyAny>,
        class: Option<&Bound<'_, PyType>>,
    ) -> PyResult<Py<PyAny>> {
        let _ = class;
        if object.is_none() {
            return Ok(slf.clone().into_any().unbind());
        }
        (slf.get().make)(object, slf.get().name)
    }
}

/// Adds attributes to a class.
pub(super) fn add<T: PyTypeInfo>(py: Python<'_>, names: &[&'static str], make: Make) -> PyResult<()> {
    let class = T::type_object(py);
    for name in names {
        class.setattr(PyString::intern(py, name), Bound::new(py, LazyAttribute { name, make })?)?;
    }
    Ok(())
}
