//! The cookies of a session. They cost nothing until a server or the user sets one.
//!
//! Cookies from servers are limited as in browsers: the size of a cookie, the number and size of the cookies of a domain, and
//! the number of all cookies. The oldest ones are removed first. Cookies from the user are not limited.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use cookie_store::{Cookie, CookieStore, StoreAction};
use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::{Error, ErrorKind};

/// The maximum size of the name and value of a cookie, in bytes.
const MAX_COOKIE: usize = 4096;
/// The maximum size of an attribute of a cookie, in bytes.
const MAX_ATTRIBUTE: usize = 1024;
/// The maximum number of cookies of a domain.
const MAX_OF_DOMAIN: usize = 180;
/// The maximum size of all names and values of a domain, in bytes. No server accepts as much in a request.
const MAX_SIZE_OF_DOMAIN: usize = 48 * 1024;
/// The maximum number of cookies of all domains.
const MAX_COOKIES: usize = 3000;

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

/// The cookies of a session.
#[derive(Debug, Default)]
pub(crate) struct Jar {
    policy: Cell<CookiePolicy>,
    cookies: RefCell<Option<Box<Cookies>>>,
}

#[derive(Debug, Default)]
struct Cookies {
    store: CookieStore,
    /// Names and values of the cookies for every server.
    shared: std::collections::BTreeMap<String, String>,
    /// The cookies from servers, the oldest first.
    set: VecDeque<Key>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    domain: String,
    path: String,
    name: String,
    /// The size of the name and value, in bytes.
    size: usize,
}

impl Cookies {
    /// Stores a cookie from a server at `url`. As in browsers, a cookie that is malformed, too large, or for another site is
    /// dropped.
    fn set(&mut self, text: &str, url: &Url) {
        let Ok(cookie) = Cookie::parse(text, url) else { return };
        let size = cookie.name().len() + cookie.value().len();
        let domain = String::from(&cookie.domain);
        if size > MAX_COOKIE || domain.len() > MAX_ATTRIBUTE || cookie.path.len() > MAX_ATTRIBUTE {
            return;
        }
        let key = Key { domain, path: String::from(&cookie.path), name: cookie.name().to_owned(), size };
        let known = |other: &Key| other.name == key.name && other.path == key.path && other.domain == key.domain;
        let domain = key.domain.clone();
        match self.store.insert(cookie.into_owned(), url) {
            Ok(StoreAction::Inserted) => {
                self.set.retain(|other| !known(other));
                if self.set.capacity() == 0 {
                    // There may be many workers, and most have one cookie.
                    self.set.reserve_exact(1);
                }
                self.set.push_back(key);
            }
            // A cookie from the user remains one.
            Ok(StoreAction::UpdatedExisting) => {
                if let Some(known) = self.set.iter_mut().find(|other| known(other)) {
                    known.size = size;
                } else {
                    return;
                }
            }
            Ok(StoreAction::ExpiredExisting) => {
                self.store.remove(&key.domain, &key.path, &key.name);
                self.set.retain(|other| !known(other));
                return;
            }
            Err(_) => return,
        }
        self.evict(&domain);
    }

    /// Returns the names and values for a request. As in browsers, the longest path comes first. Cookies with equal paths are
    /// sorted by name.
    fn of(&self, url: &Url) -> Vec<(&str, &str)> {
        let cookies = self.store.matches(url).into_iter().map(|cookie| (cookie.path.len(), cookie.name_value()));
        let cookies = {
            let shared = self.shared.iter().map(|(name, value)| (1, (name.as_str(), value.as_str())));
            cookies.filter(|(_, (name, _))| !self.shared.contains_key(*name)).chain(shared)
        };
        let mut cookies: Vec<_> = cookies.collect();
        cookies.sort_by_key(|(path, (name, _))| (std::cmp::Reverse(*path), *name));
        cookies.into_iter().map(|(_, pair)| pair).collect()
    }

    /// Removes the oldest cookies of a domain while it has too many, and the oldest of all domains while there are too many.
    fn evict(&mut self, domain: &str) {
        let of_domain = self.set.iter().filter(|key| key.domain == domain);
        let (mut count, mut size) = of_domain.fold((0, 0), |(count, size), key| (count + 1, size + key.size));
        while count > MAX_OF_DOMAIN || size > MAX_SIZE_OF_DOMAIN || self.set.len() > MAX_COOKIES {
            let over = count > MAX_OF_DOMAIN || size > MAX_SIZE_OF_DOMAIN;
            let oldest = self.set.iter().position(|key| !over || key.domain == domain);
            let Some(key) = oldest.and_then(|oldest| self.set.remove(oldest)) else { return };
            if key.domain == domain {
                (count, size) = (count - 1, size - key.size);
            }
            self.store.remove(&key.domain, &key.path, &key.name);
        }
    }
}

