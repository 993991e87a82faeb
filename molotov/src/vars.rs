//! vars.
