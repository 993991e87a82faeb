//! State of Python objects: touched by whoever holds the interpreter, and by nobody else.

use std::cell::{Ref, RefCell, RefMut};

use pyo3::Python;

/// A value inside a Python object that is not made for several threads.
///
/// Access asks for the token of the interpreter's lock, so there is one thread at a time.
pub(super) struct Held<T>(RefCell<T>);

// SAFETY: the value is reached only through `borrow` and `borrow_mut`, which ask for the interpreter's lock, and dropped by
// the deallocation of its Python object, which holds it too. What it shares with the engine (reference counts, wakers) the
// engine touches on the event loop's thread, which lets go of the lock only while it is parked. Interpreters without the lock
// are not supported: the module says so when it is made.
unsafe impl<T> Send for Held<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Held<T> {}

impl<T> Held<T> {
    pub(super) const fn new(value: T) -> Held<T> {
        Held(RefCell::new(value))
    }

    pub(super) fn borrow(&self, _held: Python<'_>) -> Ref<'_, T> {
        self.0.borrow()
    }

    pub(super) fn borrow_mut(&self, _held: Python<'_>) -> RefMut<'_, T> {
        self.0.borrow_mut()
    }

    pub(super) fn replace(&self, _held: Python<'_>, value: T) -> T {
        self.0.replace(value)
    }
}
