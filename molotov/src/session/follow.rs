//! A request's way to its final answer: cookies, events, redirects, decoding around the transport.

use std::{
    borrow::Cow,
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Version, header};

use super::{
    Session,
    body::Incoming,
    measure::Measure,
    options::SessionOptions,
    request::Request,
    response::{Hop, Response},
    route::Route,
};
#[cfg(feature = "python")]
use crate::http::{BoxError, ErrorKind};
use crate::http::{
    Error,
    cookies::Kept,
    decode::Coding,
    redirect::{self, Step},
    request::{Body, TransportRequest},
    response::TransportResponse,
    target::Target,
};

#[cfg(feature = "python")]
type Renew = Box<dyn FnMut() -> Result<Body, BoxError>>;

/// Everything a request is made of.
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) target: Rc<Target>,
    /// The request's own headers.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) version: Option<Version>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) read_timeout: Option<Duration>,
    /// Which redirects are followed, where it is not the session's business.
    pub(crate) redirect: Option<redirect::Redirect>,
    pub(crate) name: Option<Rc<str>>,
    /// Whether the body is a stream, which can be sent once.
    pub(crate) streamed: bool,
    /// Makes a streamed body anew.
    #[cfg(feature = "python")]
    pub(crate) renew: Option<Renew>,
    /// Whether a redirect to another server has taken the defaults in, without what is secret.
    pub(crate) stripped: bool,
    /// How it connects, where it does not as the session does.
    pub(crate) route: Option<Rc<Route>>,
}

impl Parts {
    /// The name the request is measured under.
    pub(crate) fn name(&self) -> Rc<str> {
        match &self.name {
            Some(name) => name.clone(),
            None => self.target.name(&self.method),
        }
    }

    /// Whether the body can be sent to where a redirect leads.
    fn can_repeat(&self) -> bool {
        #[cfg(feature = "python")]
        if self.renew.is_some() {
            return true;
        }
        !self.streamed
    }

    /// Makes a streamed body anew, after a redirect that asks for it again.
    #[cfg(feature = "python")]
    fn renew_body(&mut self) -> Result<(), Error> {
        if self.streamed
            && let Some(renew) = &mut self.renew
        {
            self.body = renew().map_err(|source| {
                let message = format!("the body of the request cannot be sent again: {source}");
                Error::new(ErrorKind::Body, message).with_source(source).at(&self.method, &self.target.url)
            })?;
            self.streamed = matches!(self.body, Body::Stream { .. });
        }
        Ok(())
    }
}

/// A body that was whole when it came, kept to be sent again.
fn copy(body: &Body) -> Option<Bytes> {
    match body {
        Body::Bytes(bytes) => Some(bytes.clone()),
        Body::Empty | Body::Stream { .. } => None,
    }
}

