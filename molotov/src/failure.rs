//! failure.
