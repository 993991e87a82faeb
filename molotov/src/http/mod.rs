//! HTTP on the wire: the two transports, and the thin steps around them (redirects, cookies, decoding).

pub(crate) mod cookies;
pub(crate) mod decode;
pub(crate) mod direct;
mod dns;
mod error;
pub mod multipart;
pub(crate) mod permits;
mod pump;
pub(crate) mod redirect;
pub(crate) mod reqwest;
pub(crate) mod target;
mod timer;
pub(crate) mod tls;
pub(crate) mod wire;

#[doc(hidden)]
pub use direct::{Parsed, parse_response};
pub use error::{Error, ErrorKind};
pub use tls::{Certificate, Identity};

/// Any error, as it is kept for the source chain of an [`Error`].
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
