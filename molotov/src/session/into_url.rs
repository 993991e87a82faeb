//! The types that can be the URL of a request.

use std::rc::Rc;

use url::Url;

use crate::http::{Error, target::Target};

/// A type that can be used as the URL of a request: text, or a [`Url`].
///
/// A text is parsed once per thread. A user and password in the URL (`http://user:password@host/`) are sent as Basic
/// authorization, and removed from the URL.
pub trait IntoUrl: sealed::IntoTarget {}

impl<T: sealed::IntoTarget> IntoUrl for T {}

mod sealed {
    use super::*;

    #[allow(private_interfaces, reason = "private to the crate")]
    pub trait IntoTarget {
        fn into_target(self) -> Result<Rc<Target>, Error>;
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &str {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::parse(self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for String {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::parse(&self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &String {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::parse(self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for Url {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::from_url(self)
        }
    }

    #[allow(private_interfaces, reason = "as above")]
    impl IntoTarget for &Url {
        fn into_target(self) -> Result<Rc<Target>, Error> {
            Target::parse(self.as_str())
        }
    }
}
