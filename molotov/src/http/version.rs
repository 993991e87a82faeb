//! The choice between versions of HTTP.

/// The version of HTTP that connections use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HttpVersionPolicy {
    /// HTTP/2 if TLS negotiates it, HTTP/1.1 otherwise.
    #[default]
    Auto,
    Http1Only,
    /// HTTP/2 without negotiation.
    Http2PriorKnowledge,
}
