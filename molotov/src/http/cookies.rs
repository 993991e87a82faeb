//! The cookies of a session: none of them costs anything until a server or the user sets one.

use std::cell::RefCell;

use cookie_store::CookieStore;
use http::{HeaderMap, HeaderValue, header};
use url::Url;

use super::{Error, ErrorKind};

/// A worker's cookies.
#[derive(Debug, Default)]
pub(crate) struct Jar(RefCell<Option<Box<CookieStore>>>);

impl Jar {
    /// Keeps a cookie, as a server at `url` would set it.
    pub(crate) fn add(&self, text: &str, url: &Url) -> Result<(), Error> {
        let mut store = self.0.borrow_mut();
        let store = store.get_or_insert_with(Box::default);
        store.parse(text, url).map(|_| ()).map_err(|error| {
            Error::new(ErrorKind::Builder, format!("`{text}` is not a cookie that {url} can have")).with_source(error)
        })
    }

    /// Keeps what a response sets.
    pub(crate) fn store(&self, headers: &HeaderMap, url: &Url) {
        let mut set = headers.get_all(header::SET_COOKIE).iter().peekable();
        if set.peek().is_none() {
            return;
        }
        let mut store = self.0.borrow_mut();
        let store = store.get_or_insert_with(Box::default);
        for text in set.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()) {
            // One that is malformed, or for another site, is dropped, as browsers do.
            let _ = store.parse(text, url);
        }
    }

    /// The `Cookie` header for a request.
    pub(crate) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let store = self.0.borrow();
        let mut text = String::new();
        let mut cookies: Vec<_> = store.as_ref()?.matches(url);
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

    /// All cookies, for whatever server.
    #[cfg(feature = "python")]
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let store = self.0.borrow();
        let all = store.iter().flat_map(|store| store.iter_unexpired());
        all.map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned())).collect()
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
    }
}
