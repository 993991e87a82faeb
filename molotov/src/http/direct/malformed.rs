//! Responses that are not valid HTTP/1.

use crate::http::{Error, ErrorKind};

/// The reason why a response is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl From<Malformed> for Error {
    fn from(Malformed(reason): Malformed) -> Error {
        Error::new(ErrorKind::Protocol, format!("the server's response is not valid HTTP: {reason}"))
    }
}
