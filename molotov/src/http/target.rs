//! A URL made ready for the wire, parsed once per thread and kept.

use std::{
    cell::{OnceCell, RefCell},
    num::NonZeroUsize,
    rc::Rc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, Method};
use lru::LruCache;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{Error, ErrorKind};

/// How many URLs and origins a thread keeps; one more takes the place of the one that was used least recently.
const KEPT: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Where requests of one kind of connection go.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A URL with all that a transport asks of it.
#[derive(Debug)]
pub(crate) struct Target {
    /// Without user and password, which nobody is to see.
    pub(crate) url: Url,
    /// The header that sends them.
    pub(crate) authorization: Option<HeaderValue>,
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "only the feature `http2` uses it"))]
    pub(crate) https: bool,
    /// The `Host` header: the default port left out, an IPv6 address in brackets.
    pub(crate) authority: String,
    pub(crate) path_and_query: String,
    /// Interned per thread, so that comparing two is mostly comparing pointers.
    pub(crate) origin: Rc<Origin>,
    /// The path with numbers, UUIDs and long hex strings replaced: the default name of a request.
    pub(crate) template: String,
    /// The default name of a GET, which is what most requests are.
    get_name: OnceCell<Rc<str>>,
}

thread_local! {
    static TARGETS: RefCell<LruCache<String, Rc<Target>>> = RefCell::new(LruCache::sparse(KEPT));
    static ORIGINS: RefCell<LruCache<Rc<Origin>, ()>> = RefCell::new(LruCache::sparse(KEPT));
}

impl Target {
    /// The name under which a request of this method is measured, where the user gives none.
    pub(crate) fn name(&self, method: &Method) -> Rc<str> {
        let name = || format!("{method} {}", self.template).into();
        if *method == Method::GET { self.get_name.get_or_init(name).clone() } else { name() }
    }

    /// The target of a string URL, from the thread's cache where it was seen before.
    pub(crate) fn parse(url: &str) -> Result<Rc<Self>, Error> {
        if let Some(target) = TARGETS.with_borrow_mut(|kept| kept.get(url).cloned()) {
            return Ok(target);
        }
        let parsed = Url::parse(url).map_err(|error| {
            Error::new(ErrorKind::Builder, format!("`{url}` is not a URL"))
                .with_hint("write it whole, as in http://localhost:8080/path")
                .with_source(error)
        })?;
        let target = Self::from_url(parsed)?;
        TARGETS.with_borrow_mut(|kept| kept.put(url.to_owned(), Rc::clone(&target)));
        Ok(target)
    }

    /// The target of a parsed URL.
    pub(crate) fn from_url(mut url: Url) -> Result<Rc<Self>, Error> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            other => {
                return Err(Error::new(
                    ErrorKind::Builder,
                    format!("the scheme `{other}` of `{url}` is not supported"),
                )
                .with_hint("use http or https"));
            }
        };
        let (host, bracketed) = match url.host() {
            Some(Host::Ipv6(address)) => (address.to_string(), format!("[{address}]")),
            Some(host) => (host.to_string(), host.to_string()),
            None => {
                return Err(Error::new(ErrorKind::Builder, format!("`{url}` names no host"))
                    .with_hint("add one after the scheme"));
            }
        };
        let authorization = take_credentials(&mut url);
        let port = url.port_or_known_default().unwrap_or(if https { 443 } else { 80 });
        let authority = match url.port() {
            // `Url` drops the default port by itself.
            Some(port) => format!("{bracketed}:{port}"),
            None => bracketed,
        };
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let origin = intern(Origin { https, host, port });
        let template = template(url.path());
        let get_name = OnceCell::new();
        Ok(Rc::new(Self { url, authorization, https, authority, path_and_query, origin, template, get_name }))
    }
}

impl Target {
    /// As this, with a path and query that are sent as they are.
    pub(crate) fn with_path_and_query(&self, path_and_query: &str) -> Rc<Self> {
        Rc::new(Self {
            url: self.url.clone(),
            authorization: self.authorization.clone(),
            https: self.https,
            authority: self.authority.clone(),
            path_and_query: path_and_query.to_owned(),
            origin: Rc::clone(&self.origin),
            template: self.template.clone(),
            get_name: OnceCell::new(),
        })
    }
}

/// Takes user and password out of a URL, as the header that sends them.
fn take_credentials(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let header = basic(&decoded(url.username()), &url.password().map(decoded).unwrap_or_default());
    // They can be set where they were.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(header)
}

