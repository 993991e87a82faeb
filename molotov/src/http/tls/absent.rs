//! The replacement for TLS in builds without its feature.

/// The TLS options of a session: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsOptions {}
