//! The cookies of a session, for what `_jars` shows of them.

use std::rc::Rc;

use pyo3::prelude::*;
use url::Url;

use super::local::Held;
use crate::http::cookies::{self, Kept};

/// The cookies of one session, or of several that share them.
#[pyclass(frozen, module = "molotov._core")]
pub(super) struct Jar(Held<Rc<cookies::Jar>>);

impl Jar {
    pub(super) fn of(jar: Rc<cookies::Jar>) -> Jar {
        Jar(Held::new(jar))
    }

    pub(super) fn get(&self, py: Python<'_>) -> Rc<cookies::Jar> {
        Rc::clone(&self.0.borrow(py))
    }
}

/// Name, value, domain, whether it is that host's only, path, whether it is for HTTPS only, whether it is hidden from
/// programs of pages, and when it expires.
type Entry = (String, String, String, bool, String, bool, bool, Option<i64>);

fn kept_by(name: &str) -> Kept {
    match name {
        "all" => Kept::All,
        "names" => Kept::OfNames,
        _ => Kept::Nothing,
    }
}

#[pymethods]
impl Jar {
    /// An empty one. `kept` says which servers may set cookies: `all`, those that have `names`, or none.
    #[new]
    fn new(kept: &str) -> Jar {
        Jar::of(Rc::new(cookies::Jar::new(kept_by(kept))))
    }

    fn keep(&self, py: Python<'_>, kept: &str) {
        self.0.borrow(py).set_kept(kept_by(kept));
    }

    fn all(&self, py: Python<'_>) -> Vec<Entry> {
        let entry = |entry: cookies::Entry| {
            let cookies::Entry { name, value, domain, host_only, path, secure, http_only, expires } = entry;
            (name, value, domain, host_only, path, secure, http_only, expires)
        };
        self.0.borrow(py).all().into_iter().map(entry).collect()
    }

    /// Names and values of what would go to a URL; of two of the same name the last one counts.
    fn matching(&self, py: Python<'_>, url: &str) -> Vec<(String, String)> {
        Url::parse(url).map_or_else(|_| Vec::new(), |url| self.0.borrow(py).matching(&url))
    }

    /// Keeps a cookie, as a server at `url` would set it.
    fn set(&self, py: Python<'_>, url: &str, text: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.0.borrow(py).set(text, &url))
    }

    /// Keeps a cookie that goes to every server.
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
