//! The address in `--host`.

use std::{fmt, str::FromStr};

use url::Url;

use super::InvalidValue;

/// The address of a service, to which requests add their path: `http://127.0.0.1:8080`, `https://example.org/api`.
///
/// A path in the address comes before the path of the request: with `https://example.org/api`, a request for `/cart` goes to
/// `https://example.org/api/cart`. The name of the request in the results stays `GET /cart`.
///
/// ```
/// # use molotov::options::BaseUrl;
/// let address: BaseUrl = "https://example.org/api/".parse()?;
/// assert_eq!(address.to_string(), "https://example.org/api");
/// assert_eq!(address.join("/cart?page=2"), "https://example.org/api/cart?page=2");
/// assert!("127.0.0.1:8080".parse::<BaseUrl>().is_err());
/// # Ok::<(), molotov::options::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// Without a slash at the end.
    text: String,
    /// Where the path begins in `text`.
    path: usize,
}

impl BaseUrl {
    /// Returns the URL of a path, which begins with a slash.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Returns the path of the address, without a slash at its end. It is empty if the address has no path.
    pub(crate) fn prefix(&self) -> &str {
        &self.text[self.path..]
    }

    /// Returns the address, with its password.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<Url> for BaseUrl {
    type Error = InvalidValue;

    fn try_from(url: Url) -> Result<BaseUrl, InvalidValue> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err("use http or https: `http://127.0.0.1:8080`".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("leave out what follows `?` or `#`: requests add their path to the address".into());
        }
        let text = url.as_str().trim_end_matches('/').to_owned();
        let path = text.len().min(url[..url::Position::BeforePath].len());
        Ok(BaseUrl { text, path })
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<BaseUrl, InvalidValue> {
        let text = text.trim();
        let example = || InvalidValue::from("write a URL: `http://127.0.0.1:8080`");
        let address = || Url::parse(&format!("http://{text}")).is_ok_and(|url| url.host_str().is_some());
        match Url::parse(text) {
            Ok(url) if url.has_host() => url.try_into(),
            // `localhost:8080` has the scheme `localhost`.
            _ if !text.contains("//") && !text.starts_with('/') && address() => {
                Err(format!("the scheme is missing: `http://{text}`").into())
            }
            _ => Err(example()),
        }
    }
}

impl TryFrom<&str> for BaseUrl {
    type Error = InvalidValue;

    fn try_from(text: &str) -> Result<BaseUrl, InvalidValue> {
        text.parse()
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<BaseUrl, InvalidValue> {
        text.parse()
    }
}

impl TryFrom<&String> for BaseUrl {
    type Error = InvalidValue;

    fn try_from(text: &String) -> Result<BaseUrl, InvalidValue> {
        text.parse()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// Not derived, so that it shows no password.
impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = Url::parse(&self.text).map_err(|_| fmt::Error)?;
        if url.password().is_some() {
            url.set_password(Some("***")).map_err(|()| fmt::Error)?;
        }
        write!(f, "BaseUrl({url})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn paths_are_added_to_the_path_of_the_address() {
        for (text, prefix, joined) in [
            ("http://127.0.0.1:8080", "", "http://127.0.0.1:8080/cart"),
            ("http://127.0.0.1:8080/", "", "http://127.0.0.1:8080/cart"),
            ("https://example.org:443/api/v2//", "/api/v2", "https://example.org/api/v2/cart"),
            ("http://[::1]:80", "", "http://[::1]/cart"),
            (" HTTP://Example.ORG/A ", "/A", "http://example.org/A/cart"),
            ("http://ada:pw@h", "", "http://ada:pw@h/cart"),
        ] {
            let address: BaseUrl = text.parse().unwrap();
            assert_eq!((address.prefix(), address.join("/cart").as_str()), (prefix, joined), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        let error = |text: &str| text.parse::<BaseUrl>().unwrap_err().to_string();
        for text in ["", "/cart", "http://", "http:///x y", "::", "://h", "mailto:x@y//"] {
            assert_eq!(error(text), "write a URL: `http://127.0.0.1:8080`", "{text}");
        }
        assert_eq!(error("localhost:8080"), "the scheme is missing: `http://localhost:8080`");
        assert_eq!(error("example.org/api"), "the scheme is missing: `http://example.org/api`");
        assert_eq!(error("ws://h"), "use http or https: `http://127.0.0.1:8080`");
        let trailing = "leave out what follows `?` or `#`: requests add their path to the address";
        assert_eq!((error("http://h/?a=1"), error("http://h/#x")), (trailing.to_owned(), trailing.to_owned()));
    }

    #[test]
    fn debug_output_has_no_password() {
        let address: BaseUrl = "http://ada:hunter2@h/api".parse().unwrap();
        assert_eq!(format!("{address:?}"), "BaseUrl(http://ada:***@h/api)");
    }
}
