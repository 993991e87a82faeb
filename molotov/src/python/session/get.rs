//! The method `get` for calls without keywords, which most requests are.
//!
//! The interpreter makes a tuple for the arguments of PyO3's methods with `**keywords`. This one takes the arguments as they are,
//! and leaves all other calls to PyO3's.

use std::slice;

use http::Method;
use pyo3::{PyTypeInfo, ffi, intern, prelude::*, sync::PyOnceLock};

use super::{Session, request};

/// PyO3's method.
static GENERAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Puts this method into the place of PyO3's.
pub(super) fn replace(py: Python<'_>) -> PyResult<()> {
    let class = Session::type_object(py);
    let general = class.getattr(intern!(py, "get"))?;
    let _ = GENERAL.set(py, general.unbind());
    // The class lives as long as the program.
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: c"get".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: get },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: c"get($self, url, **keywords)\n--\n\n".as_ptr(),
    }));
    // SAFETY: the definition is never freed. The result is a new reference, or null with an exception set.
    let method = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyDescr_NewMethod(class.as_type_ptr(), definition)) }?;
    class.setattr(intern!(py, "get"), method)
}

/// Called by the interpreter with the positional arguments, then the values of the keywords.
unsafe extern "C" fn get(
    session: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls a method with an object of its class, `count` arguments, a tuple of the names of the keywords
    // or null, and their values after the arguments. All are alive during the call.
    let (py, made) = unsafe {
        let py = Python::assume_attached();
        if count == 1 && keywords.is_null() {
            let session = Bound::from_borrowed_ptr(py, session).cast_into_unchecked::<Session>();
            let url = Bound::from_borrowed_ptr(py, *arguments);
            let made = request::start(&session, Method::GET, &url, None);
            (py, made.and_then(|made| Bound::new(py, made)).map(Bound::into_any))
        } else {
            let names = if keywords.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(keywords) };
            let given = slice::from_raw_parts(arguments, (count + names) as usize);
            let all = [slice::from_ref(&session), given].concat();
            (py, call_general(py, &all, count as usize + 1, keywords))
        }
    };
    match made {
        Ok(made) => made.into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

/// Calls PyO3's method.
///
/// # Safety
///
/// `all` has `count` arguments, of which the session is the first, then the values of the keywords whose names `keywords` has.
unsafe fn call_general<'py>(
    py: Python<'py>,
    all: &[*mut ffi::PyObject],
    count: usize,
    keywords: *mut ffi::PyObject,
) -> PyResult<Bound<'py, PyAny>> {
    let general = GENERAL.get(py).map_or_else(|| py.None(), |general| general.clone_ref(py));
    // SAFETY: all pointers are valid. The result is a new reference, or null with an exception set.
    unsafe {
        Bound::from_owned_ptr_or_err(py, ffi::PyObject_Vectorcall(general.as_ptr(), all.as_ptr(), count, keywords))
    }
}
