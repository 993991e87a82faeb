//! Responses, with the methods of `reqwest`'s.

use std::{
    any::Any,
    cell::RefCell,
    fmt,
    future::poll_fn,
    net::SocketAddr,
    panic::Location,
    rc::Rc,
    task::{self, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, Method, StatusCode, Version, header};
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    CheckOutcome, Context,
    body::{Collected, Incoming},
    context::shown,
    events::Sent,
};
use crate::{
    http::{Error, ErrorKind, headers::LazyHeaders, response::TransportResponse, target::Target},
    secrets,
};

/// The response to a request. Its head has arrived, and its body may still be arriving.
///
/// ```no_run
/// # use molotov::prelude::*;
/// # async fn sample(session: &Session) -> Result<()> {
/// let mut response = session.get("http://127.0.0.1:8080/export").send().await?;
/// assert_eq!(response.status(), StatusCode::OK);
/// assert_eq!(response.headers()["content-type"], "text/csv");
/// let mut bytes = 0;
/// while let Some(part) = response.chunk().await? {
///     bytes += part.len();
/// }
/// ensure!(bytes > 0, "the export is empty");
/// # Ok(()) }
/// ```
pub struct Response {
    method: Method,
    version: Version,
    status: StatusCode,
    headers: LazyHeaders,
    body: Body,
    target: Rc<Target>,
    remote_addr: Option<SocketAddr>,
    history: Vec<Hop>,
    sent: Sent,
    /// The context of the worker whose session sent the request.
    context: Option<Context>,
    /// The objects that listeners in another language use for the response.
    pub(crate) extension: RefCell<Option<Box<dyn Any>>>,
}

/// The body, which one response owns or several views of one share.
enum Body {
    Owned(RefCell<Incoming>),
    Shared(Rc<RefCell<Incoming>>),
}

impl Body {
    /// Returns the next part, or `None` at the end. The body is borrowed only for each poll.
    async fn chunk(&self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| self.cell().borrow_mut().poll_chunk(cx)).await
    }

    fn cell(&self) -> &RefCell<Incoming> {
        match self {
            Body::Owned(body) => body,
            Body::Shared(body) => body,
        }
    }
}

/// A redirect that led to a response.
///
/// ```no_run
/// # use molotov::prelude::*;
/// # async fn sample(session: &Session) -> Result<()> {
/// let response = session.get("http://127.0.0.1:8080/old").send().await?;
/// for hop in response.history() {
///     println!("{} redirected with {}", hop.url(), hop.status());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Hop {
    url: Url,
    status: StatusCode,
    headers: LazyHeaders,
}

impl Hop {
    pub(super) fn new(response: TransportResponse, url: &Url) -> Hop {
        Hop { url: url.clone(), status: response.status, headers: response.headers }
    }

    /// Returns the reason phrase of the status, if it is known.
    pub(crate) fn reason(&self) -> Option<&[u8]> {
        self.headers.reason()
    }

    /// Returns the URL that sent the redirect.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the status of the redirect.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the headers of the redirect.
    pub fn headers(&self) -> &HeaderMap {
        self.headers.map()
    }
}

impl Response {
    #[expect(clippy::too_many_arguments, reason = "they are the parts of a response")]
    pub(super) fn new(
        method: Method,
        version: Version,
        status: StatusCode,
        headers: LazyHeaders,
        body: Incoming,
        target: Rc<Target>,
        remote_addr: Option<SocketAddr>,
        history: Vec<Hop>,
        sent: Sent,
        context: Option<Context>,
    ) -> Response {
        Response {
            method,
            version,
            status,
            headers,
            body: Body::Owned(RefCell::new(body)),
            target,
            remote_addr,
            history,
            sent,
            context,
            extension: RefCell::default(),
        }
    }

