//! HTTP on the wire: the two transports, and the thin steps around them (redirects, cookies, decoding).

#[cfg(feature = "cookies")]
pub(crate) mod cookies;
#[cfg(not(feature = "cookies"))]
#[path = "cookies/absent.rs"]
pub(crate) mod cookies;
pub(crate) mod decode;
pub(crate) mod direct;
mod dns;
mod error;
mod length;
pub mod multipart;
pub(crate) mod permits;
#[cfg(feature = "http2")]
mod pump;
pub(crate) mod redirect;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
pub(crate) mod target;
mod timer;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/absent.rs"]
pub(crate) mod tls;
pub(crate) mod wire;

#[doc(hidden)]
pub use direct::{Parsed, parse_response};
pub use error::{Error, ErrorKind};
#[cfg(feature = "tls")]
pub use tls::{Certificate, Identity};

/// Any error, as it is kept for the source chain of an [`Error`].
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
