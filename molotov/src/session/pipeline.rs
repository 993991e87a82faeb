//! The pipeline of a request: listeners, cookies, the transport, redirects, decoding, and one measure for the whole.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use super::{
    Observer, Session,
    body::Incoming,
    events::Sent,
    headers,
    measure::Measure,
    parts::Parts,
    request::Request,
    response::{Hop, Response},
};
use crate::http::{
    Error,
    cookies::CookiePolicy,
    decode::Coding,
    redirect::{self, Disposition},
    request::{Body, RequestHeaders, TransportRequest},
    response::TransportResponse,
    target::Target,
    timer,
};

/// A request, its redirects, and their measure.
struct Exchange {
    session: Session,
    parts: Parts,
    /// `None` outside a run, and once the request is recorded.
    measure: Option<Measure>,
    deadline: Option<Instant>,
}

/// The listeners of an exchange, and what they have seen of it.
struct Listeners {
    observer: Rc<dyn Observer>,
    /// The URL before redirects.
    original: Url,
    /// The last request.
    sent: Request,
}

/// The codings of a body, or why it cannot be read.
type Codings = Result<Vec<Coding>, Error>;

impl Session {
    /// Sends a request, follows its redirects, and measures all of it as one request.
    ///
    /// The future is part of the future of the scenario, and each worker has its own. So it is small: it contains the path that
    /// nearly all requests of a load test take, and everything else is boxed. The exchange is used where it is, because the future
    /// would contain it twice if it were moved.
    pub(crate) fn send(self, parts: Parts) -> impl Future<Output = Result<Response, Error>> {
        let mut exchange = Exchange { session: self, parts, measure: None, deadline: None };
        async move {
            let observer = exchange.session.observer();
            if let Some(observer) = observer.filter(|observer| observer.has_listeners()) {
                let observer = Rc::clone(observer);
                return Box::pin(exchange.send_with_listeners(observer)).await;
            }
            let started = exchange.start();
            let response = exchange.execute(started).await?;
            if response.headers.has_special() || exchange.is_upgrade() {
                return Box::pin(exchange.follow(started, response, None)).await;
            }
            Ok(exchange.finish(started, response, None, Vec::new()))
        }
    }

    /// Returns all headers of a request: its own, and the defaults that it does not replace.
    fn merged(&self, parts: &Parts, cookies: Option<&HeaderValue>) -> HeaderMap {
        let mut headers = parts.headers.clone();
        if !parts.has_defaults {
            headers::add_missing(&mut headers, self.0.defaults.map());
        }
        if let Some(cookies) = cookies
            && !parts.headers.contains_key(header::COOKIE)
        {
            headers::add_cookies(&mut headers, cookies);
        }
        headers
    }
}

impl Exchange {
    /// Starts the measure and the timeout.
    fn start(&mut self) -> Instant {
        let Exchange { session, parts, .. } = self;
        let settings = parts.settings();
        let measure = session.observer().map(|observer| {
            let group = settings.and_then(|settings| settings.group.clone());
            let group = group.or_else(|| session.context().group_path());
            let tags = settings.and_then(|settings| settings.tags.clone());
            Measure::start(Rc::clone(observer), group, parts.name()).with_tags(tags)
        });
        let measure = if self.is_upgrade() { measure.map(Measure::of_websocket) } else { measure };
        let started = measure.as_ref().map_or_else(Instant::now, Measure::started);
        self.measure = measure;
        self.deadline = started.checked_add(self.timeout());
        started
    }

    /// Returns the total timeout.
    fn timeout(&self) -> Duration {
        self.parts.timeout.or(self.session.0.options.timeout).unwrap_or(super::options::TIMEOUT)
    }

