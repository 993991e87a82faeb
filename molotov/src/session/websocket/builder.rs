//! Builders of WebSockets.

use std::{fmt, rc::Rc, time::Duration};

use futures_util::future::LocalBoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use super::{
    WebSocket,
    handshake::{Accepted, Fault, Upgrade},
    rows::{self, Rows},
    socket::Socket,
};
use crate::{
    http::{Error, ErrorKind},
    session::{RequestBuilder, Response, Session, options::TIMEOUT},
};

/// The default maximum size of a message, in bytes.
const MAX_MESSAGE: usize = 64 << 20;
/// How much of the body of a refusal an error shows, in characters.
const SHOWN: usize = 200;

/// A builder for a [`WebSocket`].
///
/// [`connect`](Self::connect) opens it, and returns any error found while building it. The handshake is a request of the session,
/// with its cookies, default headers, redirects and listeners.
///
/// ```no_run
/// # use molotov::prelude::*;
/// # async fn sample(session: &Session) -> Result<()> {
/// let socket = session
///     .websocket("wss://127.0.0.1:8443/chat?room=7")
///     .subprotocols(["chat.v2", "chat.v1"])
///     .bearer_auth("token")
///     .name("chat")
///     .timeout(secs(5))
///     .max_message_size(1 << 20)
///     .connect()
///     .await?;
/// assert_eq!(socket.subprotocol(), Some("chat.v2"));
/// # Ok(()) }
/// ```
#[must_use = "a WebSocket does nothing until it connects"]
pub struct WebSocketBuilder {
    request: RequestBuilder,
    name: Option<String>,
    protocols: Vec<String>,
    max_message_size: usize,
}

impl WebSocketBuilder {
    pub(super) fn new(session: &Session, url: &str) -> WebSocketBuilder {
        let request = session.request(Method::GET, http_url(url));
        WebSocketBuilder { request, name: None, protocols: Vec::new(), max_message_size: MAX_MESSAGE }
    }

    fn change(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.request = change(self.request);
        self
    }

    /// Adds a header to the handshake. It replaces a default header of the session with the same name.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        K: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        self.change(|request| request.header(name, value))
    }

    /// Sets headers of the handshake, replacing those with the same names.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.change(|request| request.headers(headers))
    }

    /// Sets the user and password of Basic authorization.
    pub fn basic_auth(self, user: impl fmt::Display, password: Option<impl fmt::Display>) -> Self {
        self.change(|request| request.basic_auth(user, password))
    }

    /// Sets the token of Bearer authorization.
    pub fn bearer_auth(self, token: impl fmt::Display) -> Self {
        self.change(|request| request.bearer_auth(token))
    }

    /// Offers subprotocols, in the order of preference. [`WebSocket::subprotocol`] returns the one that the server chooses.
    pub fn subprotocols(mut self, protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.protocols.extend(protocols.into_iter().map(Into::into));
        self
    }

    /// Sets the timeout of the handshake. The default is that of the session.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|request| request.timeout(timeout))
    }

    /// Sets the maximum size of a received message, in bytes. The default is 64 MiB. A larger one closes the WebSocket with the
    /// code 1009.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Sets the name of the connection in the results: `chat` makes the rows `WS connect chat` and `WS close chat`. The default is
    /// the path, with numbers, UUIDs and long hexadecimal strings replaced.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns a builder whose handshake is this request.
    #[cfg(feature = "python")]
    pub(crate) fn of_request(request: RequestBuilder) -> WebSocketBuilder {
        WebSocketBuilder { request, name: None, protocols: Vec::new(), max_message_size: MAX_MESSAGE }
    }

    /// Opens the connection and performs the handshake.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid, there is no response, a redirect cannot be followed, or the server refuses:
    /// then [`Error::status`] returns the status of its response.
    pub async fn connect(self) -> Result<WebSocket, Error> {
        let mut handshake = self.start(false).await?;
        match handshake.accepted.take() {
            Some(Ok(accepted)) => {
                let (socket, protocol) = handshake.open(accepted).await;
                Ok(WebSocket {
                    socket,
                    protocol: protocol.map(Into::into),
                    headers: Rc::new(handshake.response.headers().clone()),
                    timeout: handshake.timeout,
                })
            }
            Some(Err(fault)) => Err(handshake.at(fault.into_error().with_status(handshake.response.status()))),
            None => Err(handshake.refused().await),
        }
    }

    /// Performs the handshake. The caller decides what to do with the response.
    pub(crate) async fn start(self, like_aiohttp: bool) -> Result<Handshake, Error> {
        let WebSocketBuilder { request, name, protocols, max_message_size } = self;
        let session = request.session;
        let mut parts = request.parts?;
        let route = parts.settings().and_then(|settings| settings.route.as_ref());
        let supported = session.can_upgrade() && route.is_none_or(|route| route.proxy.is_none());
        if !supported {
            return Err(Fault::Transport.into_error().at(&parts.method, &parts.target.url));
        }
        let upgrade = Rc::new(Upgrade::new(protocols, like_aiohttp));
        upgrade.add_to(&mut parts.headers).map_err(|error| error.at(&parts.method, &parts.target.url))?;
        let name = name.unwrap_or_else(|| parts.target.template.clone());
        parts.name = Some(rows::connect(&name).into());
        parts.version = Some(Version::HTTP_11);
        let settings = parts.settings_mut();
        settings.expected = Some(StatusCode::SWITCHING_PROTOCOLS.into());
        settings.upgrade = Some(Rc::clone(&upgrade));
        let group = settings.group.clone();
        let timeout = parts.timeout.or(session.0.options.timeout).unwrap_or(TIMEOUT);
        let response = session.clone().send(parts).await?;
        Ok(Handshake { session, response, accepted: upgrade.take(), group, name, max_message_size, timeout })
    }
}

