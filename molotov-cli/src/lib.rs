//! The Python wheel: the same command, started by the user's own interpreter as `molotov._core`.

pub use molotov::python::_core;