impl Session {
    /// Sends a request, follows where it leads, and measures the whole as one.
    pub(crate) async fn follow(&self, mut parts: Parts) -> Result<Response, Error> {
        let observer = self.observer();
        let listened = observer.as_ref().filter(|observer| observer.has_listeners());
        let original = listened.is_some().then(|| parts.target.url.clone());
        let mut told = None;
        if let (Some(observer), Some(original)) = (listened, &original) {
            let request = self.told(&parts, original);
            observer.sending(self, &request).await;
            self.change(&mut parts, &request);
            told = Some(request);
        }
        // The clock starts after the listeners: their time is not the server's.
        let mut measure = observer.clone().map(|observer| Measure::start(observer, parts.name()));
        let started = measure.as_ref().map_or_else(Instant::now, Measure::started);
        let timeout = parts.timeout.or(self.0.options.timeout).unwrap_or(super::options::TIMEOUT);
        let mut deadline = started.checked_add(timeout);

        let mut previous = Vec::new();
        let mut history = Vec::new();
        let (wire, codings) = loop {
            let wire = match self.hop(&mut parts, deadline, measure.as_ref()).await {
                Ok(wire) => wire,
                Err(error) => {
                    if let Some(measure) = measure {
                        measure.failed();
                    }
                    return Err(error);
                }
            };
            if let Some(measure) = &mut measure {
                measure.hop(wire.bytes_out, wire.head_bytes);
            }
            let special = wire.headers.has_special();
            if !special {
                break (wire, None);
            }
            let (jar, url) = (self.jar(), &parts.target.url);
            match jar.kept() {
                // Nobody expects cookies to be kept.
                Kept::Nothing => {}
                Kept::OfNames if url.domain().is_none() => {
                    if let (Some(observer), Some(host)) = (&observer, url.host_str())
                        && wire.headers.map().contains_key(header::SET_COOKIE)
                    {
                        observer.cookie_dropped(host);
                    }
                }
                Kept::OfNames | Kept::All => jar.store(wire.headers.map(), url),
            }
            match self.next(&mut parts, &wire, &mut previous) {
                Ok(Step::Followed) => history.push(Hop::new(&wire, previous.last().unwrap_or(&parts.target.url))),
                Ok(Step::Final) => {
                    let codings = self.codings(&parts.method, &wire);
                    break (wire, codings);
                }
                #[cfg(feature = "python")]
                Ok(Step::TooMany) => {
                    if let Some(measure) = measure.take() {
                        measure.failed();
                    }
                    let codings = self.codings(&parts.method, &wire);
                    break (wire, codings);
                }
                Err(error) => {
                    if let Some(measure) = measure {
                        measure.failed();
                    }
                    return Err(error.at(&parts.method, &parts.target.url));
                }
            }
            drop(wire);
            #[cfg(feature = "python")]
            if let Err(error) = parts.renew_body() {
                if let Some(measure) = measure {
                    measure.failed();
                }
                return Err(error);
            }
            if let (Some(observer), Some(original)) = (listened, &original) {
                let paused = Instant::now();
                let request = self.told(&parts, original);
                observer.sending(self, &request).await;
                self.change(&mut parts, &request);
                told = Some(request);
                let paused = paused.elapsed();
                deadline = deadline.and_then(|deadline| deadline.checked_add(paused));
                if let Some(measure) = &mut measure {
                    measure.leave_out(paused);
                }
            }
        };
        if let Some(measure) = &mut measure {
            measure.answered_to(&parts.method, &parts.target.url);
        }
        let response = finish(wire, codings, deadline, parts, history, measure, &self.0.options);
        if let (Some(observer), Some(request)) = (listened, &told) {
            #[cfg(feature = "python")]
            let response = response.share();
            let paused = Instant::now();
            observer.received(self, request, &response).await;
            response.leave_out(paused.elapsed());
            return Ok(response);
        }
        Ok(response)
    }