/// A handshake whose response has arrived.
pub(crate) struct Handshake {
    session: Session,
    pub(crate) response: Response,
    /// `None` if the status is not 101.
    pub(crate) accepted: Option<Result<Accepted, Fault>>,
    /// The path of the group, if it differs from the context's.
    group: Option<Rc<str>>,
    name: String,
    max_message_size: usize,
    timeout: Duration,
}

impl Handshake {
    /// Returns the open connection, and the subprotocol that the server has chosen.
    pub(crate) async fn open(&self, accepted: Accepted) -> (Rc<Socket>, Option<String>) {
        let Accepted { connection, protocol } = accepted;
        let rows = Rows::new(self.session.context().clone(), self.group.clone(), self.name.clone());
        let socket = Socket::new(connection, rows, websocket_url(self.response.url()), self.max_message_size).await;
        (Rc::new(socket), protocol)
    }

    fn at(&self, error: Error) -> Error {
        error.at(&Method::GET, self.response.url())
    }

    /// Returns the error of a response with another status than 101.
    async fn refused(self) -> Error {
        let (status, url) = (self.response.status(), self.response.url().clone());
        let mut message = format!("the server refused the WebSocket with {status}");
        let body = tokio::time::timeout(self.timeout, self.response.text()).await;
        if let Ok(Ok(body)) = body
            && !body.trim().is_empty()
        {
            let body = body.trim();
            let shown: String = body.chars().take(SHOWN).collect();
            let rest = if shown.len() < body.len() { "..." } else { "" };
            message += &format!(": `{shown}{rest}`");
        }
        let kind = if status == StatusCode::OK { ErrorKind::Protocol } else { ErrorKind::Status };
        Error::new(kind, message).with_status(status).at(&Method::GET, &url)
    }
}

/// Awaiting a builder connects like [`connect`](WebSocketBuilder::connect).
impl IntoFuture for WebSocketBuilder {
    type Output = Result<WebSocket, Error>;
    type IntoFuture = LocalBoxFuture<'static, Result<WebSocket, Error>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connect())
    }
}

impl fmt::Debug for WebSocketBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketBuilder").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Returns the URL of the handshake.
fn http_url(url: &str) -> String {
    match url.get(..2) {
        Some(scheme) if scheme.eq_ignore_ascii_case("ws") => {
            let rest = &url[2..];
            let rest_is_scheme =
                rest.starts_with(':') || rest.get(..2).is_some_and(|rest| rest.eq_ignore_ascii_case("s:"));
            if rest_is_scheme { format!("http{rest}") } else { url.to_owned() }
        }
        _ => url.to_owned(),
    }
}

/// Returns the URL as errors show it.
fn websocket_url(url: &url::Url) -> url::Url {
    let mut url = url.clone();
    // Both are schemes that `Url` knows, so it can replace one with the other.
    let _ = url.set_scheme(if url.scheme() == "https" { "wss" } else { "ws" });
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_of_websockets_become_those_of_http() {
        for (url, expected) in [
            ("ws://a.test/x", "http://a.test/x"),
            ("WSS://a.test/x", "httpS://a.test/x"),
            ("https://a.test/", "https://a.test/"),
            ("/wsx", "/wsx"),
            ("wsx://a.test/", "wsx://a.test/"),
        ] {
            assert_eq!(http_url(url), expected);
        }
        assert_eq!(websocket_url(&"https://a.test/x".parse().expect("a URL")).as_str(), "wss://a.test/x");
    }
}
