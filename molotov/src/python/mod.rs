//! Python scripts: they register into the same registry and are run by the same engine as Rust scenarios.
#![allow(unsafe_code, reason = "coroutines are stepped through the interpreter's own interface; each block says why")]

mod awaitable;
mod connections;
mod errors;
mod event_loop;
mod host;
mod interpreter;
mod interrupts;
mod jar;
mod json;
mod listeners;
mod local;
mod measure;
mod modules;
mod names;
mod options;
mod response;
mod script;
mod session;
mod upload;
mod worker;

use pyo3::{create_exception, exceptions::PyBaseException, prelude::*};

pub(crate) use host::Host;
pub(crate) use interpreter::keep_handlers;
#[doc(hidden)]
pub use interpreter::version;
pub(crate) use interrupts::{interrupt, interrupt_on};
pub use modules::_core;
pub(crate) use modules::{set_control, set_ended};
pub(crate) use script::{LoadError, finish, load, start};

create_exception!(
    molotov._core,
    Interrupted,
    PyBaseException,
    "The run has been forced down while this code was busy."
);

/// The class of what breaks into busy code.
fn interrupted(py: Python<'_>) -> Bound<'_, pyo3::types::PyType> {
    py.get_type::<Interrupted>()
}

/// A module of our Python part.
fn module<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyModule>> {
    py.import(format!("molotov.{name}"))
}
