//! Python scripts. They implement the traits of the registry, so the engine runs them like scenarios in Rust.
#![allow(
    unsafe_code,
    reason = "coroutines are stepped through the interpreter's C interface; each block says why it is sound"
)]

mod asyncio;
mod awaitable;
mod classes;
mod context;
mod coroutine;
mod data;
mod delay;
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub mod environment;
mod errors;
mod event_loop;
mod gil_cell;
mod group;
mod host;
mod interpreter;
mod interrupts;
mod json;
mod lazy_attributes;
mod measures;
mod native;
mod operation;
mod options;
mod package;
mod response;
mod run_state;
mod script;
mod server_sent_events;
mod session;
mod stdout;
mod upload;
mod websocket;
mod worker;

use pyo3::prelude::*;

pub(crate) use host::Host;
#[doc(hidden)]
pub use host::Wheel;
pub(crate) use interpreter::restore_handlers;
#[doc(hidden)]
pub use interpreter::version;
pub(crate) use interrupts::{interrupt, interrupt_on};
pub use native::_core;
#[cfg(feature = "cluster")]
pub(crate) use run_state::set_set_up_lines;
pub(crate) use run_state::{set_control, set_ended};
pub(crate) use script::{LoadError, finish, load, start};

/// A module of the Python package.
fn module<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyModule>> {
    py.import(format!("molotov.{name}"))
}
