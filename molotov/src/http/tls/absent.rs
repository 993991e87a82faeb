//! In place of TLS, in programs that are built without its feature.

/// What a session asks of TLS: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsOptions {}
