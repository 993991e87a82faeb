//! Errors of requests.

use std::{error::Error as StdError, fmt};

use http::{Method, StatusCode};
use url::Url;

use super::BoxError;
use crate::secrets;

/// The kind of an error. A run groups its errors by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection could not be opened.
    Connect,
    /// The name of the host could not be resolved.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// A timeout expired.
    Timeout,
    /// The server closed the connection before the response was complete.
    Closed,
    /// The response is not valid HTTP.
    Protocol,
    /// A body could not be sent or read.
    Body,
    /// The body of a response is larger than the session's `max_body`.
    TooLarge,
    /// A body could not be decoded (compression, character set, JSON).
    Decode,
    /// Redirects could not be followed.
    Redirect,
    /// The status is 400 or above, and `error_for_status` was called.
    Status,
    /// The request could not be sent.
    Request,
    /// The request or the session could not be built.
    Builder,
}

impl ErrorKind {
    /// Returns the name of this kind in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::Body => "body",
            Self::TooLarge => "too large",
            Self::Decode => "decode",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::Request => "request",
            Self::Builder => "builder",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of a request, with the methods of `reqwest::Error`.
///
/// The message is one sentence that names the problem, the request, and a solution if there is one. Passwords and tokens in the
/// URL are masked. [`source`](std::error::Error::source) returns the cause.
///
/// ```no_run
/// # use molotov::prelude::*;
/// # async fn sample(session: &Session) -> Result<()> {
/// match session.get("http://127.0.0.1:8080/").send().await {
///     Ok(response) => println!("{}", response.status()),
///     Err(error) if error.is_timeout() => println!("{:?} is slow", error.url()),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    /// Whether a timeout expired while connecting. Then both `is_timeout` and `is_connect` return true.
    connecting: bool,
    /// Whether a timeout applied to a single read rather than the whole request.
    reading: bool,
    message: String,
    hint: Option<&'static str>,
    method: Option<Method>,
    url: Option<Url>,
    status: Option<StatusCode>,
    source: Option<BoxError>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            connecting: false,
            reading: false,
            message: message.into(),
            hint: None,
            method: None,
            url: None,
            status: None,
            source: None,
        }))
    }

    /// Adds a solution, which is shown last.
    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.0.hint = Some(hint);
        self
    }

    /// Adds when it occurred to the message.
    pub(crate) fn after(mut self, what: &str) -> Self {
        self.0.message = format!("{} {what}", self.0.message);
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Marks an error that occurred while the connection was being opened.
    pub(crate) fn while_connecting(mut self) -> Self {
        self.0.connecting = true;
        self
    }

    /// Marks the timeout of a read.
    pub(crate) fn while_reading(mut self) -> Self {
        self.0.reading = true;
        self
    }

    /// Returns whether the timeout of a read expired.
    pub(crate) fn is_read_timeout(&self) -> bool {
        self.0.reading
    }

    /// Adds the method and URL of the request, unless the error has a URL.
    pub(crate) fn at(mut self, method: &Method, url: &Url) -> Self {
        if self.0.url.is_none() {
            self.0.method = Some(method.clone());
            self.0.url = Some(url.clone());
        }
        self
    }

    /// Adds the URL of the request, unless the error has one.
    pub(crate) fn at_url(mut self, url: &Url) -> Self {
        if self.0.url.is_none() {
            self.0.url = Some(url.clone());
        }
        self
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether the request or the session could not be built.
    pub fn is_builder(&self) -> bool {
        self.kind() == ErrorKind::Builder
    }

    /// Returns whether no connection could be opened, because of the name, the network or TLS.
    pub fn is_connect(&self) -> bool {
        matches!(self.kind(), ErrorKind::Connect | ErrorKind::Dns | ErrorKind::Tls) || self.0.connecting
    }

    /// Returns whether a timeout expired.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Returns whether redirects could not be followed.
    pub fn is_redirect(&self) -> bool {
        self.kind() == ErrorKind::Redirect
    }

    /// Returns whether the error was returned by `error_for_status`.
    pub fn is_status(&self) -> bool {
        self.kind() == ErrorKind::Status
    }

    /// Returns whether the request could not be sent, or the response was incomplete.
    pub fn is_request(&self) -> bool {
        use ErrorKind::{Closed, Connect, Dns, Protocol, Request, Timeout, Tls};
        matches!(self.kind(), Connect | Dns | Tls | Closed | Protocol | Request | Timeout)
    }

    /// Returns whether a body could not be sent or read, or was larger than the session's `max_body`.
    pub fn is_body(&self) -> bool {
        matches!(self.kind(), ErrorKind::Body | ErrorKind::TooLarge)
    }

    /// Returns whether a body could not be decoded.
    pub fn is_decode(&self) -> bool {
        self.kind() == ErrorKind::Decode
    }

    /// Returns the URL of the request, without user and password.
    pub fn url(&self) -> Option<&Url> {
        self.0.url.as_ref()
    }

    /// Returns the status of the response, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&secrets::mask(&self.0.message))?;
        let url = self.0.url.as_ref().map(secrets::mask_url);
        match (&self.0.method, url) {
            (Some(method), Some(url)) => write!(f, " ({method} {url})")?,
            (None, Some(url)) => write!(f, " ({url})")?,
            _ => {}
        }
        match self.0.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("message", &secrets::mask(&inner.message))
            .field("method", &inner.method)
            .field("url", &inner.url.as_ref().map(secrets::mask_url))
            .field("status", &inner.status)
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_message_is_a_sentence_with_request_and_solution() {
        let error = Error::new(ErrorKind::Connect, "no connection to 127.0.0.1:1")
            .with_hint("is a server listening there?")
            .with_source(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
            .at(&Method::GET, &Url::parse("http://127.0.0.1:1/").unwrap());
        assert_eq!(
            error.to_string(),
            "no connection to 127.0.0.1:1 (GET http://127.0.0.1:1/): is a server listening there?"
        );
        assert!(error.is_connect() && error.is_request() && !error.is_timeout());
        assert!(error.source().unwrap().to_string().contains("refused"));
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn timeouts_while_connecting_are_both() {
        let error = Error::new(ErrorKind::Timeout, "too slow").while_connecting();
        assert!(error.is_connect() && error.is_timeout());
        assert_eq!(error.kind().as_str(), "timeout");
    }
}
