//! The replacement for cookies in builds without their feature.

use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::{
    http::{Error, ErrorKind},
    missing::missing,
};

/// The cookies to store from responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CookiePolicy {
    /// All cookies.
    #[default]
    Accept,
    /// Those from servers with a host name, and not an IP address.
    NamedHosts,
    /// No cookies.
    Reject,
}

/// The cookies of a worker, which are always empty.
#[derive(Debug, Default)]
pub(crate) struct Jar;

impl Jar {
    pub(crate) fn new(_: CookiePolicy) -> Jar {
        Jar
    }

    pub(crate) fn policy(&self) -> CookiePolicy {
        CookiePolicy::Reject
    }

    pub(crate) fn add(&self, _: &str, _: &Url) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Builder, missing("cookies are not supported", "cookies")))
    }

    pub(crate) fn store(&self, _: &HeaderMap, _: &Url) {}

    pub(crate) fn header(&self, _: &Url) -> Option<HeaderValue> {
        None
    }

    pub(crate) fn is_empty(&self) -> bool {
        true
    }
}
