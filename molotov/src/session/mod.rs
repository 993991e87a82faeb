//! The HTTP session of a worker, and the values that belong to the worker.
#![cfg_attr(not(feature = "python"), allow(dead_code, reason = "other languages use more of it than Rust"))]

mod attach;
mod body;
mod builder;
mod context;
mod custom;
pub(crate) mod events;
mod expected;
mod headers;
mod into_url;
pub(crate) mod measure;
mod numbers;
mod observer;
mod operation;
mod options;
mod outcome;
mod parts;
mod pipeline;
mod prepared;
mod random;
mod request;
mod request_body;
mod response;
pub(crate) mod route;
mod shared;
mod step;
#[cfg(test)]
mod tests;
mod thinking;
mod transport;
#[cfg(feature = "websocket")]
mod websocket;
#[cfg(not(feature = "websocket"))]
#[path = "websocket/absent.rs"]
mod websocket;

use std::{
    cell::{OnceCell, RefCell},
    fmt,
    rc::Rc,
};

use http::Method;

#[cfg(all(test, feature = "websocket"))]
pub(crate) use self::websocket::accept_key as websocket_accept_key;
#[cfg(feature = "python")]
pub(crate) use self::websocket::{ABNORMAL, Broken, Event, Fault, NO_STATUS, Socket};
#[cfg(feature = "websocket")]
pub use self::websocket::{Message, WebSocket, WebSocketBuilder, WebSocketRequest};
pub use self::{
    builder::RequestBuilder,
    context::Context,
    custom::Options,
    events::{ServerSentEvent, ServerSentEvents},
    expected::Expected,
    into_url::IntoUrl,
    operation::Operation,
    options::{SessionOptions, Transport},
    outcome::{CheckOutcome, StepOutcome},
    prepared::PreparedRequest,
    request::Request,
    request_body::RequestBody,
    response::{Hop, Response},
};
pub(crate) use self::{context::Printer, numbers::Numbers, observer::Observer};
use self::{route::Routes, shared::SharedOptions, transport::HttpTransport};
#[doc(no_inline)]
pub use crate::http::multipart;
use crate::http::{
    Error, ErrorKind,
    cookies::Jar,
    request::DefaultHeaders,
    target::{Base, Target},
};
pub use crate::http::{
    proxy::Proxy,
    redirect::{Action, Attempt, Redirect},
};

/// An HTTP client with the cookies and connections of one worker.
///
/// It has the methods of a `reqwest` client. Clones refer to the same session, and requests can run in parallel:
///
/// ```no_run
/// # use molotov::prelude::*;
/// #[scenario]
/// async fn page(session: &Session) -> Result<()> {
///     let (page, style) = tokio::join!(
///         session.get("http://127.0.0.1:8080/").send(),
///         session.get("http://127.0.0.1:8080/style.css").send(),
///     );
///     assert_eq!(page?.status(), 200);
///     assert_eq!(style?.status(), 200);
///     Ok(())
/// }
/// ```
///
/// A run creates a session for each worker with the options from the fixture `setup`. Outside a run, as in a unit test of a
/// scenario, use [`Session::new`].
#[derive(Clone)]
pub struct Session(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    pub(crate) options: Rc<SessionOptions>,
    transport: HttpTransport,
    /// The transports of requests that connect differently.
    routes: Routes,
    jar: RefCell<Rc<Jar>>,
    pub(crate) defaults: Rc<DefaultHeaders>,
    /// The address that paths are added to.
    pub(crate) base: Option<Rc<Base>>,
    context: OnceCell<Context>,
}

