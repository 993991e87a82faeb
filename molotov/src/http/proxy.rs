//! Proxies, as options of a session.

use std::fmt;

#[cfg(feature = "reqwest")]
use super::{Error, ErrorKind};

/// A proxy for the requests of a session: HTTP, HTTPS or SOCKS (`http://`, `https://`, `socks5://`, `socks5h://`).
///
/// [`Session::new`](crate::session::Session::new) validates the URL.
///
/// ```
/// # use molotov::session::Proxy;
/// let proxy = Proxy::all("http://proxy.example:3128").basic_auth("ada", "secret").no_proxy("localhost, .example.org");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    applies_to: Scheme,
    url: String,
    login: Option<(String, String)>,
    no_proxy: Option<String>,
}

/// The requests that use a proxy, by the scheme of their URL.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    All,
}

impl Proxy {
    /// Returns a proxy for all requests.
    pub fn all(url: impl Into<String>) -> Proxy {
        Proxy { applies_to: Scheme::All, url: url.into(), login: None, no_proxy: None }
    }

    /// Returns a proxy for requests to `http` URLs.
    pub fn http(url: impl Into<String>) -> Proxy {
        Proxy { applies_to: Scheme::Http, ..Proxy::all(url) }
    }

    /// Returns a proxy for requests to `https` URLs.
    pub fn https(url: impl Into<String>) -> Proxy {
        Proxy { applies_to: Scheme::Https, ..Proxy::all(url) }
    }

    /// Sets the user and password that are sent to the proxy.
    #[must_use]
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Proxy {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// Sets the hosts that are reached without the proxy: names, domains (`.example.org`), addresses and networks
    /// (`10.0.0.0/8`), separated by commas.
    #[must_use]
    pub fn no_proxy(mut self, hosts: impl Into<String>) -> Proxy {
        self.no_proxy = Some(hosts.into());
        self
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn to_reqwest(&self) -> Result<reqwest::Proxy, Error> {
        let proxy = match self.applies_to {
            Scheme::All => reqwest::Proxy::all(&self.url),
            Scheme::Http => reqwest::Proxy::http(&self.url),
            Scheme::Https => reqwest::Proxy::https(&self.url),
        };
        let proxy =
            proxy.map_err(|error| Error::new(ErrorKind::Builder, "the proxy cannot be used").with_source(error))?;
        let proxy = proxy.no_proxy(self.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string));
        Ok(match &self.login {
            Some((user, password)) => proxy.basic_auth(user, password),
            None => proxy,
        })
    }
}

// Not derived, because the URL may contain a password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(..)")
    }
}
