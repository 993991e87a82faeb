//! In place of cookies, in programs that are built without their feature.

use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::{
    http::{Error, ErrorKind},
    missing::missing,
};

/// Which of the cookies that servers set are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kept {
    #[default]
    All,
    /// Those of servers that have a name.
    OfNames,
    Nothing,
}

/// The jar of a worker, always empty.
#[derive(Debug, Default)]
pub(crate) struct Jar;

impl Jar {
    pub(crate) fn new(_: Kept) -> Jar {
        Jar
    }

    pub(crate) fn kept(&self) -> Kept {
        Kept::Nothing
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
