//! Blocking requests, for `global_setup` and other functions that are not `async`.

use std::{fmt, panic, thread, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::{
    http::{Error, ErrorKind},
    session::{Redirect, RequestBuilder, Session, SessionOptions},
    vars::{RequestDefaults, Scope},
};

/// A request for [`request`] and [`json_request`]. A URL as text converts to a GET request.
///
/// Sending it returns any error found while building it. In a run, a path alone (`/reset`) is one on the host of `--host`, and the
/// headers and cookies of the command line are sent too.
///
/// ```no_run
/// use molotov::{BlockingRequest, prelude::*};
///
/// #[global_setup]
/// fn reset() -> Result<()> {
///     let request = BlockingRequest::post("http://127.0.0.1:8080/reset").header("x-key", "1").timeout(secs(5));
///     ensure!(molotov::request(request)?.status == StatusCode::OK);
///     Ok(())
/// }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until `request` or `json_request` makes it"]
pub struct BlockingRequest {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Option<Bytes>,
    timeout: Option<Duration>,
    redirects: Option<usize>,
    error: Option<Error>,
}

impl BlockingRequest {
    /// Builds a request with the given method.
    pub fn new(method: Method, url: impl Into<String>) -> BlockingRequest {
        BlockingRequest {
            method,
            url: url.into(),
            headers: HeaderMap::new(),
            body: None,
            timeout: None,
            redirects: None,
            error: None,
        }
    }

    /// Builds a GET request.
    pub fn get(url: impl Into<String>) -> BlockingRequest {
        BlockingRequest::new(Method::GET, url)
    }

    /// Builds a POST request.
    pub fn post(url: impl Into<String>) -> BlockingRequest {
        BlockingRequest::new(Method::POST, url)
    }

    fn wrong(mut self, error: Error) -> Self {
        self.error.get_or_insert(error);
        self
    }

    /// Adds a header.
    pub fn header<K, V>(mut self, name: K, value: V) -> Self
    where
        K: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        let bad = |error: http::Error| Error::new(ErrorKind::Builder, "a header cannot be sent").with_source(error);
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
                self
            }
            (Err(error), _) => self.wrong(bad(error.into())),
            (_, Err(error)) => self.wrong(bad(error.into())),
        }
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets the body to JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, json: &T) -> Self {
        match serde_json::to_vec(json) {
            Ok(text) => {
                let kind = HeaderValue::from_static("application/json");
                self.headers.entry(http::header::CONTENT_TYPE).or_insert(kind);
                self.body(text)
            }
            Err(error) => {
                let what = "the value cannot be written as JSON";
                self.wrong(Error::new(ErrorKind::Builder, what).with_source(error))
            }
        }
    }

    /// Sets the total timeout; 300 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how many redirects are followed; 10 by default. With 0, a redirect is returned like any response.
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = Some(most);
        self
    }

    fn on(self, session: &Session) -> RequestBuilder {
        let mut builder = session.request(self.method, self.url).headers(self.headers);
        if let Some(body) = self.body {
            builder = builder.body(body);
        }
        if let Some(timeout) = self.timeout {
            builder = builder.timeout(timeout);
        }
        if let Some(most) = self.redirects {
            builder = builder.redirect(if most == 0 { Redirect::none() } else { Redirect::limited(most) });
        }
        builder
    }

    /// Sends the request on a new thread, so that it works inside a runtime, and joins the thread, since a process with other threads
    /// cannot fork.
    fn make(mut self) -> Result<BlockingResponse, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let RequestDefaults { host, headers } = Scope::current().request_defaults();
        let thread = thread::Builder::new().name("molotov request".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
            runtime.block_on(async {
                let session = Session::new(SessionOptions::new().with_defaults(host, headers))?;
                let response = self.on(&session).send().await?;
                let (status, headers) = (response.status(), response.headers().clone());
                Ok(BlockingResponse { status, headers, body: response.bytes().await? })
            })
        });
        thread.map_err(cannot)?.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }
}

fn cannot(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Request, "no thread can be started for a blocking request").with_source(error)
}

impl From<&str> for BlockingRequest {
    fn from(url: &str) -> Self {
        BlockingRequest::get(url)
    }
}

impl From<String> for BlockingRequest {
    fn from(url: String) -> Self {
        BlockingRequest::get(url)
    }
}

impl From<&String> for BlockingRequest {
    fn from(url: &String) -> Self {
        BlockingRequest::get(url)
    }
}

/// The response to [`request`].
#[derive(Clone)]
#[non_exhaustive]
pub struct BlockingResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, decompressed.
    pub body: Bytes,
}

impl fmt::Debug for BlockingResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockingResponse({}, {} bytes)", self.status, self.body.len())
    }
}

/// The response to [`json_request`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JsonResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, parsed.
    pub content: Value,
}

/// Sends a request and waits for the complete response.
///
/// This blocks the thread. Use it in `global_setup`; in async code it blocks all other tasks of the thread. The request
/// is not measured and does not send events.
///
/// ```no_run
/// # use molotov::prelude::*;
/// #[global_setup]
/// fn warm_up(args: &Args) -> Result<()> {
///     ensure!(molotov::request("http://127.0.0.1:8080/health")?.status == 200, "the server is not up");
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// Returns an error if there is no complete response. A status of 400 or above is not an error.
pub fn request(request: impl Into<BlockingRequest>) -> Result<BlockingResponse, Error> {
    request.into().make()
}

/// Sends a request like [`request`], and parses the body as JSON.
///
/// ```no_run
/// # use molotov::{BlockingRequest, json_request, prelude::*};
/// #[global_setup]
/// fn log_in(args: &Args) -> Result<()> {
///     let login = BlockingRequest::post("http://127.0.0.1:8080/login").json(&json!({"user": "ann"}));
///     let token = json_request(login)?.content["token"].clone();
///     set_var("token", token);
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// Returns the errors of [`request`], and an error if the body is not JSON.
pub fn json_request(request: impl Into<BlockingRequest>) -> Result<JsonResponse, Error> {
    let request = request.into();
    let (method, url) = (request.method.clone(), request.url.clone());
    let BlockingResponse { status, headers, body } = request.make()?;
    let content = serde_json::from_slice(&body).map_err(|error| {
        let what = format!("the answer to {method} {url} has status {status} and is not JSON");
        Error::new(ErrorKind::Decode, what).with_status(status).with_source(error)
    })?;
    Ok(JsonResponse { status, headers, content })
}
