//! The cookies of a session, which `_jars` shows to scripts.

use std::rc::Rc;

use pyo3::prelude::*;
use url::Url;

use crate::{
    http::cookies::{self, CookiePolicy},
    python::gil_cell::GilCell,
};

/// The cookies of one session, or of several that share them.
#[pyclass(frozen, module = "molotov._core")]
pub(in crate::python) struct Jar(GilCell<Rc<cookies::Jar>>);

impl Jar {
    pub(super) fn of(jar: Rc<cookies::Jar>) -> Jar {
        Jar(GilCell::new(jar))
    }

    pub(super) fn get(&self, py: Python<'_>) -> Rc<cookies::Jar> {
        Rc::clone(&self.0.borrow(py))
    }
}

/// The fields of a cookie: name, value, domain, whether it is host-only, path, whether it is `Secure`, whether it is `HttpOnly`,
/// and when it expires in seconds since the epoch.
type Entry = (String, String, String, bool, String, bool, bool, Option<i64>);

fn kept_by(name: &str) -> CookiePolicy {
    match name {
        "all" => CookiePolicy::Accept,
        "names" => CookiePolicy::NamedHosts,
        _ => CookiePolicy::Reject,
    }
}

#[pymethods]
impl Jar {
    /// An empty jar. `kept` names the servers that may set cookies: `all`, those with a host name (`names`), or none.
    #[new]
    fn new(kept: &str) -> Jar {
        Jar::of(Rc::new(cookies::Jar::new(kept_by(kept))))
    }

    fn keep(&self, py: Python<'_>, kept: &str) {
        self.0.borrow(py).set_policy(kept_by(kept));
    }

    fn all(&self, py: Python<'_>) -> Vec<Entry> {
        let entry = |entry: cookies::StoredCookie| {
            let cookies::StoredCookie { name, value, domain, host_only, path, secure, http_only, expires } = entry;
            (name, value, domain, host_only, path, secure, http_only, expires)
        };
        self.0.borrow(py).all().into_iter().map(entry).collect()
    }

    /// The names and values of the cookies that a request to a URL sends. Of two with the same name, the last one counts.
    fn matching(&self, py: Python<'_>, url: &str) -> Vec<(String, String)> {
        Url::parse(url).map_or_else(|_| Vec::new(), |url| self.0.borrow(py).matching(&url))
    }

    /// Sets a cookie as a server at `url` would.
    fn set(&self, py: Python<'_>, url: &str, text: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.0.borrow(py).set(text, &url))
    }

    /// Sets a cookie that is sent to every server.
    fn share(&self, py: Python<'_>, name: String, value: String) {
        self.0.borrow(py).share(name, value);
    }

    fn remove(&self, py: Python<'_>, domain: &str, path: &str, name: &str) {
        self.0.borrow(py).remove(domain, path, name);
    }

    fn clear(&self, py: Python<'_>) {
        self.0.borrow(py).clear();
    }
}
