//! HTTP: the two transports, and the parts around them (redirects, cookies, decoding).
#![cfg_attr(not(feature = "python"), allow(dead_code, reason = "other languages use more of it than Rust"))]

pub(crate) mod body;
#[cfg(feature = "cookies")]
pub(crate) mod cookies;
#[cfg(not(feature = "cookies"))]
#[path = "cookies/absent.rs"]
pub(crate) mod cookies;
pub(crate) mod decode;
pub(crate) mod direct;
mod dns;
mod error;
pub(crate) mod headers;
mod length;
pub mod multipart;
pub(crate) mod options;
pub(crate) mod permits;
pub(crate) mod proxy;
#[cfg(feature = "http2")]
mod pump;
pub(crate) mod redirect;
pub(crate) mod request;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
pub(crate) mod response;
pub(crate) mod target;
mod timeout;
pub(crate) mod timer;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/absent.rs"]
pub(crate) mod tls;
pub(crate) mod upgraded;
pub(crate) mod version;

#[doc(hidden)]
pub use direct::{Parsed, parse_response};
pub use error::{Error, ErrorKind};
#[cfg(feature = "tls")]
pub use tls::{Certificate, Identity};

/// Any error, as the source of an [`Error`].
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
