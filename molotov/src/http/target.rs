//! URLs, prepared for transports and cached by each thread.

use std::{
    cell::{OnceCell, RefCell},
    num::NonZeroUsize,
    rc::Rc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, Method};
use lru::LruCache;
use percent_encoding::percent_decode_str;
use url::{Host, Position, Url};

use super::{Error, ErrorKind};
use crate::options::BaseUrl;

/// The maximum number of URLs, and of origins, in the cache of a thread. The least recently used one is evicted.
const CACHE_SIZE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// The server that a connection is opened to.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A URL, with everything that a transport needs of it.
#[derive(Debug)]
pub(crate) struct Target {
    /// The URL without user and password, which are secrets.
    pub(crate) url: Url,
    /// The header with the user and password.
    pub(crate) authorization: Option<HeaderValue>,
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "only the feature `http2` uses it"))]
    pub(crate) https: bool,
    /// The `Host` header: without the default port, and with brackets around an IPv6 address.
    pub(crate) authority: String,
    pub(crate) path_and_query: String,
    /// Interned by each thread, so that most comparisons compare pointers.
    pub(crate) origin: Rc<Origin>,
    /// The path with numbers, UUIDs and long hex strings replaced: the default name of a request.
    pub(crate) template: String,
    /// The default name of a GET request.
    get_name: OnceCell<Rc<str>>,
    /// The part of a request for HTTP/1.1 between its method and its other headers.
    encoded: OnceCell<Box<[u8]>>,
}

/// The address that paths are added to, with the targets under it.
pub(crate) struct Base {
    pub(crate) address: BaseUrl,
    /// By path.
    targets: RefCell<LruCache<String, Rc<Target>>>,
}

/// The maximum number of addresses in the cache of a thread.
const BASES: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The targets of URLs, by their text.
struct Targets {
    /// The last one, which is found without a hash. It is the most recently used of all.
    last: Option<(String, Rc<Target>)>,
    all: LruCache<String, Rc<Target>>,
}

impl Targets {
    fn get(&mut self, url: &str) -> Option<Rc<Target>> {
        if let Some((last, target)) = &self.last
            && last == url
        {
            return Some(Rc::clone(target));
        }
        let target = Rc::clone(self.all.get(url)?);
        self.set_last(url, Rc::clone(&target));
        Some(target)
    }

    fn put(&mut self, url: &str, target: Rc<Target>) {
        self.all.put(url.to_owned(), Rc::clone(&target));
        self.set_last(url, target);
    }

    fn set_last(&mut self, url: &str, target: Rc<Target>) {
        match &mut self.last {
            Some(last) => {
                last.0.clear();
                last.0.push_str(url);
                last.1 = target;
            }
            None => self.last = Some((url.to_owned(), target)),
        }
    }
}

thread_local! {
    static KNOWN_BASES: RefCell<LruCache<BaseUrl, Rc<Base>>> = RefCell::new(LruCache::sparse(BASES));
    static TARGETS: RefCell<Targets> = RefCell::new(Targets { last: None, all: LruCache::sparse(CACHE_SIZE) });
    static ORIGINS: RefCell<LruCache<Rc<Origin>, ()>> = RefCell::new(LruCache::sparse(CACHE_SIZE));
}

impl Target {
    /// Returns the default name of a request with this method in the results.
    pub(crate) fn name(&self, method: &Method) -> Rc<str> {
        let name = || format!("{method} {}", self.template).into();
        if *method == Method::GET { self.get_name.get_or_init(name).clone() } else { name() }
    }

    /// Returns the first lines of a request for HTTP/1.1, without its method: a space, the rest of the request line, and `Host`.
    pub(crate) fn encoded(&self) -> &[u8] {
        let encode = || format!(" {} HTTP/1.1\r\nhost: {}\r\n", self.path_and_query, self.authority);
        self.encoded.get_or_init(|| encode().into_bytes().into())
    }

    /// Returns the target of a URL in text form, from the cache if possible.
    pub(crate) fn parse(url: &str) -> Result<Rc<Self>, Error> {
        if let Some(target) = TARGETS.with_borrow_mut(|known| known.get(url)) {
            return Ok(target);
        }
        let parsed = Url::parse(url).map_err(|error| {
            Error::new(ErrorKind::Builder, format!("`{url}` is not a URL"))
                .with_hint("write it whole, as in http://localhost:8080/path, or begin a path with a slash")
                .with_source(error)
        })?;
        let target = Self::from_url(parsed)?;
        TARGETS.with_borrow_mut(|known| known.put(url, Rc::clone(&target)));
        Ok(target)
    }

    /// Returns the target of a parsed URL.
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
            // `Url` has removed the default port.
            Some(port) => format!("{bracketed}:{port}"),
            None => bracketed,
        };
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let origin = intern(Origin { https, host, port });
        let template = template(url.path());
        let (get_name, encoded) = (OnceCell::new(), OnceCell::new());
        Ok(Rc::new(Self { url, authorization, https, authority, path_and_query, origin, template, get_name, encoded }))
    }
}

impl Target {
    /// Returns this target with another query.
    pub(crate) fn with_query(&self, query: &str) -> Rc<Self> {
        let mut url = self.url.clone();
        url.set_query(Some(query));
        let path_and_query = url[Position::BeforePath..Position::AfterQuery].to_owned();
        Rc::new(Self { url, path_and_query, ..self.copy() })
    }

    /// Returns this target with a path and query that are sent unchanged.
    pub(crate) fn with_path_and_query(&self, path_and_query: &str) -> Rc<Self> {
        Rc::new(Self { path_and_query: path_and_query.to_owned(), ..self.copy() })
    }