    /// Sends one request over the transport. `now` is the current time.
    async fn execute(&mut self, now: Instant) -> Result<TransportResponse, Error> {
        let is_distant = timer::is_distant(self.timeout());
        let inner = &*self.session.0;
        let parts = &mut self.parts;
        let (unmeasured, unmeasured_wait) = (Cell::new(0), Cell::new(Duration::ZERO));
        // Both are rare, so they are boxed.
        let (cookies, merged);
        cookies = {
            let jar = inner.jar.borrow();
            let sends = !jar.is_empty() && !parts.headers.contains_key(header::COOKIE);
            if sends { jar.header(&parts.target.url).map(Box::new) } else { None }
        };
        let headers = if cookies.is_some() && !parts.has_defaults && inner.defaults.map().contains_key(header::COOKIE) {
            merged = Box::new(self.session.merged(parts, cookies.as_deref()));
            RequestHeaders { own: &merged, defaults: None, cookies: None }
        } else {
            let defaults = (!parts.has_defaults).then(|| &*inner.defaults);
            RequestHeaders { own: &parts.headers, defaults, cookies: cookies.as_deref() }
        };
        let settings = parts.settings.as_deref();
        let read_timeout = settings.and_then(|settings| settings.read_timeout).or(inner.options.read_timeout);
        let route = settings.and_then(|settings| settings.route.as_ref());
        let request = TransportRequest {
            method: &parts.method,
            target: &parts.target,
            headers,
            body: &mut parts.body,
            streamed: parts.streamed,
            version: parts.version,
            now,
            deadline: self.deadline,
            is_distant,
            connect_timeout: settings.and_then(|settings| settings.connect_timeout),
            read_timeout: read_timeout.filter(|limit| *limit < Duration::MAX),
            retried: self.measure.as_ref().map_or(&unmeasured, Measure::retried),
            waited: self.measure.as_ref().map_or(&unmeasured_wait, Measure::waited),
        };
        let result = match route {
            None => inner.transport.execute(request).await,
            Some(route) => match inner.routes.transport(route, &inner.options) {
                Ok(transport) => Box::pin(async move { transport.execute(request).await }).await,
                Err(error) => Err(error),
            },
        };
        match result {
            Ok(response) => {
                if let Some(measure) = &mut self.measure {
                    measure.hop(response.bytes_out, response.head_bytes);
                }
                Ok(response)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Does the same as [`Session::send`] if there are listeners.
    async fn send_with_listeners(&mut self, observer: Rc<dyn Observer>) -> Result<Response, Error> {
        let original = self.parts.target.url.clone();
        let sent = self.announce(&*observer, &original).await;
        let started = self.start();
        let response = self.execute(started).await?;
        self.follow(started, response, Some(Listeners { observer, original, sent })).await
    }

    /// Calls the listeners with the next request, and applies their changes.
    async fn announce(&mut self, observer: &dyn Observer, original: &Url) -> Request {
        let request = self.as_listeners_see_it(original);
        observer.sending(&self.session, &request).await;
        if let Some(headers) = request.take_changed() {
            self.parts.headers = headers;
            self.parts.has_defaults = true;
        }
        request
    }

    /// Handles the response: its cookies, redirects, codings, and listeners.
    async fn follow(
        &mut self,
        started: Instant,
        mut response: TransportResponse,
        mut listeners: Option<Listeners>,
    ) -> Result<Response, Error> {
        let (mut previous, mut history) = (Vec::new(), Vec::new());
        let codings = loop {
            if !response.headers.has_special() {
                break None;
            }
            self.store_cookies(&response);
            match self.redirect(&response, &mut previous) {
                Ok(Disposition::Followed) => {
                    history.push(Hop::new(response, previous.last().unwrap_or(&self.parts.target.url)));
                }
                Ok(Disposition::Final) => break self.codings(&response),
                Ok(Disposition::TooMany) => {
                    if let Some(measure) = self.measure.take() {
                        measure.failed();
                    }
                    break self.codings(&response);
                }
                Err(error) => return Err(self.fail(error.at(&self.parts.method, &self.parts.target.url))),
            }
            if let Err(error) = self.parts.renew_body() {
                return Err(self.fail(error));
            }
            let mut now = Instant::now();
            if let Some(listeners) = &mut listeners {
                listeners.sent = self.announce(&*listeners.observer, &listeners.original).await;
                let paused = now.elapsed();
                now += paused;
                self.deadline = self.deadline.and_then(|deadline| deadline.checked_add(paused));
                if let Some(measure) = &mut self.measure {
                    measure.leave_out(paused);
                }
            }
            response = self.execute(now).await?;
        };
        if let Some(upgrade) = self.parts.settings().and_then(|settings| settings.upgrade.as_ref())
            && !upgrade.accept(&mut response)
            && let Some(mut measure) = self.measure.take()
        {
            measure.answered_to(&self.parts.method, &self.parts.target.url);
            measure.answered(response.status, response.first_byte, false);
            measure.failed();
        }
        let mut response = self.finish(started, response, codings, history);
        if let Some(Listeners { observer, sent, .. }) = listeners {
            response = response.share();
            let paused = Instant::now();
            observer.received(&self.session, &sent, &response).await;
            response.leave_out(paused.elapsed());
        }
        Ok(response)
    }

    /// Returns the response to the scenario, and records the request if the body is complete.
    fn finish(
        &mut self,
        started: Instant,
        mut response: TransportResponse,
        codings: Option<Codings>,
        history: Vec<Hop>,
    ) -> Response {
        let Exchange { session, parts, measure, deadline } = self;
        let options = &session.0.options;
        if let Some(measure) = measure {
            let expected = parts.settings().and_then(|settings| settings.expected.as_ref());
            let is_expected = expected.unwrap_or(&options.expected).contains(response.status);
            measure.answered_to(&parts.method, &parts.target.url);
            measure.answered(response.status, response.first_byte, is_expected);
        }
        let sent = Sent::new(started, measure.as_ref());
        // Most responses are complete, so their measure ends here.
        if codings.is_none() && response.body.is_whole() {
            if let Some(mut measure) = measure.take() {
                measure.body_in(response.body.received());
                measure.completed_at_once();
            }
        } else if codings.is_some() && !options.keep_coding_headers {
            let headers = response.headers.map_mut();
            headers.remove(header::CONTENT_ENCODING);
            headers.remove(header::CONTENT_LENGTH);
        }
        let body = Incoming::new(response.body, codings, *deadline, measure.take(), options.max_body);
        Response::new(
            std::mem::take(&mut parts.method),
            response.version,
            response.status,
            response.headers,
            body,
            Rc::clone(&parts.target),
            response.remote_addr,
            history,
            sent,
            session.0.context.get().cloned(),
        )
    }

    /// Records the request as failed.
    fn fail(&mut self, error: Error) -> Error {
        if let Some(measure) = self.measure.take() {
            measure.failed();
        }
        error
    }

    fn is_upgrade(&self) -> bool {
        self.parts.settings().is_some_and(|settings| settings.upgrade.is_some())
    }

    /// Stores the cookies of a response, if the policy of the session allows it.
    fn store_cookies(&self, response: &TransportResponse) {
        let (jar, url) = (self.session.jar(), &self.parts.target.url);
        match jar.policy() {
            CookiePolicy::Reject => {}
            CookiePolicy::NamedHosts if url.domain().is_none() => {
                if let (Some(observer), Some(host)) = (self.session.observer(), url.host_str())
                    && response.headers.map().contains_key(header::SET_COOKIE)
                {
                    observer.cookie_dropped(host);
                }
            }
            CookiePolicy::NamedHosts | CookiePolicy::Accept => jar.store(response.headers.map(), url),
        }
    }

    /// Changes the request as a redirect requires, unless the response is final.
    fn redirect(&mut self, response: &TransportResponse, previous: &mut Vec<Url>) -> Result<Disposition, Error> {
        let Exchange { session, parts, .. } = self;
        let here = &parts.target.url;
        if !response.status.is_redirection() {
            return Ok(Disposition::Final);
        }
        let Some(url) = redirect::destination(response.status, response.headers.map(), here)? else {
            return Ok(Disposition::Final);
        };
        let becomes_get = redirect::becomes_get(response.status, &parts.method);
        // A stream cannot be sent again, so the redirect is the final response.
        if !becomes_get && !parts.can_repeat() {
            return Ok(Disposition::Final);
        }
        previous.push(here.clone());
        let settings = parts.settings();
        let policy = settings.and_then(|settings| settings.redirect.as_ref()).unwrap_or(&session.0.options.redirect);
        let disposition = policy.decide(response.status, &url, previous)?;
        if disposition != Disposition::Followed {
            return Ok(disposition);
        }
        let target = Target::from_url(url)?;
        if target.origin != parts.target.origin {
            // The defaults may contain secrets, too, which are only for the server of the original URL.
            let mut headers = session.merged(parts, None);
            redirect::strip_secrets(&mut headers);
            headers.remove(header::HOST);
            parts.headers = headers;
            parts.has_defaults = true;
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
        Ok(disposition)
    }

    /// Returns the codings of the body to decode, or the reason why it cannot be read.
    fn codings(&self, response: &TransportResponse) -> Option<Codings> {
        let bodiless = self.parts.method == Method::HEAD || response.body.is_end();
        let decompression = &self.session.0.options.decompression;
        if bodiless { None } else { decompression.codings(response.headers.map()).transpose() }
    }

    /// Returns the request as listeners see it.
    fn as_listeners_see_it(&self, original: &Url) -> Request {
        let Exchange { session, parts, .. } = self;
        let headers = session.merged(parts, session.jar().header(&parts.target.url).as_ref());
        let body = match &parts.body {
            Body::Bytes(bytes) => Some(bytes.clone()),
            Body::Empty | Body::Stream { .. } => None,
        };
        Request::new(parts, original.clone(), headers, body)
    }
}