    /// Checks a condition on the response without ending the scenario, and returns whether it holds; see
    /// [`Context::check`](super::Context::check). A failure says which response it was.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # async fn sample(session: &Session) -> Result<()> {
    /// let response = session.get("http://127.0.0.1:8080/items").send().await?;
    /// response.check("is found", |response| response.status() == 200);
    /// response.check("is cached", |response| response.headers().contains_key("etag"));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn check<O: CheckOutcome>(&self, name: &str, condition: impl FnOnce(&Response) -> O) -> bool {
        let place = Location::caller();
        let result = condition(self).outcome();
        let passed = result.is_ok();
        if let Some(context) = &self.context {
            let response = || format!("{} {}: {}", self.method, secrets::mask_url(&self.target.url), self.status);
            let result = result.map_err(|message| match message {
                Some(message) => format!("{message} ({})", response()),
                None => response(),
            });
            context.check_at(name, result, || Some(shown(place)));
        }
        passed
    }

    /// Returns when the request was sent, and the names of its row.
    pub(super) fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Returns the context of the worker whose session sent the request.
    pub(super) fn context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    pub(super) fn target(&self) -> &Rc<Target> {
        &self.target
    }

    /// Excludes time that has passed from the duration of the request and from its timeout.
    pub(super) fn leave_out(&mut self, time: Duration) {
        self.sent.started += time;
        self.body.cell().borrow_mut().leave_out(time);
    }

    /// Returns the method of the last request; a redirect may have changed it.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the version of HTTP.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the headers. If the session has decompressed the body, those that describe the compression are missing.
    pub fn headers(&self) -> &HeaderMap {
        self.headers.map()
    }

    /// Returns the length of the body as stated by the server, unless the body is compressed.
    pub fn content_length(&self) -> Option<u64> {
        self.headers.get(&header::CONTENT_LENGTH).and_then(|text| std::str::from_utf8(text).ok()?.trim().parse().ok())
    }

    /// Returns the names and values of the cookies that this response sets.
    #[cfg(feature = "cookies")]
    pub fn cookies(&self) -> impl Iterator<Item = (String, String)> {
        let set = self.headers().get_all(header::SET_COOKIE).iter();
        set.filter_map(|text| {
            let cookie = cookie_store::RawCookie::parse(text.to_str().ok()?.to_owned()).ok()?;
            Some((cookie.name().to_owned(), cookie.value().to_owned()))
        })
    }

    /// Returns the last URL, after redirects.
    pub fn url(&self) -> &Url {
        &self.target.url
    }

    /// Returns the address of the server, if the transport provides it.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }

    /// Returns the redirects that were followed, in order.
    pub fn history(&self) -> &[Hop] {
        &self.history
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// Returns an error if the body is incomplete, times out, cannot be decompressed, or is larger than
    /// [`max_body`](super::SessionOptions::max_body).
    #[allow(clippy::manual_async_fn, reason = "an `async fn` would store the response twice")]
    pub fn bytes(mut self) -> impl Future<Output = Result<Bytes, Error>> {
        async move { self.read().await }
    }

    /// Reads the whole body. Only views of a shared body can read it again.
    async fn read(&mut self) -> Result<Bytes, Error> {
        match &mut self.body {
            Body::Owned(body) => body.get_mut().read().await.map_err(|error| error.at_url(&self.target.url)),
            Body::Shared(_) => self.buffered().await,
        }
    }

    /// Reads the whole body as text, in the charset stated by the server or in UTF-8. Invalid characters are replaced.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`bytes`](Self::bytes).
    pub fn text(self) -> impl Future<Output = Result<String, Error>> {
        self.text_with_charset("utf-8")
    }

    /// Reads the whole body as text, like [`text`](Self::text), with a different default charset.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`bytes`](Self::bytes), and an error if the charset is unknown.
    #[allow(clippy::manual_async_fn, reason = "an `async fn` would store the response twice")]
    pub fn text_with_charset(mut self, default: &str) -> impl Future<Output = Result<String, Error>> {
        async move {
            let bytes = self.read().await?;
            let stated = self.headers.get(&header::CONTENT_TYPE).and_then(|kind| {
                let kind = std::str::from_utf8(kind).ok()?;
                let charset = kind.split(';').skip(1).find_map(|parameter| {
                    let (name, value) = parameter.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("charset").then_some(value)
                })?;
                Some(charset.trim().trim_matches('"'))
            });
            decode(&bytes, stated, default)
        }
    }

    /// Reads the whole body and parses it as JSON.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`bytes`](Self::bytes), and an error if the body is not valid JSON for `T`.
    #[allow(clippy::manual_async_fn, reason = "an `async fn` would store the response twice")]
    pub fn json<T: DeserializeOwned>(mut self) -> impl Future<Output = Result<T, Error>> {
        async move {
            let bytes = self.read().await?;
            serde_json::from_slice(&bytes).map_err(|error| {
                let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).escape_debug().to_string();
                let what = format!("the body is not the expected JSON; it starts with `{shown}`");
                Error::new(ErrorKind::Decode, what).with_source(error).at_url(&self.target.url)
            })
        }
    }

    /// Reads the next part of the body, or `None` at its end. The size of the body is not limited.
    ///
    /// # Errors
    ///
    /// Returns an error if the body is incomplete, times out, or cannot be decompressed.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.body.chunk().await.transpose().map_err(|error| error.at_url(&self.target.url))
    }

    /// Like [`chunk`](Self::chunk), for a shared response. Returns everything that has arrived, up to about `most` bytes.
    pub(crate) async fn chunk_shared(&self, most: usize) -> Result<Option<Bytes>, Error> {
        let chunk = poll_fn(|cx| self.body.cell().borrow_mut().poll_chunks(cx, most)).await;
        chunk.transpose().map_err(|error| error.at_url(&self.target.url))
    }

    /// Returns another response with the same head and body, for a listener that outlives its call.
    ///
    /// A part that is read from one of them is not available to the other. [`buffered`](Self::buffered) keeps it for both.
    pub(crate) fn view(&self) -> Option<Response> {
        let Body::Shared(body) = &self.body else { return None };
        Some(self.with_body(Body::Shared(body.clone())))
    }

    /// Returns a response with the same head, and a body that has ended.
    pub(crate) fn without_body(&self) -> Response {
        self.with_body(Body::Owned(RefCell::new(Incoming::ended())))
    }

    /// Discards the rest of the body, which closes its connection unless the body has ended. The head stays available.
    pub(crate) fn discard_body(&mut self) {
        self.body = Body::Owned(RefCell::new(Incoming::ended()));
    }

    fn with_body(&self, body: Body) -> Response {
        Response {
            method: self.method.clone(),
            version: self.version,
            status: self.status,
            headers: self.headers.clone(),
            body,
            target: self.target.clone(),
            remote_addr: self.remote_addr,
            history: self.history.clone(),
            sent: self.sent.clone(),
            context: self.context.clone(),
            extension: RefCell::default(),
        }
    }

    /// Lets [`view`](Self::view) make responses with this one's body.
    pub(super) fn share(mut self) -> Response {
        if let Body::Owned(body) = self.body {
            self.body = Body::Shared(Rc::new(body));
        }
        self
    }

    /// Returns the maximum size of a body in memory, in bytes.
    pub(crate) fn max_body(&self) -> u64 {
        self.body.cell().borrow().max_body()
    }

    /// Returns the whole body if it has arrived. The response keeps it, so it can be read again.
    pub(crate) fn whole_body(&self) -> Option<Bytes> {
        self.body.cell().borrow().whole()
    }

    /// Returns whether the body can be read without waiting.
    pub(crate) fn is_complete(&self) -> bool {
        self.body.cell().borrow().is_complete()
    }

    /// Returns the headers as they were received.
    pub(crate) fn head(&self) -> &LazyHeaders {
        &self.headers
    }

    /// Returns the body as a stream of parts. The size of the body is not limited.
    pub fn bytes_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Unpin {
        let (body, target) = (self.body, self.target);
        stream::poll_fn(move |cx: &mut task::Context<'_>| -> Poll<Option<Result<Bytes, Error>>> {
            body.cell().borrow_mut().poll_chunk(cx).map_err(|error| error.at_url(&target.url))
        })
    }

    /// Returns the body of a shared response as a stream of parts.
    pub(crate) fn parts(self: Rc<Self>) -> impl Stream<Item = Result<Bytes, Error>> {
        stream::poll_fn(move |cx: &mut task::Context<'_>| {
            let polled = self.body.cell().borrow_mut().poll_chunk(cx);
            polled.map_err(|error| error.at_url(&self.target.url))
        })
    }

    /// Reads the whole body and keeps it in the response, so that it can be read again.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`bytes`](Self::bytes). Reading the body again returns the same error.
    pub async fn buffered(&self) -> Result<Bytes, Error> {
        let mut all = Collected::default();
        // The body is borrowed only for each poll.
        while poll_fn(|cx| self.body.cell().borrow_mut().poll_collect(cx, &mut all))
            .await
            .map_err(|error| error.at_url(&self.target.url))?
        {}
        let bytes = all.into_bytes();
        self.body.cell().borrow_mut().keep(bytes.clone());
        Ok(bytes)
    }

    /// Returns the response if its status is below 400.
    ///
    /// # Errors
    ///
    /// Returns an error if the status is 400 or above.
    pub fn error_for_status(self) -> Result<Response, Error> {
        self.error_for_status_ref()?;
        Ok(self)
    }

    /// Checks the status, like [`error_for_status`](Self::error_for_status), without consuming the response.
    ///
    /// # Errors
    ///
    /// Returns an error if the status is 400 or above.
    pub fn error_for_status_ref(&self) -> Result<&Response, Error> {
        if self.status.is_client_error() || self.status.is_server_error() {
            let error = Error::new(ErrorKind::Status, format!("the server answered with {}", self.status));
            return Err(error.with_status(self.status).at_url(&self.target.url));
        }
        Ok(self)
    }
}

