//! Requests that are built but not yet sent.

use std::fmt;

use http::{HeaderMap, Method};
use url::Url;

use super::{RequestBuilder, Response, Session, parts::Parts};
use crate::{
    http::{Error, request::Body, target::Target},
    secrets,
};

/// A request that is complete but not yet sent: what [`RequestBuilder::build`] returns and [`Session::execute`] sends.
///
/// Cookies and the default headers of the session are added when the request is sent.
///
/// ```no_run
/// # use molotov::prelude::*;
/// # fn sign(body: &[u8]) -> String { String::new() }
/// # async fn sample(session: &Session) -> Result<()> {
/// let mut request = session.post("http://127.0.0.1:8080/orders").body("{}").build()?;
/// let signature = sign(request.body().unwrap_or_default());
/// request.headers_mut().insert("x-signature", signature.parse()?);
/// let response = session.execute(request).await?;
/// # Ok(()) }
/// ```
#[doc(alias = "Request")]
#[must_use = "a request does nothing until it is sent"]
pub struct PreparedRequest(Parts);

impl PreparedRequest {
    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Returns the method for changing it.
    pub fn method_mut(&mut self) -> &mut Method {
        &mut self.0.method
    }

    /// Returns the URL, without user and password, which become a header.
    pub fn url(&self) -> &Url {
        &self.0.target.url
    }

    /// Replaces the URL. A user and password in it replace the header `Authorization`.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not one of HTTP.
    pub fn set_url(&mut self, url: Url) -> Result<(), Error> {
        let target = Target::from_url(url)?;
        if let Some(authorization) = &target.authorization {
            self.0.headers.insert(http::header::AUTHORIZATION, authorization.clone());
        }
        self.0.target = target;
        Ok(())
    }

    /// Returns the headers of this request, without cookies and the session's defaults.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// Returns the headers for changing them.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.0.headers
    }

    /// Returns the body, or `None` if there is none or it is a stream.
    pub fn body(&self) -> Option<&[u8]> {
        match &self.0.body {
            Body::Bytes(bytes) => Some(bytes),
            Body::Empty | Body::Stream { .. } => None,
        }
    }

    /// Returns a copy of the request, or `None` if its body is a stream.
    pub fn try_clone(&self) -> Option<PreparedRequest> {
        self.0.try_clone().map(PreparedRequest)
    }
}

impl fmt::Debug for PreparedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedRequest({} {})", self.0.method, secrets::mask_url(&self.0.target.url))
    }
}

impl RequestBuilder {
    /// Builds the request without sending it.
    ///
    /// # Errors
    ///
    /// Returns the error of the URL, header or body that is invalid.
    pub fn build(self) -> Result<PreparedRequest, Error> {
        self.parts.map(PreparedRequest)
    }

    /// Returns a copy of the builder, or `None` if the body is a stream or the request is invalid.
    ///
    /// ```no_run
    /// # use molotov::prelude::*;
    /// # async fn sample(session: &Session) -> Result<()> {
    /// let poll = session.get("http://127.0.0.1:8080/jobs/1").header("accept", "application/json");
    /// while poll.try_clone().context("the body is a stream")?.send().await?.status() == 202 {
    ///     tokio::time::sleep(secs(1)).await;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn try_clone(&self) -> Option<RequestBuilder> {
        let parts = self.parts.as_ref().ok()?.try_clone()?;
        Some(RequestBuilder { session: self.session.clone(), parts: Ok(parts) })
    }
}

impl Session {
    /// Sends a request that [`RequestBuilder::build`] returned, by this session or another one.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`RequestBuilder::send`].
    pub async fn execute(&self, request: PreparedRequest) -> Result<Response, Error> {
        self.clone().send(request.0).await
    }
}
