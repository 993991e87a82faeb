//! The cookies of a session: none of them costs anything until a server or the user sets one.
//!
//! What servers set is bounded as in browsers: in the size of a cookie, in the number and size of the cookies of a host,
//! and in the number of all cookies. The oldest make room. What the user sets is not bounded.

use std::{cell::RefCell, collections::VecDeque};

use cookie_store::{Cookie, CookieStore, StoreAction};
use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::{Error, ErrorKind};

/// The largest name and value of a cookie, together, in bytes.
const MAX_COOKIE: usize = 4096;
/// The largest attribute of a cookie, in bytes.
const MAX_ATTRIBUTE: usize = 1024;
/// The most cookies of a domain.
const MAX_OF_DOMAIN: usize = 180;
/// The most bytes of names and values of a domain: more than any server accepts in a request.
const MAX_SIZE_OF_DOMAIN: usize = 48 * 1024;
/// The most cookies of all domains.
const MAX_COOKIES: usize = 3000;

/// A worker's cookies.
#[derive(Debug, Default)]
pub(crate) struct Jar(RefCell<Option<Box<Cookies>>>);

#[derive(Debug, Default)]
struct Cookies {
    store: CookieStore,
    /// The cookies that servers have set, the oldest first.
    set: VecDeque<Key>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    domain: String,
    path: String,
    name: String,
    /// The length of the name and the value.
    size: usize,
}

impl Cookies {
    /// Keeps a cookie that a server at `url` sets; drops one that is malformed, too large, or for another site, as
    /// browsers do.
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
                self.set.push_back(key);
            }
            // One of the user's stays the user's.
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
        self.bound(&domain);
    }

    /// Drops the oldest cookies of a domain while it has too many, and the oldest of all domains likewise.
    fn bound(&mut self, domain: &str) {
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
    /// Keeps a cookie, as a server at `url` would set it.
    pub(crate) fn add(&self, text: &str, url: &Url) -> Result<(), Error> {
        let mut cookies = self.0.borrow_mut();
        let cookies = cookies.get_or_insert_with(Box::default);
        cookies.store.parse(text, url).map(|_| ()).map_err(|error| {
            // The value is a secret, and so may be a text that has no name.
            let what = match text.split_once('=') {
                Some((name, _)) => format!("the cookie `{}` is not one that {url} can have", name.trim()),
                None => format!("the text of a cookie for {url} is not of the form `name=value`"),
            };
            Error::new(ErrorKind::Builder, what).with_source(error)
        })
    }

    /// Keeps what a response sets.
    pub(crate) fn store(&self, headers: &HeaderMap, url: &Url) {
        let mut set = headers.get_all(header::SET_COOKIE).iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let mut cookies = self.0.borrow_mut();
        let cookies = cookies.get_or_insert_with(Box::default);
        for text in set.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()) {
            cookies.set(text, url);
        }
    }

    /// The `Cookie` header for a request.
    pub(crate) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let kept = self.0.borrow();
        let mut text = String::new();
        let mut cookies: Vec<_> = kept.as_ref()?.store.matches(url);
        // The longest path first, as browsers do; the rest in an order that is always the same.
        cookies.sort_by_key(|cookie| (std::cmp::Reverse(cookie.path.len()), cookie.name().to_owned()));
        for (name, value) in cookies.iter().map(|cookie| cookie.name_value()) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        if text.is_empty() { None } else { HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok() }
    }

    /// All cookies, for whatever server: each as a server would set it, its name, domain and path.
    #[cfg(feature = "python")]
    pub(crate) fn all(&self) -> Vec<(String, String, String, String)> {
        let cookies = self.0.borrow();
        let all = cookies.iter().flat_map(|cookies| cookies.store.iter_unexpired());
        let all = all.map(|cookie| {
            let (domain, path) = (String::from(&cookie.domain), String::from(&cookie.path));
            (cookie.to_string(), cookie.name().to_owned(), domain, path)
        });
        all.collect()
    }

    /// Forgets one cookie.
    #[cfg(feature = "python")]
    pub(crate) fn remove(&self, domain: &str, path: &str, name: &str) {
        let mut kept = self.0.borrow_mut();
        let Some(cookies) = kept.as_mut() else { return };
        cookies.store.remove(domain, path, name);
        cookies.set.retain(|key| key.domain != domain || key.path != path || key.name != name);
    }

    /// Forgets all cookies.
    #[cfg(feature = "python")]
    pub(crate) fn clear(&self) {
        *self.0.borrow_mut() = None;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_go_back_to_where_they_belong() {
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
        assert_eq!(error.to_string(), format!("the cookie `id` is not one that {url} can have"));
        assert!(!format!("{error:?} {:?}", jar.add("c00kie", &url).unwrap_err()).contains("c00kie"), "{error:?}");
    }

    #[test]
    fn servers_set_so_many_and_no_more() {
        let jar = Jar::default();
        let url = Url::parse("http://shop.test/a/b").unwrap();
        let set = |text: String, url: &Url| {
            jar.store(&HeaderMap::from_iter([(header::SET_COOKIE, HeaderValue::from_str(&text).unwrap())]), url);
        };
        let sent = || jar.header(&url).map_or(0, |header| header.to_str().unwrap().split("; ").count());
        let tracked = || jar.0.borrow().as_ref().map_or(0, |cookies| cookies.set.len());
        jar.add("mine=1; Path=/", &url).unwrap();
        for n in 0..500 {
            set(format!("c{n}=1; Path=/"), &url);
        }
        assert_eq!((sent(), tracked()), (MAX_OF_DOMAIN + 1, MAX_OF_DOMAIN), "the user's own, and the newest of others");
        let header = jar.header(&url).unwrap();
        assert!(header.to_str().unwrap().contains("c499=1") && header.to_str().unwrap().contains("mine=1"));
        // Renewed, removed and set again: nothing is left over.
        for n in 0..500 {
            set(format!("c499={n}; Path=/"), &url);
            set("c498=; Path=/; Max-Age=0".to_owned(), &url);
        }
        assert_eq!((sent(), tracked()), (MAX_OF_DOMAIN, MAX_OF_DOMAIN - 1));
        assert_eq!(jar.0.borrow().as_ref().unwrap().store.iter_any().count(), MAX_OF_DOMAIN);

        for n in 0..100 {
            set(format!("large{n}={}; Path=/", "v".repeat(4000)), &url);
        }
        assert!(jar.header(&url).unwrap().len() < MAX_SIZE_OF_DOMAIN + 1000);
        set(format!("larger={}; Path=/", "v".repeat(4096)), &url);
        set(format!("deep=1; Path=/a/{}", "b".repeat(2000)), &Url::parse("http://shop.test/a/").unwrap());
        assert!(jar.0.borrow().as_ref().unwrap().store.iter_any().all(|c| c.name() != "larger" && c.name() != "deep"));

        // Cookies that grow when they are renewed count too, whichever server was the last to set one.
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
        assert!(sent() <= 1, "the first host's were the oldest");
    }
}
