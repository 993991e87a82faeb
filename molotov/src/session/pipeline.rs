//! The pipeline of a request: listeners, cookies, the transport, redirects, decoding, and one measure for the whole.

use std::{
    borrow::Cow,
    cell::Cell,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, header};

use super::{
    Session,
    body::Incoming,
    events::Sent,
    headers,
    measure::Measure,
    options::SessionOptions,
    parts::Parts,
    request::Request,
    response::{Hop, Response},
};
use crate::http::{
    Error,
    cookies::CookiePolicy,
    decode::Coding,
    redirect::{self, Disposition},
    request::{Body, TransportRequest},
    response::TransportResponse,
    target::Target,
};

impl Session {
    /// Sends a request, follows its redirects, and measures all of it as one request.
    pub(crate) async fn send(&self, mut parts: Parts) -> Result<Response, Error> {
        let observer = self.observer();
        let listened = observer.as_ref().filter(|observer| observer.has_listeners());
        let original = listened.is_some().then(|| parts.target.url.clone());
        let mut sent = None;
        if let (Some(observer), Some(original)) = (listened, &original) {
            let request = self.as_listeners_see_it(&parts, original);
            observer.sending(self, &request).await;
            self.apply_changes(&mut parts, &request);
            sent = Some(request);
        }
        // Time in listeners does not count.
        let mut measure = observer.clone().map(|observer| {
            let expected = parts.expected.as_ref().unwrap_or(&self.0.options.expected).clone();
            let group = parts.group.clone().or_else(|| self.context().group_path());
            Measure::start(observer, group, parts.name()).with_tags(parts.tags.clone()).expecting(expected)
        });
        if parts.upgrade.is_some() {
            measure = measure.map(Measure::of_websocket);
        }
        let started = measure.as_ref().map_or_else(Instant::now, Measure::started);
        let timeout = parts.timeout.or(self.0.options.timeout).unwrap_or(super::options::TIMEOUT);
        let mut deadline = started.checked_add(timeout);

        let mut previous = Vec::new();
        let mut history = Vec::new();
        let (mut response, codings) = loop {
            let response = match self.execute_once(&mut parts, deadline, measure.as_ref()).await {
                Ok(response) => response,
                Err(error) => {
                    if let Some(measure) = measure {
                        measure.failed();
                    }
                    return Err(error);
                }
            };
            if let Some(measure) = &mut measure {
                measure.hop(response.bytes_out, response.head_bytes);
            }
            if !response.headers.has_special() {
                break (response, None);
            }
            let (jar, url) = (self.jar(), &parts.target.url);
            match jar.policy() {
                CookiePolicy::Reject => {}
                CookiePolicy::NamedHosts if url.domain().is_none() => {
                    if let (Some(observer), Some(host)) = (&observer, url.host_str())
                        && response.headers.map().contains_key(header::SET_COOKIE)
                    {
                        observer.cookie_dropped(host);
                    }
                }
                CookiePolicy::NamedHosts | CookiePolicy::Accept => jar.store(response.headers.map(), url),
            }
            match self.redirect(&mut parts, &response, &mut previous) {
                Ok(Disposition::Followed) => {
                    history.push(Hop::new(response, previous.last().unwrap_or(&parts.target.url)));
                }
                Ok(Disposition::Final) => {
                    let codings = self.codings(&parts.method, &response);
                    break (response, codings);
                }
                Ok(Disposition::TooMany) => {
                    if let Some(measure) = measure.take() {
                        measure.failed();
                    }
                    let codings = self.codings(&parts.method, &response);
                    break (response, codings);
                }
                Err(error) => {
                    if let Some(measure) = measure {
                        measure.failed();
                    }
                    return Err(error.at(&parts.method, &parts.target.url));
                }
            }
            if let Err(error) = parts.renew_body() {
                if let Some(measure) = measure {
                    measure.failed();
                }
                return Err(error);
            }
            if let (Some(observer), Some(original)) = (listened, &original) {
                let paused = Instant::now();
                let request = self.as_listeners_see_it(&parts, original);
                observer.sending(self, &request).await;
                self.apply_changes(&mut parts, &request);
                sent = Some(request);
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
        if let Some(upgrade) = &parts.upgrade
            && !upgrade.accept(&mut response)
            && let Some(mut measure) = measure.take()
        {
            measure.answered(response.status, response.first_byte);
            measure.failed();
        }
        let response = finish(response, codings, started, deadline, parts, history, measure, &self.0.options)
            .of_worker(self.0.context.get());
        if let (Some(observer), Some(request)) = (listened, &sent) {
            let mut response = response.share();
            let paused = Instant::now();
            observer.received(self, request, &response).await;
            response.leave_out(paused.elapsed());
            return Ok(response);
        }
        Ok(response)
    }

    /// Sends one request over the transport.
    async fn execute_once(
        &self,
        parts: &mut Parts,
        deadline: Option<Instant>,
        measure: Option<&Measure>,
    ) -> Result<TransportResponse, Error> {
        let inner = &*self.0;
        let (unmeasured, unmeasured_wait) = (Cell::new(0), Cell::new(Duration::ZERO));
        let cookies = {
            let jar = inner.jar.borrow();
            let sends = !jar.is_empty() && !parts.headers.contains_key(header::COOKIE);
            if sends { jar.header(&parts.target.url) } else { None }
        };
        let headers: Cow<'_, HeaderMap> = if parts.headers.is_empty() && cookies.is_none() && !parts.has_defaults {
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
            waited: measure.map_or(&unmeasured_wait, Measure::waited),
        };
        match &parts.route {
            None => inner.transport.execute(request).await,
            Some(route) => {
                let transport = inner.routes.transport(route, &inner.options)?;
                Box::pin(async move { transport.execute(request).await }).await
            }
        }
    }

    /// Changes the request as a redirect requires, unless the response is final.
    fn redirect(
        &self,
        parts: &mut Parts,
        response: &TransportResponse,
        previous: &mut Vec<url::Url>,
    ) -> Result<Disposition, Error> {
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
        let policy = parts.redirect.as_ref().unwrap_or(&self.0.options.redirect);
        let disposition = policy.decide(response.status, &url, previous)?;
        if disposition != Disposition::Followed {
            return Ok(disposition);
        }
        let target = Target::from_url(url)?;
        if target.origin != parts.target.origin {
            // The defaults may contain secrets, too, which are only for the server of the original URL.
            let mut headers = self.merged(parts, None);
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

    /// Returns all headers of a request: its own, and the defaults that it does not replace.
    fn merged(&self, parts: &Parts, cookies: Option<HeaderValue>) -> HeaderMap {
        let mut headers = parts.headers.clone();
        if !parts.has_defaults {
            headers::add_missing(&mut headers, &self.0.defaults);
        }
        if let Some(cookies) = cookies
            && !parts.headers.contains_key(header::COOKIE)
        {
            headers::add_cookies(&mut headers, cookies);
        }
        headers
    }

    /// Returns the codings of the body to decode, or the reason why it cannot be read.
    fn codings(&self, method: &Method, response: &TransportResponse) -> Option<Result<Vec<Coding>, Error>> {
        let bodiless = *method == Method::HEAD || response.body.is_end();
        if bodiless { None } else { self.0.options.decompression.codings(response.headers.map()).transpose() }
    }

    /// Applies the changes of listeners.
    fn apply_changes(&self, parts: &mut Parts, request: &Request) {
        if let Some(headers) = request.take_changed() {
            parts.headers = headers;
            parts.has_defaults = true;
        }
    }

    /// Returns the request as listeners see it.
    fn as_listeners_see_it(&self, parts: &Parts, original: &url::Url) -> Request {
        let headers = self.merged(parts, self.jar().header(&parts.target.url));
        let body = match &parts.body {
            Body::Bytes(bytes) => Some(bytes.clone()),
            Body::Empty | Body::Stream { .. } => None,
        };
        Request::new(parts, original.clone(), headers, body)
    }
}

#[expect(clippy::too_many_arguments, reason = "they are the parts of an exchange")]
fn finish(
    mut response: TransportResponse,
    codings: Option<Result<Vec<Coding>, Error>>,
    started: Instant,
    deadline: Option<Instant>,
    parts: Parts,
    history: Vec<Hop>,
    mut measure: Option<Measure>,
    options: &SessionOptions,
) -> Response {
    if let Some(measure) = &mut measure {
        measure.answered(response.status, response.first_byte);
    }
    let sent = Sent::new(started, measure.as_ref());
    // Most responses are complete, so their measure ends here.
    if codings.is_none() && response.body.is_whole() {
        if let Some(mut measure) = measure.take() {
            measure.body_in(response.body.received());
            measure.completed(response.first_byte);
        }
    } else if codings.is_some() && !options.keep_coding_headers {
        let headers = response.headers.map_mut();
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    let body = Incoming::new(response.body, codings, deadline, measure, options.max_body);
    Response::new(
        parts.method,
        response.version,
        response.status,
        response.headers,
        body,
        parts.target,
        response.remote_addr,
        history,
        sent,
    )
}
