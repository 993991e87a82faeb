//! The warning about cookies that sessions drop because the server has no host name. A run shows it once.

use std::cell::{Cell, RefCell};

use serde::{Deserialize, Serialize};

/// A cookie that a session dropped because the URL names the server by its IP address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DroppedCookie {
    /// The server's address.
    pub(crate) host: String,
    /// The status of the first response that may be a consequence: 401 or 403.
    pub(crate) status: Option<u16>,
}

impl DroppedCookie {
    /// The warning, as the second part of a sentence.
    fn text(&self) -> String {
        format!(
            "dropped a cookie set by {}: like aiohttp, sessions of scripts keep no cookies of IP addresses; use a host name such \
             as `localhost`, or return {{\"cookie_jar\": aiohttp.CookieJar(unsafe=True)}} from `setup`",
            self.host
        )
    }
}

/// The cookies that the sessions of a shard dropped.
#[derive(Default)]
pub(super) struct DroppedCookies {
    /// The server of the first one.
    host: RefCell<Option<String>>,
    /// Whether a later 401 or 403 was reported.
    refused: Cell<bool>,
}

impl DroppedCookies {
    /// Notes a dropped cookie. Returns the first one, for the coordinator.
    pub(super) fn dropped(&self, host: &str) -> Option<DroppedCookie> {
        let mut first = self.host.borrow_mut();
        first.is_none().then(|| DroppedCookie { host: first.insert(host.to_owned()).clone(), status: None })
    }

    /// Notes the status of a response. Returns the first 401 or 403 after a dropped cookie, for the coordinator.
    pub(super) fn answered(&self, status: u16) -> Option<DroppedCookie> {
        if !matches!(status, 401 | 403) || self.refused.get() {
            return None;
        }
        let host = self.host.borrow().clone()?;
        self.refused.set(true);
        Some(DroppedCookie { host, status: Some(status) })
    }
}

/// The state of the warning in the coordinator.
#[derive(Default)]
pub(super) enum CookieWarning {
    #[default]
    None,
    /// Shown at the end of the run.
    Due(DroppedCookie),
    Shown,
}

impl CookieWarning {
    /// Returns the warning to show now, if any. A 401 or 403 does not wait for the end of the run.
    pub(super) fn update(&mut self, dropped: DroppedCookie) -> Option<String> {
        match (&*self, dropped.status) {
            (CookieWarning::Shown, _) | (CookieWarning::Due(_), None) => None,
            (CookieWarning::None, None) => {
                *self = CookieWarning::Due(dropped);
                None
            }
            (_, Some(status)) => {
                *self = CookieWarning::Shown;
                Some(format!("a response has status {status} after a session {}", dropped.text()))
            }
        }
    }

    /// Returns the warning to show at the end of the run, unless it was shown before.
    pub(super) fn end(&mut self) -> Option<String> {
        match std::mem::replace(self, CookieWarning::Shown) {
            CookieWarning::Due(dropped) => Some(format!("A session {}.", dropped.text())),
            CookieWarning::None | CookieWarning::Shown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_once_about_dropped_cookies() {
        let (shard, other) = (DroppedCookies::default(), DroppedCookies::default());
        assert_eq!(shard.answered(401), None);
        let dropped = [shard.dropped("127.0.0.1"), other.dropped("10.0.0.1")].map(Option::unwrap);
        assert_eq!((shard.dropped("127.0.0.1"), shard.answered(200), shard.answered(404)), (None, None, None));

        let mut warning = CookieWarning::default();
        let [first, second] = dropped.clone();
        assert_eq!((warning.update(first), warning.update(second)), (None, None));
        let text = warning.end().unwrap();
        assert!(
            text.starts_with("A session dropped a cookie set by 127.0.0.1: ") && text.ends_with("from `setup`."),
            "{text}"
        );
        assert_eq!(warning.end(), None);

        let mut warning = CookieWarning::default();
        let [first, second] = dropped;
        assert_eq!(warning.update(first), None);
        let text = warning.update(shard.answered(403).unwrap()).unwrap();
        assert!(
            text.starts_with("a response has status 403 after a session dropped a cookie set by 127.0.0.1: "),
            "{text}"
        );
        assert_eq!((shard.answered(401), warning.update(second)), (None, None));
        assert_eq!((warning.update(other.answered(401).unwrap()), warning.end()), (None, None));
    }
}