    fn copy(&self) -> Self {
        Self {
            url: self.url.clone(),
            authorization: self.authorization.clone(),
            https: self.https,
            authority: self.authority.clone(),
            path_and_query: self.path_and_query.clone(),
            origin: Rc::clone(&self.origin),
            template: self.template.clone(),
            get_name: OnceCell::new(),
            encoded: OnceCell::new(),
        }
    }
}

impl Base {
    /// Returns the base of an address. Sessions of a thread with the same address share it.
    pub(crate) fn of(address: &BaseUrl) -> Rc<Self> {
        KNOWN_BASES.with_borrow_mut(|known| {
            let make =
                || Rc::new(Self { address: address.clone(), targets: RefCell::new(LruCache::sparse(CACHE_SIZE)) });
            Rc::clone(known.get_or_insert(address.clone(), make))
        })
    }

    /// Returns the target of a path, which begins with a slash. Its default name does not contain the path of the address.
    pub(crate) fn target(&self, path: &str) -> Result<Rc<Target>, Error> {
        if let Some(target) = self.targets.borrow_mut().get(path) {
            return Ok(Rc::clone(target));
        }
        let url = Url::parse(&self.address.join(path))
            .map_err(|error| Error::new(ErrorKind::Builder, format!("`{path}` is not a path")).with_source(error))?;
        let mut target = Target::from_url(url)?;
        if let Some(target) = Rc::get_mut(&mut target)
            && let Some(path) = target.url.path().strip_prefix(self.address.prefix())
            && path.starts_with('/')
        {
            target.template = template(path);
        }
        self.targets.borrow_mut().put(path.to_owned(), Rc::clone(&target));
        Ok(target)
    }
}

/// Removes user and password from a URL, and returns the header for them.
fn take_credentials(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let header = basic(&decoded(url.username()), &url.password().map(decoded).unwrap_or_default());
    // This cannot fail, because the URL has them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(header)
}

/// Returns the `Authorization` header for a user and password.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    let text = format!("Basic {}", BASE64_STANDARD.encode([user, b":", password].concat()));
    let mut value = HeaderValue::from_str(&text).expect("base64 is valid in a header");
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
    // Letters from a to f alone may be a word. With a digit, they are an identifier.
    let hex = bytes.len() >= 16 && bytes.iter().all(u8::is_ascii_hexdigit) && bytes.iter().any(u8::is_ascii_digit);
    hex.then_some("{hex}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn authority_and_path_are_those_of_the_request() {
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
    fn targets_are_cached_and_origins_interned() {
        let first = Target::parse("http://example.org/kept").unwrap();
        assert!(Rc::ptr_eq(&first, &Target::parse("http://example.org/kept").unwrap()));
        assert!(Rc::ptr_eq(&first.origin, &Target::parse("http://example.org/other").unwrap().origin));
    }

    #[test]
    fn paths_are_cached_under_their_address() {
        let base = Base::of(&"http://ada:pw@127.0.0.1:8080/api".parse().unwrap());
        let first = base.target("/users/42?page=2").unwrap();
        assert!(Rc::ptr_eq(&first, &base.target("/users/42?page=2").unwrap()));
        assert_eq!(first.url.as_str(), "http://127.0.0.1:8080/api/users/42?page=2");
        assert_eq!(first.path_and_query, "/api/users/42?page=2");
        assert_eq!(first.authorization, Target::parse("http://ada:pw@h").unwrap().authorization);
        assert_eq!(&*first.name(&Method::GET), "GET /users/{n}");
        assert_eq!(&*first.with_query("a=b").name(&Method::GET), "GET /users/{n}");
        assert_eq!(first.with_query("a=b").path_and_query, "/api/users/42?a=b");
        assert!(Rc::ptr_eq(&first.origin, &Target::parse("http://127.0.0.1:8080/").unwrap().origin));
        assert!(Rc::ptr_eq(&base, &Base::of(&"http://ada:pw@127.0.0.1:8080/api/".parse().unwrap())));
        // Another address has targets of its own.
        let other = Base::of(&"http://127.0.0.1:8081".parse().unwrap()).target("/users/42?page=2").unwrap();
        assert_eq!(other.url.as_str(), "http://127.0.0.1:8081/users/42?page=2");
        // A path cannot change the host, and may leave the path of the address.
        assert_eq!(base.target("//example.org/").unwrap().origin.host, "127.0.0.1");
        assert_eq!(base.target("/../x").unwrap().path_and_query, "/x");
        assert_eq!(&*base.target("/../x").unwrap().name(&Method::GET), "GET /x");
    }

    #[test]
    fn full_caches_evict_the_least_recently_used() {
        let first = Target::parse("http://example.org/first").unwrap();
        let origin = || Origin { https: false, host: "example.org".into(), port: 80 };
        for n in 0..2 * CACHE_SIZE.get() {
            Target::parse(&format!("http://host-{n}.example.org/")).unwrap();
            // Both stay, because they are used in each round.
            let used = Target::parse("http://example.org/first").unwrap();
            assert!(Rc::ptr_eq(&first, &used), "after {n} others");
            assert!(Rc::ptr_eq(&first.origin, &intern(origin())), "after {n} others");
        }
        assert_eq!(TARGETS.with_borrow(|known| known.all.len()), CACHE_SIZE.get());
        assert_eq!(ORIGINS.with_borrow(LruCache::len), CACHE_SIZE.get());
    }

    #[test]
    fn identifiers_in_paths_become_placeholders() {
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
    fn invalid_urls_are_builder_errors() {
        for url in ["", "/path", "ftp://example.org/", "http://"] {
            assert!(Target::parse(url).unwrap_err().is_builder(), "{url}");
        }
        let error = Target::parse("file:///etc/hostname").unwrap_err().to_string();
        assert_eq!(error, "the scheme `file` of `file:///etc/hostname` is not supported: use http or https");
    }
}
