//! The headers and cookies in `--header` and `--cookie`.

use std::{fmt, str::FromStr};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Args, InvalidValue};

/// A default header of all requests: `Accept-Language: fr`.
///
/// ```
/// # use molotov::options::Header;
/// let header: Header = "Accept-Language: fr".parse()?;
/// assert_eq!((header.name().as_str(), header.value().as_bytes()), ("accept-language", b"fr".as_slice()));
/// assert!("Accept-Language".parse::<Header>().is_err());
/// # Ok::<(), molotov::options::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: HeaderName,
    value: HeaderValue,
    /// As it was written.
    text: String,
}

impl Header {
    /// Returns the name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// Returns the value.
    pub fn value(&self) -> &HeaderValue {
        &self.value
    }
}

impl FromStr for Header {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Header, InvalidValue> {
        let (name, value) = text.split_once(':').ok_or("write `Name: value`")?;
        let name: HeaderName = name.trim().parse().map_err(|_| "the name of the header is invalid")?;
        if matches!(name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION) {
            return Err(format!("Molotov sets `{name}` for each request").into());
        }
        let value = value.trim().parse().map_err(|_| "the value of the header has characters that cannot be sent")?;
        Ok(Header { name, value, text: text.trim().to_owned() })
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// The value may be a secret.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}: …)", self.name)
    }
}

/// A cookie of all requests: `id=1`.
///
/// ```
/// # use molotov::options::Cookie;
/// let cookie: Cookie = "id=1".parse()?;
/// assert_eq!(cookie.to_string(), "id=1");
/// assert!("id".parse::<Cookie>().is_err());
/// # Ok::<(), molotov::options::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(String);

impl FromStr for Cookie {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Cookie, InvalidValue> {
        let text = text.trim().trim_end_matches(';');
        let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| !name.trim().is_empty());
        if !text.split(';').all(is_pair) {
            return Err("write `name=value`".into());
        }
        match HeaderValue::from_str(text) {
            Ok(_) => Ok(Cookie(text.to_owned())),
            Err(_) => Err("the cookie has characters that cannot be sent".into()),
        }
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// The value is a secret.
impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookie({}=…)", self.0.split('=').next().unwrap_or_default())
    }
}

impl Args {
    /// Returns the default headers of requests, with the cookies.
    pub(crate) fn default_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for Header { name, value, .. } in &self.header {
            headers.append(name, value.clone());
        }
        let cookies: Vec<_> = self.cookie.iter().map(|Cookie(pairs)| pairs.as_str()).collect();
        if !cookies.is_empty()
            && let Ok(cookies) = HeaderValue::from_str(&cookies.join("; "))
        {
            headers.append(header::COOKIE, cookies);
        }
        headers
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn headers_have_a_name_and_a_value() {
        let header: Header = "X-Key:  a: b ".parse().unwrap();
        assert_eq!((header.name().as_str(), header.value()), ("x-key", &HeaderValue::from_static("a: b")));
        assert_eq!(format!("{header:?} {header}"), "Header(x-key: …) X-Key:  a: b");
        for (text, why) in [
            ("Accept", "write `Name: value`"),
            ("a b: c", "the name of the header is invalid"),
            (": c", "the name of the header is invalid"),
            ("a: \u{7}", "the value of the header has characters that cannot be sent"),
            ("Content-Length: 5", "Molotov sets `content-length` for each request"),
        ] {
            assert_eq!(text.parse::<Header>().unwrap_err().to_string(), why, "{text}");
        }
    }

    #[test]
    fn cookies_are_pairs() {
        for (text, cookie) in [("id=1", "id=1"), ("a=1; b=2;", "a=1; b=2"), ("e=", "e="), ("t=x=y", "t=x=y")] {
            assert_eq!(text.parse::<Cookie>().unwrap().to_string(), cookie);
        }
        for text in ["", "id", "=1", "a=1;b"] {
            assert_eq!(text.parse::<Cookie>().unwrap_err().to_string(), "write `name=value`", "{text}");
        }
        assert_eq!(format!("{:?}", "id=hunter2".parse::<Cookie>().unwrap()), "Cookie(id=…)");
        assert!("a=\n".parse::<Cookie>().is_ok(), "trimmed");
        assert!("a=\u{7}x".parse::<Cookie>().is_err());
    }

    #[test]
    fn cookies_become_one_header() {
        let args = Args {
            header: vec!["A: 1".parse().unwrap(), "a: 2".parse().unwrap()],
            cookie: vec!["x=1".parse().unwrap(), "y=2".parse().unwrap()],
            ..Args::default()
        };
        let headers = args.default_headers();
        assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(headers["cookie"], "x=1; y=2");
    }
}