impl Session {
    /// Returns a session with the given options. It connects with the first request.
    ///
    /// # Errors
    ///
    /// Returns an error if an option is invalid, such as a header that cannot be sent.
    pub fn new(options: SessionOptions) -> Result<Session, Error> {
        if let Some(error) = &options.error {
            return Err(Error::new(ErrorKind::Builder, error.clone()));
        }
        let jar = Jar::new(options.cookie_policy());
        for (url, cookie) in &options.cookies {
            let joined = options.base_url.as_ref().filter(|_| url.starts_with('/')).map(|base| base.join(url));
            let url = url::Url::parse(joined.as_ref().unwrap_or(url))
                .map_err(|error| Error::new(ErrorKind::Builder, format!("`{url}` is not a URL: {error}")))?;
            jar.add(cookie, &url)?;
        }
        let SharedOptions { options, transport, defaults, base } = SharedOptions::of(options);
        let transport = HttpTransport::new(&options, transport)?;
        Ok(Session(Rc::new(Inner {
            options,
            transport,
            routes: Routes::default(),
            jar: RefCell::new(Rc::new(jar)),
            defaults,
            base,
            context: OnceCell::new(),
        })))
    }

    /// Returns the session's cookies.
    pub(crate) fn jar(&self) -> Rc<Jar> {
        Rc::clone(&self.0.jar.borrow())
    }

    /// Replaces the session's cookies. Other sessions may share them.
    pub(crate) fn set_jar(&self, jar: Rc<Jar>) {
        *self.0.jar.borrow_mut() = jar;
    }

    /// Returns a session of the same worker with the same cookies and different options.
    pub(crate) fn with_options(&self, options: SessionOptions) -> Result<Session, Error> {
        let session = Session::new(options)?;
        session.set_jar(self.jar());
        if let Some(context) = self.0.context.get() {
            session.belong_to(context.clone());
        }
        Ok(session)
    }

    /// Returns whether connections can become WebSockets.
    #[cfg(feature = "websocket")]
    fn can_upgrade(&self) -> bool {
        self.0.transport.can_upgrade()
    }

    /// Makes this the session of a worker.
    pub(crate) fn belong_to(&self, context: Context) {
        // A session has one worker for its whole life.
        let _ = self.0.context.set(context);
    }

    pub(crate) fn observer(&self) -> Option<&Rc<dyn Observer>> {
        self.0.context.get()?.observer()
    }

    /// Returns the context of the worker. Outside a run, it belongs to this session only.
    pub fn context(&self) -> &Context {
        self.0.context.get_or_init(Context::outside)
    }

    /// Attaches a value to this worker; see [`Context::attach`].
    pub fn attach<T: 'static>(&self, value: T) {
        self.context().attach(value);
    }

    /// Returns the attached value of type `T`, or `None`.
    pub fn attached<T: 'static>(&self) -> Option<Rc<T>> {
        self.context().attached()
    }

    /// Measures a step; see [`Context::measure`].
    pub async fn measure<F>(&self, name: &str, step: F) -> F::Output
    where
        F: Future,
        F::Output: StepOutcome,
    {
        self.context().measure(name, step).await
    }

    /// Measures a step whose error is a [`Failure`](crate::Failure); see [`Context::try_measure`].
    ///
    /// # Errors
    ///
    /// Returns the error of the step.
    pub async fn try_measure<T>(&self, name: &str, step: impl Future<Output = crate::Result<T>>) -> crate::Result<T> {
        self.context().try_measure(name, step).await
    }

    /// Builds a request with the given method.
    pub fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method, url)
    }

    /// Builds a request to a target, or one that fails with the error that there is instead.
    pub(crate) fn request_to(&self, method: Method, target: Result<Rc<Target>, Error>) -> RequestBuilder {
        RequestBuilder::to(self.clone(), method, target)
    }

    /// Builds a GET request.
    pub fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Builds a POST request.
    pub fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Builds a PUT request.
    pub fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Builds a PATCH request.
    pub fn patch(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PATCH, url)
    }

    /// Builds a DELETE request.
    pub fn delete(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Builds a HEAD request.
    pub fn head(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::HEAD, url)
    }

    /// Builds an OPTIONS request.
    pub fn options(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::OPTIONS, url)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("options", &self.0.options).finish_non_exhaustive()
    }
}