    /// One request over the wire.
    async fn hop(
        &self,
        parts: &mut Parts,
        deadline: Option<Instant>,
        measure: Option<&Measure>,
    ) -> Result<TransportResponse, Error> {
        let inner = &*self.0;
        let unmeasured = Cell::new(0);
        let cookies = {
            let jar = inner.jar.borrow();
            let sends = !jar.is_empty() && !parts.headers.contains_key(header::COOKIE);
            if sends { jar.header(&parts.target.url) } else { None }
        };
        let headers: Cow<'_, HeaderMap> = if parts.headers.is_empty() && cookies.is_none() && !parts.stripped {
            Cow::Borrowed(&inner.defaults)
        } else {
            Cow::Owned(self.merged(parts, cookies))
        };
        let request = TransportRequest {
            method: &parts.method,
            target: &parts.target,
            headers: &headers,
            body: &mut parts.body,
            version: parts.version,
            deadline,
            connect_timeout: parts.connect_timeout,
            read_timeout: parts.read_timeout.or(inner.options.read_timeout).filter(|limit| *limit < Duration::MAX),
            retried: measure.map_or(&unmeasured, Measure::retried),
        };
        match &parts.route {
            None => inner.transport.execute(request).await,
            Some(route) => {
                let transport = inner.routes.transport(route, &inner.options)?;
                Box::pin(async move { transport.execute(request).await }).await
            }
        }
    }

    /// Turns the request into the one that a redirect asks for, unless the answer is final.
    fn next(&self, parts: &mut Parts, wire: &TransportResponse, previous: &mut Vec<url::Url>) -> Result<Step, Error> {
        let here = &parts.target.url;
        if !wire.status.is_redirection() {
            return Ok(Step::Final);
        }
        let Some(url) = redirect::destination(wire.status, wire.headers.map(), here)? else { return Ok(Step::Final) };
        let becomes_get = redirect::becomes_get(wire.status, &parts.method);
        // What was streamed is gone, and the server has to be content with that.
        if !becomes_get && !parts.can_repeat() {
            return Ok(Step::Final);
        }
        previous.push(here.clone());
        let policy = parts.redirect.as_ref().unwrap_or(&self.0.options.redirect);
        let step = policy.decide(wire.status, &url, previous)?;
        if step != Step::Followed {
            return Ok(step);
        }
        let target = Target::from_url(url)?;
        if target.origin != parts.target.origin {
            // The defaults too: what identifies the user belongs to the server it was meant for.
            let mut headers = self.merged(parts, None);
            redirect::strip_secrets(&mut headers);
            headers.remove(header::HOST);
            parts.headers = headers;
            parts.stripped = true;
        }
        if let Some(authorization) = &target.authorization {
            parts.headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        if becomes_get {
            parts.method = Method::GET;
            parts.body = Body::Empty;
            parts.streamed = false;
            redirect::strip_body_headers(&mut parts.headers);
        }
        parts.target = target;
        Ok(step)
    }

    /// All headers of the request: its own, and the defaults that it has not replaced.
    fn merged(&self, parts: &Parts, cookies: Option<HeaderValue>) -> HeaderMap {
        let mut headers = parts.headers.clone();
        if !parts.stripped {
            for name in self.0.defaults.keys().filter(|name| !parts.headers.contains_key(*name)) {
                for value in self.0.defaults.get_all(name) {
                    headers.append(name, value.clone());
                }
            }
        }
        if let Some(cookies) = cookies {
            headers.entry(header::COOKIE).or_insert(cookies);
        }
        headers
    }

    /// The codings of the body to undo, or why it cannot be read.
    fn codings(&self, method: &Method, wire: &TransportResponse) -> Option<Result<Vec<Coding>, Error>> {
        let bodiless = *method == Method::HEAD || wire.body.is_end();
        if bodiless { None } else { self.0.options.decompression.to_undo(wire.headers.map()).transpose() }
    }

    /// Takes over what listeners have changed.
    fn change(&self, parts: &mut Parts, told: &Request) {
        if let Some(headers) = told.take_changed() {
            parts.headers = headers;
            // They hold the defaults already, as the listeners saw them.
            parts.stripped = true;
        }
    }

    /// The request as listeners see it.
    fn told(&self, parts: &Parts, original: &url::Url) -> Request {
        let headers = self.merged(parts, self.jar().header(&parts.target.url));
        Request::new(parts, original.clone(), headers, copy(&parts.body))
    }
}

fn finish(
    mut wire: TransportResponse,
    codings: Option<Result<Vec<Coding>, Error>>,
    deadline: Option<Instant>,
    parts: Parts,
    history: Vec<Hop>,
    mut measure: Option<Measure>,
    options: &SessionOptions,
) -> Response {
    if let Some(measure) = &mut measure {
        measure.answered(wire.status, wire.first_byte);
    }
    // Most answers are complete by now, and so is their measure.
    if codings.is_none() && wire.body.is_whole() {
        if let Some(mut measure) = measure.take() {
            measure.body_in(wire.body.received());
            measure.completed(wire.first_byte);
        }
    } else if codings.is_some() && !options.keep_coding_headers {
        let headers = wire.headers.map_mut();
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    let body = Incoming::new(wire.body, codings, deadline, measure, options.max_body);
    Response::new(parts.method, wire.version, wire.status, wire.headers, body, parts.target, wire.remote_addr, history)
}
