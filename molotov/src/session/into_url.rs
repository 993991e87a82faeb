//! The types that can be the URL of a request.

use std::rc::Rc;

use url::Url;

use crate::http::{
    Error, ErrorKind,
    target::{Base, Target},
};

/// A type that can be used as the URL of a request: text, or a [`Url`].
///
/// A text is parsed once per thread. If it begins with a slash (`/cart`), it is a path on the host of `--host`, or of
/// [`SessionOptions::base_url`](super::SessionOptions::base_url). A user and password in the URL (`http://user:password@host/`) are sent as Basic
/// authorization, and removed from the URL.
pub trait IntoUrl: sealed::IntoTarget {}

impl<T: sealed::IntoTarget> IntoUrl for T {}

mod sealed {
    use super::*;

    /// Parses a URL, or a path under `base`.
    fn parse(text: &str, base: Option<&Base>) -> Result<Rc<Target>, Error> {
        if !text.starts_with('/') {
            return Target::parse(text);
        }
        let Some(base) = base else {
            return Err(Error::new(ErrorKind::Builder, format!("`{text}` has no host"))
                .with_hint("pass `--host http://127.0.0.1:8080`, or set `SessionOptions::base_url` in `setup`"));
        };
        base.target(text)
    }

    #[allow(private_interfaces, reason = "private to the crate")]
    pub trait IntoTarget {
        fn into_target(self, base: Option<&Base>) -> Result<Rc<Target>, Error>;
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &str {
        fn into_target(self, base: Option<&Base>) -> Result<Rc<Target>, Error> {
            parse(self, base)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for String {
        fn into_target(self, base: Option<&Base>) -> Result<Rc<Target>, Error> {
            parse(&self, base)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &String {
        fn into_target(self, base: Option<&Base>) -> Result<Rc<Target>, Error> {
            parse(self, base)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for Url {
        fn into_target(self, _: Option<&Base>) -> Result<Rc<Target>, Error> {
            Target::from_url(self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &Url {
        fn into_target(self, _: Option<&Base>) -> Result<Rc<Target>, Error> {
            Target::parse(self.as_str())
        }
    }
}