/// The `Authorization` header of a user and password.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    let text = format!("Basic {}", BASE64_STANDARD.encode([user, b":", password].concat()));
    let mut value = HeaderValue::from_str(&text).expect("base64 is made of letters, digits and a few signs");
    value.set_sensitive(true);
    value
}

fn intern(origin: Origin) -> Rc<Origin> {
    ORIGINS.with_borrow_mut(|kept| match kept.get_key_value(&origin) {
        Some((known, ())) => Rc::clone(known),
        None => {
            let origin = Rc::new(origin);
            kept.put(Rc::clone(&origin), ());
            origin
        }
    })
}

fn template(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        out.push_str(placeholder(segment).unwrap_or(segment));
    }
    out
}

fn placeholder(segment: &str) -> Option<&'static str> {
    let bytes = segment.as_bytes();
    if bytes.is_empty() {
        return None;
    }
    if bytes.iter().all(u8::is_ascii_digit) {
        return Some("{n}");
    }
    let uuid = bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if uuid {
        return Some("{uuid}");
    }
    // A long word of letters a to f alone is a word; with a digit in it, an identifier.
    let hex = bytes.len() >= 16 && bytes.iter().all(u8::is_ascii_hexdigit) && bytes.iter().any(u8::is_ascii_digit);
    hex.then_some("{hex}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn authority_and_path() {
        let target = Target::parse("http://[::1]:8080/a?b=c#d").unwrap();
        assert_eq!((target.origin.host.as_str(), target.origin.port), ("::1", 8080));
        assert_eq!(target.authority, "[::1]:8080");
        assert_eq!(target.path_and_query, "/a?b=c");
        let target = Target::parse("https://example.org:443").unwrap();
        assert_eq!((target.authority.as_str(), target.origin.port), ("example.org", 443));
        assert_eq!(target.path_and_query, "/");
    }

    #[test]
    fn user_and_password_become_a_header() {
        let target = Target::parse("http://ada:p%40ss%3A@example.org/a?b").unwrap();
        assert_eq!(target.url.as_str(), "http://example.org/a?b");
        assert_eq!(target.authority, "example.org");
        // `ada:p@ss:`
        assert_eq!(target.authorization.as_ref().unwrap(), "Basic YWRhOnBAc3M6");
        assert!(!format!("{target:?}").contains("YWRh"));
        assert_eq!(Target::parse("http://ada@example.org").unwrap().authorization.as_ref().unwrap(), "Basic YWRhOg==");
        assert_eq!(Target::parse("http://example.org").unwrap().authorization, None);
    }

    #[test]
    fn kept_and_interned() {
        let first = Target::parse("http://example.org/kept").unwrap();
        assert!(Rc::ptr_eq(&first, &Target::parse("http://example.org/kept").unwrap()));
        assert!(Rc::ptr_eq(&first.origin, &Target::parse("http://example.org/other").unwrap().origin));
    }

    #[test]
    fn full_caches_forget_what_was_not_used_for_longest() {
        let first = Target::parse("http://example.org/first").unwrap();
        let origin = || Origin { https: false, host: "example.org".into(), port: 80 };
        for n in 0..2 * KEPT.get() {
            Target::parse(&format!("http://host-{n}.example.org/")).unwrap();
            // Both stay, since they are used all the time.
            let used = Target::parse("http://example.org/first").unwrap();
            assert!(Rc::ptr_eq(&first, &used), "after {n} others");
            assert!(Rc::ptr_eq(&first.origin, &intern(origin())), "after {n} others");
        }
        assert_eq!(TARGETS.with_borrow(LruCache::len), KEPT.get());
        assert_eq!(ORIGINS.with_borrow(LruCache::len), KEPT.get());
    }

    #[test]
    fn templates() {
        for (path, expected) in [
            ("/users/42/cart", "/users/{n}/cart"),
            ("/o/123e4567-e89b-12d3-a456-426614174000", "/o/{uuid}"),
            ("/blob/0123456789abcdef0123", "/blob/{hex}"),
            ("/facade/v2", "/facade/v2"),
            ("/", "/"),
        ] {
            assert_eq!(template(path), expected);
        }
    }

    #[test]
    fn refused() {
        for url in ["", "/path", "ftp://example.org/", "http://"] {
            assert!(Target::parse(url).unwrap_err().is_builder(), "{url}");
        }
        let error = Target::parse("file:///etc/hostname").unwrap_err().to_string();
        assert_eq!(error, "the scheme `file` of `file:///etc/hostname` is not supported: use http or https");
    }
}
