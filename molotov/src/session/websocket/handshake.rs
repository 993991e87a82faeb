//! The opening handshake (RFC 6455, section 4).

use std::cell::RefCell;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::http::{Error, ErrorKind, response::TransportResponse, upgraded::Upgraded};

/// The text that a server appends to the key before it hashes both.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The handshake of a request that opens a WebSocket, and its result.
pub(crate) struct Upgrade {
    key: String,
    protocols: Vec<String>,
    /// Ignores what aiohttp ignores: a protocol or extension that was not offered.
    like_aiohttp: bool,
    result: RefCell<Option<Result<Accepted, Fault>>>,
}

/// An accepted handshake.
pub(crate) struct Accepted {
    pub(crate) connection: Upgraded,
    pub(crate) protocol: Option<String>,
}

/// Why a response with status 101 does not open a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `Upgrade` is not `websocket`.
    Upgrade,
    /// `Connection` does not contain `Upgrade`.
    Connection,
    /// `Sec-WebSocket-Accept` does not belong to the key.
    Accept,
    /// The server chose a protocol that was not offered.
    Protocol(String),
    /// The server chose an extension, and none was offered.
    Extension(String),
    /// The transport does not support upgrades.
    Transport,
}

impl Upgrade {
    /// Returns a handshake with a new key.
    pub(crate) fn new(protocols: Vec<String>, like_aiohttp: bool) -> Upgrade {
        let key: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        Upgrade { key: BASE64_STANDARD.encode(key), protocols, like_aiohttp, result: RefCell::default() }
    }

    /// Adds the headers of the handshake.
    ///
    /// # Errors
    ///
    /// Returns an error if a protocol is not a valid name.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        let mut or = |name: HeaderName, value: &'static str| {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        };
        or(header::UPGRADE, "websocket");
        or(header::CONNECTION, "Upgrade");
        or(header::SEC_WEBSOCKET_VERSION, "13");
        // Base64 is valid in a header.
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(&self.key).expect("base64"));
        if !self.protocols.is_empty() {
            let protocols = HeaderValue::from_str(&self.protocols.join(",")).map_err(|error| {
                Error::new(ErrorKind::Builder, "a subprotocol cannot be sent in a header").with_source(error)
            })?;
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
        }
        Ok(())
    }

    /// Checks the final response and takes its connection, if it has status 101. Returns `false` if such a response does not
    /// open a WebSocket.
    pub(crate) fn accept(&self, response: &mut TransportResponse) -> bool {
        if response.status != StatusCode::SWITCHING_PROTOCOLS {
            return true;
        }
        let connection = response.body.take_upgraded();
        let result = self.check(response.headers.map()).and_then(|protocol| match connection {
            Some(connection) => Ok(Accepted { connection, protocol }),
            None => Err(Fault::Transport),
        });
        let accepted = result.is_ok();
        *self.result.borrow_mut() = Some(result);
        accepted
    }

    /// Takes the result; `None` if the final response did not have status 101.
    pub(crate) fn take(&self) -> Option<Result<Accepted, Fault>> {
        self.result.take()
    }

    /// Returns the chosen subprotocol.
    fn check(&self, headers: &HeaderMap) -> Result<Option<String>, Fault> {
        let has = |name, token: &str| tokens(headers, name).any(|value| value.eq_ignore_ascii_case(token));
        if !has(header::UPGRADE, "websocket") {
            return Err(Fault::Upgrade);
        }
        if !has(header::CONNECTION, "upgrade") {
            return Err(Fault::Connection);
        }
        let expected = accept_key(&self.key);
        if headers.get(header::SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| accept.as_bytes() != expected.as_bytes()) {
            return Err(Fault::Accept);
        }
        if let Some(extension) = tokens(headers, header::SEC_WEBSOCKET_EXTENSIONS).next()
            && !self.like_aiohttp
        {
            return Err(Fault::Extension(extension.to_owned()));
        }
        let mut chosen = tokens(headers, header::SEC_WEBSOCKET_PROTOCOL);
        if self.like_aiohttp {
            return Ok(chosen.find(|protocol| self.protocols.iter().any(|known| known == protocol)).map(str::to_owned));
        }
        match chosen.next() {
            Some(protocol) if self.protocols.iter().any(|known| known == protocol) => Ok(Some(protocol.to_owned())),
            Some(protocol) => Err(Fault::Protocol(protocol.to_owned())),
            None => Ok(None),
        }
    }
}

impl Fault {
    /// Returns the error of the handshake.
    pub(crate) fn into_error(self) -> Error {
        let invalid = |what: &str| format!("the server's handshake is invalid: {what}");
        let (message, hint) = match self {
            Fault::Upgrade => (invalid("its header `Upgrade` is not `websocket`"), "is there a WebSocket at this URL?"),
            Fault::Connection => {
                (invalid("its header `Connection` is not `Upgrade`"), "is there a WebSocket at this URL?")
            }
            Fault::Accept => {
                (invalid("its `Sec-WebSocket-Accept` does not belong to the key"), "a cache or proxy may have answered")
            }
            Fault::Protocol(protocol) => (
                invalid(&format!("it chose the subprotocol `{protocol}`, which was not offered")),
                "offer it with `subprotocols`",
            ),
            Fault::Extension(extension) => {
                (invalid(&format!("it chose the extension `{extension}`, which was not offered")), "look at the server")
            }
            Fault::Transport => (
                "only the direct transport supports WebSockets".to_owned(),
                "remove `Transport::Reqwest`, the proxy or the client from the session",
            ),
        };
        Error::new(ErrorKind::Protocol, message).with_hint(hint)
    }
}

/// Returns the tokens of a header that is a list.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// Returns the value of `Sec-WebSocket-Accept` for a key.
pub(crate) fn accept_key(key: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_standard_is_accepted() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    fn answer(changes: &[(&'static str, &'static str)]) -> Result<Option<String>, Fault> {
        let upgrade = Upgrade {
            key: "dGhlIHNhbXBsZSBub25jZQ==".into(),
            protocols: vec!["chat".into(), "other".into()],
            like_aiohttp: false,
            result: RefCell::default(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("upgrade", HeaderValue::from_static("WebSocket"));
        headers.insert("connection", HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert("sec-websocket-accept", HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        for (name, value) in changes {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        upgrade.check(&headers)
    }

    #[test]
    fn responses_are_checked() {
        assert_eq!(answer(&[]), Ok(None));
        assert_eq!(answer(&[("sec-websocket-protocol", "other")]), Ok(Some("other".into())));
        assert_eq!(answer(&[("upgrade", "h2c")]), Err(Fault::Upgrade));
        assert_eq!(answer(&[("connection", "keep-alive")]), Err(Fault::Connection));
        assert_eq!(answer(&[("sec-websocket-accept", "AAAA")]), Err(Fault::Accept));
        assert_eq!(answer(&[("sec-websocket-protocol", "soap")]), Err(Fault::Protocol("soap".into())));
        let deflate = answer(&[("sec-websocket-extensions", "permessage-deflate; x=1")]);
        assert_eq!(deflate, Err(Fault::Extension("permessage-deflate; x=1".into())));
    }
}