impl Jar {
    pub(crate) fn new(policy: CookiePolicy) -> Jar {
        Jar { policy: Cell::new(policy), cookies: RefCell::default() }
    }

    /// Returns which cookies are stored from responses.
    pub(crate) fn policy(&self) -> CookiePolicy {
        self.policy.get()
    }

    /// Returns whether a server at `url` may set cookies.
    fn accepts(&self, url: &Url) -> bool {
        match self.policy.get() {
            CookiePolicy::Accept => true,
            CookiePolicy::NamedHosts => url.domain().is_some(),
            CookiePolicy::Reject => false,
        }
    }

    /// Adds a cookie, as if a server at `url` had set it.
    pub(crate) fn add(&self, text: &str, url: &Url) -> Result<(), Error> {
        let mut cookies = self.cookies.borrow_mut();
        let cookies = cookies.get_or_insert_with(Box::default);
        cookies.store.parse(text, url).map(|_| ()).map_err(|error| {
            // The value is a secret, and a text without a name may be one.
            let what = match text.split_once('=') {
                Some((name, _)) => format!("the cookie `{}` is not valid for {url}", name.trim()),
                None => format!("the cookie for {url} does not have the form `name=value`"),
            };
            Error::new(ErrorKind::Builder, what).with_source(error)
        })
    }

    /// Stores the cookies that a response sets.
    pub(crate) fn store(&self, headers: &HeaderMap, url: &Url) {
        if !self.accepts(url) {
            return;
        }
        let mut set = headers.get_all(header::SET_COOKIE).iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let mut cookies = self.cookies.borrow_mut();
        let cookies = cookies.get_or_insert_with(Box::default);
        for text in set.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()) {
            cookies.set(text, url);
        }
    }

    /// Returns the `Cookie` header for a request.
    pub(crate) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let kept = self.cookies.borrow();
        let mut text = String::new();
        for (name, value) in kept.as_ref()?.of(url) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        if text.is_empty() { None } else { HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cookies.borrow().is_none()
    }
}

/// A cookie, and the servers that it is for.
#[derive(Debug)]
pub(crate) struct StoredCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Empty if the cookie is for every server.
    pub(crate) domain: String,
    pub(crate) host_only: bool,
    pub(crate) path: String,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    /// Seconds since 1970, or `None` if the cookie does not expire before the session ends.
    pub(crate) expires: Option<i64>,
}

/// Access to single cookies, for other languages.
impl Jar {
    /// Returns all cookies.
    pub(crate) fn all(&self) -> Vec<StoredCookie> {
        let cookies = self.cookies.borrow();
        let Some(cookies) = &*cookies else { return Vec::new() };
        let shared = cookies.shared.iter().map(|(name, value)| StoredCookie {
            name: name.clone(),
            value: value.clone(),
            domain: String::new(),
            host_only: false,
            path: "/".to_owned(),
            secure: false,
            http_only: false,
            expires: None,
        });
        let others = cookies.store.iter_unexpired().map(|cookie| StoredCookie {
            name: cookie.name().to_owned(),
            value: cookie.value().to_owned(),
            domain: String::from(&cookie.domain),
            host_only: !matches!(cookie.domain, cookie_store::CookieDomain::Suffix(_)),
            path: String::from(&cookie.path),
            secure: cookie.secure().unwrap_or_default(),
            http_only: cookie.http_only().unwrap_or_default(),
            expires: match cookie.expires {
                cookie_store::CookieExpiration::AtUtc(at) => Some(at.unix_timestamp()),
                cookie_store::CookieExpiration::SessionEnd => None,
            },
        });
        shared.chain(others).collect()
    }

