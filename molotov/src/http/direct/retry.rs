//! Whether a failed request may be sent again.

use http::Method;

use super::malformed::Malformed;
use crate::http::Error;

/// Whether a request without a response may be sent again on another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// No: the server started to respond, or the request itself failed.
    Never,
    /// If its method is idempotent: the connection closed, or the server says that it did not process the request. The
    /// server may still have counted it.
    IfIdempotent,
    /// Yes: nothing was sent, because the connection had been closed before.
    Always,
}

/// Why a request has no response.
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) retry: Retry,
}

impl From<Malformed> for Failed {
    fn from(malformed: Malformed) -> Failed {
        Failed { error: malformed.into(), retry: Retry::Never }
    }
}

/// Returns whether a method is idempotent (RFC 9110, section 9.2.2).
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS | Method::TRACE)
}