// Not derived, so that it masks secrets.
impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop")
            .field("url", &secrets::mask_url(&self.url))
            .field("status", &self.status)
            .field("headers", &secrets::Headers(self.headers.map()))
            .finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("url", &secrets::mask_url(&self.target.url))
            .field("status", &self.status)
            .finish()
    }
}

/// Decodes a body with the stated charset, or with the default one.
#[cfg(feature = "charset")]
fn decode(bytes: &[u8], stated: Option<&str>, default: &str) -> Result<String, Error> {
    let known = |label: &str| encoding_rs::Encoding::for_label(label.as_bytes());
    let Some(encoding) = stated.and_then(known).or_else(|| known(default)) else {
        return Err(Error::new(ErrorKind::Decode, format!("`{default}` is not a known charset")));
    };
    Ok(encoding.decode(bytes).0.into_owned())
}

/// Decodes a body as UTF-8, which includes ASCII.
#[cfg(not(feature = "charset"))]
fn decode(bytes: &[u8], stated: Option<&str>, default: &str) -> Result<String, Error> {
    let label = stated.unwrap_or(default);
    if !["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| label.eq_ignore_ascii_case(known)) {
        let what = format!("the charset `{label}` is not supported");
        return Err(Error::new(ErrorKind::Decode, crate::missing::missing(what, "charset")));
    }
    Ok(String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_debug_output_of_hops_masks_secrets() {
        let headers = [(header::SET_COOKIE, "id=c00kie"), (header::LOCATION, "http://ada:pa55@host/?token=t0ken")];
        let hop = Hop {
            url: Url::parse("http://host/cb?code=c0de").expect("a URL"),
            status: StatusCode::FOUND,
            headers: LazyHeaders::from_map(
                headers.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect(),
            ),
        };
        let shown = format!("{hop:?}");
        assert!(shown.contains("http://ada:***@host/?token=***") && shown.contains("code=***"), "{shown}");
        for secret in ["c00kie", "pa55", "t0ken", "c0de"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
