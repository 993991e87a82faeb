//! State of Python objects, protected by the interpreter's lock.

use std::cell::{Ref, RefCell, RefMut};

use pyo3::Python;

/// A value inside a Python object that is not thread-safe by itself.
///
/// Access requires the token of the interpreter's lock, so one thread at a time uses the value.
pub(super) struct GilCell<T>(RefCell<T>);

// SAFETY: `borrow`, `borrow_mut` and `replace` require the interpreter's lock, and the deallocation of the Python object, which
// drops the value, holds it. The engine uses what the value shares with it (reference counts, wakers) on the event loop's thread
// only, which releases the lock only while it is parked. Interpreters without the lock are not supported: the module says so when
// it is created.
unsafe impl<T> Send for GilCell<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub(super) const fn new(value: T) -> GilCell<T> {
        GilCell(RefCell::new(value))
    }

    pub(super) fn borrow(&self, _py: Python<'_>) -> Ref<'_, T> {
        self.0.borrow()
    }

    pub(super) fn borrow_mut(&self, _py: Python<'_>) -> RefMut<'_, T> {
        self.0.borrow_mut()
    }

    pub(super) fn replace(&self, _py: Python<'_>, value: T) -> T {
        self.0.replace(value)
    }
}
