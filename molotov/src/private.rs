//! private.