    /// Returns the names and values of the cookies for a URL. Of two with the same name, the one with the longer path is last.
    pub(crate) fn matching(&self, url: &Url) -> Vec<(String, String)> {
        let cookies = self.cookies.borrow();
        let Some(cookies) = &*cookies else { return Vec::new() };
        cookies.of(url).into_iter().rev().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Stores a cookie, as if a server at `url` had set it. Returns whether it was stored.
    pub(crate) fn set(&self, text: &str, url: &Url) -> bool {
        self.accepts(url) && self.add(text, url).is_ok()
    }

    /// Stores a cookie for every server.
    pub(crate) fn share(&self, name: String, value: String) {
        if self.policy.get() != CookiePolicy::Reject {
            self.cookies.borrow_mut().get_or_insert_with(Box::default).shared.insert(name, value);
        }
    }

    /// Removes a cookie. With an empty domain, it removes one for every server.
    pub(crate) fn remove(&self, domain: &str, path: &str, name: &str) {
        let mut cookies = self.cookies.borrow_mut();
        let Some(cookies) = &mut *cookies else { return };
        if domain.is_empty() {
            cookies.shared.remove(name);
            return;
        }
        cookies.store.remove(domain, path, name);
        cookies.set.retain(|key| key.domain != domain || key.path != path || key.name != name);
    }

    /// Sets which cookies are stored from responses.
    pub(crate) fn set_policy(&self, policy: CookiePolicy) {
        self.policy.set(policy);
    }

    /// Removes all cookies.
    pub(crate) fn clear(&self) {
        *self.cookies.borrow_mut() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_sent_to_their_host_and_path() {
        let jar = Jar::default();
        let url = Url::parse("http://127.0.0.1:8080/shop/").unwrap();
        assert!(jar.is_empty() && jar.header(&url).is_none());
        let set = |text| HeaderMap::from_iter([(header::SET_COOKIE, HeaderValue::from_static(text))]);
        jar.store(&set("id=1; Path=/shop"), &url);
        jar.store(&set("other=2; Path=/else"), &url);
        jar.store(&set("far=3; Domain=example.com"), &url);
        assert_eq!(jar.header(&url).unwrap(), "id=1");
        jar.store(&set("id=; Path=/shop; Max-Age=0"), &url);
        assert!(jar.header(&url).is_none());
        jar.add("mine=4", &url).unwrap();
        assert_eq!(jar.header(&url).unwrap(), "mine=4");
        assert!(jar.add("", &url).unwrap_err().is_builder());
        let error = jar.add("id=c00kie; Domain=example.com", &url).unwrap_err();
        assert_eq!(error.to_string(), format!("the cookie `id` is not valid for {url}"));
        assert!(!format!("{error:?} {:?}", jar.add("c00kie", &url).unwrap_err()).contains("c00kie"), "{error:?}");
    }

    #[test]
    fn cookies_from_servers_are_limited() {
        let jar = Jar::default();
        let url = Url::parse("http://shop.test/a/b").unwrap();
        let set = |text: String, url: &Url| {
            jar.store(&HeaderMap::from_iter([(header::SET_COOKIE, HeaderValue::from_str(&text).unwrap())]), url);
        };
        let sent = || jar.header(&url).map_or(0, |header| header.to_str().unwrap().split("; ").count());
        let tracked = || jar.cookies.borrow().as_ref().map_or(0, |cookies| cookies.set.len());
        jar.add("mine=1; Path=/", &url).unwrap();
        for n in 0..500 {
            set(format!("c{n}=1; Path=/"), &url);
        }
        assert_eq!(
            (sent(), tracked()),
            (MAX_OF_DOMAIN + 1, MAX_OF_DOMAIN),
            "the user's cookie, and the newest from servers"
        );
        let header = jar.header(&url).unwrap();
        assert!(header.to_str().unwrap().contains("c499=1") && header.to_str().unwrap().contains("mine=1"));
        // Updated, removed and set again: no entries are left behind.
        for n in 0..500 {
            set(format!("c499={n}; Path=/"), &url);
            set("c498=; Path=/; Max-Age=0".to_owned(), &url);
        }
        assert_eq!((sent(), tracked()), (MAX_OF_DOMAIN, MAX_OF_DOMAIN - 1));
        assert_eq!(jar.cookies.borrow().as_ref().unwrap().store.iter_any().count(), MAX_OF_DOMAIN);

        for n in 0..100 {
            set(format!("large{n}={}; Path=/", "v".repeat(4000)), &url);
        }
        assert!(jar.header(&url).unwrap().len() < MAX_SIZE_OF_DOMAIN + 1000);
        set(format!("larger={}; Path=/", "v".repeat(4096)), &url);
        set(format!("deep=1; Path=/a/{}", "b".repeat(2000)), &Url::parse("http://shop.test/a/").unwrap());
        assert!(
            jar.cookies.borrow().as_ref().unwrap().store.iter_any().all(|c| c.name() != "larger" && c.name() != "deep")
        );

        // Updates that make cookies larger count, too, even if another server set the last cookie.
        for n in 0..100 {
            set(format!("grows{n}=v; Path=/"), &url);
        }
        set("c=1".to_owned(), &Url::parse("http://other.test/").unwrap());
        for n in 0..100 {
            set(format!("grows{n}={}; Path=/", "v".repeat(4000)), &url);
        }
        assert!(jar.header(&url).unwrap().len() < MAX_SIZE_OF_DOMAIN + 1000);

        for n in 0..3100 {
            set("c=1".to_owned(), &Url::parse(&format!("http://h{n}.test/")).unwrap());
        }
        assert_eq!(tracked(), MAX_COOKIES);
        assert!(sent() <= 1, "the cookies of the first host were the oldest");
    }
}
